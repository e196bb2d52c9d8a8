"""Settings against results: many runs as lines over parallel axes, or as points over two of them.

What is brushed here is selected in the run list, and what is selected there is highlighted here.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetrics, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from engine.evaluation.dimensions import Dimension, within
from gui.widgets.plain import as_plain
from gui.widgets.theme import px, tokens

TOP, BOTTOM, SIDE = 34, 12, 46
NEAREST = 84
"""Smallest distance between two axes in pixels; a wider picture scrolls."""

REACH = 12
"""Distance in pixels from an axis, a point or a line at which it is hit."""

DOT = 4.0


class SettingsChart(QWidget):
    """Draws runs over parallel axes, or over two as a scatter plot.

    Dragging along an axis, or over the scatter plot, selects the runs in that range: emits `brushed(numbers)`. A click
    on an axis removes its range; a click on a run selects it.
    """

    brushed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)
        self.setMinimumHeight(px(150))
        self.dimensions: Sequence[Dimension] = ()
        self.pair: tuple[Dimension, Dimension] | None = None
        """The two dimensions of a scatter plot; None for parallel axes."""
        self.brushes: dict[str, tuple[float, float]] = {}
        self._names: Sequence[str] = ()
        self._colours: Mapping[int, str] = {}
        self._drag: tuple[QPointF, QPointF] | None = None
        self._picture: QPixmap | None = None

    def show_runs(
        self,
        dimensions: Sequence[Dimension],
        names: Sequence[str],
        colours: Mapping[int, str],
        pair: tuple[Dimension, Dimension] | None = None,
    ) -> None:
        """Show runs by their names over these dimensions; `colours` are those of the selected ones, by number."""
        self.dimensions, self._names, self._colours, self.pair = dimensions, names, colours, pair
        keys = {dimension.key for dimension in (pair or dimensions)}
        self.brushes = {key: ends for key, ends in self.brushes.items() if key in keys}
        self.setMinimumWidth(0 if pair else 2 * SIDE + px(NEAREST) * max(0, len(dimensions) - 1))
        words = ", ".join(dimension.title for dimension in (pair or dimensions))
        self.setAccessibleName(f"{len(names)} runs over {words}")
        self._renew()

    def sizeHint(self) -> QSize:
        """Return a size with room for all axes."""
        return QSize(max(300, self.minimumWidth()), 240)

    # Places in pixels

    def _area(self) -> QRectF:
        bottom = 34 if self.pair else BOTTOM
        return QRectF(self.rect()).adjusted(px(SIDE), px(TOP), -px(SIDE), -px(bottom))

    def across(self, number: int) -> float:
        """Return the x position of an axis in pixels."""
        area = self._area()
        return area.left() + area.width() * number / max(1, len(self.dimensions) - 1)

    def height_of(self, place: float) -> float:
        """Return the y position of a place from 0 to 1 in pixels."""
        area = self._area()
        return area.bottom() - area.height() * place

    def points(self) -> NDArray[np.float64]:
        """Return where each run is on each axis, (runs, axes, 2), or in the scatter plot, (runs, 1, 2), in pixels."""
        area = self._area()
        if self.pair:
            x, y = self.pair
            places = np.stack([area.left() + area.width() * x.places, area.bottom() - area.height() * y.places], axis=1)
            return places[:, None, :]
        if not self.dimensions:
            return np.empty((len(self._names), 0, 2))
        heights = area.bottom() - area.height() * np.stack([d.places for d in self.dimensions], axis=1)
        x_positions = np.array([self.across(number) for number in range(len(self.dimensions))])
        return np.stack([np.broadcast_to(x_positions, heights.shape), heights], axis=2)

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a range."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._drag = event.position(), event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Extend the range, or name the run under the pointer."""
        if self._drag is not None:
            self._drag = self._drag[0], event.position()
            self.update()
            return
        run = self._run_at(event.position())
        if run is None:
            QToolTip.hideText()
        else:
            lines = [self._names[run], *(f"{d.title}: {d.texts[run]}" for d in (self.pair or self.dimensions))]
            QToolTip.showText(event.globalPosition().toPoint(), as_plain("\n".join(lines)), self)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Select the runs in the ranges, or the run under the pointer."""
        if self._drag is None:
            return
        begin, end = self._drag[0], event.position()
        self._drag = None
        if (end - begin).manhattanLength() < REACH / 2:
            self._click(begin)
        elif self.pair:
            self._brush_pair(begin, end)
        else:
            self._brush_axis(begin, end)
        self.update()

    def _click(self, at: QPointF) -> None:
        run = self._run_at(at)
        axis = self._axis_at(at.x())
        if axis is not None and self.dimensions[axis].key in self.brushes:
            del self.brushes[self.dimensions[axis].key]
            self._emit()
        elif self.pair and self.brushes and run is None:
            self.brushes = {}
            self.brushed.emit([])
        elif run is not None:
            self.brushed.emit([run])

    def _brush_axis(self, begin: QPointF, end: QPointF) -> None:
        axis = self._axis_at(begin.x())
        if axis is not None:
            self.brushes[self.dimensions[axis].key] = self._range(begin.y(), end.y(), across=False)
            self._emit()

    def _brush_pair(self, begin: QPointF, end: QPointF) -> None:
        assert self.pair is not None
        x, y = self.pair
        self.brushes = {
            x.key: self._range(begin.x(), end.x(), across=True),
            y.key: self._range(begin.y(), end.y(), across=False),
        }
        self._emit()

    def _range(self, first: float, second: float, *, across: bool) -> tuple[float, float]:
        """The places between two pixels, a little wider, so that the ends of an axis can be reached."""
        area = self._area()
        if across:
            ends = sorted((first - area.left(), second - area.left()))
            length = area.width()
        else:
            ends = sorted((area.bottom() - first, area.bottom() - second))
            length = area.height()
        return ends[0] / length - 0.01, ends[1] / length + 0.01

    def _emit(self) -> None:
        if not self.brushes:
            self.brushed.emit([])
            return
        inside = within(self.pair or self.dimensions, self.brushes)
        self.brushed.emit(np.flatnonzero(inside).tolist())

    def _axis_at(self, x: float) -> int | None:
        if self.pair or not self.dimensions:
            return None
        distances = [abs(self.across(number) - x) for number in range(len(self.dimensions))]
        nearest = int(np.argmin(distances))
        return nearest if distances[nearest] <= 2 * REACH else None

    def _run_at(self, at: QPointF) -> int | None:
        """The run whose point, or line between two axes, is nearest to a position; None if none is near."""
        points = self.points()
        if not points.shape[1] or not len(points):
            return None
        if self.pair:
            distances = np.hypot(points[:, 0, 0] - at.x(), points[:, 0, 1] - at.y())
        else:
            x = points[0, :, 0]
            after = int(np.clip(np.searchsorted(x, at.x()), 1, max(1, len(x) - 1)))
            if len(x) < 2:
                return None
            share = (at.x() - x[after - 1]) / (x[after] - x[after - 1])
            heights = points[:, after - 1, 1] * (1 - share) + points[:, after, 1] * share
            distances = np.abs(heights - at.y())
        if not np.isfinite(distances).any():
            return None
        nearest = int(np.nanargmin(distances))
        return nearest if distances[nearest] <= REACH else None

    # Painting

    def _renew(self) -> None:
        self._picture = None
        self.update()

    def resizeEvent(self, event: QEvent) -> None:
        """Draw the runs for the new size."""
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._renew()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the runs, which are kept as a picture, the axes and the ranges."""
        if self._picture is None:
            self._picture = self._drawn()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawPixmap(0, 0, self._picture)
        colours = tokens()
        fill = QColor(colours.accent)
        fill.setAlpha(60)
        painter.setBrush(fill)
        painter.setPen(QPen(QColor(colours.accent), 1))
        for box in self._boxes():
            painter.drawRect(box)
        if self._drag is not None:
            begin, end = self._drag
            if self.pair:
                painter.drawRect(QRectF(begin, end).normalized())
            elif (axis := self._axis_at(begin.x())) is not None:
                painter.drawRect(
                    QRectF(QPointF(self.across(axis) - 6, begin.y()), QPointF(self.across(axis) + 6, end.y()))
                )

    def _boxes(self) -> list[QRectF]:
        """The ranges in pixels."""
        area = self._area()
        if self.pair and len(self.brushes) == 2:
            (left, right), (low, high) = (self.brushes[dimension.key] for dimension in self.pair)
            ends = [area.left() + area.width() * place for place in (left, right)]
            return [QRectF(QPointF(ends[0], self.height_of(high)), QPointF(ends[1], self.height_of(low)))]
        return [
            QRectF(
                QPointF(self.across(number) - 6, self.height_of(self.brushes[dimension.key][1])),
                QPointF(self.across(number) + 6, self.height_of(self.brushes[dimension.key][0])),
            )
            for number, dimension in enumerate(self.dimensions)
            if not self.pair and dimension.key in self.brushes
        ]

    def _drawn(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(self.size() * ratio)
        picture.setDevicePixelRatio(ratio)
        picture.fill(QColor(tokens().card))
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        points = self.points()
        order = [n for n in range(len(points)) if n not in self._colours] + list(self._colours)
        for run in order:
            colour = QColor(self._colours.get(run, tokens().muted))
            if run not in self._colours:
                colour.setAlpha(70 if self._colours else 130)
            self._draw_run(painter, points[run], colour, bold=run in self._colours)
        if self.pair:
            self._draw_frame(painter)
        else:
            self._draw_axes(painter)
        painter.end()
        return picture

    def _draw_run(self, painter: QPainter, points: NDArray[np.float64], colour: QColor, *, bold: bool) -> None:
        """Draw the points of a run; lines join those on neighbouring axes, and end where it has no value."""
        if self.pair:
            [(x, y)] = points.tolist()
            if np.isfinite([x, y]).all():
                painter.setPen(QPen(QColor(tokens().card), 1))
                painter.setBrush(colour)
                size = DOT + 2 if bold else DOT
                painter.drawEllipse(QPointF(x, y), size, size)
            return
        painter.setPen(QPen(colour, 2 if bold else 1))
        painter.setBrush(colour)
        part: list[QPointF] = []
        for x, y in [*points.tolist(), (0.0, float("nan"))]:
            if np.isfinite(y):
                part.append(QPointF(x, y))
                continue
            if len(part) == 1:
                painter.drawEllipse(part[0], 2, 2)
            elif part:
                painter.drawPolyline(QPolygonF(part))
            part = []

    def _draw_axes(self, painter: QPainter) -> None:
        colours, area = tokens(), self._area()
        font = self._small(painter.font())
        painter.setFont(font)
        metrics = QFontMetrics(font)
        between = area.width() / max(1, len(self.dimensions) - 1)
        for number, dimension in enumerate(self.dimensions):
            x = self.across(number)
            painter.setPen(QPen(QColor(colours.border), 2))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            painter.setPen(QColor(colours.text))
            room = int(min(between, 2 * px(SIDE)) if len(self.dimensions) > 1 else area.width()) - 6
            words = metrics.elidedText(dimension.title, Qt.TextElideMode.ElideRight, room)
            painter.drawText(QRectF(x - room / 2, 2, room, px(TOP) - 12), Qt.AlignmentFlag.AlignCenter, words)
            self._draw_ticks(painter, dimension, x, metrics, room)

    def _draw_ticks(self, painter: QPainter, dimension: Dimension, x: float, metrics: QFontMetrics, room: int) -> None:
        """Write the ticks of an axis to its right, those of the last to its left; of close ones only some."""
        colours, last = tokens(), dimension is self.dimensions[-1] and len(self.dimensions) > 1
        side = Qt.AlignmentFlag.AlignRight if last else Qt.AlignmentFlag.AlignLeft
        written: list[float] = []
        for place, name in dimension.ticks:
            y = self.height_of(place)
            if any(abs(y - other) < px(13) for other in written):
                continue
            written.append(y)
            words = metrics.elidedText(name, Qt.TextElideMode.ElideRight, room - 10)
            width = metrics.horizontalAdvance(words) + 4
            box = QRectF(x - 6 - width if last else x + 6, y - px(7), width, px(14))
            back = QColor(colours.card)
            back.setAlpha(200)
            painter.fillRect(box, back)
            painter.setPen(QColor(colours.muted))
            painter.drawText(box, side | Qt.AlignmentFlag.AlignVCenter, words)

    def _draw_frame(self, painter: QPainter) -> None:
        """Draw the axes of the scatter plot."""
        assert self.pair is not None
        colours, area = tokens(), self._area()
        font = self._small(painter.font())
        painter.setFont(font)
        metrics = QFontMetrics(font)
        painter.setPen(QPen(QColor(colours.border), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.drawLine(area.bottomLeft(), area.topLeft())
        x, y = self.pair
        painter.setPen(QColor(colours.muted))
        written = -1e9
        for place, name in x.ticks:
            at = area.left() + area.width() * place
            words = metrics.elidedText(name, Qt.TextElideMode.ElideRight, px(80))
            width = metrics.horizontalAdvance(words)
            if at - width / 2 > written:
                written = at + width / 2 + 6
                box = QRectF(at - width / 2 - 2, area.bottom() + 2, width + 4, px(14))
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)
        for place, name in y.ticks:
            box = QRectF(2, self.height_of(place) - px(7), px(SIDE) - 6, px(14))
            words = metrics.elidedText(name, Qt.TextElideMode.ElideRight, px(SIDE) - 6)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, words)
        painter.setPen(QColor(colours.text))
        below = QRectF(area.left(), self.height() - px(16), area.width(), px(15))
        painter.drawText(
            below,
            Qt.AlignmentFlag.AlignCenter,
            metrics.elidedText(x.title, Qt.TextElideMode.ElideRight, int(area.width())),
        )
        painter.drawText(QRectF(4, 2, self.width() - 8, px(18)), Qt.AlignmentFlag.AlignLeft, y.title)

    def _small(self, font: QFont) -> QFont:
        font.setPixelSize(px(11))
        return font
