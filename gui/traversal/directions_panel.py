"""Sliders along directions between two groups of images, e.g. from thin to thick, above those of the latents."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from engine.runs.latent_names import MAX_CHARACTERS
from engine.system.plain_text import one_line
from gui.traversal.latent_row import SignedBox
from gui.traversal.track import TICKS, LatentTrack
from gui.widgets.combo import Combo
from gui.widgets.layouts import label
from gui.widgets.plain import as_plain
from gui.widgets.theme import px

MOST = 2.0
"""Largest amount of a direction on its slider, in units of the difference."""

MOST_TYPED = 20
"""Largest amount that can be typed."""


@dataclass(frozen=True, slots=True)
class Direction:
    """A direction from one group of a grouping (the class, or a factor) to another, with the user's name for it."""

    of: str
    start: str
    end: str
    name: str = ""

    @property
    def words(self) -> str:
        """What it leads from and to, e.g. "class 3 → 8"."""
        return f"{self.of} {self.start} → {self.end}"


class DirectionRow(QWidget):
    """One direction. Emits `moved`, `named` and `removed`."""

    moved = Signal()
    named = Signal()
    removed = Signal()

    def __init__(self, direction: Direction) -> None:
        super().__init__()
        self.direction = direction
        self._vector: NDArray[np.float64] | None = None
        self.name = QLineEdit(direction.name)
        self.name.setObjectName("inplace")
        self.name.setMaxLength(MAX_CHARACTERS)
        self.name.setPlaceholderText(direction.words)
        self.name.setAccessibleName(f"Name of the direction {direction.words}")
        self.name.setToolTip(as_plain(f"{direction.words}. Name it, for example “thin to thick”."))
        self.remove = QPushButton("✕")
        self.remove.setObjectName("small")
        self.remove.setFixedWidth(px(18))
        self.remove.setAccessibleName(f"Remove the direction {direction.words}")
        self.remove.setToolTip("Remove this direction")
        self.track = LatentTrack()
        self.track.set_range(-MOST, MOST)
        self.track.setAccessibleName(f"Direction {direction.words}")
        self.value = SignedBox(2)
        self.value.setObjectName("inplace")
        self.value.setButtonSymbols(SignedBox.ButtonSymbols.NoButtons)
        self.value.setRange(-MOST_TYPED, MOST_TYPED)
        self.value.setSingleStep(0.1)
        self.value.setFixedWidth(px(56))
        self.value.setKeyboardTracking(False)
        self.value.setAccessibleName(f"Amount of the direction {direction.words}")
        self.value.setToolTip("Exact amount; 1 is the whole difference between the two means")
        words, controls = QHBoxLayout(), QHBoxLayout()
        words.addWidget(self.name, 1)
        words.addWidget(self.remove)
        controls.addWidget(self.track, 1)
        controls.addWidget(self.value)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 2)
        layout.setSpacing(0)
        layout.addLayout(words)
        layout.addLayout(controls)
        self.name.editingFinished.connect(self._renamed)
        self.remove.clicked.connect(self.removed)
        self.track.valueChanged.connect(self._slid)
        self.track.reset.connect(self._reset)
        self.value.valueChanged.connect(self._typed)
        self.show_vector(None, "Its means are being computed.")

    def show_vector(self, vector: NDArray[np.float64] | None, reason: str = "") -> None:
        """Take the difference of means, (latents,); None disables the slider for a reason."""
        self._vector = vector
        for widget in (self.track, self.value):
            widget.setEnabled(vector is not None)
        self.track.show_posterior(0.0, 0.0, active=vector is not None)
        length = 0.0 if vector is None else float(np.linalg.norm(vector))
        self.track.setToolTip(
            as_plain(reason)
            if vector is None
            else f"Added to the code of the sliders, in units of the difference of the two means, which is "
            f"{length:.2f} long. Double-click to reset to 0."
        )

    @property
    def offset(self) -> NDArray[np.float64] | None:
        """What it adds to a code, (latents,); None for nothing."""
        return None if self._vector is None or self.value.value() == 0 else self.value.value() * self._vector

    def put(self, amount: float) -> None:
        """Set the amount without emitting `moved`."""
        with QSignalBlocker(self.track), QSignalBlocker(self.value):
            self.value.setValue(amount)
            self.track.setValue(round(amount * TICKS))

    @Slot()
    def _reset(self) -> None:
        self.put(0)
        self.moved.emit()

    @Slot(int)
    def _slid(self, ticks: int) -> None:
        with QSignalBlocker(self.value):
            self.value.setValue(ticks / TICKS)
        self.moved.emit()

    @Slot(float)
    def _typed(self, amount: float) -> None:
        with QSignalBlocker(self.track):
            self.track.setValue(round(amount * TICKS))
        self.moved.emit()

    @Slot()
    def _renamed(self) -> None:
        name = one_line(self.name.text(), MAX_CHARACTERS)
        if name != self.direction.name:
            self.direction = replace(self.direction, name=name)
            self.named.emit()


