"""The table of a study: mean ± standard deviation over seeds, beside the report's values."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.errors import RunError
from engine.evaluation.catalogue import COMPARED
from engine.evaluation.grouping import METHOD
from engine.evaluation.rows import NOT_YET, Row, dataset_title, read_row
from engine.evaluation.table import REPORT, Table, table_of
from engine.runs.run import Run
from engine.studies.cell_states import CellState, cell_states
from engine.studies.study import Study


def study_table(study: Study, runs_folder: Path, states: Sequence[CellState] | None = None) -> Table:
    """Return the table as far as it is known, sorted by supervision; a missing value has its reason as note.

    `states` are those of `cell_states`, if already known, possibly with messages that are not in the run folders.
    """
    rows = study_rows(study, cell_states(study, runs_folder) if states is None else states)
    titles = [method.title for method in study.methods]
    by_method = sorted(rows, key=lambda row: (row.supervision.rank, titles.index(row.method)))
    table = table_of(by_method, (METHOD,), report=True)
    compared = {name for name in COMPARED if any(row.value(name) is not None for row in rows)}
    metrics = {*study.metrics, *compared, *(f"{REPORT}{metric}" for metric in study.metrics)}
    return table.only({heading.key for heading in table.headings if heading.column is None} | metrics)


def study_rows(study: Study, states: Sequence[CellState]) -> list[Row]:
    """Return a row for each cell, in the order of the cells; if not evaluated, it has a note instead of metrics."""
    return [_row(study, state) for state in states]


def missing_cells(states: Sequence[CellState]) -> list[str]:
    """Return why cells are not in the table, a sentence for each."""
    return [f"{state.cell.title}: {state_text(state)}." for state in states if state.state != "evaluated"]


def state_text(state: CellState) -> str:
    """Return the state of a cell as text, without a full stop."""
    words = {
        "waiting": "not trained yet",
        "training": f"in training, at step {state.step:,} of {state.total:,}",
        "paused": f"trained up to step {state.step:,} of {state.total:,}",
        "trained": "trained, not evaluated",
        "evaluated": "evaluated",
        "failed": f"failed at step {state.step:,}",
    }[state.state]
    reason = state.message.rstrip(".")
    explained = state.state in ("failed", "trained") or (state.state == "waiting" and state.run is None)
    return f"{words}: {reason}" if reason not in ("", NOT_YET) and explained else words


def _row(study: Study, state: CellState) -> Row:
    cell = state.cell
    title = dataset_title(cell.config)
    if state.state == "evaluated" and state.run is not None:
        try:
            row = read_row(Run.open(state.run))
        except RunError:
            row = None
        if row is not None:
            metrics = {name: row.metrics[name] for name in (*study.metrics, *COMPARED) if name in row.metrics}
            # The study's settings, since an earlier run may differ in some that do not matter.
            return replace(row, method=cell.method.title, dataset=title, config=cell.config, metrics=metrics)
    return Row(cell.title, cell.method.title, title, cell.seed, 0, {}, cell.config, state.run, note=state_text(state))
