"""The Qt model of the run list, with filtering and sorting."""

from collections.abc import Callable, Sequence
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
from engine.runs.cost import cost_of
from engine.runs.run import short_method_title
from engine.settings.run_config import DATASET_TITLES
from engine.system.numbers import rounded_text
from engine.system.plain_text import clean_name, one_line
from gui.runs.groups import GROUPINGS, NAMES, NO_GROUPS, Group, groups_of
from gui.runs.store import RunItem, RunStore, state_text
from gui.widgets.plain import tip
from gui.widgets.words import duration, shortened

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
        """Runs can be selected and renamed, models of the gallery only selected."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return flags if self._store.items[index.row()].shipped else flags | Qt.ItemFlag.ItemIsEditable

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
    """Filters by words and by the hidden mark, groups by one of `GROUPINGS`, and sorts by one of `SORTS`.

    The runs of a group are one below the other, the first of them under the group's heading. A folded group has a
    single row, that of its first run, which stands for all of them.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._words: list[str] = []
        self._groups: dict[Path, Group] = {}
        self._folded: set[str] = set()
        self.grouping = NO_GROUPS
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

    def group_by(self, items: Sequence[RunItem], grouping: str) -> None:
        """Group these runs by one of `GROUPINGS`; call it again when runs, filter, marks or order have changed."""
        if grouping != self.grouping:
            self._folded = set()
        self.grouping = grouping if grouping in GROUPINGS else NO_GROUPS
        self.beginFilterChange()
        self._groups = groups_of(self._sorted([item for item in items if self._passes(item)]), self.grouping)
        for group in self._groups.values():
            group.folded = group.title in self._folded
        self.endFilterChange(QSortFilterProxyModel.Direction.Rows)
        self._sort()

    def fold(self, group: Group, folded: bool) -> None:
        """Fold or unfold a group; `group_by` must follow."""
        self._folded = self._folded | {group.title} if folded else self._folded - {group.title}

    def group_of(self, item: RunItem) -> Group | None:
        """Return the group of a run; None if runs are not grouped."""
        return self._groups.get(item.path)

    def heading(self, index: Index) -> Group | None:
        """Return the group whose heading is above a row; None if it has none."""
        if not self._groups:
            return None
        group = self._groups.get(index.data(Qt.ItemDataRole.UserRole).path)
        if group is None or index.row() == 0:
            return group
        before = self._groups.get(self.index(index.row() - 1, 0).data(Qt.ItemDataRole.UserRole).path)
        return None if before is group else group

    def items(self) -> list[RunItem]:
        """Return the runs that pass the filter, in the order of the list, with those in folded groups."""
        found: list[RunItem] = []
        for row in range(self.rowCount()):
            item = self.index(row, 0).data(Qt.ItemDataRole.UserRole)
            group = self._groups.get(item.path)
            found += group.members if group is not None and group.folded else [item]
        return found

    def is_outdated(self, item: RunItem) -> bool:
        """Return whether a run has left its group, or the list, or has come into it."""
        if self.grouping == NO_GROUPS:
            return False
        group = self._groups.get(item.path)
        if (group is not None) != self._passes(item):
            return True
        return group is not None and self.grouping in NAMES and NAMES[self.grouping](item) != group.title

    def _sorted(self, items: list[RunItem]) -> list[RunItem]:
        key, started = SORTS[self.by], SORTS["Started"]
        return sorted(items, key=lambda item: (key(item), started(item)), reverse=self.descending)

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
        if not self._passes(item):
            return False
        group = self._groups.get(item.path)
        return group is None or not group.folded or group.members[0] is item

    def _passes(self, item: RunItem) -> bool:
        if item.hidden and not self.show_hidden:
            return False
        text = f"{item.name} {_described(item, '')}".casefold()
        supervision = item.run.config.supervision.split()
        return all(word in text or _tells(word, supervision, self._words) for word in self._words)

    def lessThan(self, left: Index, right: Index) -> bool:
        """Compare two runs; ties are broken by when they were started."""
        first, second = self._item(left), self._item(right)
        groups = [self._groups[item.path].title for item in (first, second) if item.path in self._groups]
        if len(groups) == 2 and groups[0] != groups[1]:  # groups are in ascending order, whatever that of runs
            return (groups[0].casefold() < groups[1].casefold()) is not self.descending
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


def cost_text(item: RunItem) -> str:
    """Return what a run has cost so far, e.g. "12 min · 410 images/s · CPU, 2 threads"; empty before it has trained."""
    cost = cost_of(item.run, item.last)
    if not cost.seconds:
        return ""
    speed = f"{rounded_text(cost.images_per_second, 3)} images/s" if cost.images_per_second else ""
    return " · ".join(filter(None, (duration(cost.seconds), speed, cost.machine)))


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
    if words := cost_text(item):
        lines.append(words)
    if item.shipped:
        lines.append("comes with the application and cannot be changed")
    if item.notes:
        lines.append(f"notes: {shortened(one_line(item.notes), 120)}")
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
