"""CSV and tab-separated text in which a spreadsheet sees no formulas.

A spreadsheet treats a cell that begins with = + - or @ as a formula, which can read other files or start a program
(OWASP: CSV injection). Such text is prefixed with an apostrophe, which marks text in spreadsheets; numbers are
unchanged.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence

from engine.system.plain_text import one_line

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?(inf|nan)", re.IGNORECASE)
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
"""Start of a formula, also after spaces, and in the full-width forms that Excel treats alike."""


def csv_text(rows: Iterable[Sequence[str]], line_end: str = "\r\n") -> str:
    """Return rows of cells as CSV, by default with the line ends of RFC 4180."""
    text = io.StringIO()
    csv.writer(text, lineterminator=line_end).writerows([safe_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def tabbed_text(rows: Iterable[Sequence[str]]) -> str:
    """Return rows of cells as tab-separated lines, as spreadsheets paste them from the clipboard."""
    return "\n".join("\t".join(safe_cell(cell) for cell in row) for row in rows) + "\n"


def safe_cell(text: str) -> str:
    """Return a cell's text in one line, prefixed with an apostrophe if a spreadsheet would treat it as a formula."""
    if text[:1].isdecimal() and text.isprintable() and " " not in text:  # fast path: nearly all cells of curves
        return text
    line = one_line(text)
    numbers = all(_NUMBER.fullmatch(part) for part in line.split(" ± "))
    return line if numbers or not _FORMULA.match(line) else f"'{line}"
