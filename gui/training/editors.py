"""Editors of settings: a line edit with a unit, a folder, a subset, and a weight that is constant or not."""

import re
from typing import Any

from pydantic.fields import FieldInfo
from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QStyle,
    QToolButton,
    QWidget,
)

from engine.data import Entry
from engine.system.fields import limits_of, unit_of
from engine.system.numbers import exact, number
from engine.system.schedule import SHAPES, UNITS, Schedule
from gui.training.subset_dialog import SubsetDialog
from gui.widgets.combo import Combo
from gui.widgets.layouts import label, tool_button
from gui.widgets.theme import px


class TextField(QLineEdit):
    """A line edit for a number or a name, with its unit on the right."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = label(unit, "muted")
        self._unit.setParent(self)
        self._unit.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._unit.adjustSize()
        if unit:
            self.setTextMargins(0, 0, self._unit.sizeHint().width() + 4, 0)

    def resizeEvent(self, event: Any) -> None:
        """Keep the unit on the right."""
        super().resizeEvent(event)
        size = self._unit.sizeHint()
        self._unit.setGeometry(self.width() - size.width() - 8, 0, size.width(), self.height())


class ButtonField(QWidget):
    """A line edit with a button that helps to fill it. Emits `edited` after every change."""

    edited = Signal()

    def __init__(self, words: str, tip: str) -> None:
        super().__init__()
        self.line = QLineEdit()
        self.line.textChanged.connect(self.edited)
        self.button = QToolButton()
        self.button.setObjectName("button")
        self.button.setToolTip(tip)
        self.button.setAccessibleName(words)
        self.button.setIconSize(QSize(14, 14))
        self.button.clicked.connect(self.help)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.line, 1)
        layout.addWidget(self.button)
        self.setFocusProxy(self.line)

    def setAccessibleName(self, name: str) -> None:
        """Name the line edit, which has the focus."""
        super().setAccessibleName(name)
        self.line.setAccessibleName(name)

    @Slot()
    def help(self) -> None:
        """Let the user fill the line in another way."""


class FolderField(ButtonField):
    """A line edit for a folder or file, with a button to choose it; empty for the default."""

    def __init__(self) -> None:
        super().__init__("Choose data", "Choose the data folder or file")
        self._kind, self._file_types = "folder", ""
        self.button.setIcon(self.style().standardIcon(QStyle.StandardPixmap.SP_DirOpenIcon))

    def accept(self, kind: str, file_types: str, *, required: bool) -> None:
        """Set what is accepted ("folder", "file" or "folder or file"), and whether it may be empty.

        `file_types` are those that the dialog offers.
        """
        self._kind, self._file_types = kind, file_types
        self.line.setPlaceholderText(f"choose a {kind}" if required else "automatic")

    @Slot()
    def help(self) -> None:
        """Let the user choose a folder or file."""
        start = self.line.text()
        if self._kind == "folder":
            chosen = QFileDialog.getExistingDirectory(self, "Choose the folder with the data set's files", start)
        else:
            chosen, _ = QFileDialog.getOpenFileName(self, "Choose the data set's file", start, self._file_types)
        if chosen:
            self.line.setText(chosen)


class SubsetField(ButtonField):
    """A line edit for the images to train on, with a button that opens a dialog if the data set's factors are known."""

    def __init__(self, empty: str) -> None:
        super().__init__("Choose a subset", "")
        self._entry: Entry | None = None
        self.line.setPlaceholderText(empty)
        self.button.setText("…")

    def offer(self, entry: Entry) -> None:
        """Set the data set whose factors the dialog offers."""
        self._entry = entry
        self.button.setEnabled(entry.grid is not None)
        words = "Correlate two factors, or leave combinations out"
        self.button.setToolTip(words if entry.grid else f"Type it: {entry.title}'s images are not a complete grid")

    @Slot()
    def help(self) -> None:
        """Let the user choose a subset by factors and values."""
        if self._entry is not None and self._entry.grid is not None:
            dialog = SubsetDialog(self, self._entry, self.line.text())
            if dialog.exec():
                self.line.setText(dialog.text())
            dialog.deleteLater()


PROPOSED = Schedule(0.0, 0.0, 50.0, "%")
"""The schedule first shown for a weight; it ends at the weight's current value."""

UNIT_TITLES = {"steps": "steps", "epochs": "epochs", "%": "% of run"}

_TYPED = re.compile(rf"(.*) ?to (.*) over (.*) ({'|'.join(UNITS)})((?: (?:{'|'.join(SHAPES[1:])}))?)")
"""The text of the editor, even if numbers are missing or wrong."""


