"""Numbers as they are typed, pasted and shown: one rule, whatever the language of the desktop.

A point is a decimal point, and a comma typed by habit means the same: "0,8" is 0.8, "0,001" is 0.001. Digits are
grouped with commas, from 1,000 on; so a comma groups where a number is written as the application writes it: one to
three digits that do not begin with 0, then a comma and exactly three digits, once or several times ("1,000",
"12,500.5"). Where no number as large is allowed, nothing is grouped, and a single comma is a decimal point: "1,250" is
1.25 for a latent between -20 and 20. In a list, commas are between its numbers, which are not grouped.

The digits of every script, the Arabic decimal mark, and a true minus sign are understood. Nothing here, and nothing
that uses it, asks the locale.
"""

import math
import re
import unicodedata

_MARKS = {
    "\u2212": "-",  # minus sign
    "\u066b": ".",  # Arabic decimal separator
    "\u066c": ",",  # Arabic thousands separator
    "\u060c": ",",  # Arabic comma
    # Marks of direction, which come along with numbers copied from right-to-left text.
    "\u061c": "",
    "\u200e": "",
    "\u200f": "",
}
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d*(e[+-]?\d*)?", re.IGNORECASE)
_UNGROUPED = re.compile(r"(?<![\w.,])[1-9]\d{3,}(?![\w,])", re.ASCII)

SMALLEST_GROUPED = 1000


def plain_characters(text: str) -> str:
    """Return a text with ASCII digits, signs and decimal marks in the place of those of other scripts."""
    return "".join(_MARKS.get(c, str(unicodedata.decimal(c, c))) for c in text.strip())


def plain(text: str, most: float = math.inf) -> str:
    """Return a number that was typed or pasted as Python reads it; what is no number comes back as it is.

    `most` is the largest number allowed, which decides whether a comma may group digits.
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
    """Return a number to edit: the shortest text that gives the same number again, without groups."""
    return repr(value).removesuffix(".0")


def exact_words(value: float) -> str:
    """Return a number to read: as short as `exact`, with its digits grouped from 1,000 on."""
    return f"{value:,}".removesuffix(".0")


def grouped(text: str) -> str:
    """Return words with the digits of their numbers grouped, those after a decimal point left out."""
    return _UNGROUPED.sub(lambda found: f"{int(found[0]):,}", text)


def rounded_words(value: float, digits: int = 3) -> str:
    """Return a number to read in that many significant digits, e.g. "1,230" for 1,234 in three."""
    return exact_words(float(f"{value:.{digits}g}"))
