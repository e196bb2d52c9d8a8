"""Sliders for ground-truth factors: they choose the image with these values, or the nearest one."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QLabel, QSlider, QWidget

from engine.data import Dataset
from gui.data.details import value_text
from gui.widgets.layouts import label
from gui.widgets.plain import as_plain
from gui.widgets.theme import px


class FactorSliders(QWidget):
    """One slider per factor. `moved(index)` gives the image's position; `compact` leaves less room for the values."""

    moved = Signal(int)

    def __init__(self, *, compact: bool = False) -> None:
        super().__init__()
        self._compact = compact
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(1, 1)
        self._dataset: Dataset | None = None
        self._sliders: list[QSlider] = []
        self._words: list[QLabel] = []

    def show_dataset(self, dataset: Dataset | None) -> None:
        """Show a slider for each factor of a data set; none if it has no factors."""
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        self._dataset, self._sliders, self._words = dataset, [], []
        if dataset is None or dataset.factors is None:
            return
        for row, (name, size) in enumerate(zip(dataset.factors.names, dataset.factors.sizes, strict=True)):
            slider = QSlider(Qt.Orientation.Horizontal)
            slider.setRange(0, size - 1)
            slider.setPageStep(max(1, size // 8))
            slider.setAccessibleName(name)
            slider.setToolTip(as_plain(f"{name}: {size} values"))
            slider.valueChanged.connect(self._moved)
            words = label("", "muted")
            words.setMinimumWidth(px(46 if self._compact else 120))
            self._grid.addWidget(label(name), row, 0)
            self._grid.addWidget(slider, row, 1)
            self._grid.addWidget(words, row, 2)
            self._sliders.append(slider)
            self._words.append(words)
        self.show_image(len(dataset) // 2)

    def show_image(self, index: int) -> None:
        """Set the sliders to an image's factors, unless it is already the nearest match to their values."""
        dataset = self._dataset
        if dataset is None or dataset.factors is None:
            return
        if dataset.factors.nearest(self._wanted) != index:
            for slider, value in zip(self._sliders, dataset.factors.classes(np.array([index]))[0], strict=True):
                with QSignalBlocker(slider):
                    slider.setValue(int(value))
        self._moved()

    @property
    def _wanted(self) -> NDArray[np.int64]:
        """Factor classes that the sliders are set to, (factors,)."""
        return np.array([slider.value() for slider in self._sliders], np.int64)

    @Slot()
    def _moved(self) -> None:
        dataset = self._dataset
        if dataset is None or dataset.factors is None:
            return
        wanted = self._wanted
        for number, (words, value) in enumerate(zip(self._words, wanted, strict=True)):
            text = value_text(dataset, number, int(value))
            words.setText(text.removeprefix(dataset.factors.names[number]).strip())
        self.moved.emit(dataset.factors.nearest(wanted))
