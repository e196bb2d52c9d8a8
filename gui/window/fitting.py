"""Opening a window inside the free area of its screen, its frame included."""

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QTimer, Slot
from PySide6.QtWidgets import QStyle, QWidget

USUAL = (1440, 900)
"""Width and height of a new window, in pixels, where the screen has room."""

LOOK_MS, LOOKS = 50, 20
"""How often, and how many times, the frame is looked for: the window manager draws it some time after the window."""


class Fitter(QObject):
    """Fits a window, which may be remembered from a larger screen, once it is shown and its frame is known."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window, self._looks = window, 0
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Begin to look for the frame when the window is shown for the first time."""
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
            self._looks = max(1, self._looks)  # once is enough
            self._timer.stop()


def usual_size(window: QWidget) -> None:
    """Give a new window its usual size, or what the screen has room for beside a title bar."""
    free = window.screen().availableGeometry()
    title_bar = window.style().pixelMetric(QStyle.PixelMetric.PM_TitleBarHeight)
    window.resize(min(USUAL[0], free.width()), min(USUAL[1], free.height() - title_bar))


def fit(window: QWidget) -> None:
    """Move and shrink a window so that it, with its frame, lies inside the free area of its screen."""
    if window.isMaximized() or window.isFullScreen():
        return
    inside = placed_inside(window.geometry(), window.frameGeometry(), window.screen().availableGeometry())
    if inside != window.geometry():
        window.setGeometry(inside)


def placed_inside(inner: QRect, frame: QRect, free: QRect) -> QRect:
    """Return where a window's contents go so that its frame lies inside `free`; as they are where it does.

    `inner` are the contents and `frame` the contents with the frame around them, as they are now.
    """
    before, after = inner.topLeft() - frame.topLeft(), frame.bottomRight() - inner.bottomRight()
    room = free.adjusted(before.x(), before.y(), -after.x(), -after.y())
    size = inner.size().boundedTo(room.size())
    left = max(room.left(), min(inner.left(), room.left() + room.width() - size.width()))
    top = max(room.top(), min(inner.top(), room.top() + room.height() - size.height()))
    return QRect(QPoint(left, top), size)
