"""A table whose first column stays visible while the others scroll."""

from PySide6.QtCore import QAbstractItemModel, QModelIndex, Qt, Slot
from PySide6.QtGui import QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QStyledItemDelegate, QTableView, QWidget

from gui.widgets.theme import px

WIDEST = 300
"""Maximum width of the first column in pixels."""

MEASURED = 100
"""Rows beyond the visible ones that are measured for column widths: measuring thousands is too slow."""


class FrozenTable(QTableView):
    """A table overlaid with a second one that shows only the first column."""

    def __init__(self, make_header: type[QHeaderView], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.frozen = QTableView(self)
        for table in (self, self.frozen):
            table.setTabKeyNavigation(False)  # Tab moves to the next widget
        for view in (self, self.frozen):
            header = make_header(Qt.Orientation.Horizontal, view)
            view.setHorizontalHeader(header)
            header.setSectionsClickable(True)
            header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
            view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
            view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
            view.setShowGrid(False)
            view.setWordWrap(False)
            view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
            view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
            view.verticalHeader().hide()
            view.verticalHeader().setDefaultSectionSize(px(28))
        self.frozen.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.frozen.setFrameShape(QTableView.Shape.NoFrame)
        self.frozen.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.frozen.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalScrollBar().valueChanged.connect(self.frozen.verticalScrollBar().setValue)
        self.frozen.verticalScrollBar().valueChanged.connect(self.verticalScrollBar().setValue)
        self.horizontalHeader().sectionResized.connect(self._place)
        self.frozen.raise_()  # above the other columns and their headings

    def setModel(self, model: QAbstractItemModel | None) -> None:
        """Set the model of both tables."""
        super().setModel(model)
        self.frozen.setModel(model)
        for view in (self, self.frozen):
            view.horizontalHeader().setResizeContentsPrecision(MEASURED)
        self.frozen.setSelectionModel(self.selectionModel())
        if model is not None:
            model.modelReset.connect(self.fit_columns)
            model.dataChanged.connect(self.fit_columns)

    def set_delegate(self, delegate: QStyledItemDelegate) -> None:
        """Set the delegate of both tables."""
        self.setItemDelegate(delegate)
        self.frozen.setItemDelegate(delegate)

    @Slot()
    def fit_columns(self) -> None:
        """Fit every column to its contents; spare width goes to all but the first."""
        model = self.model()
        columns = model.columnCount() if model is not None else 0
        for column in range(columns):
            needed = max(self.sizeHintForColumn(column), self.horizontalHeader().sectionSizeHint(column))
            self.setColumnWidth(column, min(needed, WIDEST) if column == 0 else needed)
        spare = self.viewport().width() - sum(self.columnWidth(c) for c in range(columns))
        if columns > 1 and spare > 0:
            share = min(60, spare // (columns - 1))
            for column in range(1, columns):
                self.setColumnWidth(column, self.columnWidth(column) + share)
        for column in range(columns):
            self.frozen.setColumnHidden(column, column != 0)
        self._place()

    @Slot()
    def _place(self) -> None:
        width = self.columnWidth(0)
        self.frozen.setColumnWidth(0, width)
        header = self.horizontalHeader().height()
        self.frozen.horizontalHeader().setFixedHeight(max(1, header))
        frame = self.frameWidth()
        self.frozen.setGeometry(frame, frame, width, self.viewport().height() + header)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the first column as tall as the table."""
        super().resizeEvent(event)
        self.fit_columns()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll horizontally with Shift."""
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and event.angleDelta().y():
            bar = self.horizontalScrollBar()
            bar.setValue(bar.value() - event.angleDelta().y())
            event.accept()
            return
        super().wheelEvent(event)

    def moveCursor(self, action: QAbstractItemView.CursorAction, modifiers: Qt.KeyboardModifier) -> QModelIndex:
        """Move with the keys, and scroll so that the new column is not hidden behind the first."""
        current = super().moveCursor(action, modifiers)
        left = self.visualRect(current).left()
        if current.column() > 0 and left < self.columnWidth(0):
            bar = self.horizontalScrollBar()
            bar.setValue(bar.value() + left - self.columnWidth(0))
        return current
