"""The images of a data set: one at chosen factor values, and samples."""

import numpy as np
from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from gui.data.details import Details, label_of, values_of
from gui.data.factor_sliders import FactorSliders
from gui.widgets.image_grid import ImageGrid, Row
from gui.widgets.layouts import label
from gui.widgets.tab_order import follow

COLUMNS = 12


class ImagesView(QScrollArea):
    """Shows the image chosen by the factor sliders, if there are factors, and a page of samples.

    A click on a sample moves the sliders to its values. Emits `others_asked` for another page.
    """

    others_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._details: Details | None = None
        self.setObjectName("scrolled")
        self.setAccessibleName("Images of the data set")
        self.setWidgetResizable(True)
        shown = QWidget()
        column = QVBoxLayout(shown)
        column.setContentsMargins(0, 0, 0, 0)
        self._factor_title = label("Factors", "group")
        self._factor_row = QWidget()
        row = QHBoxLayout(self._factor_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(16)
        self.picture = ImageGrid(largest=132, opens=True)
        self.picture.setAccessibleName("Image at these factors")
        self.picture.setFixedSize(140, 140)
        self.sliders = FactorSliders()
        self.sliders.moved.connect(self._show_image)
        row.addWidget(self.picture)
        row.addWidget(self.sliders, 1)
        sample_head = QWidget()
        head = QHBoxLayout(sample_head)
        head.setContentsMargins(0, 0, 0, 0)
        head.addWidget(label("Samples", "group"))
        self._others = QPushButton("Show others")
        self._others.setToolTip("Draw other images at random")
        self._others.clicked.connect(self.others_asked)
        head.addStretch(1)
        head.addWidget(self._others)
        self.samples = ImageGrid(largest=72, keys=True)
        self.samples.setAccessibleName("Samples; arrow keys and Return")
        self.samples.clicked.connect(self._sample_clicked)
        for widget in (self._factor_title, self._factor_row, sample_head, self.samples):
            column.addWidget(widget)
        column.addStretch(1)
        self.setWidget(shown)

    def show_details(self, details: Details) -> None:
        """Show a page of a data set; if it is already shown, the sliders stay where they are."""
        new, self._details = self._details is None, details
        dataset = details.dataset
        rows = []
        for start in range(0, len(details.samples), COLUMNS):
            part = slice(start, start + COLUMNS)
            tips = [f"{label_of(dataset, int(i))} {values_of(dataset, int(i))}".strip() for i in details.indices[part]]
            rows.append(Row(details.samples[part], tips=tips))
        self.samples.show_rows(rows)
        has_factors = dataset.factors is not None
        self._factor_title.setVisible(has_factors)
        self._factor_row.setVisible(has_factors)
        if new:
            self.sliders.show_dataset(dataset)
            follow(self.sliders, self._others, self.samples)

    def forget(self) -> None:
        """Forget the data set, since the next one is different."""
        self._details = None

    def release(self) -> None:
        """Release its files, too, since they are to be deleted."""
        self.forget()
        self.sliders.show_dataset(None)

    @Slot(int)
    def _show_image(self, index: int) -> None:
        if self._details is not None:
            self.picture.show_rows([Row(self._details.dataset.images(np.array([index])))])

    @Slot(int, int)
    def _sample_clicked(self, row: int, column: int) -> None:
        if self._details is not None:
            self.sliders.show_image(int(self._details.indices[row * COLUMNS + column]))
