"""CSV, and text with tabs, that a spreadsheet reads as what it says: words stay words.

A spreadsheet takes a cell that begins with = + - or @ for a formula, which can read other files or start a program
(OWASP: CSV injection). Such words get an apostrophe before them, by which spreadsheets know text; numbers stay as they
are.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence

from engine.system.plain_text import one_line

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?(inf|nan)", re.IGNORECASE)
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
"""What begins a formula, also after spaces, and in the wide forms that Excel takes for the plain ones."""


def csv_text(rows: Iterable[Sequence[str]], line_end: str = "\r\n") -> str:
    """Return rows of cells as CSV, with the line ends of RFC 4180 unless others are asked for."""
    text = io.StringIO()
    csv.writer(text, lineterminator=line_end).writerows([safe_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def tabbed_text(rows: Iterable[Sequence[str]]) -> str:
    """Return rows of cells as lines with tabs between them, as spreadsheets take them from the clipboard."""
    return "\n".join("\t".join(safe_cell(cell) for cell in row) for row in rows) + "\n"


def safe_cell(text: str) -> str:
    """Return a cell's text in one line; where a spreadsheet would take it for a formula, with an apostrophe before."""
    if text[:1].isdecimal() and text.isprintable() and " " not in text:  # nearly all cells of curves: fast
        return text
    line = one_line(text)
    numbers = all(_NUMBER.fullmatch(part) for part in line.split(" ± "))
    return line if numbers or not _FORMULA.match(line) else f"'{line}"
