"""The Qt model of a table of evaluated runs: text, bold for the best, tooltips with protocol or reason."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QFont

from engine.evaluation.catalogue import BETTER, METRICS
from engine.evaluation.table import SUPERVISION_NOTE, Cell, Heading, Table
from engine.figures.looks import Look
from engine.methods.base import Supervision
from engine.system.numbers import grouped
from gui.plugins.words import origin_tip
from gui.widgets.dot import dot
from gui.widgets.plain import tip
from gui.widgets.theme import tokens

Index = QModelIndex | QPersistentModelIndex
Role = Qt.ItemDataRole
HEADING = int(Role.UserRole) + 1
"""Role that returns the heading itself."""

ENDS_GROUP = HEADING + 1
"""Role that returns whether the rows below have another supervision."""

FOLDED = HEADING + 2
"""Role that returns whether a row of several runs is closed; None for any other row."""

AS_THEY_ARE = ("seed",)
"""Numeric columns without thousands separators, as they are names rather than quantities."""


class MetricsModel(QAbstractTableModel):
    """Holds a table, with a look for each row."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.table = Table((), ())
        self._group_ends = self.table.group_ends
        self._looks: Sequence[Look] = ()

    def show_table(self, table: Table, looks: Sequence[Look]) -> None:
        """Show another table."""
        if table == self.table and looks == self._looks:
            return
        alike = _alike(table, self.table)
        if not alike:
            self.beginResetModel()
        self.table, self._group_ends, self._looks = table, table.group_ends, looks
        if alike:  # keeps the selection, and a double-click in progress
            self.dataChanged.emit(self.index(0, 0), self.index(self.rowCount() - 1, self.columnCount() - 1))
        else:
            self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        """Number of rows."""
        return 0 if parent.isValid() else len(self.table.lines)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Number of columns."""
        return 0 if parent.isValid() else len(self.table.headings)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole) -> Any:
        """Return a title; as tooltip, what the metric is and which direction is better."""
        if orientation == Qt.Orientation.Vertical or section >= len(self.table.headings):
            return None
        heading = self.table.headings[section]
        if role == HEADING:
            return heading
        if role == Role.DisplayRole:
            return heading.title
        if role == Role.ToolTipRole:
            return _heading_tip(heading)
        return _alignment(heading) if role == Role.TextAlignmentRole else None

    def data(self, index: Index, role: int = Role.DisplayRole) -> Any:
        """Return a cell's text, alignment, font, colour and tooltip."""
        heading = self.table.headings[index.column()]
        cell = self.table.lines[index.row()].cells[index.column()]
        if role == FOLDED:
            return self._folded(index.row())
        if role == Role.DisplayRole and index.column() == 0:
            return f"{self._marker(index.row())}{cell.text}"
        if role == Role.DisplayRole:
            return cell.text if heading.key in AS_THEY_ARE or not heading.numeric else grouped(cell.text)
        if role == Role.TextAlignmentRole:
            return _alignment(heading)
        if role == Role.FontRole:
            return _font(heading, cell)
        if role == Role.ForegroundRole and (heading.published or (heading.column and cell.value is None)):
            return QColor(tokens().muted)
        if role == Role.ToolTipRole and cell.note:
            more = (
                ["Click ▸ or press Space to show its runs."]
                if index.column() == 0 and self._folded(index.row())
                else []
            )
            return tip(*cell.note.split("\n"), *more, title=heading.column.name if heading.column else cell.text)
        if role == ENDS_GROUP:
            return index.row() in self._group_ends
        if role == Role.DecorationRole and index.column() == 0 and index.row() < len(self._looks):
            return dot(*self._looks[index.row()])
        return None

    def _folded(self, row: int) -> bool | None:
        lines = self.table.lines
        if len(lines[row].rows) < 2:
            return None
        return row + 1 >= len(lines) or not lines[row + 1].member

    def _marker(self, row: int) -> str:
        """What is before the title of a row: whether it can be opened, and space before the runs of one."""
        folded = self._folded(row)
        if folded is not None:
            return "▸ " if folded else "▾ "
        return "     " if self.table.lines[row].member else ""


def _alike(table: Table, other: Table) -> bool:
    """Return whether two tables have the same columns and rows, possibly with different values."""
    same = table.headings == other.headings and [(line.title, line.member) for line in table.lines] == [
        (line.title, line.member) for line in other.lines
    ]
    return same and bool(table.lines)


def _heading_tip(heading: Heading) -> str:
    column = heading.column
    if column is None:
        words = {
            "n": "Number of runs",
            "step": "Step of the weights that were evaluated",
            "supervision": tip(
                *(f"{label}: {label.about}" for label in Supervision), SUPERVISION_NOTE, title=heading.title
            ),
        }
        return words.get(heading.key, heading.title)
    if heading.published:
        return tip("Nguyen and Qiu, Tables 1 and 2.", title=f"{column.name}, as printed in the report")
    whose = filter(None, [origin_tip(METRICS.origin(column.metric))])
    return tip(f"{column.about} {BETTER[column.better]}", *whose, title=column.name)


def _font(heading: Heading, cell: Cell) -> QFont | None:
    if not (cell.best or heading.published):
        return None
    font = QFont()
    font.setBold(cell.best)
    font.setItalic(heading.published)
    return font


def _alignment(heading: Heading) -> int:
    """Align numbers right and text left."""
    side = Qt.AlignmentFlag.AlignRight if heading.numeric else Qt.AlignmentFlag.AlignLeft
    return int(side | Qt.AlignmentFlag.AlignVCenter)
