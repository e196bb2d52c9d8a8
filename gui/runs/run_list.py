"""The card with the run list, on the left of every page: filter, sort, select, rename."""

from itertools import groupby
from pathlib import Path

from PySide6.QtCore import QItemSelection, QPoint, QSettings, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QStackedLayout,
    QWidget,
)

from engine.runs.alike import seed_groups
from engine.runs.colours import distinct
from gui.runs.delegate import RunDelegate
from gui.runs.gallery_list import GalleryList
from gui.runs.groups import GROUPINGS, NO_GROUPS, Group
from gui.runs.model import SORTS, Index, RunFilter, RunListModel, cost_text
from gui.runs.notes_box import NotesBox
from gui.runs.run_view import RunView
from gui.runs.store import RunItem, RunStore
from gui.widgets.keys import add_shortcut
from gui.widgets.layouts import Card, empty_state, label, tool_button
from gui.widgets.words import count

NO_RUNS = "No runs yet.\n\nRuns you train are listed here."
NONE_SHOWN = "No runs match the filter."


class RunList(Card):
    """Shows the store's runs, and notes and cost of the one that is selected.

    Emits `selected` after the selection changes, after an edit `renamed(path, name)` or `noted(path, notes)`, and
    `seeds_folded(key, folded)` after a group of runs that are alike but for the seed was folded or unfolded.
    """

    selected = Signal()
    renamed = Signal(object, str)
    noted = Signal(object, str)
    seeds_folded = Signal(object, bool)
    colour_asked = Signal(object, QPoint)

    def __init__(self, store: RunStore, settings: QSettings) -> None:
        super().__init__("Runs")
        self.setProperty("helpTopic", "runs")
        self._store = store
        self._settings = settings
        self._model = RunListModel(store)
        self._model.renamed.connect(self.renamed)
        self.shown = RunFilter(self)
        self.shown.setSourceModel(self._model)
        self.shown.sort_by(str(settings.value("runs/sort", "Started")), descending=_flag(settings, "runs/descending"))
        kept = str(settings.value("runs/grouping", NO_GROUPS))
        self.shown.grouping = kept if kept in GROUPINGS else NO_GROUPS
        self.view = RunView()
        self.view.fold_asked.connect(self._fold)
        self.view.group_chosen.connect(self._choose_group)
        self.view.setModel(self.shown)
        delegate = RunDelegate(self.view, self.shown)
        delegate.dot_clicked.connect(self._dot_clicked)
        self.view.setItemDelegate(delegate)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.view.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setAccessibleName("Runs")
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._context_menu)
        self.view.selectionModel().selectionChanged.connect(self._selection_changed)
        self.menu = QMenu(self)
        self._empty = empty_state(NO_RUNS)
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.view)
        self.body.addWidget(self._filter_line())
        self.body.addLayout(self._stack, 1)
        self.gallery = GalleryList(store.gallery, settings) if store.gallery is not None else None
        if self.gallery is not None:
            self.gallery.selected.connect(self._gallery_chosen)
            self.gallery.menu_asked.connect(self.menu.popup)
            self.body.addWidget(self.gallery)
        self.notes = NotesBox()
        self.notes.changed.connect(self.noted)
        self.body.addWidget(self.notes)
        self.cost = label("", "muted", wrap=True)
        self.cost.setToolTip("Training time without pauses, training images per second, and the machine")
        self.body.addWidget(self.cost)
        self._count = label("", "muted")
        self.body.addWidget(self._count)
        self.selected.connect(self._show_one)
        self._chosen: list[Path] = []
        self._coloured: list[RunItem] = []
        self._order: list[Path] = []
        """The runs in the order last shown."""
        self._before: list[Path] = []
        """The last selection, kept because the view deselects a run that leaves the list."""
        store.listed.connect(self._listed)
        store.updated.connect(self._hidden_or_shown)
        self._group(self.shown.grouping)

    def _filter_line(self) -> QWidget:
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter runs")
        self.filter.setClearButtonEnabled(True)
        self.filter.setAccessibleName("Filter the runs")
        self.filter.setToolTip(
            "Show only runs whose name, data set, method, seed, state or #tags contain these words (Ctrl+F)"
        )
        self.filter.textChanged.connect(self._filter_changed)
        add_shortcut(self, "Filter runs", QKeySequence.StandardKey.Find, self._focus_filter)
        row.addWidget(self.filter, 1)
        self._sort_button = tool_button("⇅", "Sort and group runs, show hidden runs", menu=self._sort_menu())
        row.addWidget(self._sort_button)
        self.actions_button = tool_button("⋯", "Actions for the selected runs", menu=self.menu)
        row.addWidget(self.actions_button)
        return line

    def _sort_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.addSection("Sort by")
        self._sort_choices = QActionGroup(menu)
        for title in SORTS:
            action = menu.addAction(title)
            action.setCheckable(True)
            action.setChecked(title == self.shown.by)
            self._sort_choices.addAction(action)
        self._sort_choices.triggered.connect(self._sort_chosen)
        menu.addSeparator()
        self._descending = menu.addAction("Largest or newest first")
        self._descending.setCheckable(True)
        self._descending.setChecked(self.shown.descending)
        self._descending.toggled.connect(self._direction_chosen)
        menu.addSeparator()
        groups = menu.addMenu("Group by")
        self._group_choices = QActionGroup(groups)
        for title in GROUPINGS:
            action = groups.addAction(title)
            action.setCheckable(True)
            action.setChecked(title == self.shown.grouping)
            self._group_choices.addAction(action)
        self._group_choices.triggered.connect(self._grouping_chosen)
        menu.addSeparator()
        self._hidden = menu.addAction("Show hidden runs")
        self._hidden.setCheckable(True)
        self._hidden.toggled.connect(self._hidden_toggled)
        return menu

    def items(self) -> list[RunItem]:
        """Return the selected runs in the order of the list, then the selected models of the gallery."""
        chosen = set(self._chosen)
        return [*(item for item in self.shown_items() if item.path in chosen), *self._of_gallery()]

    def is_chosen(self, path: Path) -> bool:
        """Return whether a run is selected."""
        return path in self._chosen or any(item.path == path for item in self._of_gallery())

    def _of_gallery(self) -> list[RunItem]:
        return self.gallery.items() if self.gallery is not None else []

    def shown_items(self) -> list[RunItem]:
        """Return the runs that pass the filter, in the order of the list."""
        return self.shown.items()

    def _rows(self) -> list[RunItem]:
        """Return the run of each row: of a folded group, the one that stands for all."""
        return [self.shown.index(row, 0).data(Qt.ItemDataRole.UserRole) for row in range(self.shown.rowCount())]

    def select(self, *paths: Path) -> None:
        """Select only these runs, or models of the gallery, and scroll to the first."""
        items = [item for path in paths if (item := self._store.find(path)) is not None]
        shipped = {item.path for item in items if item.shipped}
        if self.gallery is not None:
            self.gallery.select(shipped)
        paths = tuple(path for path in paths if path not in shipped)
        self._chosen = self._before = list(paths)
        if not set(paths) <= {item.path for item in self.shown_items()}:
            self.filter.clear()
        groups = [self.shown.group_of(item) for path in paths if (item := self._store.find(path)) is not None]
        folded = [group for group in groups if group is not None and group.folded]
        for group in folded:
            self.shown.fold(group, False)
        if folded:
            self._group(self.shown.grouping)
        self._restore()
        chosen = self.view.selectionModel().selectedIndexes()
        if chosen:
            self.view.scrollTo(chosen[0])
        self.selected.emit()

    def rename(self) -> None:
        """Edit the name of the selected run."""
        chosen = self.view.selectionModel().selectedIndexes()
        if chosen:
            self.view.setFocus()
            self.view.edit(chosen[0])

    def repaint_runs(self) -> None:
        """Repaint the runs after a change that is not on disk, such as in the queue."""
        self.view.viewport().update()

    @Slot()
    def _listed(self) -> None:
        if self.shown.grouping != NO_GROUPS:
            self._group(self.shown.grouping)
        else:
            self._show_listed()

    def _show_listed(self) -> None:
        """Show the number of runs, and keep the selection, or select a neighbour of what has gone."""
        hidden = {item.path for item in self._store.items if item.hidden and not self.shown.show_hidden}
        self._chosen = [path for path in self._chosen if self._store.find(path) and path not in hidden]
        shown = [item.path for item in self.shown_items()]
        if not self._chosen and shown and not self._of_gallery():
            self._chosen = [_neighbour(self._before, self._order, shown)]
        self._order, self._before = shown, self._chosen
        self._show_count()
        self._restore()
        self.selected.emit()

    def _show_count(self) -> None:
        total, shown = len(self._store.items), len(self._order)
        self._empty.setText(NONE_SHOWN if total else NO_RUNS)
        self._stack.setCurrentIndex(1 if shown else 0)
        words = count(total, "run") if shown == total else f"{shown} of {count(total, 'run')} shown"
        self._count.setText(words if total else "")

    def _restore(self) -> None:
        """Restore the selection in the view."""
        selection = QItemSelection()
        chosen = set(self._chosen)
        rows = [row for row, item in enumerate(self._rows()) if item.path in chosen]
        for _, neighbours in groupby(enumerate(rows), lambda pair: pair[1] - pair[0]):
            block = [row for _, row in neighbours]  # one range for all of them: time grows with the number of ranges
            selection.select(self.shown.index(block[0], 0), self.shown.index(block[-1], 0))
        chooser = self.view.selectionModel()
        with QSignalBlocker(chooser):
            chooser.select(selection, chooser.SelectionFlag.ClearAndSelect)
            if not selection.isEmpty() and not chooser.currentIndex().isValid():
                chooser.setCurrentIndex(selection.first().topLeft(), chooser.SelectionFlag.NoUpdate)
        self._lend_colours()
        self.view.viewport().update()

    @Slot()
    def _show_one(self) -> None:
        """Show notes and cost of the selected run, if it is a single one."""
        items = self.items() if len(self._chosen) < 2 else []
        item = items[0] if len(items) == 1 else None
        self.notes.show_run(item)
        words = cost_text(item) if item is not None else ""
        self.cost.setText(words)
        self.cost.setVisible(bool(words))

    def _lend_colours(self) -> None:
        """Give the selected runs distinct colours: the first that was started keeps its own.

        Of runs that are alike but for the seed, the first comes before all others, since it gives its colour to all.
        """
        for item in self._coloured:
            item.lent_colour = None
        chosen = [found for path in self._chosen if (found := self._store.find(path)) is not None]
        chosen += self._of_gallery()
        groups = seed_groups(chosen, lambda item: item.alike, lambda item: item.run.config.seed)
        first = {group[0].path for group in groups}
        self._coloured = sorted(chosen, key=lambda item: (item.path not in first, item.run.created, item.path.name))
        for item, number in zip(self._coloured, distinct([item.own_colour for item in self._coloured]), strict=True):
            item.lent_colour = number

    @Slot(object)
    def _hidden_or_shown(self, path: Path) -> None:
        """Refresh the list if a run has been hidden or unhidden, or belongs to another group."""
        item = self._store.find(path)
        if path in self._chosen:
            self._lend_colours()
            self._show_one()
        if self.shown.grouping != NO_GROUPS:
            if item is not None and self.shown.is_outdated(item):
                self._listed()
        elif self.shown.rowCount() != len(self._order):
            self._listed()

    def _group(self, grouping: str) -> None:
        """Group the runs; what is selected stays selected, also in folded groups."""
        with QSignalBlocker(self.view.selectionModel()):
            self.shown.group_by(self._store.items, grouping)
        self.view.setUniformItemSizes(self.shown.grouping == NO_GROUPS)  # else each of thousands of rows is measured
        self.view.scheduleDelayedItemsLayout()
        self._show_listed()

    @Slot(QAction)
    def _grouping_chosen(self, action: QAction) -> None:
        self._settings.setValue("runs/grouping", action.text())
        self._group(action.text())

    @Slot(object)
    def _fold(self, group: Group) -> None:
        folded = not group.folded
        self.shown.fold(group, folded)
        self._group(self.shown.grouping)
        if group.key is not None:
            self.seeds_folded.emit(group.key, folded)

    @Slot(object)
    def _choose_group(self, group: Group) -> None:
        """Select the runs of a group."""
        self._chosen = self._before = [item.path for item in group.members]
        self._restore()
        self.selected.emit()

    @Slot()
    def _selection_changed(self) -> None:
        chosen = []
        for index in self.view.selectedIndexes():
            item = index.data(Qt.ItemDataRole.UserRole)
            group = self.shown.group_of(item)
            chosen += [each.path for each in group.members] if group is not None and group.folded else [item.path]
        if chosen != self._chosen:
            self._chosen = chosen
            self._before = chosen or self._before
            if chosen and self.gallery is not None and not _adding():
                self.gallery.select(set())
            self._lend_colours()
            self.view.viewport().update()
            self.selected.emit()

    @Slot()
    def _gallery_chosen(self) -> None:
        """Take the models selected in the gallery, in place of the runs or with Ctrl or Shift beside them."""
        if self._of_gallery() and not _adding():
            self._chosen = []
            self._restore()
        self._lend_colours()
        self.view.viewport().update()
        self.selected.emit()

    @Slot()
    def _focus_filter(self) -> None:
        self.filter.setFocus()
        self.filter.selectAll()

    @Slot(str)
    def _filter_changed(self, text: str) -> None:
        with QSignalBlocker(self.view.selectionModel()):  # it would emit a signal for each row that leaves
            self.shown.show_only(text)
        if self.gallery is not None:
            self.gallery.show_only(text)
        self._listed()

    @Slot(bool)
    def _hidden_toggled(self, shown: bool) -> None:
        with QSignalBlocker(self.view.selectionModel()):
            self.shown.include_hidden(shown)
        self._listed()

    @Slot(QAction)
    def _sort_chosen(self, action: QAction) -> None:
        self._sort(action.text(), descending=action.text() == "Started")
        self._descending.setChecked(self.shown.descending)

    @Slot(bool)
    def _direction_chosen(self, descending: bool) -> None:
        self._sort(self.shown.by, descending=descending)

    def _sort(self, by: str, *, descending: bool) -> None:
        self.shown.sort_by(by, descending=descending)
        self._settings.setValue("runs/sort", by)
        self._settings.setValue("runs/descending", descending)
        if self.shown.grouping != NO_GROUPS:
            self._group(self.shown.grouping)
        self._restore()

    @Slot(object)
    def _dot_clicked(self, index: Index) -> None:
        corner = self.view.visualRect(index).topLeft() + QPoint(4, 28)
        self.colour_asked.emit(index.data(Qt.ItemDataRole.UserRole).path, self.view.viewport().mapToGlobal(corner))

    @Slot(QPoint)
    def _context_menu(self, position: QPoint) -> None:
        if self.view.indexAt(position).isValid():
            self.menu.popup(self.view.viewport().mapToGlobal(position))


def _neighbour(gone: list[Path], before: list[Path], shown: list[Path]) -> Path:
    """Return the run to select after some have gone: the next one below them, else above, else the first."""
    left, still = set(gone), set(shown)
    place = next((number for number, path in enumerate(before) if path in left), 0)
    near = [*before[place:], *reversed(before[:place])]
    return next((path for path in near if path in still), shown[0])


def _adding() -> bool:
    """Return whether the user adds to a selection, with Ctrl or Shift."""
    held = QApplication.keyboardModifiers()
    return bool(held & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier))


def _flag(settings: QSettings, key: str) -> bool:
    """Return a stored flag; true unless it was turned off."""
    return str(settings.value(key, "true")).casefold() != "false"
