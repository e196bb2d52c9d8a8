"""The Qt model of the run list, with filtering and sorting."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
    Slot,
)

from engine.methods.registry import METHODS
from engine.runs.run import short_method_title
from engine.settings.run_config import DATASET_TITLES
from engine.system.plain_text import clean_name
from gui.runs.store import RunItem, RunStore, state_text
from gui.widgets.plain import tip
from gui.widgets.words import duration

Index = QModelIndex | QPersistentModelIndex

SORTS: dict[str, Callable[[RunItem], Any]] = {
    "Started": lambda item: (item.run.created, item.path.name),
    "Name": lambda item: item.name.casefold(),
    "Data set": lambda item: DATASET_TITLES[item.run.config.dataset].casefold(),
    "Method": lambda item: (item.run.config.supervision.rank, short_method_title(item.run.config)),
    "State": lambda item: item.state.state,
    "Progress": lambda item: item.state.step / max(1, item.state.total),
    "Reconstruction": lambda item: _number(item.last("reconstruction")),
    "KL": lambda item: _number(item.last("kl")),
    "Seed": lambda item: item.run.config.seed,
    "Time trained": lambda item: item.seconds,
    "Colour": lambda item: item.colour,
    "Tags": lambda item: tuple(item.tags),
}
"""Sort keys, by their titles in the menu."""


class RunListModel(QAbstractListModel):
    """The store's runs for a list view; a row's UserRole is its RunItem, its EditRole its name."""

    renamed = Signal(object, str)

    def __init__(self, store: RunStore) -> None:
        super().__init__(store)
        self._store = store
        store.listed.connect(self._reset)
        store.updated.connect(self._update)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        """Number of runs."""
        return 0 if parent.isValid() else len(self._store.items)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a run's data for the view."""
        item = self._store.items[index.row()]
        if role == Qt.ItemDataRole.UserRole:
            return item
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return item.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{item.name}, {description_of(item)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(item)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Runs can be selected and renamed."""
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEditable

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Emit a run's new name."""
        name = clean_name(str(value))
        item = self._store.items[index.row()]
        if not name or name == item.name:
            return False
        self.renamed.emit(item.path, name)
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


class RunFilter(QSortFilterProxyModel):
    """Filters by words and by the hidden mark, and sorts by one of `SORTS`."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._words: list[str] = []
        self.show_hidden = False
        self.by = "Started"
        self.descending = True
        self._sort()

    def show_only(self, text: str) -> None:
        """Show only runs whose name and description contain every word of the text.

        Supervision is matched from its beginning: "supervised" finds neither unsupervised nor weakly supervised runs.
        """
        self.beginFilterChange()
        self._words = text.casefold().split()
        self.endFilterChange(QSortFilterProxyModel.Direction.Rows)

    def include_hidden(self, shown: bool) -> None:
        """Show or hide runs that are marked as hidden."""
        self.beginFilterChange()
        self.show_hidden = shown
        self.endFilterChange(QSortFilterProxyModel.Direction.Rows)

    def sort_by(self, by: str, *, descending: bool) -> None:
        """Sort by one of `SORTS`; an unknown name changes nothing."""
        if by in SORTS:
            self.by, self.descending = by, descending
            self._sort()

    def _sort(self) -> None:
        self.invalidate()
        self.sort(0, Qt.SortOrder.DescendingOrder if self.descending else Qt.SortOrder.AscendingOrder)

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        """Return whether a run is shown."""
        item = self._item(self.sourceModel().index(row, 0, parent))
        if item.hidden and not self.show_hidden:
            return False
        text = f"{item.name} {_described(item, '')}".casefold()
        supervision = item.run.config.supervision.split()
        return all(word in text or _tells(word, supervision, self._words) for word in self._words)

    def lessThan(self, left: Index, right: Index) -> bool:
        """Compare two runs; ties are broken by when they were started."""
        first, second = self._item(left), self._item(right)
        key, started = SORTS[self.by], SORTS["Started"]
        return bool((key(first), started(first)) < (key(second), started(second)))

    def _item(self, index: Index) -> RunItem:
        item: RunItem = self.sourceModel().data(index, Qt.ItemDataRole.UserRole)
        return item


def description_of(item: RunItem) -> str:
    """Return a one-line description of a run, without its name."""
    return _described(item, item.run.config.supervision)


def _described(item: RunItem, supervision: str) -> str:
    config = item.run.config
    parts = [DATASET_TITLES[config.dataset], short_method_title(config), supervision, f"seed {config.seed}"]
    return ", ".join([*filter(None, parts), state_text(item), *(f"#{tag}" for tag in item.tags)])


def _tells(word: str, supervision: list[str], words: list[str]) -> bool:
    """Return whether a typed word begins a word of the supervision, with those before it typed as well."""
    return any(
        part.startswith(word) and all(any(before.startswith(w) for w in words) for before in supervision[:number])
        for number, part in enumerate(supervision)
    )


def _number(value: float | None) -> float:
    """Return a value for sorting: unknown values come last in ascending order."""
    return float("inf") if value is None or value != value else value


def _tip(item: RunItem) -> str:
    config, state = item.run.config, item.state
    lines = [
        f"{config.method_title} ({config.supervision}), {DATASET_TITLES[config.dataset]}, seed {config.seed}",
        *(f"uses the plug-in {use.words}" for use in item.run.plugins),
        f"{state_text(item)}, step {state.step:,} of {state.total:,}",
    ]
    if item.seconds:
        lines.append(f"trained for {duration(item.seconds)}")
    if item.run.created:
        lines.append(f"created {item.run.created[:16].replace('T', ' ')} UTC")
    if item.tags:
        lines.append(f"tags: {', '.join(item.tags)}")
    method = METHODS[item.run.config.objective]
    named = {"reconstruction": "reconstruction loss", "kl": "KL"}
    shown = [words for name, words in named.items() if method.has(name) and item.last(name) is not None]
    if shown:
        steps = item.run.config.log_steps
        lines.append(f"Shown on the right: {' and '.join(shown)} in nats, means over the last {steps:,} training steps")
    more = [state.message, *(words for words in item.problems if words not in state.message)]
    return tip(*lines, *filter(None, more), title=item.name)
