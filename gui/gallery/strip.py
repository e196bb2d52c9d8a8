"""Traversals of a model side by side, rendered beforehand, which move on request."""

import math
from collections.abc import Sequence

from PySide6.QtCore import QRect, QRectF, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QColor, QFont, QFontMetrics, QHideEvent, QImage, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.widgets.plain import as_plain
from gui.widgets.theme import px, reduced_motion, tokens

TICK_MS = 50
SWEEP_MS = 3200
"""Time of a sweep through all values of a latent and back."""

STILL = 0.12
"""Where in its sweep a traversal rests: near one end, where latents differ most."""

GAP, RADIUS, WORDS = 6, 5, 18
"""Pixels between images, radius of their corners, height of the words below them."""


class Strip(QWidget):
    """Shows a row of images, one for each traversal, with what it changes below it.

    `picture` has a row of frames for each traversal. It rests until `play`, and never moves with reduced motion.
    """

    def __init__(self, picture: QImage, frames: int, words: Sequence[str]) -> None:
        super().__init__()
        self._picture, self._count, self._words = picture, frames, list(words)
        self._at = _place_of(STILL)
        """Time in the sweep, as a share of it."""
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._move)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName("Traversals of " + ", ".join(self._words))
        self.setToolTip(as_plain("What each latent changes: " + ", ".join(self._words)))

    @property
    def playing(self) -> bool:
        """Whether it moves."""
        return self._timer.isActive()

    @property
    def frame(self) -> int:
        """The number of the frame shown."""
        return round((1 - math.cos(2 * math.pi * self._at)) / 2 * (self._count - 1))

    def play(self) -> None:
        """Move, unless the user wants nothing to move."""
        if not reduced_motion():
            self._timer.start()

    def stop(self) -> None:
        """Rest."""
        self._timer.stop()
        self._at = _place_of(STILL)
        self.update()

    @Slot()
    def _move(self) -> None:
        self._at = (self._at + TICK_MS / SWEEP_MS) % 1
        self.update()

    def hideEvent(self, event: QHideEvent) -> None:
        """Rest while hidden."""
        super().hideEvent(event)
        self.stop()

    def hasHeightForWidth(self) -> bool:
        """Return True: images are square."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of the images and the words."""
        return self._side(width) + px(WORDS)

    def sizeHint(self) -> QSize:
        """Return the size with images as they were decoded."""
        width = px(64) * self._columns + px(GAP) * (self._columns - 1)
        return QSize(width, self.heightForWidth(width))

    @property
    def _columns(self) -> int:
        """The room for images: at least four, so that the images of all cards are alike."""
        return max(4, len(self._words))

    def _side(self, width: int) -> int:
        return max(16, (width - px(GAP) * (self._columns - 1)) // self._columns)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the images at this moment of the sweep."""
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        colours, side = tokens(), self._side(self.width())
        rows = len(self._words)
        width, height = self._picture.width() // self._count, self._picture.height() // rows
        font = QFont(self.font())
        font.setPixelSize(px(11))
        metrics = QFontMetrics(font)
        painter.setFont(font)
        for row, words in enumerate(self._words):
            place = QRect(row * (side + px(GAP)), 0, side, side)
            shape = QPainterPath()
            shape.addRoundedRect(QRectF(place), px(RADIUS), px(RADIUS))
            painter.save()
            painter.setClipPath(shape)
            painter.drawImage(place, self._picture, QRect(self.frame * width, row * height, width, height))
            painter.restore()
            painter.setPen(QPen(QColor(colours.border), 1))
            painter.drawPath(shape)
            painter.setPen(QColor(colours.muted))
            left, right = max(0, place.left() - px(GAP) // 2), min(self.width(), place.right() + px(GAP) // 2)
            below = QRect(left, side + px(3), right - left, px(WORDS) - px(3))
            text = metrics.elidedText(words, Qt.TextElideMode.ElideRight, below.width())
            painter.drawText(below, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, text)


def _place_of(share: float) -> float:
    """Return the time in a sweep at which this share of the values has been passed."""
    return math.acos(1 - 2 * share) / (2 * math.pi)
