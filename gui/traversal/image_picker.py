"""Chooses an image of the data set: by position, next, previous or at random, optionally within a class."""

import random

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QWidget

from engine.data import Dataset
from gui.widgets.combo import Combo
from gui.widgets.layouts import label
from gui.widgets.number_box import WholeNumberBox
from gui.widgets.theme import px


class ImagePicker(QWidget):
    """Emits `picked(index)`."""

    picked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._dataset: Dataset | None = None
        self.index = WholeNumberBox()
        self.index.setRange(0, 10_000_000)
        self.index.setKeyboardTracking(False)
        self.index.setAccessibleName("Image")
        self.index.setToolTip("Position of the image in the data set, from 0")
        self.index.valueChanged.connect(self.picked)
        self.category = Combo()
        self.category.setAccessibleName("Only of class")
        self.category.setToolTip("Limit random, next and previous to this class")
        self.category.currentIndexChanged.connect(self._category_chosen)
        self.category_title = label("Only class")
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        self.previous = named_button(buttons, "‹", "Previous image (Alt+Left)", "Previous image")
        self.random = named_button(buttons, "Random", "Random image (Ctrl+R)", "Random image")
        self.next = named_button(buttons, "›", "Next image (Alt+Right)", "Next image")
        self.previous.clicked.connect(self.previous_image)
        self.random.clicked.connect(self.random_image)
        self.next.clicked.connect(self.next_image)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(6)
        for row, (title, box) in enumerate(((label("Position"), self.index), (self.category_title, self.category))):
            title.setBuddy(box)
            box.setMinimumWidth(px(90))
            layout.addWidget(title, row, 0)
            layout.addWidget(box, row, 1)
        layout.addLayout(buttons, 2, 0, 1, 2)
        layout.setColumnStretch(1, 1)

    def show_dataset(self, dataset: Dataset | None) -> None:
        """Offer the images and classes of a data set."""
        self._dataset = dataset
        with QSignalBlocker(self.category), QSignalBlocker(self.index):
            self.category.clear()
            if dataset is not None:
                self.index.setMaximum(len(dataset) - 1)
                if dataset.labels is not None:
                    self.category.addItem("any", None)
                    for number, name in enumerate(dataset.label_names):
                        self.category.addItem(name, number)
        for widget in (self.category, self.category_title):
            widget.setVisible(bool(self.category.count()))

    def show_image(self, index: int) -> None:
        """Show the position of an image chosen elsewhere."""
        with QSignalBlocker(self.index):
            self.index.setValue(index)

    @Slot()
    def random_image(self) -> None:
        """Pick a random image, of the chosen class."""
        among = self._within()
        if self._dataset is not None and among is None:
            self.picked.emit(random.randrange(len(self._dataset)))
        elif among is not None and len(among):
            self.picked.emit(int(random.choice(among)))

    def _within(self) -> NDArray[np.int64] | None:
        """Return the positions of the chosen class's images; None for all images."""
        wanted = self.category.currentData()
        if self._dataset is None or self._dataset.labels is None or wanted is None:
            return None
        return np.flatnonzero(self._dataset.labels == wanted)

    def _go(self, by: int) -> None:
        if self._dataset is None:
            return
        among, here = self._within(), self.index.value()
        if among is None:
            self.picked.emit((here + by) % len(self._dataset))
        elif len(among):
            place = int(np.searchsorted(among, here, side="left" if by < 0 else "right"))
            self.picked.emit(int(among[(place - 1 if by < 0 else place) % len(among)]))

    @Slot()
    def previous_image(self) -> None:
        """Pick the previous image."""
        self._go(-1)

    @Slot()
    def next_image(self) -> None:
        """Pick the next image."""
        self._go(1)

    @Slot()
    def _category_chosen(self) -> None:
        """Go to the next image of the class, unless the current one belongs to it."""
        among = self._within()
        if among is not None and len(among) and self.index.value() not in among:
            self._go(1)


def named_button(layout: QHBoxLayout, text: str, tip: str, name: str) -> QPushButton:
    """Add a button with an accessible name; one with a single character is narrow."""
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setAccessibleName(name)
    if len(text) == 1:
        button.setFixedWidth(px(40))
    layout.addWidget(button, 0 if len(text) == 1 else 1)
    return button