class DirectionsPanel(QWidget):
    """The directions, and a form to add one.

    Emits `moved` when an amount changes, `changed` when directions are added, named or removed.
    """

    moved = Signal()
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("helpTopic", "traversal#directions")
        self._choices: dict[str, tuple[str, ...]] = {}
        self.rows: list[DirectionRow] = []
        self._column = QVBoxLayout()
        self._column.setSpacing(0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 6)
        layout.setSpacing(4)
        layout.addWidget(self._build_form())
        layout.addWidget(label("Directions", "group"))
        layout.addLayout(self._column)
        self._show()

    def _build_form(self) -> QWidget:
        self.asking = QWidget()
        self.of, self.start, self.end = Combo(), Combo(), Combo()
        for box, name, tip in (
            (self.of, "Direction of", "The class or factor whose values differ"),
            (self.start, "From", "Where the direction starts"),
            (self.end, "To", "Where it leads"),
        ):
            box.setAccessibleName(name)
            box.setToolTip(tip)
        self.add_button, self.cancel = QPushButton("Add"), QPushButton("Cancel")
        self.add_button.setToolTip("Add the difference of the two groups' mean codes as a slider")
        layout = QGridLayout(self.asking)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(label("Of", "muted"), 0, 0)
        layout.addWidget(self.of, 0, 1, 1, 3)
        layout.addWidget(label("From", "muted"), 1, 0)
        layout.addWidget(self.start, 1, 1)
        layout.addWidget(label("to", "muted"), 1, 2)
        layout.addWidget(self.end, 1, 3)
        buttons = QHBoxLayout()
        for button in (self.add_button, self.cancel):
            button.setObjectName("compact")
            buttons.addWidget(button)
        buttons.addStretch(1)
        layout.addLayout(buttons, 2, 1, 1, 3)
        layout.setColumnStretch(1, 1)
        layout.setColumnStretch(3, 1)
        self.asking.hide()
        self.of.currentIndexChanged.connect(self._list_values)
        self.start.currentIndexChanged.connect(self._check)
        self.end.currentIndexChanged.connect(self._check)
        self.add_button.clicked.connect(self._add)
        self.cancel.clicked.connect(self.close_form)
        return self.asking

    # The form

    def offer(self, choices: dict[str, tuple[str, ...]]) -> None:
        """Offer these groupings with the names of their groups."""
        if choices != self._choices:
            self._choices = choices
            with QSignalBlocker(self.of):
                self.of.clear()
                self.of.addItems(list(choices))
            self._list_values()

    @Slot()
    def _list_values(self) -> None:
        names = self._choices.get(self.of.currentText(), ())
        for box, place in ((self.start, 0), (self.end, len(names) - 1)):
            with QSignalBlocker(box):
                box.clear()
                box.addItems(list(names))
                box.setCurrentIndex(place)
        self._check()

    @Slot()
    def _check(self) -> None:
        self.add_button.setEnabled(self.start.currentIndex() != self.end.currentIndex())

    @Slot()
    def open_form(self) -> None:
        """Show the form, or hide it if it is open."""
        self.asking.setVisible(self.asking.isHidden())
        self._show()
        self.of.setFocus()

    @Slot()
    def close_form(self) -> None:
        """Hide the form."""
        self.asking.hide()
        self._show()

    @Slot()
    def _add(self) -> None:
        self._append(Direction(self.of.currentText(), self.start.currentText(), self.end.currentText()))
        self.close_form()
        self.changed.emit()

    # The directions

    @property
    def directions(self) -> list[Direction]:
        """The directions, in order."""
        return [row.direction for row in self.rows]

    @property
    def touched(self) -> bool:
        """Whether a direction is added to the code."""
        return any(row.offset is not None for row in self.rows)

    def show_directions(self, directions: Sequence[Direction]) -> None:
        """Show these directions, which have no vectors yet."""
        if list(directions) != self.directions:
            for row in list(self.rows):
                self._drop(row)
            for direction in directions:
                self._append(direction)
        self._show()

    def code(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return latents (latents,) with all directions added."""
        moved = z.copy()
        for row in self.rows:
            if row.offset is not None:
                moved += row.offset
        return moved

    def reset(self) -> None:
        """Set all amounts to 0 without emitting `moved`."""
        for row in self.rows:
            row.put(0)

    def _append(self, direction: Direction) -> None:
        row = DirectionRow(direction)
        row.moved.connect(self.moved)
        row.named.connect(self.changed)
        row.removed.connect(self._removed)
        self.rows.append(row)
        self._column.addWidget(row)

    def _drop(self, row: DirectionRow) -> None:
        self.rows.remove(row)
        self._column.removeWidget(row)
        row.hide()
        row.deleteLater()

    @Slot()
    def _removed(self) -> None:
        row = self.sender()
        assert isinstance(row, DirectionRow)
        self._drop(row)
        self._show()
        self.changed.emit()
        self.moved.emit()

    def _show(self) -> None:
        """Take no room while there is nothing to show."""
        self.setVisible(bool(self.rows) or not self.asking.isHidden())
