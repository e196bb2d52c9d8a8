"""Saves and copies what the Metrics page shows."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QWidget

from engine.errors import RunError
from engine.evaluation.table import Table
from engine.evaluation.table_formats import ENDINGS
from engine.jobs.events import Finished, Job, Progress
from engine.system.files import write_bytes
from engine.system.plain_text import slug
from gui.runs.export import JobDialog
from gui.widgets.save_dialog import CSV, MARKDOWN, PICTURES, Format, ask_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TABLES = (CSV, MARKDOWN, Format("tex", "LaTeX table (booktabs)"), Format("json", "JSON"))


def write_table(table: Table, path: Path) -> None:
    """Write a table in the format given by the file extension. Raises RunError."""
    try:
        write_bytes(path, ENDINGS[path.suffix.lower().lstrip(".")](table).encode())
    except OSError as error:
        raise RunError(f"Could not write {path}: {error.strerror or error}.") from None


def save_table(parent: QWidget, settings: QSettings, table: Table) -> str:
    """Ask where to save a table and save it. Returns a message, empty if the user cancels."""
    path = ask_file(parent, settings, "Save table", "metrics", TABLES)
    if path is None:
        return ""
    write_table(table, path)
    return f"Saved as {path}"


def save_picture(parent: QWidget, settings: QSettings, words: str, draw: "Callable[[], Figure]") -> str:
    """Ask where to save a figure, draw it in the background and save it. Returns and raises as `save_table`."""
    path = ask_file(parent, settings, "Save figure", slug(words), PICTURES)
    if path is None:
        return ""

    def job() -> Job:
        yield Progress(0, 1, "Drawing", "figure")
        from engine.figures.drawing import save

        save(draw(), path)
        yield Finished(message=f"Saved as {path}")

    return JobDialog(parent, "Save figure", job).carry_out()


def reasons(table: Table, metrics: Sequence[str]) -> list[str]:
    """Return why columns have no value in any row: a sentence for each reason, with the metrics it applies to."""
    found: dict[str, list[str]] = {}
    for heading in table.headings:
        column, place = heading.column, table.index(heading.key)
        if column is None or heading.published or place is None or column.metric not in metrics:
            continue
        cells = [line.cells[place] for line in table.lines]
        if cells and all(cell.value is None for cell in cells):
            for reason in dict.fromkeys(cell.note for cell in cells):
                found.setdefault(reason, []).append(column.title)
    return [f"{', '.join(titles)}: {reason}." for reason, titles in found.items()]
