"""A matrix of tinted cells with a value for every row and column."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from gui.widgets.plain import as_plain
from gui.widgets.plot_menu import PlotMenu
from gui.widgets.theme import px, tokens

SIDE, HEAD, GAP = 40, 24, 3
WIDEST_SIDE = 150
"""Maximum width of row names in pixels; longer ones are elided, with the full name as tooltip."""


class HeatMap(QWidget):
    """The larger a value, the stronger its cell's tint; the largest has the full colour."""

    def __init__(self) -> None:
        super().__init__()
        self.values: NDArray[np.float64] = np.empty((0, 0))
        self._rows: Sequence[str] = ()
        self._columns: Sequence[str] = ()
        self._tip = ""
        self._pale: Sequence[bool] = ()
        self._wanted = 0
        self.menu = PlotMenu(self)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_values(
        self,
        values: NDArray[np.float64],
        rows: Sequence[str],
        columns: Sequence[str],
        tip: str,
        pale: Sequence[bool] = (),
    ) -> None:
        """Show values (rows, columns), non-negative; `tip` is a tooltip template with {row}, {column} and {value}.

        Rows marked `pale` are drawn in grey.
        """
        self.values, self._rows, self._columns, self._tip = values, rows, columns, tip
        self._pale = pale or (False,) * len(rows)
        self._wanted = max((QFontMetrics(self._font(bold=True)).horizontalAdvance(row) for row in rows), default=0) + 8
        self.updateGeometry()
        self.update()

    def minimumSizeHint(self) -> QSize:
        """Return the smallest size at which values are readable."""
        return QSize(SIDE + 44 * max(1, len(self._columns)), HEAD + 16 * max(1, len(self._rows)))

    @property
    def side(self) -> int:
        """Width of the row names in pixels: what they need, as long as the cells keep room for their values."""
        room = self.width() - 44 * max(1, len(self._columns))
        return max(px(SIDE), min(self._wanted, px(WIDEST_SIDE), room))

    def row_text(self, row: int) -> str:
        """Return a row's name as drawn, elided if necessary."""
        metrics = QFontMetrics(self._font(bold=True))
        return metrics.elidedText(self._rows[row], Qt.TextElideMode.ElideRight, self.side - 4)

    def _font(self, *, bold: bool) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(px(11))
        font.setBold(bold)
        return font

    def _cell(self, row: int, column: int) -> QRectF:
        side = self.side
        wide = (self.width() - side) / max(1, len(self._columns))
        high = min(44.0, (self.height() - HEAD) / max(1, len(self._rows)))
        return QRectF(side + column * wide, HEAD + row * high, wide - GAP, high - GAP)

    def event(self, event: Any) -> bool:
        """Show a tooltip for the cell under the pointer."""
        if isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), as_plain(self.tip_at(event.pos())), self)
            return True
        return super().event(event)

    def tip_at(self, place: QPoint) -> str:
        """Return the tooltip at a position."""
        for row, name in enumerate(self._rows):
            first = self._cell(row, 0)
            if place.x() < first.left() and first.top() <= place.y() <= first.bottom():
                return name
            for column in range(len(self._columns)):
                if self._cell(row, column).contains(place):
                    value = f"{self.values[row, column]:.3f}"
                    return self._tip.format(row=self._rows[row], column=self._columns[column], value=value)
        return ""

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw headings and cells."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = tokens()
        painter.setFont(self._font(bold=False))
        painter.setPen(QColor(colours.muted))
        for column, title in enumerate(self._columns):
            box = self._cell(0, column)
            words = painter.fontMetrics().elidedText(title, Qt.TextElideMode.ElideRight, int(box.width()))
            painter.drawText(QRectF(box.x(), 0, box.width(), HEAD - 4), Qt.AlignmentFlag.AlignCenter, words)
        top = float(self.values.max()) if self.values.size else 1.0
        for row in range(len(self._rows)):
            painter.setFont(self._font(bold=True))
            painter.setPen(QColor(colours.muted if self._pale[row] else colours.text))
            box = self._cell(row, 0)
            left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(0, box.y(), self.side, box.height()), left, self.row_text(row))
            painter.setFont(self._font(bold=False))
            for column in range(len(self._columns)):
                self._paint_cell(painter, row, column, top or 1.0)

    def _paint_cell(self, painter: QPainter, row: int, column: int, top: float) -> None:
        colours, box = tokens(), self._cell(row, column)
        share = max(0.0, float(self.values[row, column]) / top)
        strong = colours.muted if self._pale[row] else colours.runs[0]
        fill = _mixed(QColor(colours.field), QColor(strong), share)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawRoundedRect(box, 3, 3)
        painter.setPen(ink_on(fill))
        if box.height() >= 11:
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, f"{self.values[row, column]:.2f}")


def ink_on(fill: QColor) -> QColor:
    """Return black or white, whichever is more readable on a colour: the contrast is at least 4.5 (WCAG 2.1)."""
    channels = (fill.redF(), fill.greenF(), fill.blueF())
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return QColor("#ffffff" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "#000000")


def _mixed(low: QColor, high: QColor, share: float) -> QColor:
    pairs = ((low.red(), high.red()), (low.green(), high.green()), (low.blue(), high.blue()))
    return QColor(*(round(a + (b - a) * share) for a, b in pairs))
