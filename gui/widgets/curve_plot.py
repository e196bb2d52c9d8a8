"""A plot of curves in the theme's colours, with legend and crosshair, thinned to the resolution of the screen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QPainterPath, QPen
from PySide6.QtWidgets import QGraphicsPathItem, QWidget

from engine.runs.curves import View, logarithms, nearest, thinned, value_range, visible
from gui.widgets.axes import PlaceAxis, ValueAxis, clock
from gui.widgets.flow import FlowLayout
from gui.widgets.large import enlarge
from gui.widgets.layouts import Card, tool_button
from gui.widgets.legend import Entry, Legend
from gui.widgets.plot import Plot
from gui.widgets.readout import Reading, Readout
from gui.widgets.theme import faint, px, tokens

MOST_POINTS = 4000
"""Maximum number of points drawn for a curve."""

RAW = 0.28
"""Share of its colour in the curve of the recorded points behind a smoothed one."""

BAND_ALPHA = 55
"""Opacity of a band around a curve, of 255: bands that overlap can be told apart."""

DOT = 4
"""Size of a dot in pixels."""

MOST_BOLD = 6
"""Number of curves up to which lines are two pixels wide: they are slower to paint, and clutter a full plot."""

RAW = 0.28
"""Share of a curve's colour in the raw curve behind it."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One curve: all its points, and how to draw them.

    A `spread` around it, as (low, high), is drawn as a band; `notes(i)` says in the readout what its point i is.
    `about` explains it in the legend, where it can be opened or closed if `folded` is not None.

    `raw` is drawn faintly behind it, at the same `x`. Curves of a `group` are shown and hidden together and share a
    legend entry, that of their first curve with `in_legend`, under its `group_title` if there is one.
    """

    key: str
    title: str
    x: Values
    y: Values
    colour: str
    raw: Values | None = None
    style: Qt.PenStyle = Qt.PenStyle.SolidLine
    marked: bool = False
    group: str = ""
    group_title: str = ""
    in_legend: bool = True
    read: bool = True
    spread: tuple[Values, Values] | None = None
    notes: Callable[[int], str] | None = None
    folded: bool | None = None
    about: str = ""

    @property
    def recorded(self) -> Values:
        """The points as recorded, without smoothing."""
        return self.y if self.raw is None else self.raw


class Box(pg.ViewBox):
    """The area of the curves, extended so that a dot at the last step, on the right edge, is not cut off."""

    def shape(self) -> QPainterPath:
        """Return the clipping path of the content."""
        path = QPainterPath()
        path.addRect(self.boundingRect().adjusted(0, 0, DOT, 0))
        return path


class Canvas(Plot):
    """The plot itself, which reports interaction.

    Emits `zoomed(low, high)` after zooming or panning along x, `all_asked` to reset the view, and `pointed(x)` with the
    position of the pointer, or None when it leaves.
    """

    zoomed = Signal(float, float)
    all_asked = Signal()
    pointed = Signal(object)

    def __init__(self) -> None:
        self.place, self.value = PlaceAxis(), ValueAxis()
        super().__init__(self.place, self.value, lines="y", box=Box(enableMenu=False))
        self.setMinimumHeight(60)
        self.plot.layout.setContentsMargins(0, 4, 8, 0)
        self.value.setStyle(hideOverlappingLabels=True)
        self.box = self.plot.getViewBox()
        self.box.disableAutoRange()
        # Only along x: the y axis always fits the visible values.
        self.box.setMouseEnabled(x=True, y=False)
        self.box.sigRangeChangedManually.connect(self._moved)
        self.scene().sigMouseMoved.connect(self._point)

    def apply_theme(self) -> None:
        """Apply the current colour scheme and zoom."""
        super().apply_theme()
        self.value.setWidth(px(44))

    def area(self) -> QRectF:
        """Return the area of the curves in pixels of this widget."""
        scene = self.box.sceneBoundingRect()
        return QRectF(self.mapFromScene(scene.topLeft()), self.mapFromScene(scene.bottomRight()))

    def across(self) -> tuple[float, float]:
        """Return the visible range of x."""
        low, high = self.box.viewRange()[0]
        return float(low), float(high)

    @Slot(object)
    def _moved(self, axes: object) -> None:
        self.zoomed.emit(*self.across())

    @Slot(object)
    def _point(self, position: QPointF) -> None:
        inside = self.box.sceneBoundingRect().contains(position)
        self.pointed.emit(float(self.box.mapSceneToView(position).x()) if inside else None)

    def leaveEvent(self, event: QEvent) -> None:
        """Report that the pointer has left."""
        super().leaveEvent(event)
        self.pointed.emit(None)

    @Slot()
    def show_all(self) -> None:
        """Request a reset of the view."""
        self.all_asked.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Zoom with + and -, pan with the arrow keys, reset with Home."""
        low, high = self.across()
        width = high - low
        moves = {
            Qt.Key.Key_Plus: (low + width / 8, high - width / 8),
            Qt.Key.Key_Equal: (low + width / 8, high - width / 8),
            Qt.Key.Key_Minus: (low - width / 6, high + width / 6),
            Qt.Key.Key_Left: (low - width / 10, high - width / 10),
            Qt.Key.Key_Right: (low + width / 10, high + width / 10),
        }
        if event.key() in moves:
            self.zoomed.emit(*moves[Qt.Key(event.key())])
        else:
            super().keyPressEvent(event)


