"""The table of contents: chapters, topics, sections; during a search only those with hits."""

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem

from gui.help.topics import Library, Topic

WHERE = Qt.ItemDataRole.UserRole


class Contents(QTreeWidget):
    """Emits `chosen("topic#section")` when the user selects an entry."""

    chosen = Signal(str)

    def __init__(self, library: Library) -> None:
        super().__init__()
        self._library = library
        self.setObjectName("contents")
        self.setAccessibleName("Contents")
        self.setColumnCount(2)
        self.setHeaderHidden(True)
        self.setIndentation(14)
        self.setUniformRowHeights(True)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.header().setStretchLastSection(False)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.header().setMinimumSectionSize(0)
        self._items: dict[str, QTreeWidgetItem] = {}
        for chapter in library.chapters:
            top = QTreeWidgetItem(self, [chapter.title])
            top.setFlags(Qt.ItemFlag.ItemIsEnabled)
            font = top.font(0)
            font.setBold(True)
            top.setFont(0, font)
            for topic in chapter.topics:
                self._add_topic(top, topic)
            top.setExpanded(True)
        self.setColumnHidden(1, True)
        self.currentItemChanged.connect(self._current_changed)
        self.itemClicked.connect(self._clicked)

    def _add_topic(self, parent: QTreeWidgetItem, topic: Topic) -> None:
        item = QTreeWidgetItem(parent, [topic.title])
        self._remember(item, topic.name)
        for section in topic.sections:
            if section.anchor:
                self._remember(QTreeWidgetItem(item, [section.title]), f"{topic.name}#{section.anchor}")

    def _remember(self, item: QTreeWidgetItem, where: str) -> None:
        item.setData(0, WHERE, where)
        item.setToolTip(0, item.text(0))
        item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._items[where] = item

    @property
    def shown(self) -> list[str]:
        """Topics not hidden by a search."""
        return [where for where, item in self._items.items() if "#" not in where and not item.isHidden()]

    def go_to(self, where: str) -> None:
        """Select the entry "topic#section" without emitting `chosen`."""
        item = self._items.get(where) or self._items[where.partition("#")[0]]
        if item.isHidden():
            item = self._items[where.partition("#")[0]]
        self.blockSignals(True)
        self.setCurrentItem(item)
        self.blockSignals(False)
        self.scrollToItem(item)
        self.viewport().update()

    def show_hits(self, found: Mapping[str, list[tuple[int, int]]] | None) -> None:
        """Show only topics and sections with hits, and their number of hits; None shows everything again."""
        self.setColumnHidden(1, found is None)
        for name, topic in self._library.topics.items():
            spans = found.get(name, []) if found is not None else []
            counts: dict[str, int] = {}
            for start, _ in spans:
                anchor = topic.section_at(start).anchor
                counts[anchor] = counts.get(anchor, 0) + 1
            item = self._items[name]
            self._show_count(item, len(spans), searching=found is not None)
            for anchor in topic.anchors():
                self._show_count(self._items[f"{name}#{anchor}"], counts.get(anchor, 0), searching=found is not None)
            item.setExpanded(bool(spans))
        for number in range(self.topLevelItemCount()):
            chapter = self.topLevelItem(number)
            if chapter is not None:
                inside = [chapter.child(row) for row in range(chapter.childCount())]
                chapter.setHidden(all(child.isHidden() for child in inside if child is not None))

    def _show_count(self, item: QTreeWidgetItem, count: int, *, searching: bool) -> None:
        item.setHidden(searching and not count)
        item.setText(1, str(count) if count else "")

    @Slot(QTreeWidgetItem, QTreeWidgetItem)
    def _current_changed(self, current: QTreeWidgetItem | None, previous: QTreeWidgetItem | None) -> None:
        where = current.data(0, WHERE) if current is not None else None
        if where:
            self.chosen.emit(where)

    @Slot(QTreeWidgetItem, int)
    def _clicked(self, item: QTreeWidgetItem, column: int) -> None:
        """Expand or collapse a chapter, or choose the current entry again."""
        where = item.data(0, WHERE)
        if where:
            item.setExpanded(True)
            self.chosen.emit(where)
        else:
            item.setExpanded(not item.isExpanded())
