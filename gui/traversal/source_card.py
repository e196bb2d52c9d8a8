"""The card that chooses the image: from the data set, by factors, a drawing, a file, or the prior."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from engine.data import Dataset
from engine.methods.latents import Latent, draws_words
from gui.data.details import values_of
from gui.data.factor_sliders import FactorSliders
from gui.runs.store import RunItem
from gui.traversal.canvas import DrawingBoard
from gui.traversal.image_picker import ImagePicker, named_button
from gui.traversal.requests import FromPrior, GivenPicture, ImageAt, Source
from gui.widgets.combo import Combo
from gui.widgets.image_grid import ImageGrid, Row
from gui.widgets.keys import add_shortcut
from gui.widgets.layouts import Card, label
from gui.widgets.theme import px

IMAGE, FACTORS, DRAW, FILE, PRIOR = range(5)
SEGMENTS = (
    ("Image", "An image of the data set, by position or class"),
    ("Factors", "The image with given ground-truth factors"),
    ("Draw", "An image drawn by hand"),
    ("File", "An image from a file or the clipboard"),
    ("Prior", "Latents sampled from the prior, without an image"),
)
WIDTH = 242


class SourceCard(Card):
    """Emits `changed` when another image, class or weights are chosen, and `open_asked` to open a file."""

    changed = Signal()
    open_asked = Signal()

    def __init__(self) -> None:
        super().__init__("Image")
        self.setFixedWidth(px(WIDTH))
        self._dataset: Dataset | None = None
        self._known = False
        self._index: int | None = None
        self._data: object = None
        self._picture: GivenPicture | None = None
        self._number = 0
        self._prior = FromPrior(0)
        self.pictures = ImageGrid(head=True, largest=106)
        self.pictures.setFixedHeight(px(128))
        self.segments = QButtonGroup(self)
        self.pages: list[QWidget] = []
        self.images = ImagePicker()
        self.images.picked.connect(self.choose_image)
        self.words = label("", "muted", wrap=True)
        self.data_words = label("", "warning", wrap=True)
        self.data_words.setTextFormat(Qt.TextFormat.PlainText)
        self.data_words.hide()
        self.body.addWidget(self._segment_row())
        self.body.addWidget(self.pictures)
        below = QWidget()
        column = QVBoxLayout(below)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for page in (self.images, self._factor_page(), self._draw_page(), self._file_page(), self._prior_page()):
            self.pages.append(page)
            column.addWidget(page)
        column.addLayout(self._choices())
        column.addWidget(self.words)
        column.addWidget(self.data_words)
        column.addStretch(1)
        area = QScrollArea()
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(below)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.body.addWidget(area, 1)
        add_shortcut(self, "Random image", "Ctrl+R", self._random)
        add_shortcut(self, "Previous image", "Alt+Left", self.images.previous_image)
        add_shortcut(self, "Next image", "Alt+Right", self.images.next_image)
        self.segments.idToggled.connect(self._segment_chosen)
        self.segments.button(IMAGE).setChecked(True)

    # Layout

    def _segment_row(self) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for number, (title, tip) in enumerate(SEGMENTS):
            button = QPushButton(title)
            button.setObjectName("segment")
            button.setCheckable(True)
            button.setProperty("tight", True)
            button.setProperty("last", number == len(SEGMENTS) - 1)
            button.setToolTip(tip)
            self.segments.addButton(button, number)
            layout.addWidget(button)
        layout.addStretch(1)
        return row

    def _factor_page(self) -> QWidget:
        self.factors = FactorSliders(compact=True)
        self.factors.moved.connect(self._factor_moved)
        return self.factors

    def _draw_page(self) -> QWidget:
        self.board = DrawingBoard()
        self.board.changed.connect(self._drawn)
        return self.board

    def _file_page(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout()
        kinds = "PNG, JPEG, WebP, GIF, BMP or TIFF"
        self.open_button = named_button(row, "Open image…", kinds, "Open image")
        self.open_button.clicked.connect(self.open_asked)
        layout.addLayout(row)
        layout.addWidget(label("Or drop an image on this page, or paste one with Ctrl+V.", "muted", wrap=True))
        return page

    def _prior_page(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout()
        self.again = named_button(row, "Sample again", "Sample new latents from the prior", "Sample latents again")
        self.again.clicked.connect(self._draw_prior)
        layout.addLayout(row)
        self._prior_words = label("", "muted", wrap=True)
        self.show_priors(draws_words([Latent.gaussian()]))
        layout.addWidget(self._prior_words)
        return page

    def _choices(self) -> QGridLayout:
        """Return the choices of the decoder's class and of the weights."""
        layout = QGridLayout()
        layout.setHorizontalSpacing(6)
        self.label_box = Combo()
        self.label_box.setAccessibleName("Class")
        self.label_box.setToolTip(
            "The class given to the decoder of this conditional model. “Same as image” is the image's own class, or "
            "the class that reconstructs it best if it has none."
        )
        self.label_title = label("Decode as")
        self.weights = Combo()
        self.weights.setAccessibleName("Weights")
        self.weights.setToolTip("The latest weights, or those kept at a step")
        self.weights_title = label("Weights")
        for row, (title, box) in enumerate(((self.label_title, self.label_box), (self.weights_title, self.weights))):
            title.setBuddy(box)
            box.setMinimumWidth(px(90))
            title.hide()
            box.hide()
            box.currentIndexChanged.connect(self.changed)
            layout.addWidget(title, row, 0)
            layout.addWidget(box, row, 1)
        layout.setColumnStretch(1, 1)
        return layout

    # Choices

    @property
    def source(self) -> Source:
        """Where the image comes from."""
        chosen = self.segments.checkedId()
        if chosen == PRIOR:
            return self._prior
        if chosen in (DRAW, FILE) and self._picture is not None and self._picture.drawn == (chosen == DRAW):
            return self._picture
        return ImageAt(self._index)

    @property
    def chosen_label(self) -> int | None:
        """The class for the decoder; None for the image's own."""
        value = self.label_box.currentData()
        return value if isinstance(value, int) else None

    @property
    def checkpoint(self) -> int | None:
        """The step of the chosen weights; None for the latest."""
        value = self.weights.currentData()
        return value if isinstance(value, int) else None

    # Display

    def begin_run(self, item: RunItem | None) -> None:
        """Start with a new run: the same image if it has the same data, else a typical one; the image's own class."""
        data = (item.run.data, item.shipped) if item is not None else None  # the gallery has a sample of the data
        if data != self._data:
            self._index = None
        self._data, self._known = data, False
        self._show_dataset(None)
        self.warn_of_data("")
        with QSignalBlocker(self.label_box):
            self.label_box.clear()
        for widget in (self.label_box, self.label_title):
            widget.hide()
        if item is not None:
            self.list_weights(item)

    def list_weights(self, item: RunItem) -> None:
        """List the latest and the kept weights."""
        kept = item.kept_steps
        same = self.weights.property("run") == str(item.path)
        if self.weights.count() != len(kept) + 1 or not same:
            chosen = self.weights.currentData() if same else None
            with QSignalBlocker(self.weights):
                self.weights.clear()
                self.weights.addItem("latest", None)
                for step in kept:
                    self.weights.addItem(f"step {step:,}", step)
                self.weights.setCurrentIndex(max(0, self.weights.findData(chosen)))
            self.weights.setProperty("run", str(item.path))
        for widget in (self.weights, self.weights_title):
            widget.setVisible(bool(kept))

    def show_classes(self, names: tuple[str, ...]) -> None:
        """List the classes of a conditional model; none for other models."""
        if names and not self.label_box.count():
            with QSignalBlocker(self.label_box):
                self.label_box.addItem("Same as image", None)
                for number, name in enumerate(names):
                    self.label_box.addItem(name, number)
        for widget in (self.label_box, self.label_title):
            widget.setVisible(bool(names))

    def show_data(self, dataset: Dataset | None, gone: str = "") -> None:
        """Show the choices of the data set; if it is missing, show why (`gone`) and switch to the prior."""
        if not self._known or dataset is not self._dataset:
            self._known = True
            self._show_dataset(dataset)
        for number in (IMAGE, FACTORS):
            self.segments.button(number).setEnabled(dataset is not None)
        self.words.setText(gone)
        self.words.setObjectName("warning" if gone else "muted")
        self.words.style().polish(self.words)
        if gone and self.segments.checkedId() in (IMAGE, FACTORS):
            with QSignalBlocker(self.segments):
                self.segments.button(PRIOR).setChecked(True)
            self._show_page(PRIOR)

    def show_priors(self, sentence: str) -> None:
        """Show how latents are drawn."""
        self._prior_words.setText(f"{sentence} There is no original.")

    def warn_of_data(self, sentence: str) -> None:
        """Show that data or device differ from those used in training; an empty text hides the warning."""
        self.data_words.setText(sentence)
        self.data_words.setVisible(bool(sentence))

    def _show_dataset(self, dataset: Dataset | None) -> None:
        self._dataset = dataset
        self.images.setEnabled(dataset is not None)
        has_factors = dataset is not None and dataset.factors is not None
        self.segments.button(FACTORS).setVisible(has_factors)
        self.images.show_dataset(dataset)
        with QSignalBlocker(self.factors):
            self.factors.show_dataset(dataset if has_factors else None)
        if not has_factors and self.segments.checkedId() == FACTORS:
            self.segments.button(IMAGE).setChecked(True)

    def show_image(self, index: int) -> None:
        """Set the fields to the decoded image."""
        self._index = index
        self.images.show_image(index)
        if self._dataset is not None:
            with QSignalBlocker(self.factors):
                self.factors.show_image(index)
            self.words.setText(_about(self._dataset, index))

    def show_pictures(self, original: NDArray[np.uint8] | None, decoded: NDArray[np.uint8]) -> None:
        """Show the original, if there is one, next to the decoded sliders."""
        if original is None:
            self.pictures.show_rows([Row(decoded[None], tips=["Decoded from the sliders"])], ["decoded"])
        else:
            tips = ["The image", "Decoded from the sliders"]
            self.pictures.show_rows([Row(np.stack([original, decoded]), tips=tips)], ["original", "decoded"])

    def say(self, words: str) -> None:
        """Show a text below the image."""
        self.words.setText(words)

    def set_narrow(self, narrow: bool, width: int) -> None:
        """Use less height above the sliders, at their width; or stand beside them."""
        self.setFixedWidth(width if narrow else px(WIDTH))
        self.setMaximumHeight(px(366) if narrow else 16_777_215)
        self.board.set_narrow(narrow)
        self.pictures.setFixedHeight(px(94 if narrow else 128))

    def clear(self) -> None:
        """Show no images and no text."""
        self.pictures.show_rows([])
        self.words.setText("")

    def give_picture(self, pixels: NDArray[np.uint8], words: str, *, drawn: bool = False) -> None:
        """Use an image from outside the data set."""
        self._number += 1
        self._picture = GivenPicture(self._number, words, drawn, pixels)
        self._choose(DRAW if drawn else FILE)
        self.words.setText(words)

    @Slot(int)
    def choose_image(self, index: int) -> None:
        """Use an image of the data set."""
        self._index = index
        self.images.show_image(index)
        self._choose(IMAGE)

    def _choose(self, segment: int) -> None:
        """Choose where the image comes from, and emit `changed`."""
        with QSignalBlocker(self.segments):
            self.segments.button(segment).setChecked(True)
        self._show_page(segment)
        self.changed.emit()

    def _show_page(self, number: int) -> None:
        for other, page in enumerate(self.pages):
            page.setVisible(other == number)

    @Slot(int, bool)
    def _segment_chosen(self, number: int, checked: bool) -> None:
        if not checked:
            return
        self._show_page(number)
        if number == DRAW and not self.board.canvas.empty:
            self._drawn()
        else:
            self.changed.emit()

    @Slot(int)
    def _factor_moved(self, index: int) -> None:
        self._index = index
        self.changed.emit()

    @Slot()
    def _drawn(self) -> None:
        if self.board.canvas.empty:
            self._picture = None
            self.changed.emit()
        else:
            self.give_picture(self.board.canvas.pixels, "drawn by hand", drawn=True)

    @Slot()
    def _random(self) -> None:
        """Choose a random image, or sample new latents from the prior."""
        if self.segments.checkedId() == PRIOR:
            self._draw_prior()
        else:
            self.images.random_image()

    @Slot()
    def _draw_prior(self) -> None:
        self._prior = replace(self._prior, seed=self._prior.seed + 1)
        self._choose(PRIOR)


def _about(dataset: Dataset, index: int) -> str:
    """Describe an image by its factors or its class."""
    known = values_of(dataset, index)
    if not known and dataset.labels is not None:
        known = f"class {dataset.label_names[int(dataset.labels[index])]}"
    return f"One of {len(dataset):,} images{': ' if known else ''}{known}"