class CurvePlot(Card):
    """A card with a title, a legend and curves, which `show_curves` replaces."""

    def __init__(self, title: str, unit: str) -> None:
        super().__init__(title, unit)
        self.legend = Legend()
        self.legend.toggled.connect(self._redraw)
        self._put_legend_beside_title()
        self.canvas = Canvas()
        self.canvas.setAccessibleName(title)
        self.title.setToolTip(
            "Wheel or + and −: zoom along x. Drag or arrow keys: pan. Double-click or Home: show all. "
            "All plots zoom and pan together. Right-click: enlarge, copy, save, hide."
        )
        self.body.addWidget(self.canvas, 1)
        self._line = pg.InfiniteLine(movable=False)
        self._dots = pg.ScatterPlotItem(size=7)
        for mark in (self._line, self._dots):
            mark.setZValue(10)
            mark.hide()
            self.canvas.addItem(mark, ignoreBounds=True)
        self.readout = Readout(self.canvas)
        self._readout_home: QWidget | None = None
        """What the readout may extend over while this plot is there."""
        self._curves: Sequence[Curve] = ()
        self._items: dict[str, pg.PlotDataItem] = {}
        self._bands: dict[str, QGraphicsPathItem] = {}
        self._view = View()
        self._pointer: float | None = None
        self._here = False
        self.apply_theme()

    def _put_legend_beside_title(self) -> None:
        """Place the legend beside the title if there is room, else below it."""
        while self.head.count():
            self.head.takeAt(0)
        top = QWidget()
        flow = FlowLayout(top, spacing=8, line_spacing=3)
        self.large = tool_button("⤢", "Enlarge, and close again with Escape", "Enlarge")
        self.large.setObjectName("small")
        self.large.clicked.connect(self._enlarge)
        for widget in (self.title, self.note, self.large, self.legend):
            flow.addWidget(widget)
        self.head.addWidget(top, 1)

    @Slot()
    def _enlarge(self) -> None:
        enlarge(self, self.group)

    def event(self, event: QEvent) -> bool:
        """Take the readout along when the plot is shown large, and bring it back."""
        if event.type() == QEvent.Type.ParentChange and (home := self.readout.parentWidget()) is not self.canvas:
            self._readout_home = self._readout_home or home
            self.readout.setParent(self._readout_home if self._readout_home.isAncestorOf(self) else self)
        return super().event(event)

    def apply_theme(self) -> None:
        """Apply the current colour scheme."""
        self.canvas.apply_theme()
        self._line.setPen(pg.mkPen(tokens().muted, width=1, style=Qt.PenStyle.DashLine))

    @property
    def drawn(self) -> dict[str, pg.PlotDataItem]:
        """The visible items by the curve's key, or "raw " and the key for the raw curve behind it."""
        return {key: item for key, item in self._items.items() if item.isVisible()}

    def show_curves(self, curves: Sequence[Curve], view: View, across: tuple[float, float]) -> None:
        """Show these curves from `across[0]` to `across[1]`, reusing the items of curves with the same key."""
        self._curves, self._view = curves, view
        entries = {c.group or c.key: c for c in reversed(curves) if c.in_legend}
        self.legend.show_entries(
            [
                Entry(key, c.group_title or c.title, c.colour, c.style, c.marked, c.folded, c.about)
                for key, c in reversed(list(entries.items()))
            ]
        )
        self.legend.setVisible(bool(entries))
        self.canvas.value.logarithmic = view.logarithmic
        self.canvas.place.show_column(view.column)
        self.show_range(*across)

    def show_range(self, low: float, high: float) -> None:
        """Show the curves from `low` to `high`."""
        self.canvas.box.setXRange(low, high, padding=0)
        self._redraw()

    def shown_curves(self) -> list[Curve]:
        """Return the curves that are not hidden in the legend."""
        return [curve for curve in self._curves if (curve.group or curve.key) not in self.legend.hidden]

    def point_at(self, x: float | None, *, here: bool) -> None:
        """Draw the crosshair at the recorded point nearest to x, with the values recorded there; None hides it.

        `here` says that the pointer is over this plot, so that all values are shown.
        """
        self._pointer, self._here = x, here
        # Repaint everything: pyqtgraph leaves artefacts of a line that moves while the range changes.
        self.canvas.viewport().update()
        low, high = self.canvas.across()
        if x is None or not low <= x <= high:
            for mark in (self._line, self._dots, self.readout):
                mark.hide()
            return
        read = [curve for curve in self.shown_curves() if curve.read]
        indices = [_index_at(curve, x, (high - low) / 50) for curve in read]
        places = [float(curve.x[i]) for curve, i in zip(read, indices, strict=True) if i is not None]
        pointer = x
        x = min(places, key=lambda place: abs(place - pointer), default=x)
        self._line.setValue(x)
        self._line.show()
        self._dots.setData(
            [
                {"pos": (c.x[i], self._heights(c.recorded[i : i + 1])[0]), "brush": c.colour, "pen": tokens().card}
                for c, i in zip(read, indices, strict=True)
                if i is not None
            ]
        )
        self._dots.show()
        readings = [
            Reading(
                c.title,
                None if i is None else float(c.recorded[i]),
                c.colour,
                c.notes(i) if c.notes is not None and i is not None else "",
            )
            for c, i in zip(read, indices, strict=True)
        ]
        heading = {"step": f"step {x:,.0f}", "epoch": f"epoch {x:.2f}", "seconds": clock(max(0, x), fine=True)}
        pixel = self.canvas.mapFromScene(self.canvas.box.mapViewToScene(QPointF(x, 0))).x()
        self.readout.show_readings(heading[self._view.column], readings, self.canvas.area(), pixel, complete=here)

    @Slot()
    def _redraw(self) -> None:
        """Draw the visible part of the curves, thinned to the width of the canvas, and fit the y axis to it."""
        low, high = self.canvas.across()
        points = min(MOST_POINTS, 2 * int(max(200, self.canvas.area().width()) * self.devicePixelRatioF()))
        wanted: set[str] = set()
        seen: list[Values] = []
        for key in self._bands:
            self._bands[key].hide()
        shown = self.shown_curves()
        bold = len(shown) <= MOST_BOLD
        for curve in shown:
            part = visible(curve.x, low, high)
            x = curve.x[part]
            if curve.spread is not None:
                seen += self._draw_band(curve, x, [self._heights(end[part]) for end in curve.spread], points)
            for key, values in ((f"raw {curve.key}", curve.raw), (curve.key, curve.y)):
                if values is None:
                    continue
                heights = self._heights(values[part])
                few_x, few = thinned(x, heights, points)
                # Thinning keeps the extremes, but ignoring outliers needs all points.
                seen.append(heights if self._view.ignore_outliers else few)
                wanted.add(key)
                raw = values is curve.raw
                self._draw(key, curve, few_x, few, raw=raw, bold=bold and not (raw or curve.marked))
        for key, item in self._items.items():
            if key not in wanted:
                item.hide()
        self._forget_items()
        found = value_range(seen, ignore_outliers=self._view.ignore_outliers)
        if found:
            self.canvas.box.setYRange(*found, padding=0)
        self.point_at(self._pointer, here=self._here)

    def _heights(self, values: Values) -> Values:
        return logarithms(values) if self._view.logarithmic else values

    def _draw(self, key: str, curve: Curve, x: Values, y: Values, *, raw: bool, bold: bool) -> None:
        item = self._items.get(key)
        if item is None:
            item = pg.PlotDataItem(connect="finite")
            item.setZValue(-1 if raw else 1)
            self._items[key] = item
            self.canvas.addItem(item, ignoreBounds=True)
        colour = faint(curve.colour, RAW) if raw else curve.colour
        style = Qt.PenStyle.SolidLine if raw else curve.style
        item.setData(
            x,
            y,
            pen=pg.mkPen(colour, width=2 if bold else 1, style=style),
            symbol="o" if not raw and (curve.marked or len(x) == 1) else None,
            symbolSize=DOT,
            symbolBrush=colour,
            symbolPen=None,
        )
        item.show()

    def _draw_band(self, curve: Curve, x: Values, ends: Sequence[Values], points: int) -> list[Values]:
        """Fill the spread around a curve, and return the heights of its ends.

        On a logarithmic axis, where the lower end is not positive, the band ends at the curve's lowest point.
        """
        low, high = ends
        if self._view.logarithmic and np.isfinite(low).any():
            low = np.where(np.isfinite(high) & np.isnan(low), np.nanmin(low), low)
        (few_x, lower), (_, upper) = thinned(x, low, points), thinned(x, high, points)
        if len(few_x) < len(x):  # thinning keeps minimum and maximum of each bucket
            few_x, lower, upper = few_x[::2], lower[::2], upper[1::2]
        item = self._bands.get(curve.key)
        if item is None:
            item = self._bands[curve.key] = QGraphicsPathItem()
            item.setZValue(-2)
            item.setPen(QPen(Qt.PenStyle.NoPen))
            self.canvas.addItem(item, ignoreBounds=True)
        colour = pg.mkColor(curve.colour)
        colour.setAlpha(BAND_ALPHA)
        item.setBrush(colour)
        item.setPath(_area_between(few_x, lower, upper))
        item.show()
        return [lower, upper]

    def _forget_items(self) -> None:
        """Remove items whose curves are gone."""
        known = {curve.key for curve in self._curves}
        for key in [key for key in self._bands if key not in known]:
            self.canvas.removeItem(self._bands.pop(key))
        for key in [key for key in self._items if key.removeprefix("raw ") not in known]:
            self.canvas.removeItem(self._items.pop(key))

    def resizeEvent(self, event: object) -> None:
        """Redraw the curves for the new width."""
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._redraw()


def _area_between(x: Values, low: Values, high: Values) -> QPainterPath:
    """Return the area between two curves, in a part for each stretch without gaps."""
    path = QPainterPath()
    whole = np.concatenate([[False], np.isfinite(low) & np.isfinite(high), [False]])
    edges = np.flatnonzero(whole[1:] != whole[:-1])
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        around_x = np.concatenate([x[first:last], x[first:last][::-1]])
        around_y = np.concatenate([low[first:last], high[first:last][::-1]])
        path.addPath(pg.functions.arrayToQPath(around_x, around_y))
    return path


def _index_at(curve: Curve, x: float, reach: float) -> int | None:
    """Return the point of a curve nearest to x; None in a gap, or more than `reach` beyond the curve's ends."""
    index = nearest(curve.x, x)
    if index is None or not curve.x[0] - reach <= x <= curve.x[-1] + reach:
        return None
    return index if np.isfinite(curve.y[index]) else None
