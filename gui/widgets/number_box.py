"""Boxes to type a number in, by the rule of `engine.system.numbers` in every language of the desktop.

The only ones in the application: Qt's own boxes read and write numbers as the desktop's language does. As everywhere
where a number can be edited, it is shown without groups; groups that are typed or pasted are understood.
"""

import re
from collections.abc import Callable

from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QDoubleSpinBox, QSpinBox

from engine.system.numbers import SMALLEST_GROUPED, number, plain_characters, whole_number

State = QValidator.State
NO_DIGIT_YET = re.compile(r"[+-]?[.,]?")
GROUPS_BEGUN = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})*(,\d{0,3})?")


class NumberBox(QDoubleSpinBox):
    """A number with a decimal point, shown with `least` decimals, or more where it has them, up to `decimals`.

    Still more may be typed or pasted; the value is rounded.
    """

    def __init__(self, decimals: int, least: int | None = None) -> None:
        super().__init__()
        self._least = decimals if least is None else least
        self.setDecimals(decimals)

    def textFromValue(self, value: float) -> str:
        """Return the number as it is shown."""
        exact_with = (n for n in range(self._least, self.decimals()) if value == round(value, n))
        return f"{value:.{next(exact_with, self.decimals())}f}"

    def valueFromText(self, text: str) -> float:
        """Return the number that a text stands for; the value as it was where it stands for none."""
        if _is_special(self, text):
            return self.minimum()
        try:
            return round(number(_bare(self, text), self.maximum()), self.decimals())
        except ValueError:
            return self.value()

    def validate(self, text: str, position: int) -> tuple[State, str, int]:
        """Say whether a text is a number within the range, or the beginning of one."""
        if _is_special(self, text):
            return State.Acceptable, text, position
        return _state(self, _bare(self, text), lambda bare: number(bare, self.maximum())), text, position

    def fixup(self, text: str) -> str:
        """Return what an unfinished number becomes: the value as it was."""
        return self.prefix() + self.textFromValue(self.value()) + self.suffix()


class WholeNumberBox(QSpinBox):
    """A whole number; a comma in it groups digits."""

    def textFromValue(self, value: int) -> str:
        """Return the number as it is shown."""
        return str(value)

    def valueFromText(self, text: str) -> int:
        """Return the number that a text stands for; the value as it was where it stands for none."""
        if _is_special(self, text):
            return self.minimum()
        try:
            return whole_number(_bare(self, text))
        except ValueError:
            return self.value()

    def validate(self, text: str, position: int) -> tuple[State, str, int]:
        """Say whether a text is a whole number within the range, or the beginning of one."""
        if _is_special(self, text):
            return State.Acceptable, text, position
        return _state(self, _bare(self, text), whole_number), text, position

    def fixup(self, text: str) -> str:
        """Return what an unfinished number becomes: the value as it was."""
        return self.prefix() + self.textFromValue(self.value()) + self.suffix()


def _state(box: QSpinBox | QDoubleSpinBox, bare: str, read: Callable[[str], float]) -> State:
    """Whether a text is a number within the range, or may become one when more is typed."""
    characters = plain_characters(bare)
    try:
        value = read(characters)
    except ValueError:
        return State.Intermediate if _is_begun(characters, box.maximum()) else State.Invalid
    if box.minimum() <= value <= box.maximum():
        return State.Acceptable
    # More digits take a number farther from 0: they may still bring it to a range that does not reach there.
    towards_range = 0 <= value < box.minimum() or box.maximum() < value <= 0
    return State.Intermediate if towards_range else State.Invalid


def _is_begun(characters: str, most: float) -> bool:
    """Whether a text is no number yet: its first digit or the last digits of a group are missing."""
    if NO_DIGIT_YET.fullmatch(characters):
        return True
    grouped = most >= SMALLEST_GROUPED and GROUPS_BEGUN.fullmatch(characters)
    return bool(grouped) and "," in characters and len(characters.rpartition(",")[2]) < 3


def _is_special(box: QSpinBox | QDoubleSpinBox, text: str) -> bool:
    """Whether a text is the word that a box shows for its smallest value."""
    return bool(box.specialValueText()) and text == box.specialValueText()


def _bare(box: QSpinBox | QDoubleSpinBox, text: str) -> str:
    """A text without the box's prefix and suffix."""
    return text.removeprefix(box.prefix()).removesuffix(box.suffix()).strip()
