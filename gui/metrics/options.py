"""View options of the table: runs, methods or a study, grouping, columns. Kept in the settings."""

import json
from collections.abc import Sequence

from PySide6.QtCore import QSettings, Signal, Slot
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QButtonGroup, QCheckBox, QHBoxLayout, QMenu, QPushButton, QWidget

from engine.evaluation.catalogue import GROUPS, METRICS
from engine.evaluation.grouping import ALIKE, METHOD, differing, setting_title
from engine.evaluation.over_runs import SPREADS
from engine.evaluation.rows import Row
from engine.evaluation.table import REPORT, Heading, Table
from engine.settings.run_config import all_settings
from engine.system.reading import parse_json
from gui.plugins.words import origin_tip
from gui.widgets.check_popup import CheckPopup, Choice, ChoiceGroup
from gui.widgets.layouts import tool_button
from gui.widgets.plain import tip

LEAD = {
    "method": "Method",
    "supervision": "Supervision",
    "dataset": "Data set",
    "seed": "Seed",
    "step": "Step",
    "n": "Number of runs",
}
"""Columns that describe a row and can be hidden."""

USUAL = frozenset({"name", "supervision", "dataset", "n", "step"})
"""Columns about the runs that are shown by default."""

REPORT_COLUMNS = "report"
"""Key of the check box that shows the report's numbers."""

ROWS = ("runs", "methods", "study", "seeds")
"""Kinds of rows, as stored in the settings."""

ORDER = ("runs", "seeds", "methods", "study")
"""Their order on the screen."""


