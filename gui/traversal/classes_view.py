"""One latent against all classes of a conditional model: the same style in every class."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from engine.runs.latent_names import latent_title
from gui.traversal.labels import heading_texts, value_text
from gui.widgets.combo import Combo
from gui.widgets.image_grid import ImageGrid, Row
from gui.widgets.layouts import label
from gui.widgets.theme import px


class ClassesView(QWidget):
    """Emits `changed` when another latent is chosen, `picked(latent, value, class)` on a click, `hovered(text)`."""

    changed = Signal()
    picked = Signal(int, float, int)
    hovered = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._latent = 0
        self._values: Sequence[float] = ()
        self._classes: Sequence[str] = ()
        self.options = QWidget()
        row = QHBoxLayout(self.options)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        self.latents = Combo()
        self.latents.setMinimumWidth(px(110))
        self.latents.setAccessibleName("Latent")
        self.latents.setToolTip("The latent that varies from left to right")
        self.latents.currentIndexChanged.connect(self.changed)
        row.addWidget(label("Latent", "muted"))
        row.addWidget(self.latents)
        self.grid = ImageGrid(side=62, head=True, largest=84, keys=True)
        self.grid.setAccessibleName("Grid of classes; arrow keys and Return")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.grid)
        self.grid.clicked.connect(self._clicked)
        self.grid.hovered.connect(self._hovered)

    @property
    def latent(self) -> int | None:
        """The chosen latent; None before any are listed."""
        value = self.latents.currentData()
        return value if isinstance(value, int) else None

    def list_latents(self, order: Sequence[int], names: Mapping[int, str]) -> None:
        """List the latents, ordered by KL."""
        pairs = [(latent_title(latent, names), latent) for latent in order]
        if [(self.latents.itemText(n), self.latents.itemData(n)) for n in range(self.latents.count())] == pairs:
            return
        chosen = self.latents.currentData()
        with QSignalBlocker(self.latents):
            self.latents.clear()
            for words, latent in pairs:
                self.latents.addItem(words, latent)
            self.latents.setCurrentIndex(max(0, self.latents.findData(chosen)))

    def begin_run(self) -> None:
        """Forget the previous run's latents."""
        with QSignalBlocker(self.latents):
            self.latents.clear()

    def show_grid(
        self, images: NDArray[np.uint8], latent: int, values: Sequence[float], classes: Sequence[str]
    ) -> None:
        """Show images, uint8 (classes, values, height, width, channels)."""
        self._latent, self._values, self._classes = latent, values, classes
        rows = [
            Row(row, name, tips=[f"{name}, z{latent} = {value_text(value)}" for value in values])
            for name, row in zip(classes, images, strict=True)
        ]
        self.grid.show_rows(rows, heading_texts(values))

    @Slot(int, int)
    def _clicked(self, row: int, column: int) -> None:
        if row < len(self._classes) and column < len(self._values):
            self.picked.emit(self._latent, self._values[column], row)

    @Slot(int, int)
    def _hovered(self, row: int, column: int) -> None:
        self.hovered.emit(self.grid.rows[row].tips[column] if row >= 0 else "")
