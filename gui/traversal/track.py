"""The slider of one latent, with the image's posterior marked on its track."""

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QSlider

from gui.widgets.theme import tokens

TICKS = 100
"""Positions of the slider in one unit of the latent: a standard deviation of a Gaussian prior, a category, a code."""

HANDLE = 7.0
"""Radius of the handle in pixels."""


class LatentTrack(QSlider):
    """A slider that marks a posterior's mean and one standard deviation on either side.

    A click moves the handle to the pointer; a double-click emits `reset`. If `integer`, it stops only at integers,
    which are drawn as dots.
    """

    reset = Signal()

    def __init__(self, *, integer: bool = False) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._mean: float | None = None
        self._deviation = 0.0
        self._active = True
        self._integer = integer
        self.setSingleStep(TICKS if integer else TICKS // 10)
        self.setPageStep(TICKS if integer else TICKS // 2)
        self.setMinimumWidth(60)
        self.setFixedHeight(24)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the scroll area unless this has the focus, which the wheel does not give."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def set_range(self, low: float, high: float) -> None:
        """Set the range."""
        self.setRange(round(low * TICKS), round(high * TICKS))
        self.update()

    def show_posterior(self, mean: float | None, deviation: float, *, active: bool) -> None:
        """Mark a posterior, or none; an inactive latent is drawn paler."""
        self._mean, self._deviation, self._active = mean, deviation, active
        self.update()

    def _x(self, value: float) -> float:
        """Return the position of a value on the track in pixels, clamped to its ends."""
        span = max(1, self.maximum() - self.minimum())
        share = min(1.0, max(0.0, (value * TICKS - self.minimum()) / span))
        return HANDLE + 1 + share * (self.width() - 2 * HANDLE - 2)

    def _take(self, event: QMouseEvent) -> None:
        share = (event.position().x() - HANDLE - 1) / max(1.0, self.width() - 2 * HANDLE - 2)
        value = self.minimum() + min(1.0, max(0.0, share)) * (self.maximum() - self.minimum())
        self.setValue(TICKS * round(value / TICKS) if self._integer else round(value))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Move the handle to the pointer."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._take(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the pointer."""
        if self.isSliderDown():
            self._take(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Release the handle."""
        self.setSliderDown(False)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Request a reset to the image's own value."""
        self.reset.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw groove, posterior and handle."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        colours, middle = tokens(), self.height() / 2
        painter.setOpacity(1.0 if self._active else 0.45)
        painter.setBrush(QColor(colours.faint))
        painter.drawRoundedRect(QRectF(HANDLE + 1, middle - 2, self.width() - 2 * HANDLE - 2, 4), 2, 2)
        painter.setBrush(QColor(colours.muted))
        for ticks in range(self.minimum(), self.maximum() + 1, TICKS) if self._integer else ():
            painter.drawEllipse(QPointF(self._x(ticks / TICKS), middle), 2, 2)
        if self._mean is not None and self._integer:
            painter.setPen(QPen(QColor(colours.text), 1.5))
            painter.drawLine(QPointF(self._x(self._mean), middle - 9), QPointF(self._x(self._mean), middle + 9))
            painter.setPen(Qt.PenStyle.NoPen)
        elif self._mean is not None:
            left, right = self._x(self._mean - self._deviation), self._x(self._mean + self._deviation)
            band = QColor(colours.accent)
            band.setAlpha(95)
            painter.setBrush(band)
            painter.drawRoundedRect(QRectF(left, middle - 3, max(2.0, right - left), 6), 3, 3)
            painter.setPen(QPen(QColor(colours.text), 1.5))
            x = self._x(self._mean)
            painter.drawLine(QPointF(x, middle - 9), QPointF(x, middle + 9))
            painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.accent))
        if self.hasFocus():
            painter.setPen(QPen(QColor(colours.text), 2))
        painter.drawEllipse(QPointF(self._x(self.value() / TICKS), middle), HANDLE, HANDLE)
