"""Spin boxes that follow the rules of `engine.system.numbers` in every desktop language.

Used throughout the application, since Qt's own spin boxes follow the desktop's locale. As in every editable field,
numbers are shown without thousands separators; separators that are typed or pasted are understood.
"""

import re
from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QValidator, QWheelEvent
from PySide6.QtWidgets import QDoubleSpinBox, QSpinBox

from engine.system.numbers import SMALLEST_GROUPED, number, plain_characters, whole_number

State = QValidator.State
NO_DIGIT_YET = re.compile(r"[+-]?[.,]?")
GROUPS_BEGUN = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})*(,\d{0,3})?")


class NumberBox(QDoubleSpinBox):
    """A number with a decimal point, shown with at least `least` decimals and at most `decimals`.

    More decimals may be typed or pasted; the value is rounded.
    """

    def __init__(self, decimals: int, least: int | None = None) -> None:
        super().__init__()
        self._least = decimals if least is None else least
        self.setDecimals(decimals)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the scroll area unless this has the focus, which the wheel does not give."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def textFromValue(self, value: float) -> str:
        """Return the number as displayed."""
        exact_with = (n for n in range(self._least, self.decimals()) if value == round(value, n))
        return f"{value:.{next(exact_with, self.decimals())}f}"

    def valueFromText(self, text: str) -> float:
        """Return the number that a text represents; the current value if it represents none."""
        if _is_special(self, text):
            return self.minimum()
        try:
            return round(number(_bare(self, text), self.maximum()), self.decimals())
        except ValueError:
            return self.value()

    def validate(self, text: str, position: int) -> tuple[State, str, int]:
        """Return whether a text is a number within the range, or the beginning of one."""
        if _is_special(self, text):
            return State.Acceptable, text, position
        return _state(self, _bare(self, text), lambda bare: number(bare, self.maximum())), text, position

    def fixup(self, text: str) -> str:
        """Replace an unfinished number with the current value."""
        return self.prefix() + self.textFromValue(self.value()) + self.suffix()


class WholeNumberBox(QSpinBox):
    """An integer; a comma is a thousands separator."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the scroll area unless this has the focus, which the wheel does not give."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def textFromValue(self, value: int) -> str:
        """Return the number as displayed."""
        return str(value)

    def valueFromText(self, text: str) -> int:
        """Return the number that a text represents; the current value if it represents none."""
        if _is_special(self, text):
            return self.minimum()
        try:
            return whole_number(_bare(self, text))
        except ValueError:
            return self.value()

    def validate(self, text: str, position: int) -> tuple[State, str, int]:
        """Return whether a text is an integer within the range, or the beginning of one."""
        if _is_special(self, text):
            return State.Acceptable, text, position
        return _state(self, _bare(self, text), whole_number), text, position

    def fixup(self, text: str) -> str:
        """Replace an unfinished number with the current value."""
        return self.prefix() + self.textFromValue(self.value()) + self.suffix()


def _state(box: QSpinBox | QDoubleSpinBox, bare: str, read: Callable[[str], float]) -> State:
    """Return whether a text is a number within the range, or may become one as more is typed."""
    characters = plain_characters(bare)
    try:
        value = read(characters)
    except ValueError:
        return State.Intermediate if _is_begun(characters, box.maximum()) else State.Invalid
    if box.minimum() <= value <= box.maximum():
        return State.Acceptable
    # More digits move a number away from 0, and so possibly into a range that lies beyond it.
    towards_range = 0 <= value < box.minimum() or box.maximum() < value <= 0
    return State.Intermediate if towards_range else State.Invalid


def _is_begun(characters: str, most: float) -> bool:
    """Return whether a text is an unfinished number: its first digit or the last digits of a group are missing."""
    if NO_DIGIT_YET.fullmatch(characters):
        return True
    grouped = most >= SMALLEST_GROUPED and GROUPS_BEGUN.fullmatch(characters)
    return bool(grouped) and "," in characters and len(characters.rpartition(",")[2]) < 3


def _is_special(box: QSpinBox | QDoubleSpinBox, text: str) -> bool:
    """Return whether a text is the special text that a box shows for its minimum."""
    return bool(box.specialValueText()) and text == box.specialValueText()


def _bare(box: QSpinBox | QDoubleSpinBox, text: str) -> str:
    """Return a text without the box's prefix and suffix."""
    return text.removeprefix(box.prefix()).removesuffix(box.suffix()).strip()
