"""A gallery of samples from the prior, with the training image nearest to the one clicked."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSettings, QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from engine.jobs.events import Progress
from gui.widgets.combo import Combo
from gui.widgets.image_grid import ImageGrid, Row
from gui.widgets.layouts import job_bar, label
from gui.widgets.number_box import WholeNumberBox
from gui.widgets.theme import px

if TYPE_CHECKING:
    from engine.traversal import Nearest, Samples

NUMBERS = (25, 49, 100)
PANEL = 144
"""Width in pixels of the panel on the right: a wider one would leave too little for ten samples side by side."""

HINT = "Click a sample to set the sliders to it, and to find the training image nearest to it."


class SamplesView(QWidget):
    """Emits `changed` for other samples, `picked(number)` and `nearest_picked` on a click, and `hovered(text)`."""

    changed = Signal()
    picked = Signal(int)
    nearest_picked = Signal()
    hovered = Signal(str)

    def __init__(self, settings: QSettings) -> None:
        super().__init__()
        self.setProperty("helpTopic", "traversal#samples")
        self._settings = settings
        self._samples: Samples | None = None
        self._classes: tuple[str, ...] = ()
        self._build_options()
        self.pair = ImageGrid(head=True, largest=68, keys=True)
        self.pair.setAccessibleName("The sample clicked and the nearest training image; arrow keys and Return")
        self.pair.setFixedHeight(px(92))
        self.bar = job_bar(None)
        self.words = label(HINT, "muted", wrap=True)
        self.grid = ImageGrid(largest=96, keys=True)
        self.grid.setAccessibleName("Samples from the prior; arrow keys and Return")
        self.about = label("", "muted", wrap=True)
        panel = QWidget()
        panel.setFixedWidth(px(PANEL))
        column = QVBoxLayout(panel)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self.pair, self.bar, self.words):
            column.addWidget(widget)
        column.addStretch(1)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self.grid, 1)
        row.addWidget(panel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.about)
        layout.addLayout(row)
        layout.addStretch(1)
        self.pair.hide()
        self.bar.hide()
        self.grid.clicked.connect(self._clicked)
        self.grid.hovered.connect(self._hovered)
        self.pair.clicked.connect(self._pair_clicked)

    def _build_options(self) -> None:
        self.options = QWidget()
        row = QHBoxLayout(self.options)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        self.number = Combo()
        for number in NUMBERS:
            self.number.addItem(str(number), number)
        kept = str(self._settings.value("traversal/samples", NUMBERS[0]))
        self.number.setCurrentIndex(max(0, self.number.findText(kept)))
        self.number.setAccessibleName("Number of samples")
        self.number.setToolTip("Number of samples; the first 25 of 100 are those of 25")
        self.seed = WholeNumberBox()
        self.seed.setRange(0, 999_999)
        self.seed.setKeyboardTracking(False)
        self.seed.setFixedWidth(px(86))
        self.seed.setAccessibleName("Seed of the samples")
        self.seed.setToolTip("The same seed gives the same latents, also in another run with the same kinds of latents")
        self.new = QPushButton("New samples")
        self.new.setObjectName("compact")
        self.new.setToolTip("Draw with the next seed (Ctrl+Shift+R)")
        self.new.setShortcut("Ctrl+Shift+R")
        self.of = Combo()
        self.of.setMinimumWidth(px(100))
        self.of.setAccessibleName("Class of the samples")
        self.of.setToolTip("The class given to the decoder of this conditional model; “any” draws one for each sample")
        self._class_title = label("Class", "muted")
        for widget in (self.number, label("Seed", "muted"), self.seed, self.new, self._class_title, self.of):
            row.addWidget(widget)
        self.number.currentIndexChanged.connect(self._number_chosen)
        self.seed.valueChanged.connect(self.changed)
        self.of.currentIndexChanged.connect(self.changed)
        self.new.clicked.connect(self._next)
        self.list_classes(())

    # Choices

    @property
    def chosen(self) -> tuple[int, int, int | None]:
        """The number of samples, the seed, and the class, None for any."""
        of = self.of.currentData()
        return int(self.number.currentData()), self.seed.value(), of if isinstance(of, int) else None

    def list_classes(self, names: tuple[str, ...]) -> None:
        """List the classes of a conditional model; none for other models."""
        if names != self._classes:
            self._classes = names
            with QSignalBlocker(self.of):
                self.of.clear()
                self.of.addItem("any", None)
                for number, name in enumerate(names):
                    self.of.addItem(name, number)
        for widget in (self.of, self._class_title):
            widget.setVisible(bool(names))

    def begin_run(self) -> None:
        """Forget the previous run."""
        self._samples = None
        self.list_classes(())
        self.grid.show_rows([])
        self.show_nearest(None, None, HINT)

    @Slot()
    def _number_chosen(self) -> None:
        self._settings.setValue("traversal/samples", self.number.currentData())
        self.changed.emit()

    @Slot()
    def _next(self) -> None:
        self.seed.setValue((self.seed.value() + 1) % (self.seed.maximum() + 1))

    # What is shown

    def show_samples(self, samples: "Samples", about: str) -> None:
        """Show samples as a square, with a sentence about how they were drawn."""
        self._samples = samples
        side = self._side
        tips = [f"Sample {number + 1}{self._class_of(number)}" for number in range(len(samples.images))]
        self.grid.show_rows(
            [
                Row(samples.images[first : first + side], tips=tips[first : first + side])
                for first in range(0, len(samples.images), side)
            ]
        )
        self.about.setText(about)

    @property
    def _side(self) -> int:
        return 0 if self._samples is None else round(len(self._samples.images) ** 0.5)

    def _class_of(self, number: int) -> str:
        labels = None if self._samples is None else self._samples.labels
        return "" if labels is None or not self._classes else f", class {self._classes[labels[number]]}"

    def show_nearest(self, sample: NDArray[np.uint8] | None, nearest: "Nearest | None", words: str) -> None:
        """Show the sample clicked beside the nearest training image, as far as they are known, with a sentence."""
        self.bar.hide()
        self.words.setText(words)
        self.pair.setVisible(sample is not None)
        if sample is not None:
            images = [sample] if nearest is None else [sample, nearest.image]
            tips = ["The sample", "The nearest training image; click to choose it"]
            self.pair.show_rows([Row(np.stack(images), tips=tips)], ["sample", "nearest"][: len(images)])

    def show_progress(self, progress: Progress) -> None:
        """Show how far the search is."""
        self.bar.show()
        self.bar.setMaximum(progress.total)
        self.bar.setValue(progress.done)
        self.words.setText(f"{progress.what}: {progress.done:,} of {progress.total:,}")

    @Slot(int, int)
    def _clicked(self, row: int, column: int) -> None:
        self.picked.emit(row * self._side + column)

    @Slot(int, int)
    def _pair_clicked(self, row: int, column: int) -> None:
        if column == 1:
            self.nearest_picked.emit()

    @Slot(int, int)
    def _hovered(self, row: int, column: int) -> None:
        self.hovered.emit(self.grid.rows[row].tips[column] if row >= 0 else "")
