"""Export of runs: curves as a figure or a table, complete runs as an archive."""

from collections.abc import Sequence
from pathlib import Path

from engine.errors import RunError
from engine.figures.curves import curves_figure
from engine.figures.drawing import FORMATS, check_format, save
from engine.jobs.events import Finished, Job, Progress
from engine.runs.archive import write_archive
from engine.runs.curves import View
from engine.runs.metrics_file import COLUMNS, complete_lines, header
from engine.runs.run import Run, distinct_names
from engine.system.files import is_link, write_bytes
from engine.system.spreadsheet import csv_text

ENDINGS = (*FORMATS, "csv", "zip")


def export(
    runs: Sequence[Run], path: Path, *, view: View | None = None, smoothing: float = 0.0, spread: str = ""
) -> Job:
    """Write runs to a file; its extension decides: curves (.png, .svg, .pdf, .csv) or complete runs (.zip).

    `view`, `smoothing` and `spread` apply to figures, as in `curves_figure`; tables contain the recorded values. Yields
    Progress and Finished. Raises ConfigError for another extension, RunError if there is nothing to write or the file
    cannot be written.
    """
    kind = check_format(path, ENDINGS)
    if kind == "zip":
        yield from write_archive(runs, path)
        return
    yield Progress(0, 1, "Writing curves" if kind == "csv" else "Drawing curves", "file")
    tables = _tables(runs)
    if not any(len(lines) > 1 for lines in tables):
        names = " and ".join(distinct_names(runs))
        raise RunError(f"There are no curves of {names} yet: the first point appears after some steps of training.")
    if kind == "csv":
        rows = [[line.split(",") for line in lines] for lines in tables]
        _write(path, csv_text(rows[0] if len(runs) == 1 else _long_table(runs, rows), "\n"))
    else:
        save(curves_figure(*runs, view=view, smoothing=smoothing, spread=spread), path)
    yield Finished(message=f"Saved to {path}")


def _tables(runs: Sequence[Run]) -> list[list[str]]:
    for run in runs:
        if is_link(run.metrics_file):
            raise RunError(f"{run.metrics_file} is a link; only the run's own curves are exported.")
    try:
        return [complete_lines(run.metrics_file) for run in runs]
    except OSError as error:
        raise RunError(f"{error.filename} cannot be read: {error.strerror or error}.") from None


def _long_table(runs: Sequence[Run], tables: Sequence[list[list[str]]]) -> list[list[str]]:
    """Rows of all runs, with the run's name in the first column; cells of curves that a run lacks are empty."""
    named = [rows[0] for rows in tables if rows]
    own = dict.fromkeys(name for names in named for name in names if name not in COLUMNS and not name.startswith("kl_"))
    latents = max(sum(name.startswith("kl_") for name in names) for names in named)
    columns = header(latents, tuple(own)).split(",")
    found = [["run", *columns]]
    for name, rows in zip(distinct_names(runs), tables, strict=True):
        for values in rows[1:]:
            known = dict(zip(rows[0], values, strict=False))
            found.append([name, *(known.get(column, "") for column in columns)])
    return found


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, text.encode())
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}.") from None