class WeightField(QWidget):
    """A number with a button that unfolds a schedule ending at it: start, end, length, unit and shape.

    Folded again, it is a constant, the end value. Emits `edited` after every change, `finished` when a line edit loses
    the focus. `below` is the second line of a schedule, which does not fit beside a label; it is shown with the first.
    """

    edited = Signal()
    finished = Signal()

    def __init__(self, field: FieldInfo) -> None:
        super().__init__()
        low, high = limits_of(field)
        self._least, self._most = float("-inf") if low is None else low, float("inf") if high is None else high
        proposed = field.default if isinstance(field.default, Schedule) else PROPOSED
        self.start, self.end = TextField(""), TextField(unit_of(field))
        self.length = TextField("")
        self.unit, self.shape = Combo(), Combo()
        self.ramp = tool_button("↗", "Follow a schedule over the run, or stay constant")
        self.ramp.setCheckable(True)
        for unit, title in UNIT_TITLES.items():
            self.unit.addItem(title, unit)
        for shape in SHAPES:
            self.shape.addItem(shape, shape)
        self._to = label("to", "muted")
        self.below = QWidget()
        stretch: dict[QWidget, int] = {self.start: 2, self.end: 3, self.length: 1}
        for row, parts, indent in (
            (QHBoxLayout(self), (self.start, self._to, self.end, self.ramp), 0),
            (QHBoxLayout(self.below), (label("over", "muted"), self.length, self.unit, self.shape), px(12)),
        ):
            row.setContentsMargins(indent, 0, 0, 0)
            row.setSpacing(4)
            for part in parts:
                row.addWidget(part, stretch.get(part, 0))
        for line in (self.start, self.end, self.length):
            line.setMinimumWidth(px(40))
        self._fill(proposed)
        self._unfold(False)
        for line in (self.start, self.end, self.length):
            line.textChanged.connect(self.edited)
            line.editingFinished.connect(self.finished)
        for combo in (self.unit, self.shape):
            combo.currentIndexChanged.connect(self.edited)
        self.ramp.toggled.connect(self._toggle)

    @property
    def lines(self) -> list[TextField]:
        """The visible line edits: one, or those of a schedule."""
        return [self.start, self.end, self.length] if self.ramp.isChecked() else [self.end]

    def setAccessibleName(self, name: str) -> None:
        """Name each part, for screen readers."""
        super().setAccessibleName(name)
        parts = {
            self.start: f"{name} at the start",
            self.end: f"{name} at the end" if self.ramp.isChecked() else name,
            self.length: f"{name}: length of its schedule",
            self.unit: f"{name}: unit of the length",
            self.shape: f"{name}: shape of its schedule",
            self.ramp: f"{name} follows a schedule",
        }
        for part, words in parts.items():
            part.setAccessibleName(words)

    def text(self) -> str:
        """Return the number, or the schedule in text form, as typed."""
        if not self.ramp.isChecked():
            return self.end.text()
        shape = "" if self.shape.currentData() == SHAPES[0] else f" {self.shape.currentData()}"
        start, end, length = (line.text().strip() for line in self.lines)
        return f"{start} to {end} over {length} {self.unit.currentData()}{shape}"

    def setText(self, text: str) -> None:
        """Show a number or a schedule, even an invalid one."""
        try:
            schedule = Schedule.parse(text, self._most)
        except ValueError:
            self._show_typed(text)
        else:
            self._fill(schedule)
            self.end.setText(exact(schedule.end))
            self.ramp.setChecked(True)

    def _show_typed(self, text: str) -> None:
        """Show a number, or text that was typed but is not a valid schedule."""
        typed = _TYPED.fullmatch(text)
        if typed is None:
            self.end.setText(text)
        else:
            start, end, length, unit, shape = typed.groups()
            for line, part in zip((self.start, self.end, self.length), (start, end, length), strict=True):
                line.setText(part.strip())
            self._choose(unit, shape.strip() if shape else SHAPES[0])
        self.ramp.setChecked(typed is not None)

    def wrong_lines(self) -> list[TextField]:
        """Return the line edits whose own number is wrong; all of them if none is."""
        most = UNITS[self.unit.currentData()]
        wrong = [line for line in self.lines if line is not self.length and not self._is_value(line.text())]
        if self.length in self.lines and not 0 < _number(self.length.text(), most) <= most:
            wrong.append(self.length)
        return wrong or self.lines

    def _is_value(self, text: str) -> bool:
        return self._least <= _number(text, self._most) <= self._most

    def _fill(self, schedule: Schedule) -> None:
        """Fill in the start, length, unit and shape of a schedule."""
        self.start.setText(exact(schedule.start))
        self.length.setText(exact(schedule.length))
        self._choose(schedule.unit, schedule.shape)

    def _choose(self, unit: str, shape: str) -> None:
        self.unit.setCurrentIndex(self.unit.findData(unit))
        self.shape.setCurrentIndex(self.shape.findData(shape))

    def setVisible(self, visible: bool) -> None:
        """Show or hide both lines."""
        super().setVisible(visible)
        self.below.setVisible(visible and self.ramp.isChecked())

    def _unfold(self, unfolded: bool) -> None:
        # Tab comes to the proxy first, and would pass over what stands before it.
        self.setFocusProxy(self.start if unfolded else self.end)
        self.start.setVisible(unfolded)
        self._to.setVisible(unfolded)
        self.below.setVisible(unfolded and self.below.parent() is not None and not self.isHidden())

    @Slot(bool)
    def _toggle(self, unfolded: bool) -> None:
        self._unfold(unfolded)
        self.setAccessibleName(self.accessibleName())
        self.edited.emit()


def _number(text: str, most: float) -> float:
    """Return a typed number; NaN if it is not one."""
    try:
        return number(text, most)
    except ValueError:
        return float("nan")
