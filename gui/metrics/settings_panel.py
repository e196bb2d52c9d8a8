"""The view of settings against results: which runs and axes, and the chart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QScrollArea, QStackedLayout, QVBoxLayout, QWidget

from engine.evaluation.dimensions import METRIC, SETTING, TERM, Dimension, RunValues, dimensions_of
from engine.evaluation.rows import DataKey, Row, by_version, distinct_titles
from engine.runs.metrics_file import newest_row
from gui.bridge import LatestWorker
from gui.metrics.settings_chart import SettingsChart
from gui.widgets.check_popup import CheckPopup, Choice, ChoiceGroup
from gui.widgets.combo import Combo
from gui.widgets.layouts import empty_state, label
from gui.widgets.theme import LIGHT, tokens

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SETTINGS, MOST_RESULTS = 5, 3
"""Numbers of axes that are shown unless others are chosen."""

GROUPS = {SETTING: "Settings", METRIC: "Metrics", TERM: "Final terms"}

NOTHING = (
    "Settings against results appear here once two runs of a data set differ in a setting and have been trained or "
    "evaluated."
)


class SettingsPanel(QWidget):
    """Shows all runs of a data set. Emits `brushed(paths)` with the runs to select in the list, and `drawn`.

    The last values of curves are read in a thread of its own; the owner calls `close_worker` at the end.
    """

    brushed = Signal(object)
    drawn = Signal()

    def __init__(self, settings: QSettings) -> None:
        super().__init__()
        self.setProperty("helpTopic", "table#settings")
        self._settings = settings
        self._rows: list[Row] = []
        self._shown: list[Row] = []
        self._terms: dict[Path, dict[str, float]] = {}
        self._colours: Mapping[Path, int] = {}
        self._selected: Sequence[Path] = ()
        self._dimensions: list[Dimension] = []
        self._pairs = False
        self.data = Combo()
        self.data.setToolTip("Data set; results are only comparable within one data set")
        self.data.setAccessibleName("Data set of the runs")
        self.axes = CheckPopup("Axes ▾")
        self.axes.setToolTip("Choose the settings and results that have an axis")
        self.across, self.up = Combo(), Combo()
        self._against = label("against", "muted")
        for box, words in ((self.across, "Setting or result on the x axis"), (self.up, "On the y axis")):
            box.setToolTip(words)
            box.setAccessibleName(words)
            box.setMinimumContentsLength(6)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.controls = QWidget()
        """What the chart shows; for the head of the card."""
        line = QHBoxLayout(self.controls)
        line.setContentsMargins(0, 0, 0, 0)
        for widget, stretch in ((self.data, 1), (self.up, 1), (self._against, 0), (self.across, 1), (self.axes, 0)):
            line.addWidget(widget, stretch)
        self.chart = SettingsChart()
        self.chart.brushed.connect(self._brushed)
        area = QScrollArea()
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setAccessibleName("Settings against results")
        area.setWidgetResizable(True)
        area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self.chart)
        self.hint: QLabel = label("", "muted", wrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self._stack = QStackedLayout()
        layout.addLayout(self._stack, 1)
        self._stack.addWidget(empty_state(NOTHING))
        self._stack.addWidget(area)
        layout.addWidget(self.hint)
        self.data.activated.connect(self._data_chosen)
        self.axes.changed.connect(self._axes_chosen)
        for box in (self.across, self.up):
            box.activated.connect(self._pair_chosen)
        self.worker = LatestWorker(self)
        self.worker.answered.connect(self._read)

    def close_worker(self) -> None:
        """End the reading thread."""
        self.worker.close()

    def show_runs(self, rows: Sequence[Row], colours: Mapping[Path, int], selected: Sequence[Path]) -> None:
        """Show these runs; `colours` are the numbers of their colours."""
        again = [row.path for row in rows] != [row.path for row in self._rows]
        changed = again or list(rows) != self._rows
        self._rows, self._colours, self._selected = list(rows), colours, selected
        if not self.isVisible():
            return
        if changed:
            self._offer_data()
            self._ask()
            self._arrange()
        else:
            self._draw()

    def show_pairs(self, pairs: bool) -> None:
        """Show a scatter plot of two dimensions instead of parallel axes."""
        if pairs != self._pairs:
            self.chart.brushes = {}
        self._pairs = pairs
        for widget in (self.across, self._against, self.up):
            widget.setVisible(pairs)
        self.axes.setVisible(not pairs)
        self.hint.setText(
            "Drag over points to select their runs in the list; click beside them to select none."
            if pairs
            else "Drag along an axis to select the runs in that range; click the axis to remove it."
        )
        self._draw()

    def showEvent(self, event: QShowEvent) -> None:
        """Arrange what has changed meanwhile."""
        super().showEvent(event)
        self._offer_data()
        self._ask()
        self._arrange()

    def _ask(self) -> None:
        """Read the last values of the curves, also of runs that have grown."""
        paths = [row.path for row in self._rows if row.path is not None]
        self.worker.ask("terms", lambda: {path: newest_row(path / "metrics.csv") for path in paths})

    @Slot(object, object)
    def _read(self, key: object, terms: dict[Path, dict[str, float]]) -> None:
        if terms != self._terms:
            self._terms = terms
            self._arrange()

    def _offer_data(self) -> None:
        rows = by_version(self._rows)
        titles = distinct_titles(rows)
        kept: DataKey | None = self.data.currentData()
        with QSignalBlocker(self.data):
            self.data.clear()
            for key, title in titles.items():
                self.data.addItem(title, key)
            numbers = [sum(row.data == key for row in rows) for key in titles]
            most = numbers.index(max(numbers)) if numbers else -1
            self.data.setCurrentIndex(list(titles).index(kept) if kept in titles else most)
        self.data.setVisible(len(titles) > 1)

    @Slot()
    def _data_chosen(self) -> None:
        self.chart.brushes = {}
        self._arrange()

    def _arrange(self) -> None:
        """Compute the dimensions of the runs of the chosen data set, and offer them."""
        chosen = self.data.currentData()
        self._shown = [row for row in by_version(self._rows) if row.data == chosen]
        values = [RunValues(row, self._terms.get(row.path, {}) if row.path else {}) for row in self._shown]
        self._dimensions = dimensions_of(values)
        self.axes.show_groups(
            [
                ChoiceGroup(title, tuple(Choice(d.key, d.title) for d in self._dimensions if d.key.startswith(start)))
                for start, title in GROUPS.items()
                if any(d.key.startswith(start) for d in self._dimensions)
            ]
        )
        self.axes.choose(self._wanted_axes())
        self._offer_pair()
        self._draw()

    def _wanted_axes(self) -> set[str]:
        """The axes of the user's choice that there are, else some of each kind."""
        keys = [d.key for d in self._dimensions]
        kept = self._settings.value("metrics/axes")
        names = [kept] if isinstance(kept, str) else kept if isinstance(kept, list) else []
        chosen = {name for name in names if name in keys}
        if len(chosen) > 1:
            return chosen
        settings = [key for key in keys if key.startswith(SETTING)][:MOST_SETTINGS]
        return {*settings, *[key for key in keys if not key.startswith(SETTING)][:MOST_RESULTS]}

    def _offer_pair(self) -> None:
        keys = [d.key for d in self._dimensions]
        first = next((key for key in keys if key.startswith(SETTING)), "")
        result = next((key for key in keys if not key.startswith(SETTING)), "")
        for box, name, usual in ((self.across, "x", first), (self.up, "y", result)):
            kept = str(self._settings.value(f"metrics/settings-{name}", ""))
            with QSignalBlocker(box):
                box.clear()
                for d in self._dimensions:
                    box.addItem(d.title, d.key)
                box.setCurrentIndex(max(0, box.findData(kept if kept in keys else usual)))

    @Slot()
    def _axes_chosen(self) -> None:
        self._settings.setValue("metrics/axes", sorted(self.axes.chosen))
        self._draw()

    @Slot()
    def _pair_chosen(self) -> None:
        for name, box in (("x", self.across), ("y", self.up)):
            self._settings.setValue(f"metrics/settings-{name}", str(box.currentData()))
        self.chart.brushes = {}
        self._draw()

    def _draw(self) -> None:
        names = [row.name for row in self._shown]
        self.chart.show_runs(self._axes(), names, self._of_selected(tokens().all_runs), self._pair())
        self._stack.setCurrentIndex(1 if self.complete else 0)
        self.drawn.emit()

    @property
    def complete(self) -> bool:
        """Whether there is a chart."""
        return len(self._dimensions) > 1 and (self._pairs or len(self._axes()) > 1)

    def _axes(self) -> list[Dimension]:
        """The dimensions chosen for parallel axes."""
        return [dimension for dimension in self._dimensions if dimension.key in self.axes.chosen]

    def _pair(self) -> tuple[Dimension, Dimension] | None:
        """The dimensions of the scatter plot; None for parallel axes."""
        by_key = {dimension.key: dimension for dimension in self._dimensions}
        x, y = (by_key.get(str(box.currentData())) for box in (self.across, self.up))
        return (x, y) if self._pairs and x is not None and y is not None else None

    def _of_selected(self, palette: Sequence[str]) -> dict[int, str]:
        """The colours of the runs that are selected in the list, by number."""
        chosen = set(self._selected)
        return {
            number: palette[self._colours.get(row.path, 0) % len(palette)]
            for number, row in enumerate(self._shown)
            if row.path is not None and row.path in chosen
        }

    def figure(self) -> "Figure":
        """Draw the chart in a style for papers; the runs selected in the list are in colour."""
        from engine.figures.settings import pair_figure, parallel_figure

        names, colours = [row.name for row in self._shown], self._of_selected(LIGHT.all_runs)
        caption = f"{self.data.currentText()}, {len(names):,} runs"
        pair = self._pair()
        if pair is not None:
            return pair_figure(*pair, colours, names, caption)
        return parallel_figure(self._axes(), colours, names, caption)

    @property
    def file_name(self) -> str:
        """What the chart shows, for the file name."""
        if self._pairs:
            return f"{self.up.currentText()} against {self.across.currentText()}"
        return "Settings against results"

    @Slot(object)
    def _brushed(self, numbers: list[int]) -> None:
        self.brushed.emit([path for number in numbers if (path := self._shown[number].path) is not None])
