"""The chart that compares rows of the table on one data set: a scatter plot of two metrics, or bars of one.

A scatter plot can also have the cost of the runs on its x axis: training steps, processor hours.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QComboBox, QFrame, QPushButton, QScrollArea, QStackedLayout

from engine.evaluation.catalogue import Column
from engine.evaluation.charts import bars, points
from engine.evaluation.costs import COSTS, course_note
from engine.evaluation.rows import DataKey, columns_of
from engine.evaluation.table import Table
from engine.figures.looks import look
from gui.metrics.settings_panel import SettingsPanel
from gui.widgets.combo import Combo
from gui.widgets.layouts import Card, empty_state, label
from gui.widgets.plain import tip
from gui.widgets.tab_order import follow
from gui.widgets.theme import LIGHT, tokens

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gui.metrics.charts import BarChart, ScatterChart

SCATTER, BARS, PARALLEL, SETTINGS = range(4)
NOTHING = "A chart of the evaluated runs appears here."
PREFERRED = ("disentanglement", "factor_vae", "mig", "factor_vae_quick", "sharpness", "kl")
"""Metrics plotted against reconstruction unless another is chosen."""


class ChartCard(Card):
    """Emits `picked(line)` when a point is clicked, and `export`. Its `settings` view brushes runs."""

    picked = Signal(int)
    export = Signal()

    def __init__(self, settings: QSettings) -> None:
        super().__init__("")
        self._kept = settings
        self.title.hide()
        self.note.hide()
        self._table = Table((), ())
        self._datasets: list[DataKey] = []
        self._followed: DataKey = ()
        self._looks: Sequence[int] = ()
        self.kind = Combo()
        self.kind.addItems(["Scatter", "Bars", "Parallel axes", "Settings"])
        self.kind.setAccessibleName("Type of chart")
        self.kind.setToolTip(
            tip(
                "Scatter: two metrics of the rows, or a metric against training steps or hours",
                "Bars: a metric of the rows",
                "Parallel axes: settings, metrics and final terms of all runs",
                "Settings: any of these against any other",
            )
        )
        kept = str(settings.value("metrics/chart", "0"))
        self.kind.setCurrentIndex(int(kept) if kept in map(str, range(4)) else 0)
        self.across, self.up = Combo(), Combo()
        self.across.setToolTip("Metric on the x axis, or training steps or hours")
        self.up.setToolTip("Metric on the y axis")
        self._against = label("and", "muted")
        for box in (self.across, self.up):
            box.setMinimumContentsLength(6)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setAccessibleName(box.toolTip())
        self.save = QPushButton("Save…")
        self.save.setToolTip("Save this chart as PNG, SVG or PDF, in a style for papers")
        self.save.clicked.connect(self.export)
        self.head.takeAt(self.head.count() - 1)
        for widget, stretch in ((self.kind, 0), (self.across, 1), (self._against, 0), (self.up, 1), (self.save, 0)):
            self.head.addWidget(widget, stretch)
        self.data = Combo()
        self.data.setToolTip("Data set; values are only comparable within one data set")
        self.data.setAccessibleName("Data set")
        self.body.addWidget(self.data)
        self._scatter: ScatterChart | None = None
        self._bars: BarChart | None = None
        self._message = empty_state(NOTHING)
        self._area = QScrollArea()
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setWidgetResizable(True)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.settings = SettingsPanel(settings)
        self.settings.drawn.connect(self._allow_saving)
        self.settings.controls.hide()
        self.head.insertWidget(self.head.indexOf(self.kind) + 1, self.settings.controls, 1)
        self._stack = QStackedLayout()
        self.body.addLayout(self._stack, 1)
        for part in (self._message, self._area, self.settings):
            self._stack.addWidget(part)
        for box in (self.kind, self.data, self.across, self.up):
            box.activated.connect(self._chosen)
        self._wanted = {"x": "reconstruction", "y": ""}
        self.save_shown = self.export.emit

    @property
    def scatter(self) -> "ScatterChart":
        """The scatter plot; created when first needed, since the plotting library is slow to load."""
        if self._scatter is None:
            from gui.metrics.charts import ScatterChart

            self._scatter = ScatterChart()
            self._scatter.setAccessibleName("Scatter plot")
            self._scatter.picked.connect(self.picked)
            self._stack.addWidget(self._scatter)
            follow(self.data, self._scatter)
        return self._scatter

    @property
    def bar_chart(self) -> "BarChart":
        """The bar chart; created when first needed."""
        if self._bars is None:
            from gui.metrics.charts import BarChart

            self._bars = BarChart()
            self._bars.setAccessibleName("Bar chart")
            self._area.setWidget(self._bars)
            follow(self.data, self._bars)
        return self._bars

    def show_table(self, table: Table, looks: Sequence[int]) -> None:
        """Show the runs of a table; `looks` has the number of a look for each row."""
        self._table, self._looks = table, looks
        self._offer_data()
        rows = [row for line in table.lines for row in line.rows]
        known = [column for column in columns_of(rows) if any(row.value(column.metric) is not None for row in rows)]
        names = [column.metric for column in known]
        costs = list(COSTS.values()) if names else []
        offered = [*names, *(cost.metric for cost in costs)]
        x = self._wanted["x"] if self._wanted["x"] in offered else next(iter(names), "")
        y = self._wanted["y"] or next((n for n in (*PREFERRED, *names) if n in names and n != x), "")
        for box, wanted, columns in ((self.across, x, [*known, *costs]), (self.up, y, known)):
            with QSignalBlocker(box):
                if [box.itemData(i) for i in range(box.count())] != [column.metric for column in columns]:
                    box.clear()
                    for column in columns:
                        box.addItem(column.title, column.metric)
                box.setCurrentIndex(max(0, box.findData(wanted)))
        self._draw()

    def show_data(self, data: DataKey) -> None:
        """Switch to the data set of the current row when it changes; until then the user's choice is kept."""
        if data != self._followed and data in self._datasets:
            self.data.setCurrentIndex(self._datasets.index(data))
            self._draw()
        self._followed = data

    def _offer_data(self) -> None:
        """Offer the data sets of the table if there are several."""
        offered, before = self._table.datasets, self._chosen_data
        self._datasets = list(offered)
        with QSignalBlocker(self.data):
            self.data.clear()
            self.data.addItems(list(offered.values()))
            self.data.setCurrentIndex(self._datasets.index(before) if before in offered else 0)

    @property
    def _chosen_data(self) -> DataKey:
        """The data set that is shown; empty without rows."""
        place = self.data.currentIndex()
        return self._datasets[place] if 0 <= place < len(self._datasets) else ()

    def apply_theme(self) -> None:
        """Apply the current colour scheme."""
        for chart in (self._scatter, self._bars):
            if chart is not None:
                chart.apply_theme()
        self._draw()

    def figure(self) -> "Figure":
        """Draw the chart in a style for papers."""
        from engine.figures.evaluation import bars_figure, scatter_figure

        if self._of_runs:
            return self.settings.figure()
        x, y = self._columns()
        assert x is not None
        assert y is not None
        paper = [look(number, LIGHT.all_runs) for number in self._looks]
        titles = [line.title for line in self._table.lines]
        if self.kind.currentIndex() == SCATTER:
            found = points(self._table, x.metric, y.metric, self._chosen_data)
            note = course_note([point.row for point in found], y.metric) if x.metric in COSTS else ""
            return scatter_figure(found, titles, paper, x, y, " · ".join(filter(None, (self._caption, note))))
        return bars_figure(bars(self._table, y, self._chosen_data), paper, y, self._caption)

    @property
    def file_name(self) -> str:
        """What the chart shows, for the file name."""
        if self._of_runs:
            return self.settings.file_name
        x, y = self.across.currentText(), self.up.currentText()
        shown = f"{y} against {x}" if self.kind.currentIndex() == SCATTER else y
        return f"{shown} {self._caption}".strip()

    @property
    def _of_runs(self) -> bool:
        """Whether all runs are shown, with their settings, rather than the rows of the table."""
        return self.kind.currentIndex() in (PARALLEL, SETTINGS)

    @property
    def _caption(self) -> str:
        """The data set, if the table has several."""
        return self.data.currentText() if self.data.count() > 1 else ""

    @Slot()
    def _chosen(self) -> None:
        self._wanted = {"x": str(self.across.currentData()), "y": str(self.up.currentData())}
        self._kept.setValue("metrics/chart", self.kind.currentIndex())
        self._draw()

    @Slot()
    def _allow_saving(self) -> None:
        if self._of_runs:
            self.save.setEnabled(self.settings.complete)

    def _columns(self) -> tuple[Column | None, Column | None]:
        rows = [row for line in self._table.lines for row in line.rows]
        by_name = COSTS | {column.metric: column for column in columns_of(rows)}
        return by_name.get(str(self.across.currentData())), by_name.get(str(self.up.currentData()))

    def _draw(self) -> None:
        scatter = self.kind.currentIndex() == SCATTER
        of_runs = self._of_runs
        self.up.setVisible(not of_runs)
        self.settings.controls.setVisible(of_runs)
        self.data.setVisible(self.data.count() > 1 and not of_runs)
        self.across.setVisible(scatter)
        self._against.setVisible(scatter)
        x, y = self._columns()
        self.save.setEnabled(self.settings.complete if of_runs else x is not None)
        looks = [look(number, tokens().all_runs) for number in self._looks]
        if of_runs:
            self.settings.show_pairs(self.kind.currentIndex() == SETTINGS)
            self._stack.setCurrentWidget(self.settings)
        elif x is None or y is None:
            self._message.setText(NOTHING)
            self._stack.setCurrentWidget(self._message)
        elif scatter:
            found = points(self._table, x.metric, y.metric, self._chosen_data)
            self.scatter.show_points(found, looks, x, y)
            self._stack.setCurrentWidget(self.scatter if found else self._message)
            on = f" on {self._caption}" if self._caption else ""
            self._message.setText(f"No run{on} has both “{x.name}” and “{y.name}”.")
        else:
            self.bar_chart.show_bars(bars(self._table, y, self._chosen_data), looks, y)
            self._stack.setCurrentWidget(self._area)
