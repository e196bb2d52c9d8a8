"""The colour scheme of the window: chosen by the header's button or in the settings, or that of the system."""

from collections.abc import Callable

from PySide6.QtCore import QObject, QSettings, Signal, Slot
from PySide6.QtWidgets import QApplication

from gui.settings.preferences import read_preferences
from gui.widgets import theme
from gui.window.header import Header


class ThemeChoice(QObject):
    """Emits `changed` when another scheme is shown, so that painted widgets can be repainted."""

    changed = Signal()

    def __init__(self, header: Header, settings: QSettings, parent: QObject) -> None:
        super().__init__(parent)
        self._header, self._settings = header, settings
        header.theme_asked.connect(self.choose_next)
        header.show_theme(read_preferences(settings).theme)

    @Slot()
    def choose_next(self) -> None:
        """Switch between light and dark, and remember it."""
        chosen = theme.toggle_scheme(_app())
        self._settings.setValue("theme", chosen)
        self._shown(chosen)

    @Slot(str)
    def choose(self, chosen: str) -> None:
        """Show "light", "dark", "contrast" or "system", as stored in the settings."""
        theme.choose_scheme(_app(), chosen)
        self._shown(chosen)

    def _shown(self, chosen: str) -> None:
        self.changed.emit()
        self._header.show_theme(chosen)


class ThemeFollower(QObject):
    """Applies palette and style sheet, then `apply`, when the user or the system changes the scheme."""

    def __init__(self, app: QApplication, apply: Callable[[], None], parent: QObject) -> None:
        super().__init__(parent)
        self._app, self._apply_to_window = app, apply
        app.styleHints().colorSchemeChanged.connect(self._apply)
        theme.accessibility_hints().contrastPreferenceChanged.connect(self._apply)

    @Slot()
    def _apply(self) -> None:
        theme.apply(self._app)
        self._apply_to_window()


def _app() -> QApplication:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    return app
