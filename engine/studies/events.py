"""Events of a study's job, in addition to those of every job."""

from dataclasses import dataclass

from engine.jobs.events import Event, Progress
from engine.studies.cell_states import CellState


@dataclass(frozen=True, slots=True)
class StudyProgress(Progress):
    """Progress of a study: `cells_done` of `cells` are evaluated; `done` and `total` are in thousandths of a cell.

    `seconds_left` is None until a pace is known.
    """

    cells_done: int = 0
    cells: int = 0
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class CellStarted(Event):
    """Training of a cell (or, if it is trained already, its evaluation) starts from `state`."""

    state: CellState


@dataclass(frozen=True, slots=True)
class CellFinished(Event):
    """A cell is evaluated or has failed, for the reason in `state.message`."""

    state: CellState
