"""Building parts of the window ahead of their use, one after another while nothing else happens."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer, Slot
from PySide6.QtWidgets import QWidget

AHEAD_MS = 700
"""Time between the first paint of a widget and the first part, and between two parts: the user can act in between."""


class Ahead(QObject):
    """Calls `build` once `widget` has been shown for a while, and again as long as it returns that more is missing."""

    def __init__(self, widget: QWidget, build: Callable[[], bool]) -> None:
        super().__init__(widget)
        self._build = build
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._next)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Wait while the widget is hidden."""
        if event.type() == QEvent.Type.Show:
            self._timer.start(AHEAD_MS)
        elif event.type() == QEvent.Type.Hide:
            self._timer.stop()
        return False

    @Slot()
    def _next(self) -> None:
        if self._build():
            self._timer.start(AHEAD_MS)
