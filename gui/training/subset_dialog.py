"""A dialog to choose which images to train on: two correlated factors, and a combination left out."""

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QVBoxLayout, QWidget

from engine.data import Entry
from engine.data.dataset import Factors
from engine.data.subsets import problem_with_subset, training_count
from engine.settings.run_config import RunConfig
from engine.settings.subset import WIDEST, WIDTH, Condition, Line, Subset
from gui.widgets.combo import Combo
from gui.widgets.layouts import label
from gui.widgets.number_box import NumberBox
from gui.widgets.theme import px


class SubsetDialog(QDialog):
    """Edits the first line and the first combination of a subset; further parts of its text are kept."""

    def __init__(self, parent: QWidget, entry: Entry, text: str) -> None:
        super().__init__(parent)
        assert entry.grid is not None
        self._entry, self._factors = entry, entry.grid()
        try:
            self._given = Subset.parse(text)
        except ValueError:
            self._given = Subset()
        self.setProperty("helpTopic", "data#subset")
        self.setWindowTitle("Train on a subset")
        self.first, self.second = (self._factor_box("no factors") for _ in range(2))
        self.width_box = NumberBox(3, 1)
        self.width_box.setRange(0.001, WIDEST)
        self.width_box.setSingleStep(0.1)
        self.width_box.setAccessibleName("Width")
        self.width_box.setToolTip("Standard deviation about the line, as a share of each factor's range")
        self.conditions = [ConditionRow(self._factors, empty) for empty in ("nothing", "any factor")]
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        rows: list[list[QWidget]] = [
            [label("Correlate"), self.first, label("with"), self.second, label("width"), self.width_box]
        ]
        for word, condition in zip(("Leave out", "where also"), self.conditions, strict=True):
            rows.append([label(word), condition.factor, label("from"), condition.low, label("to"), condition.high])
        for number, row in enumerate(rows):
            for column, part in enumerate(row):
                grid.addWidget(part, number, column)
        self.note = label("", "muted", wrap=True)
        self.note.setMinimumHeight(px(36))
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 16)
        layout.setSpacing(12)
        layout.addWidget(label(f"Images of {entry.title} to train on", "title"))
        layout.addLayout(grid)
        layout.addWidget(self.note)
        layout.addWidget(self.buttons)
        self._fill()
        self.first.currentIndexChanged.connect(self._changed)
        self.second.currentIndexChanged.connect(self._changed)
        self.width_box.valueChanged.connect(self._changed)
        for condition in self.conditions:
            condition.changed.connect(self._changed)
        self._changed()

    def _factor_box(self, empty: str) -> Combo:
        box = Combo()
        box.setAccessibleName("Correlated factor")
        box.addItem(empty, "")
        for name, size in zip(self._factors.names, self._factors.sizes, strict=True):
            if size > 1:
                box.addItem(name, name)
        return box

    def _fill(self) -> None:
        self.width_box.setValue(WIDTH)
        for line in self._given.lines[:1]:
            self.first.setCurrentIndex(max(0, self.first.findData(line.first)))
            self.second.setCurrentIndex(max(0, self.second.findData(line.second)))
            self.width_box.setValue(line.width)
        for row, condition in zip(self.conditions, [*self._given.without, ()][0], strict=False):
            row.show_condition(condition)

    def subset(self) -> Subset:
        """Return the chosen subset."""
        first, second = self.first.currentData(), self.second.currentData()
        lines = [Line(first, second, self.width_box.value())] if first and second and first != second else []
        met = tuple(found for row in self.conditions if (found := row.condition()))
        more = tuple(condition for condition in [*self._given.without, ()][0][len(self.conditions) :])
        without = [(*met, *more)] if met else []
        return Subset((*lines, *self._given.lines[1:]), (*without, *self._given.without[1:]))

    def text(self) -> str:
        """Return the chosen subset as text; empty for all images."""
        return str(self.subset())

    @Slot()
    def _changed(self) -> None:
        text = self.text()
        config = RunConfig(dataset=self._entry.name, subset=text)
        problem = problem_with_subset(config)
        count = training_count(config)
        images = self._entry.images or 0
        self.note.setText(problem or (f"{count:,} of {images:,} images" if text else f"All {images:,} images"))
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(not problem and count != 0)


class ConditionRow(QWidget):
    """The boxes of a condition: a factor, and its first and last value. Emits `changed`; it is not shown itself."""

    changed = Signal()

    def __init__(self, factors: Factors, empty: str) -> None:
        super().__init__()
        self._factors = factors
        self.factor, self.low, self.high = Combo(), Combo(), Combo()
        for box, words in ((self.factor, "Factor"), (self.low, "First value"), (self.high, "Last value")):
            box.setAccessibleName(f"{words} of images left out")
        self.factor.addItem(empty, "")
        for name in factors.names:
            self.factor.addItem(name, name)
        self.factor.currentIndexChanged.connect(self._chosen)
        for box in (self.low, self.high):
            box.currentIndexChanged.connect(self.changed)
        self._chosen()

    def condition(self) -> Condition | None:
        """Return the condition; None without a factor."""
        name = self.factor.currentData()
        return Condition(name, self.low.currentData(), self.high.currentData()) if name else None

    def show_condition(self, condition: Condition) -> None:
        """Show a condition, as far as its factor and values are known."""
        self.factor.setCurrentIndex(max(0, self.factor.findData(condition.factor)))
        for box, value in ((self.low, condition.low), (self.high, condition.high)):
            box.setCurrentIndex(max(0, box.findData(value)))

    @Slot()
    def _chosen(self) -> None:
        """Offer the values of the factor."""
        name = self.factor.currentData()
        for box in (self.low, self.high):
            with QSignalBlocker(box):
                box.clear()
                if name:
                    k = self._factors.names.index(name)
                    named = self._factors.value_names.get(name)
                    for number, value in enumerate(self._factors.values[k]):
                        text = named[number] if named else str(number)
                        box.addItem(text if named else f"{number}: {value:.3g}", text)
            box.setEnabled(bool(name))
        self.changed.emit()
