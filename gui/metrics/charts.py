"""Scatter plot and bar chart on the screen."""

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QFontMetrics, QResizeEvent, QWheelEvent

from engine.evaluation.catalogue import Column
from engine.evaluation.charts import Bar, Point, courses, places
from engine.figures.looks import Look
from gui.widgets.axes import NumberAxis
from gui.widgets.plain import as_plain
from gui.widgets.plot import Plot
from gui.widgets.theme import px, tokens

LONGEST = 24
"""Longest name of a bar, in characters."""

SYMBOLS = ("o", "s", "t1", "d")
"""Symbols of the shapes of looks."""

ALONE, JOINED = 12, 7
"""Size of a point, and of one of several that are joined by a line, in pixels."""

ROW = 17
"""Least height of a bar's row in pixels."""


class Chart(Plot):
    """A plot of numbers."""

    def __init__(self) -> None:
        self.across, self.up = NumberAxis("bottom"), NumberAxis("left")
        super().__init__(self.across, self.up)
        self.setMinimumSize(160, 90)
        self.plot.layout.setContentsMargins(0, 4, 10, 0)


class ScatterChart(Chart):
    """Runs plotted by two metrics; `picked(line)` when a point is clicked. The wheel zooms, dragging pans."""

    picked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.points = pg.ScatterPlotItem(size=ALONE, hoverable=True, hoverSize=15, tip=self._tip)
        self.points.sigClicked.connect(self._clicked)
        self.addItem(self.points)
        self.lines: list[pg.PlotCurveItem] = []
        """What joins the evaluations of a run."""
        self._shown: Sequence[Point] = ()
        self._columns: tuple[Column, Column] | None = None

    def show_points(self, points: Sequence[Point], looks: Sequence[Look], x: Column, y: Column) -> None:
        """Draw a dot for each point in the look of its row, and lines between the evaluations of a run."""
        moved = self._columns != (x, y) or [(p.x, p.y) for p in points] != [(p.x, p.y) for p in self._shown]
        self._shown, self._columns = points, (x, y)
        self._name_axes()
        each = courses(points)
        joined = {id(point) for course in each for point in course}
        self.points.setData(
            [
                {
                    "pos": (p.x, p.y),
                    "brush": pg.mkBrush(looks[p.line].colour),
                    "symbol": SYMBOLS[looks[p.line].shape],
                    "size": JOINED if id(p) in joined else ALONE,
                    "pen": tokens().card,
                    "data": number,
                }
                for number, p in enumerate(points)
            ]
        )
        self._join(each, looks)
        if moved:
            self.show_all()

    def _join(self, each: Sequence[Sequence[Point]], looks: Sequence[Look]) -> None:
        for line in self.lines:
            self.removeItem(line)
        self.lines = []
        for own in each:
            x, y = np.array([p.x for p in own]), np.array([p.y for p in own])
            line = pg.PlotCurveItem(x, y, pen=pg.mkPen(looks[own[0].line].colour, width=1))
            line.setZValue(-1)
            self.addItem(line)
            self.lines.append(line)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Label the axes to fit the new size."""
        super().resizeEvent(event)
        if getattr(self, "_columns", None) is not None:  # Qt already resizes it during construction
            self._name_axes()

    def _name_axes(self) -> None:
        """Label the axes; a label longer than its axis loses the unit, as it would be cut off at both ends."""
        assert self._columns is not None
        for axis, column, length in zip(
            (self.across, self.up), self._columns, (self.width(), self.height() - 40), strict=True
        ):
            room = QFontMetrics(axis.label.font()).horizontalAdvance(column.heading) <= length
            axis.setLabel(column.heading if room else column.title)

    @Slot()
    def show_all(self) -> None:
        """Show every point; around a single one, or equal values, leave a twentieth of the value."""
        if not self._shown or self._columns is None:
            return
        for values, show, column in (
            ([point.x for point in self._shown], self.plot.setXRange, self._columns[0]),
            ([point.y for point in self._shown], self.plot.setYRange, self._columns[1]),
        ):
            low, high = min(values), max(values)
            around = 0.0 if high > low else max(abs(low) / 20, 10.0**-column.decimals)
            show(low - around, high + around, padding=0.08)

    def _tip(self, x: float, y: float, data: int) -> str:
        if self._columns is None or not 0 <= data < len(self._shown):
            return ""
        first, second = self._columns
        row = self._shown[data].row
        values = f"{first.title} {x:,.{first.decimals}f}\n{second.title} {y:,.{second.decimals}f}"
        return as_plain(f"{row.name}\n{row.method} ({row.supervision})\n{values}")

    @Slot(object, object, object)
    def _clicked(self, item: object, spots: Sequence[pg.SpotItem], event: object) -> None:
        if len(spots):
            self.picked.emit(self._shown[spots[0].data()].line)


class BarChart(Chart):
    """A bar for each row, the first at the top, with its error bar; a diamond marks the report's number.

    Bars are below a heading that names their supervision. It is as high as its names need: put it in a scroll area.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setMouseEnabled(x=True, y=False)
        self.plot.getViewBox().invertY(True)
        self._ends = 0.0, 1.0, 0
        """Smallest and largest value, and number of rows."""
        self.bars = pg.BarGraphItem(x0=[], y=[], height=0.6, width=[])
        self.errors = pg.ErrorBarItem(beam=0.2)
        self.printed = pg.ScatterPlotItem(symbol="d", size=11)
        for item in (self.bars, self.errors, self.printed):
            self.addItem(item)

    def show_bars(self, bars: Sequence[Bar], looks: Sequence[Look], column: Column) -> None:
        """Draw these bars, each in the colour of its row."""
        theme = tokens()
        at, headings = places(bars)
        values = np.array([bar.value for bar in bars])
        self.bars.setOpts(x0=np.zeros(len(bars)), y=np.array(at), width=values, height=0.6,
                          brushes=[looks[bar.line].colour for bar in bars], pen=None)  # fmt: skip
        placed = list(zip(at, bars, strict=True))
        ended = [(place, bar) for place, bar in placed if bar.low is not None and bar.high is not None]
        self.errors.setData(
            x=np.array([bar.value for _, bar in ended]),
            y=np.array([place for place, _ in ended]),
            left=np.array([bar.value - (bar.low or 0.0) for _, bar in ended]),
            right=np.array([(bar.high or 0.0) - bar.value for _, bar in ended]),
            pen=pg.mkPen(theme.text, width=1),
        )
        self.printed.setData(
            [{"pos": (bar.printed, place)} for place, bar in placed if bar.printed is not None],
            brush=theme.card, pen=theme.text,
        )  # fmt: skip
        self.across.setLabel(column.heading)
        self.up.setTicks([[*((place, _short(bar.title)) for place, bar in placed), *headings.items()]])
        self.setMinimumHeight(px(ROW) * (len(at) + len(headings)) + 50)
        ends = [0.0, *(v for bar in bars for v in (bar.value, bar.low, bar.high, bar.printed) if v is not None)]
        self._ends = min(ends), max(ends) or 1.0, len(at) + len(headings)
        self.show_all()
        self.setToolTip(
            "Error bars: ± standard deviation over runs, or the 95 % interval of a single run."
            + (" Diamonds: the report's numbers." if any(bar.printed is not None for bar in bars) else "")
        )

    @Slot()
    def show_all(self) -> None:
        """Show every bar from end to end."""
        low, high, rows = self._ends
        self.plot.setYRange(-0.6, max(0.6, rows - 0.4), padding=0)
        self.plot.setXRange(low, high, padding=0.04)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom along the values; leave the wheel to the scroll area while there are more bars than it shows."""
        above = self.parentWidget()
        if above is not None and self.height() > above.height():
            event.ignore()
        else:
            super().wheelEvent(event)


def _short(title: str) -> str:
    return title if len(title) <= LONGEST else title[: LONGEST - 1] + "…"
