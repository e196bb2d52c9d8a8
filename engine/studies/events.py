"""What the job of a study tells beyond what every job does."""

from dataclasses import dataclass

from engine.jobs.events import Event, Progress
from engine.studies.standing import CellState


@dataclass(frozen=True, slots=True)
class StudyProgress(Progress):
    """How far a study is: `cells_done` of `cells` are evaluated; `done` of `total` are thousandths of its work.

    `seconds_left` is None until a pace is known.
    """

    cells_done: int = 0
    cells: int = 0
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class CellStarted(Event):
    """A cell is being trained (or, where it was trained already, evaluated), from where `state` says."""

    state: CellState


@dataclass(frozen=True, slots=True)
class CellFinished(Event):
    """A cell is evaluated, or has failed; `state.message` then says why."""

    state: CellState
