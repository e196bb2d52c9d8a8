"""The list of runs at the left of every page."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QItemSelection,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QMenu,
    QStackedLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from engine.config import DATASET_TITLES
from engine.errors import StudioError
from gui.run_store import RunItem, RunStore, state_words
from gui.theme import tokens
from gui.widgets.layouts import Card, empty_state, label

HEIGHT = 54
Index = QModelIndex | QPersistentModelIndex


class RunListModel(QAbstractListModel):
    """The store's runs for a list view; a row's UserRole is its RunItem, its EditRole its name."""

    def __init__(self, store: RunStore) -> None:
        super().__init__(store)
        self._store = store
        store.listed.connect(self._reset)
        store.updated.connect(self._update)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        """Number of runs."""
        return 0 if parent.isValid() else len(self._store.items)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """What the view asks of a run."""
        item = self._store.items[index.row()]
        if role == Qt.ItemDataRole.UserRole:
            return item
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole, Qt.ItemDataRole.AccessibleTextRole):
            return item.name
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(item)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Runs can be selected and renamed."""
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEditable

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Rename a run; the folder keeps its name."""
        name = str(value).strip()
        item = self._store.items[index.row()]
        if not name or name == item.name:
            return False
        try:
            item.run.write_marks(item.run.marks() | {"name": name})
        except StudioError:
            return False
        item.refresh()
        self.dataChanged.emit(index, index)
        return True

    @Slot()
    def _reset(self) -> None:
        self.beginResetModel()
        self.endResetModel()

    @Slot(object)
    def _update(self, path: Path) -> None:
        for row, item in enumerate(self._store.items):
            if item.path == path:
                index = self.index(row)
                self.dataChanged.emit(index, index)


class RunDelegate(QStyledItemDelegate):
    """Paints a run: colour, name, data set and state, progress, last reconstruction and KL."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return two lines and a progress bar's height."""
        return QSize(120, HEIGHT)

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        """Fill the editor once: a run that trains changes while its name is typed."""
        if not editor.property("filled"):
            editor.setProperty("filled", True)
            super().setEditorData(editor, index)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        """Edit the name where it stands."""
        box = option.rect
        editor.setGeometry(box.left() + 22, box.top() + 2, box.width() - 26, 28)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one run."""
        item: RunItem = index.data(Qt.ItemDataRole.UserRole)
        colours, box = tokens(), option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        state = option.state
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.accent_soft))
            painter.drawRoundedRect(QRectF(box).adjusted(0, 1, 0, -1), 6, 6)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(colours.accent), 1))
            painter.drawRoundedRect(QRectF(box).adjusted(0.5, 1.5, -0.5, -1.5), 6, 6)
        colour = QColor(run_colour(item))
        painter.setPen(QPen(colour, 2))
        painter.setBrush(colour if item.state.state == "finished" or item.state.active else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QPoint(box.left() + 11, box.top() + 17), 4, 4)
        self._paint_text(painter, item, box)
        if item.state.total and item.state.state != "finished":
            self._paint_progress(painter, item, box, colour)
        painter.restore()

    def _paint_text(self, painter: QPainter, item: RunItem, box: QRect) -> None:
        colours = tokens()
        first = QRect(box.left() + 23, box.top() + 6, box.width() - 31, 20)
        second = QRect(first.left(), first.bottom() - 1, first.width(), 16)
        reconstruction, kl = item.last("reconstruction"), item.last("kl")
        values = [
            (first, colours.text, 13, "" if reconstruction is None else f"{reconstruction:.1f}"),
            (second, colours.muted, 11, "" if kl is None else f"KL {kl:.1f}"),
        ]
        texts = [item.name, f"{DATASET_TITLES[item.run.config.dataset]} · {state_words(item.state)}"]
        font = painter.font()
        for (line, colour, size, value), text in zip(values, texts, strict=True):
            font.setPixelSize(size)
            painter.setFont(font)
            painter.setPen(QColor(colour))
            metrics = QFontMetrics(font)
            room = line.width() - (metrics.horizontalAdvance(value) + 8 if value else 0)
            painter.drawText(
                line,
                Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
                metrics.elidedText(text, Qt.TextElideMode.ElideRight, room),
            )
            painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, value)

    def _paint_progress(self, painter: QPainter, item: RunItem, box: QRect, colour: QColor) -> None:
        track = QRectF(box.left() + 23, box.bottom() - 8, box.width() - 31, 3)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens().faint))
        painter.drawRoundedRect(track, 1.5, 1.5)
        painter.setBrush(colour)
        track.setWidth(track.width() * min(1.0, item.state.step / item.state.total))
        painter.drawRoundedRect(track, 1.5, 1.5)


class RunList(Card):
    """The card with the runs. `selected` after the selection changed; the actions name a run's folder."""

    selected = Signal()
    use_settings = Signal(object)
    resume = Signal(object)
    open_folder = Signal(object)

    def __init__(self, store: RunStore) -> None:
        super().__init__("Runs")
        self._store = store
        self.view = QListView()
        self.view.setModel(RunListModel(store))
        self.view.setItemDelegate(RunDelegate(self.view))
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.view.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setAccessibleName("Runs")
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._menu)
        self.view.selectionModel().selectionChanged.connect(self._selection_changed)
        self._empty = empty_state("No runs yet.\n\nPress Start to train the two-minute preset.")
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.view)
        self.body.addLayout(self._stack, 1)
        self._count = label("", "muted")
        self.body.addWidget(self._count)
        self._chosen: list[Path] = []
        store.listed.connect(self._listed)
        self._listed()

    def items(self) -> list[RunItem]:
        """Return the selected runs, in the order of the list."""
        return [item for item in self._store.items if item.path in self._chosen]

    def select(self, path: Path) -> None:
        """Select one run."""
        self._chosen = [path]
        self._restore()
        self.selected.emit()

    @Slot()
    def _listed(self) -> None:
        count = len(self._store.items)
        self._stack.setCurrentIndex(1 if count else 0)
        self._count.setText(f"{count} run{'s' if count != 1 else ''}" if count else "")
        self._chosen = [path for path in self._chosen if self._store.find(path)]
        if not self._chosen and count:
            self._chosen = [self._store.items[0].path]
        self._restore()
        self.selected.emit()

    def _restore(self) -> None:
        """Select in the view what is selected."""
        selection, model = QItemSelection(), self.view.model()
        for row, item in enumerate(self._store.items):
            if item.path in self._chosen:
                selection.select(model.index(row, 0), model.index(row, 0))
        chooser = self.view.selectionModel()
        chooser.blockSignals(True)
        chooser.select(selection, chooser.SelectionFlag.ClearAndSelect)
        chooser.blockSignals(False)
        self.view.viewport().update()

    @Slot()
    def _selection_changed(self) -> None:
        self._chosen = [index.data(Qt.ItemDataRole.UserRole).path for index in self.view.selectedIndexes()]
        self.view.viewport().update()
        self.selected.emit()

    @Slot(QPoint)
    def _menu(self, position: QPoint) -> None:
        index = self.view.indexAt(position)
        if not index.isValid():
            return
        item: RunItem = index.data(Qt.ItemDataRole.UserRole)
        menu = QMenu(self)
        use = menu.addAction("Use these settings")
        go_on = menu.addAction("Resume")
        go_on.setEnabled(item.state.unfinished)
        menu.addSeparator()
        rename = menu.addAction("Rename")
        folder = menu.addAction("Open folder")
        chosen = menu.exec(self.view.viewport().mapToGlobal(position))
        if chosen is use:
            self.use_settings.emit(item.path)
        elif chosen is go_on:
            self.resume.emit(item.path)
        elif chosen is rename:
            self.view.edit(index)
        elif chosen is folder:
            self.open_folder.emit(item.path)


def run_colour(item: RunItem) -> str:
    """Return the colour a run is drawn in everywhere."""
    palette = tokens().runs
    return palette[item.colour % len(palette)]


def _tip(item: RunItem) -> str:
    config, state = item.run.config, item.state
    lines = [
        f"<b>{item.name}</b>",
        f"{config.method_title}, {DATASET_TITLES[config.dataset]}, seed {config.seed}",
        f"{state_words(state)}, step {state.step:,} of {state.total:,}",
    ]
    if item.last("reconstruction") is not None:
        lines.append("Right: last reconstruction loss and KL, in nats")
    return "<p>" + "<br>".join(lines + ([state.message] if state.message else [])) + "</p>"
