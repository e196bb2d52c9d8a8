"""Data sets to choose from, under headings: the list of the Data page, and the box of the form."""

from collections.abc import Iterator

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QComboBox, QListWidget, QListWidgetItem

from engine.data import ENTRIES, Entry
from gui.plugins.words import origin_tip
from gui.widgets.combo import Combo
from gui.widgets.headings import HeadingDelegate, heading
from gui.widgets.plain import as_plain

Role = Qt.ItemDataRole


def grouped() -> Iterator[tuple[str, list[Entry]]]:
    """Yield each heading with its data sets, in the order of the entries."""
    groups: dict[str, list[Entry]] = {}
    for entry in ENTRIES.values():
        groups.setdefault(entry.group, []).append(entry)
    yield from groups.items()


class EntryList(QListWidget):
    """Lists all data sets. Emits `chosen` when another one is selected."""

    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Data sets")
        self.setObjectName("grouped")
        self.setItemDelegate(HeadingDelegate(self))
        self.fill()
        self.select(next(iter(ENTRIES)))
        self.currentItemChanged.connect(self._changed)

    def fill(self) -> None:
        """List the available data sets."""
        self.clear()
        for words, entries in grouped():
            above = QListWidgetItem(words)
            above.setFlags(Qt.ItemFlag.NoItemFlags)
            self.addItem(above)
            for entry in entries:
                item = QListWidgetItem(entry.title)
                item.setData(Role.UserRole, entry.name)
                item.setToolTip(as_plain(origin_tip(ENTRIES.origin(entry.name))))
                self.addItem(item)

    def select(self, name: str) -> None:
        """Select a data set; the first one if there is none of this name."""
        rows = {self.item(row).data(Role.UserRole): row for row in range(self.count())}
        self.setCurrentRow(rows.get(name, 1))

    @property
    def entry(self) -> Entry:
        """The selected data set."""
        return ENTRIES[self.currentItem().data(Role.UserRole)]

    @Slot()
    def _changed(self) -> None:
        if self.currentItem() is not None:
            self.chosen.emit()


class EntryBox(Combo):
    """A box whose list has the data sets; `currentData` is the name of the chosen one."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumContentsLength(8)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        items = QStandardItemModel(self)
        for words, entries in grouped():
            items.appendRow(heading(words))
            for entry in entries:
                item = QStandardItem(entry.title)
                item.setData(entry.name, Role.UserRole)
                item.setToolTip(as_plain(origin_tip(ENTRIES.origin(entry.name))))
                items.appendRow(item)
        self.setModel(items)
        self.view().setItemDelegate(HeadingDelegate(self.view()))
        self.setCurrentIndex(self.findData(next(iter(ENTRIES))))
