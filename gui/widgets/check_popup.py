"""A button that opens a panel of grouped check boxes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPoint, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLayout,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from gui.widgets.layouts import label

HIGHEST = 560
"""Maximum height of the panel in pixels; taller content scrolls."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A check box: its key, text and tooltip."""

    key: str
    title: str
    tip: str = ""


@dataclass(frozen=True, slots=True)
class ChoiceGroup:
    """Check boxes under a heading that checks all of them, with a note beside it."""

    title: str
    choices: tuple[Choice, ...]
    note: str = ""


class CheckPopup(QPushButton):
    """A button with a panel below it. Emits `changed` after the user checks or clears a box."""

    changed = Signal()

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self._groups: Sequence[ChoiceGroup] = ()
        self._boxes: dict[str, QCheckBox] = {}
        self._heads: list[tuple[QCheckBox, list[QCheckBox]]] = []
        self._presets: dict[str, QPushButton] = {}
        self.panel = QFrame(self, Qt.WindowType.Popup)
        self.panel.setObjectName("card")
        layout = QVBoxLayout(self.panel)
        layout.setContentsMargins(12, 10, 6, 10)
        self._inside = QWidget()
        self._list = QVBoxLayout(self._inside)
        self._list.setContentsMargins(0, 0, 10, 0)
        self._list.setSpacing(5)
        self._list.setSizeConstraint(QLayout.SizeConstraint.SetMinAndMaxSize)
        self._area = QScrollArea()
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setWidget(self._inside)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout.addWidget(self._area)
        self._foot = QHBoxLayout()
        self._foot.setSpacing(6)
        layout.addLayout(self._foot)
        self.clicked.connect(self.open)

    def show_groups(self, groups: Sequence[ChoiceGroup]) -> None:
        """Show these groups; checked keys stay checked."""
        if groups == self._groups:
            return
        checked = self.chosen
        self._groups = groups
        self._boxes, self._heads = {}, []
        while self._list.count():
            item = self._list.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for group in groups:
            self._add_group(group)
        self.choose(checked)

    def add_preset(self, title: str, tip: str, keys: Collection[str]) -> None:
        """Add a button at the bottom of the panel that checks exactly these keys."""
        button = QPushButton(title)
        button.setToolTip(tip)
        button.clicked.connect(self._preset)
        self._presets[title] = button
        self.change_preset(title, keys)
        self._foot.addWidget(button)

    def change_preset(self, title: str, keys: Collection[str]) -> None:
        """Make such a button check other keys."""
        self._presets[title].setProperty("keys", sorted(keys))

    @property
    def chosen(self) -> set[str]:
        """The checked keys."""
        return {key for key, box in self._boxes.items() if box.isChecked()}

    def choose(self, keys: Collection[str]) -> None:
        """Check exactly these keys, without emitting `changed`."""
        for key, box in self._boxes.items():
            with QSignalBlocker(box):
                box.setChecked(key in keys)
        self._show_heads()

    def box(self, key: str) -> QCheckBox:
        """Return the check box of a key."""
        return self._boxes[key]

    @Slot()
    def open(self) -> None:
        """Show the panel below the button, or above it if there is no room."""
        hint = self._inside.sizeHint()
        self._area.setMinimumSize(hint.width() + 14, min(hint.height() + 2, HIGHEST))
        self.panel.adjustSize()
        screen = self.screen().availableGeometry()
        size = self.panel.sizeHint()
        place = self.mapToGlobal(QPoint(0, self.height() + 3))
        if place.y() + size.height() > screen.bottom():
            place.setY(max(screen.top(), self.mapToGlobal(QPoint(0, 0)).y() - size.height() - 3))
        place.setX(max(screen.left(), min(place.x(), screen.right() - size.width())))
        self.panel.move(place)
        self.panel.show()
        first = next(iter(self._boxes.values()), None)
        if first is not None:
            first.setFocus()

    def _add_group(self, group: ChoiceGroup) -> None:
        boxes = []
        head = QCheckBox(group.title)
        head.setStyleSheet("QCheckBox { font-weight: 600; }")
        head.clicked.connect(self._head_clicked)
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 6 if self._heads else 0, 0, 0)
        line.addWidget(head)
        line.addStretch(1)
        if group.note:
            line.addSpacing(16)
            line.addWidget(label(group.note, "muted"))
        self._list.addWidget(row)
        for choice in group.choices:
            box = QCheckBox(choice.title)
            box.setToolTip(choice.tip)
            box.setContentsMargins(18, 0, 0, 0)
            box.setStyleSheet("QCheckBox { margin-left: 18px; }")
            box.toggled.connect(self._toggled)
            self._boxes[choice.key] = box
            boxes.append(box)
            self._list.addWidget(box)
        self._heads.append((head, boxes))

    @Slot()
    def _head_clicked(self) -> None:
        boxes = next(boxes for head, boxes in self._heads if head is self.sender())
        every = not all(box.isChecked() for box in boxes)
        for box in boxes:
            with QSignalBlocker(box):
                box.setChecked(every)
        self._toggled()

    @Slot()
    def _preset(self) -> None:
        button = self.sender()
        assert isinstance(button, QPushButton)
        self.choose(button.property("keys"))
        self.changed.emit()

    @Slot()
    def _toggled(self) -> None:
        self._show_heads()
        self.changed.emit()

    def _show_heads(self) -> None:
        """Update the headings: checked if all boxes below are, partially checked if some are."""
        for head, boxes in self._heads:
            number = sum(box.isChecked() for box in boxes)
            state = Qt.CheckState.Checked if number == len(boxes) else Qt.CheckState.PartiallyChecked
            head.setCheckState(state if number else Qt.CheckState.Unchecked)
