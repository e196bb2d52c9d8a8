"""The values of all curves at one position, shown beside the crosshair."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from engine.system.numbers import rounded_text
from gui.widgets.theme import px, tokens

LINE = 15
MARGIN = 6
DOT = 12
"""Width of a dot in pixels."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The value of a curve, with the curve's title and colour, and a note after the value."""

    title: str
    value: float | None
    colour: str
    note: str = ""

    @property
    def text(self) -> str:
        """The value and its note."""
        return " ".join(filter(None, (value_text(self.value), self.note)))


def value_text(value: float | None) -> str:
    """Return a value with about four digits; a dash if there is none."""
    if value is None:
        return "–"
    if abs(value) >= 1e5:
        return rounded_text(value, 4)
    return f"{value:,.1f}" if abs(value) >= 99.95 else f"{value:.2f}"


class Readout(QWidget):
    """A small panel over a plot, on the side away from the pointer, with as many columns as its lines need.

    It is a child of the plot, unless given to the common parent of several plots to extend beyond its own.
    """

    def __init__(self, plot: QWidget) -> None:
        super().__init__(plot)
        self._plot = plot
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._heading = ""
        self._readings: Sequence[Reading] = ()
        self._rows = self._names = self._figures = 1
        self._missing = 0
        self.hide()

    def show_readings(
        self, heading: str, readings: Sequence[Reading], area: QRectF, pointer: float, *, complete: bool
    ) -> None:
        """Show readings, largest first, to the left or right of the pointer.

        `area`, where curves are drawn, and `pointer` are in pixels of the plot. With `complete`, the panel may extend
        beyond the plot to show all readings; otherwise the heading says how many do not fit.
        """
        metrics = QFontMetrics(self._small())
        right = pointer < area.center().x()
        room = (area.right() - pointer if right else pointer - area.left()) - 16 - 2 * MARGIN
        high = (self.parentWidget() if complete else self._plot).height() - (0 if complete else area.top()) - 4
        rows = max(1, int((high - 2 * MARGIN) // px(LINE)) - 1)
        self._figures = max((metrics.horizontalAdvance(r.text) for r in readings), default=0) + 8
        columns = max(1, min(-(-len(readings) // rows), int(room // (DOT + self._figures))))
        ordered = sorted(readings, key=lambda r: -math.inf if r.value is None else r.value, reverse=True)
        self._readings = ordered[: rows * columns]
        self._missing = len(ordered) - len(self._readings)
        self._rows = min(rows, -(-len(self._readings) // columns)) if self._readings else 0
        longest = max((metrics.horizontalAdvance(r.title) for r in self._readings), default=0) + 6
        free = room / columns - self._figures - DOT
        self._names = int(min(longest, free, 150)) if free >= min(longest, 30) else 0
        self._heading = heading + (f"  (+{self._missing} more)" if self._missing else "")
        width = (
            max(columns * (DOT + self._figures + self._names), metrics.horizontalAdvance(self._heading)) + 2 * MARGIN
        )
        height = (self._rows + 1) * px(LINE) + 2 * MARGIN - 2
        left = area.right() - width - 2 if right else area.left() + 2
        place = self._plot.mapTo(self.parentWidget(), QPoint(int(left), int(area.top()) + 2))
        place.setY(max(0, min(place.y(), self.parentWidget().height() - height)))
        self.setGeometry(QRect(place, QSize(int(width), height)))
        self.show()
        self.raise_()
        self.update()

    def parentWidget(self) -> QWidget:
        """Return the parent, which always exists."""
        return super().parentWidget() or self._plot

    def _small(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(px(11))
        return font

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the heading, dots, values and names."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._small())
        colours = tokens()
        back = QColor(colours.card)
        back.setAlpha(240)
        painter.setBrush(back)
        painter.setPen(QColor(colours.border))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)
        painter.setPen(QColor(colours.muted))
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(MARGIN, MARGIN - 2, self.width() - MARGIN, px(LINE)), left, self._heading)
        for number, reading in enumerate(self._readings):
            column, row = divmod(number, self._rows)
            x, y = MARGIN + column * (DOT + self._figures + self._names), MARGIN - 2 + (row + 1) * px(LINE)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(reading.colour))
            painter.drawEllipse(QPointF(x + 4, y + px(LINE) / 2), 3.5, 3.5)
            painter.setPen(QColor(colours.text))
            painter.drawText(QRectF(x + DOT, y, self._figures, px(LINE)), left, reading.text)
            painter.setPen(QColor(colours.muted))
            if self._names:
                title = painter.fontMetrics().elidedText(reading.title, Qt.TextElideMode.ElideMiddle, self._names)
                painter.drawText(QRectF(x + DOT + self._figures, y, self._names, px(LINE)), left, title)
