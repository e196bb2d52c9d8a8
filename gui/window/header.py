"""The header of the window: name, tabs, theme and menu."""

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QLabel, QMenu, QPushButton

from engine.system.paths import APP, RESOURCES
from gui.widgets.layouts import label
from gui.widgets.theme import px

TABS = ("Training", "Traversal", "Metrics", "Data")
HEIGHT = 48


class Header(QFrame):
    """Emits `page_chosen(number)` for a tab or its key, Ctrl+1 to Ctrl+4, and `theme_asked` for the next theme."""

    page_chosen = Signal(int)
    theme_asked = Signal()

    def __init__(self, menu: QMenu) -> None:
        super().__init__()
        self.setObjectName("header")
        self.setFixedHeight(px(HEIGHT))
        bar = QHBoxLayout(self)
        bar.setContentsMargins(14, 0, 14, 0)
        bar.setSpacing(4)
        icon = QLabel()
        icon.setPixmap(QIcon(str(RESOURCES / "icons" / "icon.svg")).pixmap(22, 22))
        bar.addWidget(icon)
        bar.addSpacing(6)
        bar.addWidget(label(APP, "app"))
        bar.addSpacing(28)
        self.tabs = QButtonGroup(self)
        for number, title in enumerate(TABS):
            button = _tab(title, f"{title} (Ctrl+{number + 1})")
            button.setCheckable(True)
            self.tabs.addButton(button, number)
            bar.addWidget(button)
            button.setShortcut(f"Ctrl+{number + 1}")
        self.tabs.button(0).setChecked(True)
        self.tabs.idClicked.connect(self.page_chosen)
        bar.addStretch(1)
        self._theme = _tab("", "Switch between light and dark; Settings can also follow the system")
        self._theme.clicked.connect(self.theme_asked)
        bar.addWidget(self._theme)
        more = _tab("Menu", "Command palette, undo, import, settings, help, quit (Alt+M)")
        more.setShortcut("Alt+M")
        more.setMenu(menu)
        bar.addWidget(more)

    def show_page(self, number: int, before: int) -> None:
        """Select a tab, and move the focus with it if the previous one had it; a page without a tab selects none."""
        self.tabs.setExclusive(False)
        for tab in self.tabs.buttons():
            of = self.tabs.id(tab)
            tab.setChecked(of == number)
            if of == before and tab.hasFocus() and number < len(TABS):
                self.tabs.button(number).setFocus()
        self.tabs.setExclusive(True)

    def show_theme(self, name: str) -> None:
        """Show the chosen theme: "light", "dark", "contrast" or "system"."""
        self._theme.setText(f"Theme: {name}")


class Tab(QPushButton):
    """A button of the header. Its shortcut takes effect at once; a button's usually shows it pressed for a moment."""

    def event(self, event: QEvent) -> bool:
        """Click on the shortcut."""
        if event.type() == QEvent.Type.Shortcut and self.menu() is None:
            self.click()
            return True
        return super().event(event)


def _tab(text: str, tip: str) -> QPushButton:
    button = Tab(text)
    button.setObjectName("tab")
    button.setToolTip(tip)
    return button
