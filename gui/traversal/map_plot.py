"""The plot of the latent map: points, the manifold behind them, a lasso, and the code of the sliders."""

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent

from gui.metrics.charts import Chart
from gui.widgets.theme import tokens

DOT, SMALL = 5, 4
"""Size of a point in pixels, and before the manifold, where points are also translucent."""

OVER_IMAGES = 150
"""Opacity of points before the manifold, of 255."""

REACH = 8
"""Distance in pixels within which a point is found."""

CLICK = 4
"""Number of pixels that the pointer may move in a click."""

Points = NDArray[np.float64]


class MapPlot(Chart):
    """Points in a plane. The wheel zooms, dragging pans; with the lasso, or Shift, dragging surrounds points.

    Emits `picked(point)` and `placed(x, y)` on a click on a point or beside all, `pointed(point, position)` with the
    point under the pointer, or -1, and `surrounded(polygon)`, (corners, 2).
    """

    picked = Signal(int)
    placed = Signal(float, float)
    pointed = Signal(int, object)
    surrounded = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("plot")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Map of codes; + and − zoom, arrow keys pan, Home shows all")
        self.box = self.plot.getViewBox()
        self.box.disableAutoRange()
        self.lasso = False
        """Whether dragging surrounds points instead of panning."""
        self.points: Points = np.empty((0, 2))
        self.visible = np.empty(0, bool)
        """Which points are drawn and found, (n,)."""
        self._order = np.empty(0, np.int64)
        self._colours: Sequence[str] = ()
        self._extent = QRectF()
        self._path: list[QPointF] | None = None
        self._pressed: QPointF | None = None
        self._under = -1
        self.manifold = pg.ImageItem(axisOrder="row-major")
        self.manifold.hide()
        self.dots = pg.ScatterPlotItem(size=DOT, pen=None)
        self.marker = pg.ScatterPlotItem(size=16, brush=None)
        self.marker.hide()
        self.line = pg.PlotCurveItem()
        for depth, item in enumerate((self.manifold, self.dots, self.marker, self.line)):
            item.setZValue(depth)
            self.addItem(item, ignoreBounds=True)
        self.apply_theme()

    def apply_theme(self) -> None:
        """Apply the current colour scheme."""
        super().apply_theme()
        colours = tokens()
        if hasattr(self, "line"):  # the base class applies it too, before there is one
            self.line.setPen(pg.mkPen(colours.accent, width=1.5))

    def sizeHint(self) -> QSize:
        """Return a small size: the plot takes what height the others leave, without a scroll bar."""
        return QSize(200, 160)

    # What is shown

    def show_points(self, points: Points) -> None:
        """Show points, (n, 2), all of them in view; their colours follow."""
        self.points, self.visible = points, np.ones(len(points), bool)
        # In random order, so that the last class of a sorted data set does not cover all others.
        self._order = np.random.default_rng(0).permutation(len(points))
        self._colours = []
        self.dots.clear()
        self.show_all()

    def paint_in(self, colours: Sequence[str], visible: NDArray[np.bool_]) -> None:
        """Draw the visible points in these colours, one for each point."""
        self.visible, self._colours = visible, colours
        brushes = {colour: pg.mkBrush(colour) for colour in set(colours)}
        if self.manifold.isVisible():
            for colour, brush in brushes.items():
                brush.setColor(pg.mkColor(*pg.mkColor(colour).getRgb()[:3], OVER_IMAGES))
        order = self._order[visible[self._order]] if len(colours) else self._order[:0]
        size = SMALL if self.manifold.isVisible() else DOT
        self.dots.setData(*self.points[order].T, size=size, brush=[brushes[colours[number]] for number in order])

    def show_manifold(self, tiles: NDArray[np.uint8] | None, extent: QRectF) -> None:
        """Show images, uint8 (rows, columns, height, width, channels), the first row highest; None for none."""
        if self.manifold.isVisible() != (tiles is not None):
            self.manifold.setVisible(tiles is not None)
            self.paint_in(self._colours, self.visible)
        if tiles is not None:
            from engine.traversal import mosaic

            # The plot's y axis points up, and an image's rows go down.
            self.manifold.setImage(mosaic(tiles)[::-1], autoLevels=False, levels=(0, 255))
            self.manifold.setRect(extent)
            self._extent = extent

    def show_code(self, point: Points | None) -> None:
        """Mark the code of the sliders at a point, (2,); None for none."""
        self.marker.setVisible(point is not None)
        if point is not None:
            pens = [pg.mkPen("white", width=5), pg.mkPen("black", width=2)]  # seen on points, the card and images
            self.marker.setData([float(point[0])] * 2, [float(point[1])] * 2, pen=pens)

    def show_all(self) -> None:
        """Show all points, and the manifold."""
        box = QRectF()
        if len(self.points):
            low, high = self.points.min(axis=0), self.points.max(axis=0)
            box = QRectF(low[0], low[1], *(high - low))
        if self.manifold.isVisible():
            box = box.united(self._extent)
        if not box.isNull():
            self.box.setRange(box, padding=0.04)

    # The mouse and the keys

    def _place(self, position: QPointF) -> QPointF:
        """Return the point of the plot at a position of this widget."""
        found: QPointF = self.box.mapSceneToView(self.mapToScene(position.toPoint()))
        return found

    def _over(self, position: QPointF) -> bool:
        return bool(self.box.sceneBoundingRect().contains(self.mapToScene(position.toPoint())))

    def point_at(self, position: QPointF) -> int:
        """Return the visible point nearest to a position of this widget, within `REACH` pixels; -1 without."""
        if not self.visible.any() or not self._over(position):
            return -1
        place, (across, up) = self._place(position), self.box.viewPixelSize()
        offsets = (self.points - (place.x(), place.y())) / (across, up)
        distances = np.where(self.visible, (offsets**2).sum(axis=1), np.inf)
        found = int(distances.argmin())
        return found if distances[found] <= REACH**2 else -1

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Start a click, a lasso or panning."""
        if event.button() == Qt.MouseButton.LeftButton and self._over(event.position()):
            self._pressed = event.position()
            if self.lasso or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self.setFocus()
                self._path = [self._place(event.position())]
                return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Draw the lasso, pan, or find the point under the pointer."""
        if self._path is not None:
            self._path.append(self._place(event.position()))
            closed = [*self._path, self._path[0]]
            self.line.setData([place.x() for place in closed], [place.y() for place in closed])
            return
        super().mouseMoveEvent(event)
        self._come_to(-1 if self._pressed is not None else self.point_at(event.position()), event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End a click, a lasso or panning."""
        pressed, self._pressed = self._pressed, None
        path, self._path = self._path, None
        if path is None:
            super().mouseReleaseEvent(event)
        self.line.setData([], [])
        if pressed is None or event.button() != Qt.MouseButton.LeftButton:
            return
        moved = event.position() - pressed
        if math.hypot(moved.x(), moved.y()) > CLICK:
            if path is not None:
                self.surrounded.emit(np.array([(place.x(), place.y()) for place in path]))
            return
        point = self.point_at(event.position())
        if point >= 0:
            self.picked.emit(point)
        else:
            place = self._place(event.position())
            self.placed.emit(place.x(), place.y())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show all points."""
        self.show_all()

    def leaveEvent(self, event: QEvent) -> None:
        """Report that no point is under the pointer."""
        super().leaveEvent(event)
        self._come_to(-1, QPointF())

    def _come_to(self, point: int, position: QPointF) -> None:
        if point != self._under:
            self._under = point
            self.setCursor(Qt.CursorShape.PointingHandCursor if point >= 0 else Qt.CursorShape.ArrowCursor)
            self.pointed.emit(point, position)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Zoom with + and -, pan with the arrow keys, show all with Home, and give up a lasso with Escape."""
        zooms = {Qt.Key.Key_Plus: 0.8, Qt.Key.Key_Equal: 0.8, Qt.Key.Key_Minus: 1.25}
        pans = {
            Qt.Key.Key_Left: (-0.1, 0.0),
            Qt.Key.Key_Right: (0.1, 0.0),
            Qt.Key.Key_Down: (0.0, -0.1),
            Qt.Key.Key_Up: (0.0, 0.1),
        }
        key, shown = Qt.Key(event.key()), self.box.viewRect()
        if key in zooms:
            self.box.scaleBy((zooms[key], zooms[key]))
        elif key in pans:
            self.box.translateBy(x=pans[key][0] * shown.width(), y=pans[key][1] * shown.height())
        elif key == Qt.Key.Key_Home:
            self.show_all()
        elif key == Qt.Key.Key_Escape and self._path is not None:
            self._path = self._pressed = None
            self.line.setData([], [])
        else:
            event.ignore()
