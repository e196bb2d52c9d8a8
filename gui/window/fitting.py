"""Fits a window, including its frame, into the available area of its screen."""

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QTimer, Slot
from PySide6.QtWidgets import QStyle, QWidget

USUAL = (1440, 900)
"""Width and height of a new window in pixels, if the screen has room."""

LOOK_MS, LOOKS = 50, 20
"""Interval and number of checks for the frame, which the window manager adds some time after the window appears."""


class Fitter(QObject):
    """Fits a window, whose geometry may be from a larger screen, once it is shown and its frame is known."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window, self._looks = window, 0
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Start checking for the frame when the window is first shown."""
        if event.type() == QEvent.Type.Show and not self._looks:
            self._looks = LOOKS
            self._timer.start()
            fit(self._window)
        elif event.type() == QEvent.Type.Hide:
            self._timer.stop()
        return False

    @Slot()
    def _look(self) -> None:
        self._looks -= 1
        fit(self._window)
        if self._window.frameGeometry() != self._window.geometry() or not self._looks:
            self._looks = max(1, self._looks)  # never start again
            self._timer.stop()


def usual_size(window: QWidget) -> None:
    """Set a new window's default size, limited by the screen and a title bar."""
    free = window.screen().availableGeometry()
    title_bar = window.style().pixelMetric(QStyle.PixelMetric.PM_TitleBarHeight)
    window.resize(min(USUAL[0], free.width()), min(USUAL[1], free.height() - title_bar))


def fit(window: QWidget) -> None:
    """Move and shrink a window so that it lies, with its frame, within the available area of its screen."""
    if window.isMaximized() or window.isFullScreen():
        return
    inside = placed_inside(window.geometry(), window.frameGeometry(), window.screen().availableGeometry())
    if inside != window.geometry():
        window.setGeometry(inside)


def placed_inside(inner: QRect, frame: QRect, free: QRect) -> QRect:
    """Return the geometry of a window's contents that keeps its frame inside `free`; unchanged if it already is.

    `inner` is the current geometry of the contents, `frame` that of the window including its frame.
    """
    before, after = inner.topLeft() - frame.topLeft(), frame.bottomRight() - inner.bottomRight()
    room = free.adjusted(before.x(), before.y(), -after.x(), -after.y())
    size = inner.size().boundedTo(room.size())
    left = max(room.left(), min(inner.left(), room.left() + room.width() - size.width()))
    top = max(room.top(), min(inner.top(), room.top() + room.height() - size.height()))
    return QRect(QPoint(left, top), size)
