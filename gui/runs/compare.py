"""The settings of several runs side by side: only those that differ, or all."""

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from engine.evaluation.grouping import value_words
from engine.runs.differences import differing_settings, settings_in_use
from engine.settings.run_config import all_settings as settings_of
from engine.system.fields import choices_of, unit_of
from engine.system.spreadsheet import tabbed_text
from gui.runs.store import RunItem
from gui.widgets.layouts import label
from gui.widgets.theme import px
from gui.widgets.words import count


def settings_table(items: list[RunItem], *, everything: bool = False) -> list[tuple[str, list[str]]]:
    """Return rows of a setting and its value in each run; only settings that differ, unless `everything` is true.

    A run that does not use a setting has a dash there.
    """
    configs = [item.run.config for item in items]
    used = [settings_in_use(config) for config in configs]
    rows = []
    fields = settings_of(configs)
    for name in fields if everything else differing_settings(configs):
        field = fields[name]
        title, unit, titles = field.title or name, unit_of(field), choices_of(field)
        heading = f"{title} ({unit})" if unit and unit != title.lower() else title
        values = [value_words(settings.get(name), titles) for settings in used]
        if name == "objective":
            values = [f"{value} ({config.supervision})" for value, config in zip(values, configs, strict=True)]
        rows.append((heading, values))
    return rows


class CompareDialog(QDialog):
    """Shows `settings_table`; Copy copies it as tab-separated text for a spreadsheet."""

    def __init__(self, items: list[RunItem], parent: QWidget) -> None:
        super().__init__(parent)
        self._items = items
        self.setWindowTitle("Compare settings")
        self.words = label("", "muted")
        self.table = QTableWidget()
        self.table.setTabKeyNavigation(False)
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.table.verticalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.all = QCheckBox("Show all settings")
        self.all.toggled.connect(self._fill)
        copy = QPushButton("Copy")
        copy.setToolTip("Copy the table as tab-separated text (Ctrl+C)")
        copy.clicked.connect(self._copy)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), self).activated.connect(self._copy)
        close = QPushButton("Close")
        close.clicked.connect(self.accept)
        close.setDefault(True)
        buttons = QHBoxLayout()
        buttons.addWidget(self.all)
        buttons.addStretch(1)
        buttons.addWidget(copy)
        buttons.addWidget(close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 14)
        layout.setSpacing(10)
        layout.addWidget(self.words)
        layout.addWidget(self.table, 1)
        layout.addLayout(buttons)
        self._fill()
        header = self.table.horizontalHeader().length() + self.table.verticalHeader().sizeHint().width()
        self.resize(min(header + px(60), px(1100)), min(px(560), px(150) + self.table.verticalHeader().length()))

    @Slot()
    def _fill(self) -> None:
        rows = settings_table(self._items, everything=self.all.isChecked())
        differing = len(settings_table(self._items))
        total = len(settings_table(self._items, everything=True))
        self.words.setText(
            f"{differing} of {count(total, 'setting')} differ{'s' if differing == 1 else ''}."
            if differing
            else "These runs have the same settings."
        )
        self.table.setColumnCount(len(self._items))
        self.table.setHorizontalHeaderLabels([item.name for item in self._items])
        self.table.setRowCount(len(rows))
        self.table.setVerticalHeaderLabels([title for title, _ in rows])
        for row, (_, values) in enumerate(rows):
            for column, value in enumerate(values):
                self.table.setItem(row, column, QTableWidgetItem(value))

    @Slot()
    def _copy(self) -> None:
        rows = settings_table(self._items, everything=self.all.isChecked())
        lines = [["setting", *(item.name for item in self._items)], *([title, *values] for title, values in rows)]
        QGuiApplication.clipboard().setText(tabbed_text(lines).removesuffix("\n"))
