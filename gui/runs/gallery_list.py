"""The gallery's models below the run list: folded at first, read-only, and apart from the user's runs."""

from pathlib import Path

from PySide6.QtCore import QItemSelection, QPoint, QSettings, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QAbstractItemView, QListView, QPushButton, QVBoxLayout, QWidget

from gui.runs.delegate import RunDelegate
from gui.runs.model import RunFilter, RunListModel
from gui.runs.store import RunItem, RunStore
from gui.widgets.theme import px

OPEN = "runs/gallery-open"
ROWS = 3
"""Models seen at once; the others scroll."""

ROW = 70


class GalleryList(QWidget):
    """Emits `selected` after the selection has changed by the user, and `menu_asked(place)` for the menu of actions."""

    selected = Signal()
    menu_asked = Signal(QPoint)

    def __init__(self, store: RunStore, settings: QSettings) -> None:
        super().__init__()
        self._store, self._settings = store, settings
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self.fold_button = QPushButton()
        self.fold_button.setObjectName("fold")
        self.fold_button.setCheckable(True)
        self.fold_button.setToolTip(
            "Trained models that come with the application. They can be selected and compared beside your runs, but "
            "not changed; “Copy to my runs” in their menu makes a run of your own."
        )
        self.fold_button.toggled.connect(self._folded)
        layout.addWidget(self.fold_button)
        self.shown = RunFilter(self)
        self.shown.setSourceModel(RunListModel(store))
        self.shown.sort_by("Name", descending=False)
        self.view = QListView()
        self.view.setModel(self.shown)
        self.view.setItemDelegate(RunDelegate(self.view, self.shown))
        self.view.setUniformItemSizes(True)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setFixedHeight(px(ROWS * ROW))
        self.view.setAccessibleName("Gallery")
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._context_menu)
        self.view.selectionModel().selectionChanged.connect(self._selection_changed)
        layout.addWidget(self.view)
        store.listed.connect(self._listed)
        self.fold_button.setChecked(bool(settings.value(OPEN, False, type=bool)))
        self._folded(self.fold_button.isChecked())

    def items(self) -> list[RunItem]:
        """Return the selected models in the order of the list."""
        chosen = self.view.selectionModel()
        rows = [self.shown.index(row, 0) for row in range(self.shown.rowCount())]
        return [index.data(Qt.ItemDataRole.UserRole) for index in rows if chosen.isSelected(index)]

    def select(self, paths: set[Path]) -> None:
        """Select only these models, without emitting `selected`; the list unfolds to show them."""
        selection = QItemSelection()
        for row in range(self.shown.rowCount()):
            index = self.shown.index(row, 0)
            if index.data(Qt.ItemDataRole.UserRole).path in paths:
                selection.select(index, index)
        chooser = self.view.selectionModel()
        with QSignalBlocker(chooser):
            chooser.select(selection, chooser.SelectionFlag.ClearAndSelect)
            if not selection.isEmpty():
                chooser.setCurrentIndex(selection.first().topLeft(), chooser.SelectionFlag.NoUpdate)
        if not selection.isEmpty():
            self.fold_button.setChecked(True)
            self.view.scrollTo(selection.first().topLeft())
        self.view.viewport().update()

    def show_only(self, text: str) -> None:
        """Show only models whose description contains every word of the text."""
        self.shown.show_only(text)
        self._say_count()

    @Slot()
    def _listed(self) -> None:
        self._say_count()

    def _say_count(self) -> None:
        number = self.shown.rowCount()
        self.setVisible(number > 0)
        self.fold_button.setText(f"{'▾' if self.fold_button.isChecked() else '▸'}  Gallery · {number}")

    @Slot(bool)
    def _folded(self, opened: bool) -> None:
        self._settings.setValue(OPEN, opened)
        self.view.setVisible(opened)
        self._say_count()

    @Slot()
    def _selection_changed(self) -> None:
        self.selected.emit()

    @Slot(QPoint)
    def _context_menu(self, position: QPoint) -> None:
        if self.view.indexAt(position).isValid():
            self.menu_asked.emit(self.view.viewport().mapToGlobal(position))
