"""The traversal page: an image, and the grid of what each latent makes of it."""

import random

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSettings, QSignalBlocker, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QStackedLayout,
    QWidget,
)

from engine.errors import StudioError
from engine.evaluation.divergence import ACTIVE_NATS
from gui.bridge import LatestWorker
from gui.run_store import RunItem
from gui.traversal.decoding import Answer, Decoder, Request
from gui.widgets.image_grid import ImageGrid, Row
from gui.widgets.layouts import Card, empty_state, label
from gui.widgets.save_dialog import PICTURES, ask_file, proposed_name

NOTHING = "Choose a run at the left, or train one: its latent space appears here."


class TraversalPage(QWidget):
    """Shows the first selected run: the paper's grid, latents ordered by KL, refreshed with each checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self._item: RunItem | None = None
        self._asked: object = None
        self._answer: Answer | None = None
        self._decoder = Decoder()
        self.worker = LatestWorker(self)
        self.worker.answered.connect(self._answered)
        self.worker.failed.connect(self._failed)

        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self._image_card())
        self.card = Card("Traversal")
        self.export = QPushButton("Export…")
        self.export.setToolTip("Save the grid as PNG, SVG or PDF, as a paper prints it (Ctrl+E)")
        self.export.setShortcut("Ctrl+E")
        self.export.clicked.connect(self._export)
        self.card.head.addWidget(self.export)
        self.grid = ImageGrid(side=74, head=True, largest=84)
        area = QScrollArea()
        area.setWidget(self.grid)
        area.setWidgetResizable(True)
        self._message = empty_state(NOTHING)
        self._stack = QStackedLayout()
        self._stack.addWidget(self._message)
        self._stack.addWidget(area)
        self.card.body.addLayout(self._stack, 1)
        layout.addWidget(self.card, 1)
        self._say(NOTHING)

    def _image_card(self) -> Card:
        card = Card("Image")
        card.setFixedWidth(268)
        self.pictures = ImageGrid(head=True, largest=116)
        card.body.addWidget(self.pictures)
        fields = QGridLayout()
        fields.setHorizontalSpacing(8)
        self.index = QSpinBox()
        self.index.setRange(0, 10_000_000)
        self.index.setToolTip("Position of the image in the data set, from 0")
        self.low, self.high = QDoubleSpinBox(), QDoubleSpinBox()
        for box, value, which in ((self.low, -3.0, "lowest"), (self.high, 3.0, "highest")):
            box.setRange(-20, 20)
            box.setSingleStep(0.5)
            box.setDecimals(1)
            box.setValue(value)
            box.setToolTip(f"The {which} value a latent takes, in standard deviations of the prior")
        self.steps = QSpinBox()
        self.steps.setRange(2, 31)
        self.steps.setValue(9)
        self.steps.setToolTip("Values in the range")
        self.label_box = QComboBox()
        self.label_box.setToolTip("The class the decoder is given")
        self.label_title = label("Class")
        self.weights = QComboBox()
        self.weights.setToolTip("The newest weights, or those that were kept at a step")
        self.weights_title = label("Weights")
        rows: list[tuple[str, QWidget]] = [
            ("Image", self.index),
            ("From", self.low),
            ("To", self.high),
            ("Steps", self.steps),
        ]
        for row, (title, editor) in enumerate(rows):
            name = label(title)
            name.setBuddy(editor)
            editor.setAccessibleName(title)
            fields.addWidget(name, row, 0)
            fields.addWidget(editor, row, 1)
        fields.addWidget(self.label_title, len(rows), 0)
        fields.addWidget(self.label_box, len(rows), 1)
        fields.addWidget(self.weights_title, len(rows) + 1, 0)
        fields.addWidget(self.weights, len(rows) + 1, 1)
        fields.setColumnStretch(1, 1)
        card.body.addLayout(fields)
        self.count = label("", "muted", wrap=True)
        card.body.addWidget(self.count)
        card.body.addStretch(1)
        self.random = QPushButton("Random image")
        self.random.setToolTip("Another image of the data set (Ctrl+R)")
        self.random.setShortcut("Ctrl+R")
        self.random.clicked.connect(self._random)
        card.body.addWidget(self.random)
        self._image: int | None = None
        self.index.valueChanged.connect(self._index_changed)
        self.low.valueChanged.connect(self._ask)
        self.high.valueChanged.connect(self._ask)
        self.steps.valueChanged.connect(self._ask)
        self.label_box.currentIndexChanged.connect(self._ask)
        self.weights.currentIndexChanged.connect(self._ask)
        return card

    def show_run(self, item: RunItem | None) -> None:
        """Show this run, with its newest weights."""
        if item is None or not item.has_weights:
            self._item, self._asked, self._answer = item, None, None
            self._say(
                NOTHING
                if item is None
                else f"{item.name} has no weights yet: they are saved with its first "
                f"checkpoint, after {item.run.config.checkpoint_steps:,} steps or when it is stopped."
            )
            return
        if self._item is None or item.path != self._item.path:
            self._image = None
            with QSignalBlocker(self.label_box):
                self.label_box.clear()
        self._item = item
        self._list_weights(item)
        if self.isVisible():
            self._ask()

    def _list_weights(self, item: RunItem) -> None:
        """Offer the weights that were kept beside the newest."""
        kept = item.kept_steps
        if self.weights.count() != len(kept) + 1 or self.weights.property("run") != str(item.path):
            same = self.weights.property("run") == str(item.path)
            chosen = self.weights.currentData() if same else None
            with QSignalBlocker(self.weights):
                self.weights.clear()
                self.weights.addItem("newest", None)
                for step in kept:
                    self.weights.addItem(f"step {step:,}", step)
                self.weights.setCurrentIndex(max(0, self.weights.findData(chosen)))
            self.weights.setProperty("run", str(item.path))
        for widget in (self.weights, self.weights_title):
            widget.setVisible(bool(kept))

    def close_worker(self) -> None:
        """End the thread that decodes."""
        self.worker.close()

    def showEvent(self, event: object) -> None:
        """Catch up with what changed while the page was hidden."""
        self._ask()

    @Slot()
    def _ask(self) -> None:
        if self._item is None or not self._item.has_weights:
            return
        chosen = self.label_box.currentData()
        kept = self.weights.currentData()
        request = Request(
            self._item.path, self._image, self.low.value(), self.high.value(), self.steps.value(), chosen, kept
        )
        asked = (request, self._item.weights_stamp if kept is None else None)
        if asked == self._asked:
            return
        self._asked = asked
        if self._answer is None:
            self._say("Loading the model…")
        decoder = self._decoder
        self.worker.ask(asked, lambda: decoder(request))

    @Slot(object, object)
    def _answered(self, key: object, answer: Answer) -> None:
        if key != self._asked or self._item is None:
            return
        self._answer = answer
        traversal = answer.traversal
        with QSignalBlocker(self.index):
            self.index.setMaximum(answer.images - 1)
            self.index.setSuffix(f" of {answer.images:,}")
            self.index.setValue(answer.image)
        self._show_labels(answer)
        shown = [
            Row(
                images=_with_original(traversal.original, images),
                title=f"z{latent}",
                note=f"{kl:.2f} nats",
                tips=["The image of the data set", *(f"z{latent} = {value:+.2f}" for value in traversal.values)],
            )
            for latent, kl, images in zip(traversal.latents, traversal.kl, traversal.images, strict=True)
        ]
        self.grid.show_rows(shown, ["original", *(f"{value:+.1f}" for value in traversal.values)], framed=0)
        self.pictures.show_rows(
            [Row(_with_original(traversal.original, traversal.reconstruction[None]))], ["original", "reconstruction"]
        )
        active = sum(kl > ACTIVE_NATS for kl in traversal.kl)
        self.count.setText(
            f"{active} of {len(traversal.latents)} latents carry more than "
            f"{ACTIVE_NATS} nats. Latents are ordered by their mean KL over the data."
        )
        self.card.note.setText(f"{self._item.name} · step {traversal.step:,}")
        self.export.setEnabled(True)
        self._stack.setCurrentIndex(1)

    def _show_labels(self, answer: Answer) -> None:
        """Offer the classes of a conditional model; -1 is the image's own."""
        conditional = bool(answer.label_names)
        self.label_title.setVisible(conditional)
        self.label_box.setVisible(conditional)
        if conditional and not self.label_box.count():
            with QSignalBlocker(self.label_box):
                self.label_box.addItem("the image's own", None)
                for number, name in enumerate(answer.label_names):
                    self.label_box.addItem(name, number)

    @Slot(object, str)
    def _failed(self, key: object, message: str) -> None:
        if key == self._asked:
            self._answer = None
            self._say(message)

    def _say(self, text: str) -> None:
        """Show a sentence instead of the grid."""
        self._message.setText(text)
        self.card.note.setText("")
        self.pictures.show_rows([])
        self.count.setText("")
        for widget in (self.label_title, self.label_box, self.weights, self.weights_title):
            widget.hide()
        self.export.setEnabled(False)
        self._stack.setCurrentIndex(0)

    @Slot(int)
    def _index_changed(self, value: int) -> None:
        self._image = value
        self._ask()

    @Slot()
    def _random(self) -> None:
        if self._answer is not None:
            self.index.setValue(random.randrange(self._answer.images))

    @Slot()
    def _export(self) -> None:
        answer = self._answer
        if answer is None or self._item is None:
            return
        name = proposed_name([self._item.name], "traversal")
        path = ask_file(self, QSettings(), "Save the traversal", name, PICTURES)
        if path is None:
            return
        from engine.figures import save, traversal_figure

        try:
            save(traversal_figure(answer.traversal, answer.caption), path)
        except StudioError as error:
            self.count.setText(str(error))
        else:
            self.count.setText(f"Saved as {path}")


def _with_original(original: NDArray[np.uint8], images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.concatenate([original[None], images])
