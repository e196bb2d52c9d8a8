"""Asks how to save a figure: its width, its resolution, and whether to add labels."""

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFormLayout,
    QVBoxLayout,
    QWidget,
)

from gui.widgets.layouts import label
from gui.widgets.number_box import NumberBox, WholeNumberBox
from gui.widgets.save_dialog import save_buttons

CAPTION = "Labels and caption"


class PictureDialog(QDialog):
    """Asks for width, resolution and labels, and remembers them."""

    def __init__(self, parent: QWidget, settings: QSettings) -> None:
        super().__init__(parent)
        self.setProperty("helpTopic", "exporting")
        self._settings = settings
        self.setWindowTitle("Save figure")
        self.width_box = NumberBox(1)
        self.width_box.setRange(0, 200)
        self.width_box.setSuffix(" cm")
        self.width_box.setSpecialValueText("automatic")
        self.width_box.setToolTip("Width of the figure; a column of a paper is about 8.5 cm wide, a page 17 cm")
        self.dpi_box = WholeNumberBox()
        self.dpi_box.setRange(20, 2400)
        self.dpi_box.setSingleStep(50)
        self.dpi_box.setToolTip("Dots per inch, for PNG")
        self.labels_box = QCheckBox(CAPTION)
        self.labels_box.setToolTip(
            "Values above, latents on the left, and a caption with run, image, latents and range"
        )
        self.width_box.setValue(_number(settings.value("traversal/width"), 0.0))
        self.dpi_box.setValue(int(_number(settings.value("traversal/dpi"), 200)))
        self.labels_box.setChecked(str(settings.value("traversal/labels", True)).lower() != "false")
        form = QFormLayout()
        form.addRow("Width", self.width_box)
        form.addRow("Resolution (dpi)", self.dpi_box)
        form.addRow("", self.labels_box)
        buttons, self.save = save_buttons(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 16)
        layout.setSpacing(12)
        layout.addWidget(label("Figure", "title"))
        layout.addLayout(form)
        layout.addWidget(buttons)

    def accept(self) -> None:
        """Remember the answers."""
        self._settings.setValue("traversal/width", self.width_box.value())
        self._settings.setValue("traversal/dpi", self.dpi_box.value())
        self._settings.setValue("traversal/labels", self.labels_box.isChecked())
        super().accept()

    @property
    def width_cm(self) -> float | None:
        """Width in centimetres; None for automatic."""
        return self.width_box.value() or None

    @property
    def dpi(self) -> int:
        """Resolution in dots per inch."""
        return self.dpi_box.value()

    @property
    def labels(self) -> bool:
        """Whether to add labels and a caption."""
        return self.labels_box.isChecked()


def _number(kept: object, default: float) -> float:
    try:
        return float(str(kept))
    except ValueError:
        return default
