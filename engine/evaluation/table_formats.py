"""The table as Markdown, CSV, LaTeX, JSON or tab-separated text, with rows, columns, order and rounding as shown."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from engine.evaluation.over_runs import decimals_of
from engine.evaluation.table import DASH, Cell, Heading, Table
from engine.system.plain_text import one_line
from engine.system.spreadsheet import csv_text, tabbed_text

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
    "²": "$^2$",
    "±": r"$\pm$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\rightarrow$",
    "–": "--",
    "−": "$-$",
    "“": "``",
    "”": "''",
    "·": r"$\cdot$",
    "…": r"\ldots{}",
    **{character: "\\" + character for character in "&%$#_{}"},
}


MARKS = re.compile(r"[\\`*<>\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
"""Characters that are markup in Markdown; an underscore between letters is not."""


def markdown(table: Table) -> str:
    """Return the table as Markdown, with the best values in bold and its notes below."""
    lines = [_pipes([heading.title for heading in table.headings])]
    lines.append("|" + "".join("---:|" if heading.numeric else "---|" for heading in table.headings))
    lines += [_pipes([cell.text for cell in line.cells], [cell.best for cell in line.cells]) for line in table.lines]
    notes = [f"\n{_unmarked(note)}" for note in table.notes()]
    return "\n".join([*lines, *notes]) + "\n"


def comma_separated(table: Table) -> str:
    """Return the table as CSV."""
    return csv_text(_texts(table))


def tabbed(table: Table) -> str:
    """Return the table as tab-separated text, for pasting into spreadsheets."""
    return tabbed_text(_texts(table))


def latex(table: Table) -> str:
    """Return the table as a LaTeX tabular (package booktabs), the best values in bold, its notes as comments.

    Where rows are grouped by supervision, a rule separates the groups.
    """
    lines = [
        *(f"% {one_line(note)}" for note in table.notes()),
        rf"\begin{{tabular}}{{{''.join('r' if heading.numeric else 'l' for heading in table.headings)}}}",
        r"\toprule",
        _row([_latex_heading(heading) for heading in table.headings]),
        r"\midrule",
        *_latex_lines(table),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def json_text(table: Table) -> str:
    """Return the table as JSON: columns, the cells of each row in order, and notes.

    Numbers are rounded as shown; `text` is the text shown.
    """
    columns = [{"key": heading.key, "title": heading.title} | _about(heading) for heading in table.headings]
    rows = [
        [_json_cell(heading, cell) for heading, cell in zip(table.headings, line.cells, strict=True)]
        for line in table.lines
    ]
    content = {"columns": columns, "rows": rows, "notes": table.notes()}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Table], str]] = {
    "markdown": markdown,
    "csv": comma_separated,
    "latex": latex,
    "json": json_text,
}
"""Formats of the command line."""
ENDINGS = {"md": markdown, "csv": comma_separated, "tex": latex, "json": json_text}
"""Formats by file name extension."""


def _texts(table: Table) -> list[list[str]]:
    """Cells for other programs, where a missing number is empty."""
    rows = [
        ["" if heading.numeric and cell.text == DASH else cell.text
         for heading, cell in zip(table.headings, line.cells, strict=True)]
        for line in table.lines
    ]  # fmt: skip
    return [[heading.title for heading in table.headings], *rows]


def _pipes(cells: list[str], bold: Sequence[bool] = ()) -> str:
    words = [_unmarked(cell) for cell in cells]
    words = [f"**{word}**" if best else word for word, best in zip(words, bold, strict=True)] if bold else words
    return "| " + " | ".join(words) + " |"


def _unmarked(text: str) -> str:
    """Text in one line, escaped for Markdown."""
    return MARKS.sub(r"\\\g<0>", one_line(text))


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _latex_lines(table: Table) -> list[str]:
    ends = table.group_ends
    lines: list[str] = []
    for number, line in enumerate(table.lines):
        lines.append(_row([_latex_cell(cell) for cell in line.cells]))
        lines += [r"\midrule"] if number in ends else []
    return lines


def _latex_heading(heading: Heading) -> str:
    text = escaped(heading.title)
    return rf"\textit{{{text}}}" if heading.published else text


def _latex_cell(cell: Cell) -> str:
    text = escaped(cell.text)
    if text.startswith(("[", "*")):  # after a line end, LaTeX would treat it as an option of that command
        text = "{}" + text
    return rf"\textbf{{{text}}}" if cell.best else text


def escaped(text: str) -> str:
    """Return text escaped for LaTeX."""
    return "".join(LATEX.get(character, character) for character in one_line(text))


def _about(heading: Heading) -> dict[str, Any]:
    if heading.column is None:
        return {}
    return {"unit": heading.column.unit, "better": heading.column.better, "report": heading.published}


def _json_cell(heading: Heading, cell: Cell) -> dict[str, Any]:
    found: dict[str, Any] = {"text": cell.text}
    numbers = {"value": cell.value, "deviation": cell.deviation}
    numbers |= cell.over_runs.numbers() if cell.over_runs is not None else {}
    column = None if heading.published else heading.column
    for name, number in numbers.items():
        if number is not None:
            places = None if column is None else decimals_of(column, several=cell.deviation is not None)
            found[name] = number if places is None else round(number, places)
    return found | ({"best": True} if cell.best else {}) | ({"about": cell.note} if cell.note else {})
