"""Colours of the points of the latent map: one for each class, or a scale for an ordered factor."""

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QColor, QFont, QFontMetrics, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.runs.colours import CLASSES
from gui.widgets.theme import is_dark, px, tokens

SCALE = "viridis"
"""Colour map of ordered factors."""

STOPS = 32
"""Colours of the scale; ScatterPlotItem keeps a small image of a dot for each."""

ON_DARK = ("#C98A6B", "#A9CC5C", "#F0709F", "#8FAFE8")
"""The colours of classes beyond those of runs, on a dark background."""


def class_colours(classes: int) -> list[str]:
    """Return a colour for each class, in the current scheme; more than twelve classes share them."""
    colours = tokens().runs + ON_DARK if is_dark() else CLASSES
    return [colours[number % len(colours)] for number in range(classes)]


def scale_colours(values: Sequence[float]) -> list[str]:
    """Return the colour on the scale of each of these values, which need not be in order."""
    numbers = np.asarray(values, np.float64)
    low, high = numbers.min(), numbers.max()
    places = np.rint((numbers - low) / max(high - low, 1e-12) * (STOPS - 1)).astype(int)
    stops = _scale()
    return [stops[place] for place in places]


def _scale() -> list[str]:
    stops: list[QColor] = pg.colormap.get(SCALE).map(np.linspace(0, 1, STOPS), mode="qcolor")
    return [stop.name() for stop in stops]


class ColourScale(QWidget):
    """The scale of an ordered factor, with its name and the values at both ends."""

    def __init__(self) -> None:
        super().__init__()
        self._words = ("", "", "")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_scale(self, title: str, low: str, high: str) -> None:
        """Show the scale of a factor with this title, from `low` to `high`."""
        self._words = (title, low, high)
        self.setAccessibleName(f"Colours of {title}, from {low} to {high}")
        self.update()

    def sizeHint(self) -> QSize:
        """Return the size of a line of text."""
        return QSize(px(260), px(17))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the name, then the scale between its ends."""
        painter = QPainter(self)
        font = QFont(self.font())
        font.setPixelSize(px(12))
        painter.setFont(font)
        painter.setPen(QColor(tokens().muted))
        metrics, left, base = QFontMetrics(font), 0, self.height() - px(4)
        for words in self._words[:2]:
            painter.drawText(left, base, words)
            left += metrics.horizontalAdvance(words) + 8
        box = QRectF(
            left,
            px(3),
            max(20, min(px(140), self.width() - left - metrics.horizontalAdvance(self._words[2]) - 8)),
            px(11),
        )
        gradient = QLinearGradient(box.topLeft(), box.topRight())
        for number, colour in enumerate(_scale()):
            gradient.setColorAt(number / (STOPS - 1), QColor(colour))
        painter.fillRect(box, gradient)
        painter.drawText(round(box.right()) + 8, base, self._words[2])
