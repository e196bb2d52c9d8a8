"""Numbers as typed, pasted and shown: the same rules in every locale.

A point is a decimal point, and so is a comma typed by habit: "0,8" is 0.8, "0,001" is 0.001. The application groups
digits with commas from 1,000 on, so a comma is a group separator where a number is written as the application writes
it: one to three digits that do not begin with 0, then one or more groups of a comma and exactly three digits ("1,000",
"12,500.5"). Where numbers that large are not allowed, a single comma is always a decimal point: "1,250" is 1.25 for a
latent between -20 and 20. In a list, commas separate numbers, whose digits are not grouped.

The digits of every script, the Arabic decimal separator and the Unicode minus sign are understood. Neither this module
nor its users ask for the locale.
"""

import math
import re
import unicodedata

_MARKS = {
    "\u2212": "-",  # minus sign
    "\u066b": ".",  # Arabic decimal separator
    "\u066c": ",",  # Arabic thousands separator
    "\u060c": ",",  # Arabic comma
    # Direction marks, which come with numbers copied from right-to-left text.
    "\u061c": "",
    "\u200e": "",
    "\u200f": "",
}
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d*(e[+-]?\d*)?", re.IGNORECASE)
_UNGROUPED = re.compile(r"(?<![\w.,])[1-9]\d{3,}(?![\w,])", re.ASCII)

SMALLEST_GROUPED = 1000


def plain_characters(text: str) -> str:
    """Return text with ASCII digits, signs and separators instead of those of other scripts."""
    return "".join(_MARKS.get(c, str(unicodedata.decimal(c, c))) for c in text.strip())


def plain(text: str, most: float = math.inf) -> str:
    """Return a typed or pasted number in Python's notation; other text is returned unchanged.

    `most` is the largest number allowed, which decides whether a comma can be a group separator.
    """
    number = plain_characters(text)
    if most >= SMALLEST_GROUPED and _GROUPED.fullmatch(number):
        return number.replace(",", "")
    return number.replace(",", ".") if _DECIMAL_COMMA.fullmatch(number) else number


def number(text: str, most: float = math.inf) -> float:
    """Read a number. Raises ValueError."""
    return float(plain(text, most))


def whole_number(text: str) -> int:
    """Read a whole number. Raises ValueError."""
    return int(plain(text))


def exact(value: float) -> str:
    """Return a number as text to edit: the shortest that reads back as the same number, without grouped digits."""
    return repr(value).removesuffix(".0")


def exact_text(value: float) -> str:
    """Return a number as text to read: as short as `exact`, with digits grouped from 1,000 on."""
    return f"{value:,}".removesuffix(".0")


def grouped(text: str) -> str:
    """Return text in which the digits of numbers are grouped, except after a decimal point."""
    return _UNGROUPED.sub(lambda found: f"{int(found[0]):,}", text)


def rounded_text(value: float, digits: int = 3) -> str:
    """Return a number as text, rounded to some significant digits: "1,230" for 1,234 and three digits."""
    return exact_text(float(f"{value:.{digits}g}"))
