"""The status of a study as the page shows it: its table by methods or by runs, and the state of unfinished cells."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.evaluation.table import Cell, Heading, Line, Table, table_of
from engine.studies import CellState, DataOnDisk, Study, cell_states, state_text, study_rows, study_table

STATE = Heading("state", "State", numeric=False)
AFTER = {"n", "name"}
"""Keys of the columns that precede the state."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of each cell of a study, and its tables by methods and by runs."""

    study: Study
    states: tuple[CellState, ...]
    methods: Table
    runs: Table

    @property
    def done(self) -> int:
        """Number of runs that have been trained and evaluated."""
        return sum(state.state == "evaluated" for state in self.states)

    @property
    def started(self) -> int:
        """Number of runs that have been started but are not done."""
        return sum(state.state != "evaluated" and (state.step > 0 or state.state == "trained") for state in self.states)


def read_standing(
    study: Study, runs: Path, failures: Sequence[CellState], working: Sequence[str], data: DataOnDisk | None = None
) -> Standing:
    """Read the status of a study from the runs folder.

    `failures` are cells that failed in this session, `working` the titles of cells being worked on, `data` what an
    earlier call found out about the data on disk.
    """
    found = sorted(cell_states(study, runs, data), key=lambda state: state.cell.supervision.rank)
    states = tuple(_with_failure(state, failures, working) for state in found)
    rows = study_rows(study, states)
    each = table_of([replace(row, name=state.cell.title) for row, state in zip(rows, states, strict=True)])
    methods = study_table(study, runs, states)
    if len({row.data for row in rows}) == 1:
        methods = methods.only({heading.key for heading in methods.headings} - {"dataset"})
    kept = {"name", *(heading.key for heading in methods.headings if heading.column is not None)}
    words = [_word(state, working) for state in states]
    by_method: dict[str, list[int]] = {}
    for number, state in enumerate(states):
        by_method.setdefault(state.cell.method.title, []).append(number)
    of_methods = [by_method[line.rows[0].method] for line in methods.lines]
    return Standing(
        study,
        states,
        _with_states(methods, [_state_cell([states[n] for n in ns], [words[n] for n in ns]) for ns in of_methods]),
        _with_states(each.only(kept), [_state_cell([s], [w]) for s, w in zip(states, words, strict=True)]),
    )


def _with_failure(state: CellState, failures: Sequence[CellState], working: Sequence[str]) -> CellState:
    """Return a cell's state, with the reason for a failure that its run folder does not record."""
    if state.state == "evaluated" or state.cell.title in working:
        return state
    return next((failed for failed in failures if failed.cell == state.cell), state)


def _word(state: CellState, working: Sequence[str]) -> str:
    """Return a cell's state in a few words."""
    percent = f"{int(100 * state.step / max(1, state.total))} %"
    here = state.cell.title in working
    if state.state == "trained":
        return "evaluating" if here else "not evaluated"
    if state.state in ("training", "paused", "waiting") and (state.busy or here):
        return f"training {percent}"
    return {"evaluated": "done", "failed": "failed"}.get(
        state.state, f"stopped at {percent}" if state.step else "not started"
    )


def _state_cell(states: Sequence[CellState], words: Sequence[str]) -> Cell:
    counted = Counter(words)
    text = words[0] if len(words) == 1 else ", ".join(f"{number} {word}" for word, number in counted.items())
    return Cell(
        "done" if set(words) == {"done"} else text, note="\n".join(f"{s.cell.title}: {state_text(s)}" for s in states)
    )


def _with_states(table: Table, cells: Sequence[Cell]) -> Table:
    """Return a table with a column for the states, unless everything is done."""
    if all(cell.text == "done" for cell in cells):
        return table
    place = 1 + max(n for n, heading in enumerate(table.headings) if heading.key in AFTER)
    lines = [
        Line(line.rows, (*line.cells[:place], cell, *line.cells[place:]))
        for line, cell in zip(table.lines, cells, strict=True)
    ]
    return Table((*table.headings[:place], STATE, *table.headings[place:]), tuple(lines))