class TableOptions(QWidget):
    """Controls above the table. `changed` is emitted after the user changes one."""

    changed = Signal()

    def __init__(self, settings: QSettings) -> None:
        super().__init__()
        self._settings = settings
        self._columns = _kept_columns(settings)
        self._offered: set[str] = set()
        self.sorting: tuple[str, bool] | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self.segments = QButtonGroup(self)
        pair = QHBoxLayout()
        pair.setSpacing(0)
        tips = {
            "runs": "A row for each run",
            "seeds": "A row for runs that are alike in all settings but the seed, and of the same data; ▸ opens it",
            "methods": "A row for each method, over all of its runs; ▸ opens it",
            "study": "Train and compare methods over seeds: the report's tables, or your own study",
        }
        for rows in ORDER:
            button = QPushButton(rows.capitalize())
            button.setObjectName("segment")
            button.setCheckable(True)
            button.setToolTip(tips[rows])
            button.setProperty("last", rows == ORDER[-1])
            button.setProperty("tight", True)
            self.segments.addButton(button, ROWS.index(rows))
            pair.addWidget(button)
        row.addLayout(pair)
        row.addStretch(1)  # keeps them in place when controls on the right appear and disappear
        self.group_by = CheckPopup("Group by ▾")
        self.group_by.setToolTip("What the runs of a row have in common besides the data set")
        self.statistic = tool_button("±", "", "What a cell of several runs shows", menu=self._statistics())
        self.selected_only = QCheckBox("&Selected only")
        self.selected_only.setToolTip(
            "Show the runs selected on the left, evaluated or not, instead of all evaluated runs"
        )
        self.columns = CheckPopup("Columns ▾")
        self.columns.setToolTip("Choose columns; a heading's context menu also hides its column")
        for widget in (self.statistic, self.group_by, self.selected_only, self.columns):
            row.addWidget(widget)
        self._load()
        self.segments.idClicked.connect(self._change)
        self.group_by.changed.connect(self._change)
        self._statistic_choices.triggered.connect(self._change)
        self.selected_only.toggled.connect(self._change)
        self.columns.changed.connect(self._columns_chosen)

    def _statistics(self) -> QMenu:
        """Return the menu of what a cell of several runs shows."""
        menu = QMenu(self)
        self._statistic_choices = QActionGroup(menu)
        for name, title in SPREADS.items():
            action = menu.addAction(title)
            action.setData(name)
            action.setCheckable(True)
            self._statistic_choices.addAction(action)
        return menu

    @property
    def _rows(self) -> str:
        return ROWS[self.segments.checkedId()]

    @property
    def study(self) -> bool:
        """Whether a study is shown instead of runs."""
        return self._rows == "study"

    def show_study(self) -> None:
        """Show a study instead of runs."""
        self.segments.button(ROWS.index("study")).setChecked(True)
        self._change()

    @property
    def by(self) -> tuple[str, ...] | None:
        """Settings that runs are grouped by; None for a row for each run."""
        if self._rows == "runs":
            return None
        if self._rows == "seeds":
            return (ALIKE,)
        order = [METHOD, *all_settings()]
        return tuple(sorted(self.group_by.chosen, key=order.index)) or (METHOD,)

    @property
    def spread(self) -> str:
        """What a cell of several runs shows, by name."""
        chosen = self._statistic_choices.checkedAction()
        return str(chosen.data()) if chosen is not None else next(iter(SPREADS))

    @property
    def report(self) -> bool:
        """Whether the report's numbers are shown."""
        return self._columns.get(REPORT_COLUMNS, True)

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Offer to group by the settings in which these runs differ."""
        names = [name for name in differing(rows) if name != METHOD]
        chosen = self.group_by.chosen
        settings = tuple(Choice(name, setting_title(name), f"A row for each value of {setting_title(name)}")
                         for name in names)  # fmt: skip
        groups = [ChoiceGroup("Runs with the same", (Choice(METHOD, "Method"), *settings))]
        self.group_by.show_groups(groups)
        if not self.group_by.chosen:
            self.group_by.choose(chosen or {METHOD})

    def visible(self, table: Table) -> Table:
        """Return the visible part of a table: the columns chosen, else the default ones that have values."""
        filled = table.filled_keys()
        shown = {heading.key for heading in table.headings if self._shows(heading, filled)}
        self._offer_columns(table, shown)
        return table.only(shown)

    def hide_column(self, key: str) -> None:
        """Hide a column from now on."""
        self._columns[REPORT_COLUMNS if key.startswith(REPORT) else key] = False
        self._keep_columns()

    @Slot()
    def usual_columns(self) -> None:
        """Reset to the default columns."""
        self._columns = {}
        self._keep_columns()

    def _shows(self, heading: Heading, filled: set[str]) -> bool:
        if heading.published and heading.column is not None:
            return self.report and self._columns.get(heading.column.metric, heading.column.usual)
        usual = heading.key in USUAL if heading.column is None else heading.column.usual
        return self._columns.get(heading.key, usual and heading.key in filled) or heading.key == "name"

    def _offer_columns(self, table: Table, shown: set[str]) -> None:
        keys = {heading.key for heading in table.headings}
        about = tuple(Choice(key, title) for key, title in LEAD.items() if key in keys)
        groups = [ChoiceGroup("About the runs", (*about, Choice(REPORT_COLUMNS, "The report's numbers", _REPORT_TIP)))]
        groups += [ChoiceGroup(group, choices) for group, choices in metric_choices().items()]
        self.columns.show_groups(groups)
        self.columns.choose(shown | ({REPORT_COLUMNS} if self.report else set()))
        self._offered = self.columns.chosen

    @Slot()
    def _columns_chosen(self) -> None:
        """Store what the user changed; columns left alone still appear as soon as they have values."""
        chosen = self.columns.chosen
        for key in self._offered - chosen:
            self._columns[key] = False
        for key in chosen - self._offered:
            self._columns[key] = True
        self._offered = chosen
        self._keep_columns()

    def _keep_columns(self) -> None:
        self._settings.setValue("metrics/columns", json.dumps(self._columns))
        self.changed.emit()

    def _load(self) -> None:
        kept = str(self._settings.value("metrics/rows", "runs"))
        self.segments.button(ROWS.index(kept) if kept in ROWS else 0).setChecked(True)
        self.selected_only.setChecked(str(self._settings.value("metrics/selected-only", "false")) == "true")
        kept = str(self._settings.value("metrics/spread", "std"))
        for action in self._statistic_choices.actions():
            action.setChecked(action.data() == (kept if kept in SPREADS else "std"))
        self._show_controls()

    def _show_controls(self) -> None:
        """Show the controls that apply; a study has its own runs and columns."""
        self.group_by.setVisible(self._rows == "methods")
        self.statistic.setVisible(self._rows in ("methods", "seeds"))
        self.statistic.setToolTip(
            tip(
                f"A cell of several runs shows {SPREADS[self.spread]}. The standard deviation (SD) is over runs "
                "(n − 1); the 95 % interval is that of their mean (Student’s t). A cell’s tooltip has all of them.",
                "Values evaluated with different protocols are not averaged.",
            )
        )
        for widget in (self.selected_only, self.columns):
            widget.setVisible(not self.study)

    @Slot()
    def _change(self) -> None:
        self._show_controls()
        self._settings.setValue("metrics/rows", self._rows)
        self._settings.setValue("metrics/spread", self.spread)
        self._settings.setValue("metrics/selected-only", "true" if self.selected_only.isChecked() else "false")
        self.changed.emit()


def metric_choices() -> dict[str, tuple[Choice, ...]]:
    """Return a choice for each metric, by group."""
    return {
        group: tuple(
            Choice(c.metric, c.name, tip(c.about, *filter(None, [origin_tip(METRICS.origin(c.metric))])))
            for c in METRICS.values()
            if c.group == group
        )
        for group in GROUPS
    }


_REPORT_TIP = "<p>What Nguyen and Qiu print for the same data set and method, next to your numbers.</p>"


def _kept_columns(settings: QSettings) -> dict[str, bool]:
    """Return the columns that the user showed or hid, by key."""
    try:
        kept = parse_json(str(settings.value("metrics/columns", "{}")))
    except ValueError:
        return {}
    return {str(key): value is True for key, value in kept.items()} if isinstance(kept, dict) else {}
