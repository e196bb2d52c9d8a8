"""View options of the curves: smoothing, scale, and the x axis. Kept in the settings."""

import math
from dataclasses import dataclass, field

from PySide6.QtCore import QSettings, Qt, Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QCheckBox, QHBoxLayout, QPushButton, QSlider, QWidget

from engine.runs.curves import View
from gui.widgets.combo import Combo
from gui.widgets.flow import FlowLayout
from gui.widgets.layouts import label
from gui.widgets.plain import tip
from gui.widgets.theme import px

SEEDS = {"std": "mean ± SD", "range": "min to max", "interval": "95 % interval", "": "one by one"}
"""How runs that are alike but for the seed are shown, by the name in the settings."""

COLUMNS = {"step": "Step", "epoch": "Epoch", "seconds": "Time"}
POSITIONS = 60
"""Positions of the smoothing slider; 20 of them make the average ten times as long."""


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """Values of the options bar.

    `smoothing` is the factor of the average, from 0 to 0.999; `spread` one of `SPREADS`, empty for a curve of each run.
    """

    smoothing: float = 0.6
    view: View = field(default_factory=View)
    spread: str = "std"


class OptionsBar(QWidget):
    """Controls above the curves. Emits `changed` after the user changes one, and `export`."""

    changed = Signal()
    export = Signal()

    def __init__(self, settings: QSettings) -> None:
        super().__init__()
        self._settings = settings
        flow = FlowLayout(self, spacing=14, line_spacing=4)
        self.smoothing = QSlider(Qt.Orientation.Horizontal)
        self.smoothing.setRange(0, POSITIONS)
        self.smoothing.setPageStep(5)
        self.smoothing.setFixedWidth(px(64))
        self.smoothing.setAccessibleName("Smoothing")
        self._factor = label("", "muted")
        self._factor.setFixedWidth(px(34))
        flow.addWidget(self._smoothing_box())
        self._columns = QButtonGroup(self)
        self._columns.setExclusive(True)
        flow.addWidget(self._columns_box())
        self.logarithmic = QCheckBox("&Log y")
        self.logarithmic.setToolTip("Logarithmic y axis; non-positive values are not drawn")
        self.outliers = QCheckBox("&Ignore outliers")
        self.outliers.setToolTip("Fit the y axis to the middle 90 % of each curve's visible points")
        self.seeds = Combo()
        for name, title in SEEDS.items():
            self.seeds.addItem(title, name)
        self.seeds.setAccessibleName("Seeds")
        flow.addWidget(self._seeds_box())
        self.export_button = QPushButton("Export…")
        self.export_button.setToolTip("Save these curves as a figure or a table")
        for widget in (self.logarithmic, self.outliers, self.export_button):
            flow.addWidget(widget)
        self._load()
        self.seeds.activated.connect(self._change)
        self.smoothing.valueChanged.connect(self._change)
        self._columns.idClicked.connect(self._change)
        self.logarithmic.toggled.connect(self._change)
        self.outliers.toggled.connect(self._change)
        self.export_button.clicked.connect(self.export)

    def _smoothing_box(self) -> QWidget:
        box = QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(7)
        words = label("S&moothing")
        words.setBuddy(self.smoothing)
        for widget in (words, self.smoothing, self._factor):
            row.addWidget(widget)
        box.setToolTip(
            "Debiased exponential moving average of the recorded points, which stay faintly visible. "
            "0.9 averages over about 10 points, 0.99 over about 100."
        )
        return box

    def _seeds_box(self) -> QWidget:
        box = QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(7)
        words = label("See&ds")
        words.setBuddy(self.seeds)
        row.addWidget(words)
        row.addWidget(self.seeds)
        box.setToolTip(
            tip(
                "Selected runs that are alike in all settings but the seed, and of the same data, are one curve: their "
                "mean at each step, and around it the standard deviation (n − 1), the range from minimum to maximum, "
                "or the 95 % interval of the mean (Student’s t).",
                "Click ▸ in the legend to see the runs themselves.",
            )
        )
        return box

    def _columns_box(self) -> QWidget:
        box = QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        tips = ("Training steps on the x axis", "Epochs on the x axis", "Training time, without pauses, on the x axis")
        for number, (title, words) in enumerate(zip(COLUMNS.values(), tips, strict=True)):
            button = QPushButton(title)
            button.setObjectName("segment")
            button.setCheckable(True)
            button.setToolTip(words)
            self._columns.addButton(button, number)
            row.addWidget(button)
        return box

    @property
    def options(self) -> ViewOptions:
        """The current options."""
        column = list(COLUMNS)[max(0, self._columns.checkedId())]
        view = View(column, self.logarithmic.isChecked(), self.outliers.isChecked())
        return ViewOptions(1 - 10 ** (-self.smoothing.value() / 20), view, str(self.seeds.currentData()))

    def show_options(self, options: ViewOptions) -> None:
        """Set these options as the user would."""
        self.smoothing.setValue(round(-20 * math.log10(1 - options.smoothing)))
        self._columns.button(list(COLUMNS).index(options.view.column)).click()
        self.logarithmic.setChecked(options.view.logarithmic)
        self.outliers.setChecked(options.view.ignore_outliers)
        self.seeds.setCurrentIndex(self.seeds.findData(options.spread))

    @Slot()
    def _change(self) -> None:
        options = self.options
        self._factor.setText(f"{options.smoothing:.3f}" if options.smoothing > 0.99 else f"{options.smoothing:.2f}")
        for name, value in (
            ("smoothing", round(options.smoothing, 4)),
            ("column", options.view.column),
            ("logarithmic", options.view.logarithmic),
            ("ignore_outliers", options.view.ignore_outliers),
            ("seeds", options.spread),
        ):
            self._settings.setValue(f"curves/{name}", value)
        self.changed.emit()

    def _load(self) -> None:
        """Restore the options of the last session; invalid ones get their defaults."""
        default = ViewOptions()
        try:
            smoothing = float(str(self._settings.value("curves/smoothing", default.smoothing)))
        except ValueError:
            smoothing = default.smoothing
        column = str(self._settings.value("curves/column", default.view.column))
        spread = str(self._settings.value("curves/seeds", default.spread))
        self.show_options(
            ViewOptions(
                smoothing if 0 <= smoothing <= 0.999 else default.smoothing,
                View(
                    column if column in COLUMNS else default.view.column,
                    str(self._settings.value("curves/logarithmic", False)).lower() == "true",
                    str(self._settings.value("curves/ignore_outliers", False)).lower() == "true",
                ),
                spread if spread in SEEDS else default.spread,
            )
        )
        self._change()
