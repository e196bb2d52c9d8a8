"""The states of a study's cells, read only from run folders: the run of each cell and its progress.

This is cheap enough to do every second: a run's settings are parsed again only if its config.json has changed.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from engine.data.subsets import training_count
from engine.errors import RunError
from engine.evaluation.results import of_other_code
from engine.evaluation.rows import read_row
from engine.runs.differences import experiment_settings
from engine.runs.kept_weights import weights_step
from engine.runs.plugins_used import plugin_changes, plugins_used
from engine.runs.run import Run, list_runs
from engine.settings.run_config import RunConfig
from engine.studies.data import DataOnDisk
from engine.studies.study import Cell, Study

State: TypeAlias = Literal["waiting", "training", "paused", "trained", "evaluated", "failed"]

RANK: dict[State, int] = {"evaluated": 5, "trained": 4, "training": 3, "paused": 2, "waiting": 1, "failed": 0}
"""Rank of states: of several runs with a cell's settings, the most advanced is the cell's."""


SEARCHES = 20
"""A study searches its folder for further runs at most a twentieth of its time."""


@dataclass(frozen=True, slots=True)
class CellState:
    """A cell and its run, if there is one, at `step` of `total`; `message` says why it is not further.

    `busy` is true if the run is locked, by this process or another.
    """

    cell: Cell
    run: Path | None
    state: State
    step: int = 0
    total: int = 0
    message: str = ""
    busy: bool = False


def cell_states(study: Study, runs_folder: Path, data: DataOnDisk | None = None) -> tuple[CellState, ...]:
    """Return the state of each cell of a study, in the order of `study.cells`.

    A run that was trained on other data than the study's, or with another version of a plug-in than is loaded, does not
    count. Pass the same `data` in repeated calls to
    avoid computing fingerprints again.
    """
    data, found = data or DataOnDisk(), _runs_by_key(runs_folder)
    return tuple(_best(study, cell, found.get(experiment_settings(cell.config), []), data) for cell in study.cells)


class CellReader:
    """Reads the states of single cells of a study, as often as one ends or begins.

    A cell that has a run keeps it. For one that has none, the folder is searched again, but only if the last search was
    at least `SEARCHES` times its own duration ago: with thousands of runs it takes long.
    """

    def __init__(self, study: Study, runs_folder: Path, data: DataOnDisk) -> None:
        self._study, self._folder, self._data = study, runs_folder, data
        self._found: dict[tuple[Any, ...], list[Path]] = {}
        self._next = 0.0

    def read(self, before: CellState) -> CellState:
        """Return the state of a cell now."""
        cell, run = before.cell, before.run
        if run is not None and (run / "config.json").exists():
            return _best(self._study, cell, [run], self._data)
        began = time.monotonic()
        if began >= self._next:
            self._found = _runs_by_key(self._folder)
            self._next = began + (1 + SEARCHES) * (time.monotonic() - began)
        return _best(self._study, cell, self._found.get(experiment_settings(cell.config), []), self._data)


def expected_steps(config: RunConfig) -> int:
    """Return the length of a run in steps; 0 if the data set's size is known only after loading it."""
    images = training_count(config)
    return config.steps or (config.total_steps(images) if images is not None else 0)


def _runs_by_key(runs_folder: Path) -> dict[tuple[Any, ...], list[Path]]:
    """The runs of a folder by the settings that change what they learn."""
    found: dict[tuple[Any, ...], list[Path]] = {}
    for path in list_runs(runs_folder):
        key = _key_of(path)
        if key is not None:
            found.setdefault(key, []).append(path)
    return found


def _key_of(path: Path) -> tuple[Any, ...] | None:
    try:
        status = (path / "config.json").stat()
    except OSError:
        return None
    return _read_key(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=65536)  # more than the largest study has
def _read_key(path: Path, changed: int, size: int) -> tuple[Any, ...] | None:
    try:
        return experiment_settings(Run.open(path).config)
    except RunError:
        return None


def _best(study: Study, cell: Cell, paths: Sequence[Path], data: DataOnDisk) -> CellState:
    runs = [run for path in paths if (run := _opened(path)) is not None]
    others = {run: what for run in runs if (what := _other(run, cell, data))}
    states = [_state_of(study, cell, run, data) for run in runs if run not in others]
    message = next((f"{run.name} has these settings but was trained {what}" for run, what in others.items()), "")
    none = CellState(cell, None, "waiting", total=expected_steps(cell.config), message=message)
    return max(states, key=lambda state: (RANK[state.state], state.step), default=none)


def _other(run: Run, cell: Cell, data: DataOnDisk) -> str:
    """Say how a run's data or code differ from the cell's; empty if they do not."""
    if data.differs(run, cell):
        return "on other data"
    if not run.plugins or not (weights_step(run.checkpoint_folder) or run.state().step):
        return ""  # a new run will be trained with the loaded plug-ins
    changes = plugin_changes(run.plugins, plugins_used(cell.config))
    if not changes and not run.former_plugins:
        return ""
    return f"with another version of what it needs{f' ({changes})' if changes else ''}"


def _opened(path: Path) -> Run | None:
    try:
        return Run.open(path)
    except RunError:
        return None


def _state_of(study: Study, cell: Cell, run: Run, data: DataOnDisk) -> CellState:
    now = run.state()
    state, message = _STATES[now.state], now.message
    if state == "trained":
        row = read_row(run)
        lacking = [name for name in study.metrics if name not in row.metrics]
        changed = [name for name in study.metrics if name in row.metrics and of_other_code(name, row.metrics[name])]
        # Evaluations of version 1.0.0 count; the table says that their data are not known.
        other = row.fingerprint and (row.data_note or data.of(cell, run) not in (None, row.fingerprint))
        if row.step == now.step and not (lacking or other or changed or row.code_note):
            state = "evaluated"
        else:
            reason = "evaluated on other data" if other else "evaluated with another version of a plug-in"
            message = row.note or (f"not computed yet: {', '.join(lacking)}" if lacking else reason)
    total = now.total or expected_steps(cell.config)
    return CellState(cell, run.path, state, now.step, total, message, now.active)


_STATES: dict[str, State] = {
    "new": "waiting",
    "running": "training",
    "paused": "paused",
    "stopped": "paused",
    "interrupted": "paused",
    "failed": "failed",
    "finished": "trained",
}
