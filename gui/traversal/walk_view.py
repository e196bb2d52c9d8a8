"""A walk from one image to another through latent space, by linear and spherical interpolation."""

import random

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from gui.traversal.requests import ImageAt, Source
from gui.widgets.image_grid import ImageGrid, Row
from gui.widgets.layouts import label
from gui.widgets.number_box import WholeNumberBox
from gui.widgets.theme import px

WAYS = ("linear", "spherical")
HELP = (
    "Linear: z = (1 − t) a + t b. Spherical: along the arc from a to b, which preserves the typical length of latents "
    "under the prior. a is the image on the left, b the end."
)
STRAIGHT = (
    "z = (1 − t) a + t b, where a is the image on the left and b the end; a category is that of the nearer one. "
    "Spherical interpolation is only available if all latents are Gaussian."
)


class WalkView(QWidget):
    """Emits `changed` for another end, `take_source` to end at the current image, `picked(z)` and `hovered(text)`."""

    changed = Signal()
    take_source = Signal()
    picked = Signal(object)
    hovered = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._given: Source | None = None
        self._paths: tuple[NDArray[np.float64], ...] = ()
        self._first = 0
        self._images = 0
        self.options = QWidget()
        row = QHBoxLayout(self.options)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        self.index = WholeNumberBox()
        self.index.setRange(0, 10_000_000)
        self.index.setKeyboardTracking(False)
        self.index.setFixedWidth(px(92))
        self.index.setAccessibleName("End of the walk")
        self.index.setToolTip("Position of the end image in the data set")
        self.index.valueChanged.connect(self._index_changed)
        self.random = QPushButton("Random end")
        self.random.setObjectName("compact")
        self.random.setToolTip("Walk to a random image of the data set")
        self.random.clicked.connect(self._random_end)
        self.take = QPushButton("End here")
        self.take.setObjectName("compact")
        self.take.setToolTip("Use the image on the left as the end; then choose another one to start from")
        self.take.clicked.connect(self.take_source)
        for widget in (label("To image", "muted"), self.index, self.random, self.take):
            row.addWidget(widget)
        self.grid = ImageGrid(side=74, head=True, largest=96, keys=True)
        self.grid.setAccessibleName("The walk; arrow keys and Return")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.grid)
        self._help = label(HELP, "muted", wrap=True)
        layout.addWidget(self._help)
        layout.addStretch(1)
        self.grid.clicked.connect(self._clicked)
        self.grid.hovered.connect(self._hovered)

    @property
    def end(self) -> Source:
        """Where the walk ends."""
        return self._given or ImageAt(self.index.value())

    def begin_run(self) -> None:
        """Forget the end chosen for the previous run."""
        self._given, self._images = None, 0

    def list_images(self, images: int) -> None:
        """Allow all images of a data set of this size; the default is one third of the way through it."""
        for widget in (self.index, self.random):
            widget.setEnabled(images > 0)
        if images != self._images and images:
            self._images = images
            with QSignalBlocker(self.index):
                self.index.setMaximum(images - 1)
                self.index.setValue(images // 3)

    def end_at(self, source: Source) -> None:
        """Walk to this image."""
        if isinstance(source, ImageAt) and source.index is not None:
            self._given = None
            self.index.setValue(source.index)
        else:
            self._given = source
        self.changed.emit()

    def show_walk(
        self,
        images: NDArray[np.uint8],
        paths: tuple[NDArray[np.float64], ...],
        ends: tuple[NDArray[np.uint8] | None, NDArray[np.uint8] | None],
    ) -> None:
        """Show walks, uint8 (walks, steps, height, width, channels), with their latents (steps, latents).

        `ends` are the two end images, None for latents from the prior.
        """
        tiles, heads = with_ends(images, *ends)
        self._help.setText(HELP if len(images) > 1 else STRAIGHT)
        words = {"from": "The image on the left", "to": "The end image"}
        tips = [words.get(head, f"{head} of the way") for head in heads]
        self._paths, self._first = paths, heads.index("0%")
        titled = zip(WAYS[: len(tiles)], tiles, strict=True)
        self.grid.show_rows([Row(row, title, tips=tips) for title, row in titled], heads)

    @Slot()
    def _index_changed(self) -> None:
        self._given = None
        self.changed.emit()

    @Slot()
    def _random_end(self) -> None:
        self._given = None
        self.index.setValue(random.randrange(max(1, self._images)))

    @Slot(int, int)
    def _clicked(self, row: int, column: int) -> None:
        if row < len(self._paths):
            place = column - self._first
            if 0 <= place < len(self._paths[row]):
                self.picked.emit(self._paths[row][place])

    @Slot(int, int)
    def _hovered(self, row: int, column: int) -> None:
        self.hovered.emit(f"{self.grid.rows[row].title}, {self.grid.rows[row].tips[column]}" if row >= 0 else "")


def with_ends(
    images: NDArray[np.uint8], begin: NDArray[np.uint8] | None, end: NDArray[np.uint8] | None
) -> tuple[NDArray[np.uint8], list[str]]:
    """Add the two end images, where there are any, to a walk (walks, steps, height, width, channels).

    Returns the images and the heading of each column.
    """
    parts, heads = [images], [f"{share:.0%}" for share in np.linspace(0, 1, images.shape[1])]
    if begin is not None:
        parts.insert(0, np.stack([begin[None]] * len(images)))
        heads.insert(0, "from")
    if end is not None:
        parts.append(np.stack([end[None]] * len(images)))
        heads.append("to")
    return np.concatenate(parts, axis=1), heads
