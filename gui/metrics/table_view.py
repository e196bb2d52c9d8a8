"""The table on the screen: two-line headings; clicking one sorts, its context menu hides the column."""

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QHeaderView, QMenu, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from engine.evaluation.table import Heading
from gui.metrics.table_model import ENDS_GROUP, FOLDED, HEADING
from gui.widgets.frozen_table import FrozenTable
from gui.widgets.theme import px, tokens

HEIGHT = 46
MARGIN = 13
MARKER = 44
"""Width of the dot and the marker at the left of a row, in pixels."""


class Header(QHeaderView):
    """Headings: title and arrow, below them unit or protocol in a few words, and the sort indicator."""

    def __init__(self, orientation: Qt.Orientation, parent: QWidget) -> None:
        super().__init__(orientation, parent)
        self.setFixedHeight(px(HEIGHT))
        self.sorted: tuple[str, bool] | None = None
        """Key of the column that the table is sorted by, and whether it descends."""

    def sectionSizeFromContents(self, logicalIndex: int) -> QSize:
        """Return the size that both lines need."""
        title, short = self._words(logicalIndex)
        fonts = ((self._bold(), title), (self._small(), short))
        wide = max(QFontMetrics(font).horizontalAdvance(words) for font, words in fonts)
        return QSize(wide + 2 * MARGIN + 14, px(HEIGHT))

    def paintSection(self, painter: QPainter, rect: QRect, logicalIndex: int) -> None:
        """Draw a heading."""
        colours = tokens()
        painter.save()
        painter.fillRect(rect, QColor(colours.card))
        painter.setPen(QColor(colours.border))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        heading = self._heading(logicalIndex)
        if heading is not None:
            title, short = self._words(logicalIndex)
            side = Qt.AlignmentFlag.AlignRight if heading.numeric else Qt.AlignmentFlag.AlignLeft
            inside = rect.adjusted(MARGIN, 5, -MARGIN, -5)
            here = self.sorted is not None and self.sorted[0] == heading.key
            painter.setFont(self._bold(italic=heading.published))
            painter.setPen(QColor(colours.accent if here else colours.muted if heading.published else colours.text))
            painter.drawText(inside, side | Qt.AlignmentFlag.AlignTop, title)
            painter.setFont(self._small())
            painter.setPen(QColor(colours.accent if here else colours.muted))
            mark = (" ▼" if self.sorted and self.sorted[1] else " ▲") if here else ""
            painter.drawText(inside, side | Qt.AlignmentFlag.AlignBottom, short + mark)
        painter.restore()

    def _heading(self, section: int) -> Heading | None:
        found = self.model().headerData(section, Qt.Orientation.Horizontal, HEADING) if self.model() else None
        return found if isinstance(found, Heading) else None

    def _words(self, section: int) -> tuple[str, str]:
        heading = self._heading(section)
        if heading is None:
            return "", ""
        column = heading.column
        if column is None:
            return heading.title, "runs" if heading.key == "n" else ""
        if heading.published:
            return "report", "other scale" if column.metric == "sharpness" else "as printed"
        return f"{column.title} {column.better}".strip(), column.short

    def _bold(self, *, italic: bool = False) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(px(13))
        font.setWeight(QFont.Weight.Normal if italic else QFont.Weight.DemiBold)
        font.setItalic(italic)
        return font

    def _small(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(px(11))
        return font


class Cells(QStyledItemDelegate):
    """Cells with a thin line below, or a stronger one if the rows below have another supervision.

    Emits `fold_asked(row)` after a click on the marker of a row of several runs.
    """

    fold_asked = Signal(int)

    def editorEvent(
        self,
        event: QEvent,
        model: QAbstractItemModel,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> bool:
        """Emit a click on the marker, which is behind the dot."""
        if isinstance(event, QMouseEvent) and event.type() == QEvent.Type.MouseButtonPress and index.column() == 0:
            near = event.position().x() < option.rect.left() + px(MARKER)
            if near and event.button() == Qt.MouseButton.LeftButton and index.data(FOLDED) is not None:
                self.fold_asked.emit(index.row())
                return True
        return bool(super().editorEvent(event, model, option, index))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw a cell."""
        super().paint(painter, option, index)
        rect: QRect = option.rect
        painter.save()
        painter.setPen(QColor(tokens().muted if index.data(ENDS_GROUP) else tokens().faint))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        painter.restore()


class MetricsView(FrozenTable):
    """The table. Its headings emit `sort_asked(key, descending)`, `hide_asked(key)`, `columns_asked`, `usual_asked`.

    Emits `fold_asked(row)` to open or close a row of several runs, by a click on its marker or with the space bar.
    """

    sort_asked = Signal(str, bool)
    hide_asked = Signal(str)
    columns_asked = Signal()
    usual_asked = Signal()
    fold_asked = Signal(int)

    def __init__(self) -> None:
        super().__init__(Header)
        cells = Cells(self)
        cells.fold_asked.connect(self.fold_asked)
        self.set_delegate(cells)
        self.setAccessibleName("Evaluated runs")
        self._explain(None)
        for view in (self, self.frozen):
            header = view.horizontalHeader()
            header.sectionClicked.connect(self._clicked)
            header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
            header.customContextMenuRequested.connect(self._menu)

    def currentChanged(
        self, current: QModelIndex | QPersistentModelIndex, previous: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Make F1 explain the metric of the current cell's column."""
        super().currentChanged(current, previous)
        self._explain(self._heading(current.column()) if current.isValid() else None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open or close a row of several runs with the space bar."""
        index = self.currentIndex()
        if event.key() == Qt.Key.Key_Space and index.isValid() and index.data(FOLDED) is not None:
            self.fold_asked.emit(index.row())
        else:
            super().keyPressEvent(event)

    def _explain(self, heading: Heading | None) -> None:
        metric = heading.column.metric if heading is not None and heading.column is not None else ""
        self.setProperty("helpTopic", f"metrics#{metric}" if metric else "table")

    def show_sorting(self, by: tuple[str, bool] | None) -> None:
        """Mark the column that the table is sorted by."""
        for view in (self, self.frozen):
            header = view.horizontalHeader()
            assert isinstance(header, Header)
            header.sorted = by
            header.viewport().update()

    @Slot(int)
    def _clicked(self, section: int) -> None:
        """Sort, the best first; a second click reverses the order."""
        heading = self._heading(section)
        if heading is None:
            return
        self._explain(heading)
        first = heading.column is not None and heading.column.better != "↓"
        header = self.horizontalHeader()
        assert isinstance(header, Header)
        again = header.sorted is not None and header.sorted[0] == heading.key
        self.sort_asked.emit(heading.key, (not header.sorted[1]) if again and header.sorted else first)

    @Slot(QPoint)
    def _menu(self, place: QPoint) -> None:
        header = self.sender()
        assert isinstance(header, QHeaderView)
        self.heading_menu(header.logicalIndexAt(place)).exec(header.mapToGlobal(place))

    def heading_menu(self, section: int) -> QMenu:
        """Return the menu of a heading: sort, hide, choose columns."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        heading = self._heading(section)
        if heading is not None:
            key = heading.key
            menu.addAction("Sort ascending", lambda: self.sort_asked.emit(key, False))
            menu.addAction("Sort descending", lambda: self.sort_asked.emit(key, True))
            menu.addSeparator()
            hide = menu.addAction(f"Hide “{heading.title}”", lambda: self.hide_asked.emit(key))
            hide.setEnabled(section > 0)
        menu.addAction("Choose columns…", self.columns_asked.emit)
        menu.addAction("Restore default columns", self.usual_asked.emit)
        return menu

    def _heading(self, section: int) -> Heading | None:
        model = self.model()
        found = model.headerData(section, Qt.Orientation.Horizontal, HEADING) if model is not None else None
        return found if isinstance(found, Heading) else None
