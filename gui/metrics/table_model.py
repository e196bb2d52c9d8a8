"""Evaluated runs as a table: one row a run, one column a metric, the best in bold."""

from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QFont

from engine.config import DATASET_TITLES
from engine.evaluation.table import COLUMNS, Column, Row, row_of, shown
from gui.run_store import RunItem

FIXED = ("Run", "Data set", "Step")
Index = QModelIndex | QPersistentModelIndex


class MetricsModel(QAbstractTableModel):
    """The table of the metrics page. Sorting and export go by what is shown."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []
        self._best: dict[tuple[str, str], float] = {}

    def show_runs(self, items: list[RunItem]) -> None:
        """Show those of these runs that are evaluated."""
        rows = [row for row in (row_of(item.run) for item in items) if row is not None]
        if rows == self.rows:
            return
        self.beginResetModel()
        self.rows = rows
        self._best = {}
        for column in COLUMNS:
            for dataset in {row.dataset for row in rows}:
                values = [v for row in rows if row.dataset == dataset and (v := _value(row, column)) is not None]
                if column.better and len(values) > 1:
                    self._best[column.metric, dataset] = min(values) if column.better == "↓" else max(values)
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        """Number of evaluated runs."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """What identifies a run, then the metrics."""
        return 0 if parent.isValid() else len(FIXED) + len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        """Titles with the arrow that says which way is better; the protocol as tooltip."""
        if orientation == Qt.Orientation.Vertical:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        column = COLUMNS[section - len(FIXED)] if section >= len(FIXED) else None
        if role == Qt.ItemDataRole.DisplayRole:
            if column is None:
                return FIXED[section]
            return f"{column.title} {column.better}".strip() + (f"\n{column.unit}" if column.unit else "\n")
        if role == Qt.ItemDataRole.ToolTipRole and column is not None:
            better = {"↓": "Lower is better.", "↑": "Higher is better."}.get(column.better, "")
            protocols = {_protocol(row, column) for row in self.rows if _value(row, column) is not None}
            return f"<p><b>{column.title}</b>. {better}<br>{'<br>'.join(sorted(protocols))}</p>"
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """A cell's text, alignment, and bold where it is the best on its data set."""
        row, number = self.rows[index.row()], index.column()
        column = COLUMNS[number - len(FIXED)] if number >= len(FIXED) else None
        if role == Qt.ItemDataRole.DisplayRole:
            fixed = (row.name, DATASET_TITLES.get(row.dataset, row.dataset), f"{row.step:,}")
            return fixed[number] if column is None else shown(row, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(number)
        if column is None:
            tip = f"<p><b>{row.name}</b><br>{row.method}, seed {row.seed}</p>"
            return tip if role == Qt.ItemDataRole.ToolTipRole else None
        if role == Qt.ItemDataRole.FontRole and _value(row, column) == self._best.get(
            (column.metric, row.dataset), object()
        ):
            font = QFont()
            font.setBold(True)
            return font
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"<p>{_protocol(row, column)}</p>"
        return None


def _alignment(number: int) -> int:
    """Numbers stand at the right, words at the left."""
    side = Qt.AlignmentFlag.AlignLeft if number < 2 else Qt.AlignmentFlag.AlignRight
    return int(side | Qt.AlignmentFlag.AlignVCenter)


def _value(row: Row, column: Column) -> float | None:
    value = row.metrics.get(column.metric, {}).get("value")
    return None if value is None else float(value)


def _protocol(row: Row, column: Column) -> str:
    """How a value was computed, in words; or why there is none."""
    entry = row.metrics.get(column.metric, {})
    if entry.get("value") is None:
        return str(entry.get("reason", "not computed"))
    protocol = entry.get("protocol", {})
    words = f"{protocol.get('name', '')}; {protocol.get('n', 0):,} images ({protocol.get('split', '')})"
    if protocol.get("z"):
        words += f", z {protocol['z']}" if protocol["z"] == "sampled" else ", z = posterior mean"
    interval = entry.get("interval")
    if interval:
        words += f"; 95 % interval {interval[0]:.2f} to {interval[1]:.2f}"
    return words
