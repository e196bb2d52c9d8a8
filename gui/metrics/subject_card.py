"""The view of one row of the table: latents against factors, sweeps of factors, or reconstructions with sharpness."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QComboBox, QPushButton, QScrollArea, QStackedLayout

from engine.evaluation.explanations import explanations
from engine.evaluation.matrices import MATRICES, Matrix, matrix
from engine.evaluation.rows import Row
from engine.jobs.events import Link
from engine.methods.registry import METHODS
from engine.runs.divergence import ACTIVE_NATS
from engine.runs.latent_names import followed
from engine.runs.previews import load_links, preview_path
from engine.runs.run import PREVIEWS
from gui.bridge import LatestWorker
from gui.metrics.pictures import MOST_RUNS, Compared, Comparer, Sweeper
from gui.widgets.combo import Combo
from gui.widgets.heat_map import HeatMap
from gui.widgets.image_grid import ImageGrid
from gui.widgets.image_grid import Row as Images
from gui.widgets.layouts import Card, empty_state, label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from engine.evaluation.sweeps import Sweeps
    from gui.metrics.sweep_chart import SweepChart

SWEEPS, RECONSTRUCTIONS = "sweeps", "reconstructions"
VIEWS = {name: title for name, (_, title, _) in MATRICES.items()} | {
    SWEEPS: "Inferred against true",
    RECONSTRUCTIONS: "Reconstructions",
}
NOTHING = "Click a row of the table to see which latents encode which factors."
SWEPT = (
    "Posterior mean of the latent that moves most with each factor; a line for each image it starts from. "
    "|ρ|: rank correlation, 1 if the latent only rises or only falls"
)
SHARPNESS = "Sharpness: mean over the images shown, z = mean; point at an image for its own"
TIPS = {
    "mutual_information": "{row} has {value} nats of information about {column}",
    "accuracies": "{row} alone predicts {column} with an accuracy of {value}",
    "votes": "{row} casts {value} of the votes, for {column}",
    "importance": "The importance of {row} for {column} is {value}",
}


class SubjectCard(Card):
    """Shows the runs of the table's current row. Emits `export` and `open_run(path)`."""

    export = Signal()
    open_run = Signal(object)

    def __init__(self) -> None:
        super().__init__("")
        self.title.hide()
        self._rows: Sequence[Row] = ()
        self._beside: Sequence[Row] = ()
        self._names: Mapping[Path, Mapping[int, str]] = {}
        self._matrix: Matrix | None = None
        self._compared: Compared | None = None
        self._sweeps: Sweeps | None = None
        self._asked_last: Path | None = None
        """The run whose sweeps were last asked for."""
        self._chart: SweepChart | None = None
        self._asked: object = None
        self._follows = True
        """Whether the view is picked to suit each run, until the user chooses one."""
        self._comparer, self._sweeper = Comparer(), Sweeper()
        self.worker = LatestWorker(self)
        self.worker.answered.connect(self._answered)
        self.worker.failed.connect(self._failed)
        self.view = Combo()
        for name, title in VIEWS.items():
            self.view.addItem(title, name)
        self.view.setAccessibleName("View")
        self.view.setMinimumContentsLength(8)
        self.view.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.view.setToolTip("View of the table's current row")
        self.view.activated.connect(self._chosen)
        self.run = Combo()
        self.run.setToolTip("Run of the row")
        self.run.setAccessibleName("Run")
        self.run.setMinimumContentsLength(6)
        self.run.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.run.activated.connect(self._run_chosen)
        self.open = QPushButton("Open")
        self.open.setToolTip("Select this run and show its training; double-clicking its row does the same")
        self.open.clicked.connect(self._open)
        self.save = QPushButton("Save…")
        self.save.setToolTip("Save this view as PNG, SVG or PDF, in a style for papers")
        self.save.clicked.connect(self.export)
        self.head.takeAt(self.head.count() - 1)
        self.note.hide()
        for widget, stretch in ((self.view, 3), (self.run, 2), (self.open, 0), (self.save, 0)):
            self.head.addWidget(widget, stretch)
        self.map = HeatMap()
        self.map.setAccessibleName("Matrix of latents and factors")
        self.grid = ImageGrid(side=128, largest=72, opens=True)
        self.grid.setAccessibleName("Reconstructions")
        self._pictures = _scrolled("Images of the run")
        self._pictures.setWidget(self.grid)
        self._plots = _scrolled("Inferred against true values of the factors")
        self._message = empty_state(NOTHING)
        self._stack = QStackedLayout()
        self.body.addLayout(self._stack, 1)
        for page in (self.map, self._pictures, self._plots, self._message):
            self._stack.addWidget(page)
        self.words = label("", "muted", wrap=True)
        self.body.addWidget(self.words)
        self.save_shown = self.export.emit
        self._draw()

    def show_rows(
        self, rows: Sequence[Row], beside: Sequence[Row], names: Mapping[Path, Mapping[int, str]] | None = None
    ) -> None:
        """Show the runs of one row; `beside` are runs to compare reconstructions with, `names` the latents' names.

        Names are given by the run's folder, then by the latent's number.
        """
        self._rows, self._beside, self._names = rows, beside, names or {}
        kept = self.run.currentData()
        with QSignalBlocker(self.run):
            self.run.clear()
            for row in rows:
                self.run.addItem(row.name, row.path)
            self.run.setCurrentIndex(max(0, self.run.findData(kept)) if kept is not None else 0)
        self.run.setVisible(bool(rows))
        self.run.setEnabled(len(rows) > 1)
        if self._follows and self.row is not None:
            self.view.setCurrentIndex(self.view.findData(_first_view(self.row)))
        self._draw()

    def apply_theme(self) -> None:
        """Apply the current colour scheme."""
        self.map.update()
        self.grid.update()
        if self._chart is not None:
            self._chart.apply_theme()

    def close_worker(self) -> None:
        """End the thread that computes reconstructions and sweeps."""
        self._sweeper.close()
        self.worker.close()

    @property
    def chart(self) -> "SweepChart":
        """The plots of sweeps; created when first needed, since the plotting library is slow to load."""
        if self._chart is None:
            from gui.metrics.sweep_chart import SweepChart

            self._chart = SweepChart()
            self._plots.setWidget(self._chart)
        return self._chart

    @property
    def row(self) -> Row | None:
        """The current run."""
        return self._rows[self.run.currentIndex()] if 0 <= self.run.currentIndex() < len(self._rows) else None

    @property
    def file_name(self) -> str:
        """What the view shows, for the file name."""
        return self.view.currentText()

    def figure(self) -> "Figure":
        """Draw the view in a style for papers."""
        from engine.figures.evaluation import compared_figure, matrix_figure, sweeps_figure

        about = f"{self.row.name} ({self.row.dataset}, {self.row.method})" if self.row is not None else ""
        if self._matrix is not None:
            why = explanations(self.row, str(self.view.currentData()), self._latent_names) if self.row else ""
            return matrix_figure(self._matrix, "\n".join([about, *textwrap.wrap(why, 90)]))
        if self.view.currentData() == SWEEPS and self._sweeps is not None:
            return sweeps_figure(self._sweeps.sweeps, self._latent_names, f"{about}, step {self._sweeps.step:,}")
        return compared_figure([(f"{row.title}\n{row.note}", row.images) for row in self.grid.rows])

    @Slot()
    def _open(self) -> None:
        if self.row is not None and self.row.path is not None:
            self.open_run.emit(self.row.path)

    @Slot()
    def _chosen(self) -> None:
        self._follows = False
        self._draw()

    @Slot()
    def _run_chosen(self) -> None:
        self._draw()

    def _draw(self) -> None:
        self._matrix, self._asked = None, None
        self.words.setText("")
        row, name = self.row, str(self.view.currentData())
        self.open.setEnabled(row is not None and row.path is not None)
        if row is None:
            self._say(NOTHING)
        elif name == RECONSTRUCTIONS and not _reconstructs(row):
            self._say(f"{VIEWS[name]}: {row.reason('reconstruction')}.")
        elif name == RECONSTRUCTIONS:
            self._ask(row)
        elif name == SWEEPS:
            self._ask_sweeps(row)
        else:
            self._show_matrix(row, name)

    def _show_matrix(self, row: Row, name: str) -> None:
        found = matrix(row, name, self._latent_names, _links_of(row))
        metric = MATRICES[name][0]
        if found is None:
            reason = row.reason(metric) if row.value(metric) is None else "these values were not stored; evaluate again"
            self._say(f"{VIEWS[name]}: {reason}.")
            return
        self._matrix = found
        self.map.show_values(found.values, found.latents, found.factors, TIPS[name], found.idle)
        grey = f"; inactive ones (KL at most {ACTIVE_NATS} nats) in grey" if any(found.idle) else ""
        order = "by KL, largest first" if found.by_kl else "by number"
        how = f"{found.unit + '; ' if found.unit else ''}latents {order}{grey}"
        self.words.setText("\n".join(filter(None, (explanations(row, name, self._latent_names), how))))
        self.save.setEnabled(True)
        self._stack.setCurrentWidget(self.map)

    def _ask(self, row: Row) -> None:
        """Request reconstructions of the same images by this run and others on its data set."""
        others = [r for r in self._beside if r.data == row.data and r.path != row.path and _reconstructs(r)]
        runs = [r for r in (row, *others) if r.path is not None][:MOST_RUNS]
        by_method = len({r.method for r in runs}) == len(runs)
        asked = tuple((r.path, r.method if by_method else r.name) for r in runs if r.path is not None)
        self._asked = asked
        if self._compared is None:
            self._say("Reconstructing…")
        self.worker.ask(asked, lambda: self._comparer(asked))

    def _ask_sweeps(self, row: Row) -> None:
        """Request the sweeps of the current run."""
        path = row.path
        if path is None:
            self._say(f"{VIEWS[SWEEPS]}: {row.reason('mig')}.")
            return
        if self._stack.currentWidget() is not self._plots or self._asked_last != path:
            self._say("Sweeping the factors…")
        self._asked = self._asked_last = path
        self.worker.ask(path, lambda: self._sweeper(path))

    @property
    def _latent_names(self) -> Mapping[int, str]:
        """The names of the current run's latents."""
        return self._names.get(self.row.path, {}) if self.row is not None and self.row.path is not None else {}

    @Slot(object, object)
    def _answered(self, asked: object, found: "Compared | Sweeps") -> None:
        if asked != self._asked:
            return
        if isinstance(found, Compared):
            self._show_compared(found)
        else:
            self._sweeps = found
            self.chart.show_sweeps(found.sweeps, self._latent_names)
            self.words.setText(" ".join(filter(None, (found.note, SWEPT))))
            self.save.setEnabled(True)
            self._stack.setCurrentWidget(self._plots)

    def _show_compared(self, compared: Compared) -> None:
        self._compared = compared
        first = compared.originals
        rows = [Images(first.images, "Originals", _sharpness(first.sharpness.mean()), _tips(first.sharpness))]
        failed = []
        for name, made in compared.runs:
            if isinstance(made, str):
                failed.append(f"{name}: {made}")
            else:
                rows.append(Images(made.images, name, _sharpness(made.sharpness.mean()), _tips(made.sharpness)))
        self.grid.show_rows(rows)
        self.words.setText(" ".join(failed) or SHARPNESS)
        self.save.setEnabled(True)
        self._stack.setCurrentWidget(self._pictures)

    @Slot(object, str)
    def _failed(self, asked: object, sentence: str) -> None:
        if asked == self._asked:
            self._compared = None
            self._say(sentence)

    def _say(self, sentence: str) -> None:
        self._message.setText(sentence)
        self.save.setEnabled(False)
        self._stack.setCurrentWidget(self._message)


def _scrolled(name: str) -> QScrollArea:
    area = QScrollArea()
    area.setObjectName("scrolled")
    area.setAccessibleName(name)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area


def _reconstructs(row: Row) -> bool:
    return METHODS[row.config.objective].has("reconstruction")


def _first_view(row: Row) -> str:
    """Return the first view available for a run: a matrix of latents and factors, else its reconstructions."""
    tables = [name for name in MATRICES if matrix(row, name) is not None]
    if tables or row.value("reconstruction") is None:
        return [*tables, *VIEWS][0]
    return RECONSTRUCTIONS


def _links_of(row: Row) -> dict[int, Link]:
    """Return what the latents follow at the step that was evaluated, by latent; empty if no preview says so."""
    return {} if row.path is None else followed(load_links(preview_path(row.path / PREVIEWS, row.step)))


def _sharpness(value: float) -> str:
    return f"sharpness {value:,.0f}"


def _tips(values: NDArray[np.float64]) -> list[str]:
    return [_sharpness(value) for value in values]
