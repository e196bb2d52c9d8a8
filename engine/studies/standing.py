"""Where a study stands, read from the run folders alone: which run is which cell, and how far it is.

Cheap enough to be asked each second: a run's settings are parsed again only when its config.json has changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from engine.config import RunConfig
from engine.data import ENTRIES
from engine.differences import what_matters
from engine.errors import RunError
from engine.evaluation.rows import read_row
from engine.runs import Run, list_runs
from engine.studies.study import Cell, Study

State: TypeAlias = Literal["waiting", "training", "paused", "trained", "evaluated", "failed"]

RANK: dict[State, int] = {"evaluated": 5, "trained": 4, "training": 3, "paused": 2, "waiting": 1, "failed": 0}
"""Of several runs with a cell's settings, the one that is furthest is the cell's."""


@dataclass(frozen=True, slots=True)
class CellState:
    """A cell and the run that is it, if there is one: `step` of `total`; `message` says why it is not further.

    `busy` when somebody holds the run, in this process or another.
    """

    cell: Cell
    run: Path | None
    state: State
    step: int = 0
    total: int = 0
    message: str = ""
    busy: bool = False


def standing(study: Study, runs_folder: Path) -> tuple[CellState, ...]:
    """Where each cell of a study stands, in the order of `study.cells`."""
    found: dict[tuple[Any, ...], list[Path]] = {}
    for path in list_runs(runs_folder):
        key = _key_of(path)
        if key is not None:
            found.setdefault(key, []).append(path)
    return tuple(_best(study, cell, found.get(what_matters(cell.config), [])) for cell in study.cells)


def expected_steps(config: RunConfig) -> int:
    """Length of a run in steps; 0 when the data set's size is known only once it is loaded."""
    images = ENTRIES[config.dataset].training_images
    return config.steps or (config.total_steps(images) if images is not None else 0)


def _key_of(path: Path) -> tuple[Any, ...] | None:
    try:
        status = (path / "config.json").stat()
    except OSError:
        return None
    return _read_key(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4096)
def _read_key(path: Path, changed: int, size: int) -> tuple[Any, ...] | None:
    try:
        return what_matters(Run.open(path).config)
    except RunError:
        return None


def _best(study: Study, cell: Cell, paths: Sequence[Path]) -> CellState:
    states = [state for path in paths if (state := _state_of(study, cell, path)) is not None]
    none = CellState(cell, None, "waiting", total=expected_steps(cell.config))
    return max(states, key=lambda state: (RANK[state.state], state.step), default=none)


def _state_of(study: Study, cell: Cell, path: Path) -> CellState | None:
    try:
        run = Run.open(path)
    except RunError:
        return None
    now = run.state()
    state, message = _STATES[now.state], now.message
    if state == "trained":
        row = read_row(run)
        lacking = [name for name in study.metrics if name not in row.metrics]
        if row.step == now.step and not lacking:
            state = "evaluated"
        else:
            message = row.note or f"not computed yet: {', '.join(lacking)}"
    total = now.total or expected_steps(cell.config)
    return CellState(cell, path, state, now.step, total, message, now.active)


_STATES: dict[str, State] = {
    "new": "waiting",
    "running": "training",
    "paused": "paused",
    "stopped": "paused",
    "interrupted": "paused",
    "failed": "failed",
    "finished": "trained",
}
