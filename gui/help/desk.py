"""F1: opens the help at the topic of the focused widget.

A widget names its topic in the property `helpTopic` ("settings#beta"); without it, the parent's topic applies.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSettings, Qt, Slot
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QWidget

from gui.help import FIRST, KEYBOARD
from gui.help.posteriors import FigureOneDialog

if TYPE_CHECKING:
    from gui.help.window import HelpWindow

TOPIC = "helpTopic"
KEY = "help-key"


def topic_of(widget: QWidget | None) -> str:
    """Return the topic of a widget, or of its nearest ancestor that has one."""
    while widget is not None:
        topic = widget.property(TOPIC)
        if topic:
            return str(topic)
        widget = widget.parentWidget()
    return FIRST


class HelpDesk(QObject):
    """Opens the only help window, and makes F1 open it from every dialog; the main window's menu has its own F1.

    `keys` returns the window's shortcuts and what they do.
    """

    def __init__(self, window: QWidget, settings: QSettings, keys: Callable[[], Mapping[str, str]]) -> None:
        super().__init__(window)
        self._window, self._settings, self._keys = window, settings, keys
        self.shown: HelpWindow | None = None
        """The help window, created when help is first requested."""
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        self._app = app
        self._open = True
        app.focusChanged.connect(self._focus_changed)

    @Slot(QWidget, QWidget)
    def _focus_changed(self, before: QWidget | None, now: QWidget | None) -> None:
        """Add the F1 shortcut to a dialog when it first gets the focus."""
        top = now.window() if now is not None else None
        if top is None or top is self._window:
            return
        if top.findChild(QShortcut, KEY, Qt.FindChildOption.FindDirectChildrenOnly) is not None:
            return
        shortcut = QShortcut(QKeySequence(QKeySequence.StandardKey.HelpContents), top)
        shortcut.setObjectName(KEY)
        shortcut.activated.connect(self.help_with_focus)

    @Slot()
    def help_with_focus(self) -> None:
        """Show the topic of the focused widget."""
        self.show_topic(topic_of(QApplication.focusWidget() or QApplication.activeWindow() or self._window))

    @Slot()
    def show_keys(self) -> None:
        """Show the list of keys."""
        self.show_topic(KEYBOARD)

    @Slot(str)
    def show_topic(self, where: str) -> None:
        """Show a topic in the help window and bring it to the front."""
        if self.shown is None:
            from gui.help.topics import Library
            from gui.help.window import HelpWindow

            self.shown = HelpWindow(Library(self._keys()), self._settings)
            self.shown.asked.connect(self._do)
        self._let_through(self.shown)
        self.shown.show()
        self.shown.search.clear()
        self.shown.open_topic(where)
        if self.shown.isMinimized():
            self.shown.showNormal()
        self.shown.raise_()
        self.shown.activateWindow()

    def _let_through(self, window: "HelpWindow") -> None:
        """Make the help a child of a modal dialog, which would otherwise block it."""
        modal = QApplication.activeModalWidget()
        if modal is not None and window.isVisible():
            window.hide()
        window.winId()
        handle = window.windowHandle()
        if handle is not None:
            # None is allowed, though PySide's stubs do not say so.
            handle.setTransientParent(modal.windowHandle() if modal is not None else None)  # type: ignore[arg-type]

    @Slot()
    def forget(self) -> None:
        """Generate the texts again when they are next shown, since methods, metrics or data sets have changed."""
        if self.shown is not None and not self.shown.isVisible():
            self.shown.close()
            self.shown.deleteLater()
            self.shown = None

    @Slot(str)
    def _do(self, name: str) -> None:
        if name == "figure-one":
            FigureOneDialog(self.shown).exec()

    def close(self) -> None:
        """Close the help with the main window."""
        if self._open:
            self._open = False
            self._app.focusChanged.disconnect(self._focus_changed)
        if self.shown is not None:
            self.shown.close()
            self.shown.deleteLater()
            self.shown = None
