"""How long a study will take on this machine, told before, and what of it is left while it runs."""

import statistics
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from engine.config import RunConfig
from engine.errors import StudioError
from engine.estimates import Pace, estimate, measure_pace, pace_key, pace_of
from engine.evaluation.catalogue import COLUMNS, DCI, FACTORS
from engine.events import Event, Job, Request
from engine.kept import WEIGHTS
from engine.metrics_file import MetricsReader
from engine.processes import Children
from engine.runs import Run, list_runs
from engine.studies.machine import Plan, plan_for
from engine.studies.standing import CellState, expected_steps, standing
from engine.studies.study import Study

EVALUATION_STEPS = {"": 400, FACTORS: 4500, DCI: 6000}
"""What metrics of a group take, in training steps of batch 64: on dSprites, with one thread, measured."""

WITH_FACTORS = ("dsprites", "arrays")
"""Data sets for which scores that need factors are computed at all."""


Paces: TypeAlias = dict[tuple[object, ...], Pace]
"""Paces by `pace_key`."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a cell still takes: steps of `step_seconds`, then its evaluation. `pace` is None where nothing is known."""

    steps: int = 0
    step_seconds: float | None = None
    evaluation_steps: float = 0.0
    evaluation_seconds: float | None = None

    @property
    def evaluation(self) -> float | None:
        """Seconds of the evaluation: as was seen, else as many steps take."""
        if self.evaluation_seconds is not None or not self.evaluation_steps:
            return self.evaluation_seconds or 0.0
        return None if self.step_seconds is None else self.evaluation_steps * self.step_seconds

    @property
    def training(self) -> float | None:
        """Seconds of the training."""
        if not self.steps:
            return 0.0
        return None if self.step_seconds is None else self.steps * self.step_seconds

    @property
    def seconds(self) -> float | None:
        """Both."""
        parts = (self.training, self.evaluation)
        return None if None in parts else sum(part for part in parts if part is not None)


@dataclass(frozen=True, slots=True)
class StudyEstimate:
    """What a study will need from now on: seconds (None: not known), bytes on disk, with so many cells to do."""

    seconds: float | None
    disk: int
    cells: int
    plan: Plan


@dataclass(frozen=True, slots=True)
class StudyEstimated(Event):
    """What a study needs, as far as it is known so far."""

    needed: StudyEstimate


def study_estimate(
    study: Study,
    runs_folder: Path,
    workers: int | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> StudyEstimate:
    """Estimate what is left of a study: the last word of `estimating`, with the same arguments and errors."""
    last: StudyEstimate | None = None
    for event in estimating(study, runs_folder, workers, device, threads):
        if isinstance(event, StudyEstimated):
            last = event.needed
    assert last is not None
    return last


def estimating(
    study: Study,
    runs_folder: Path,
    workers: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    *,
    measure: bool = True,
    measured: Paces | None = None,
) -> Job:
    """Estimate what is left of a study, from the pace of earlier runs in the folder, as a job.

    Yields StudyEstimated with what is known at once. With `measure`, a pace that is not known is then measured in child
    processes, as many side by side as there will be workers, which takes some seconds, and it is yielded again;
    `measured` holds what was measured before, and gets what is measured now. Raises ConfigError.
    """
    plan = plan_for(len(study.cells), device, workers, threads)
    left = [state for state in standing(study, runs_folder) if state.state != "evaluated"]
    paces = (measured or {}) | known_paces(left, runs_folder, plan)
    yield StudyEstimated(_needed(study, left, paces, plan))
    wanted = {pace_key(config): config for state in left if pace_key(config := placed(state, plan)) not in paces}
    if measure and wanted:
        found = yield from _measured(wanted, plan)
        if measured is not None:
            measured |= found
        yield StudyEstimated(_needed(study, left, paces | found, plan))


def _needed(study: Study, left: Sequence[CellState], paces: Paces, plan: Plan) -> StudyEstimate:
    """What cells need at these paces."""
    costs = [cost_of(study, state, paces.get(pace_key(placed(state, plan)))) for state in left]
    disk = 0
    for state in left:
        pace = paces.get(pace_key(placed(state, plan)))
        if state.run is None and pace is not None:
            disk += estimate(state.cell.config, pace).disk
    return StudyEstimate(seconds_left(costs, plan.workers), disk, len(left), plan)


def placed(state: CellState, plan: Plan) -> RunConfig:
    """The settings with which a cell is trained under a plan."""
    return state.cell.config.changed(device=plan.device, threads=plan.threads)


def cost_of(study: Study, state: CellState, pace: Pace | None) -> Cost:
    """What a cell still takes at a pace."""
    if state.state == "evaluated":
        return Cost()
    config = state.cell.config
    total = state.total or expected_steps(config) or (config.total_steps(pace.images) if pace else 0)
    groups = {column.group for column in COLUMNS if column.metric in study.metrics}
    steps = EVALUATION_STEPS[""]
    if config.dataset in WITH_FACTORS:
        steps += sum(EVALUATION_STEPS[group] for group in (FACTORS, DCI) if group in groups)
    left = 0 if state.state == "trained" else max(0, total - state.step)
    return Cost(left, pace.seconds if pace else None, steps * 64 / config.batch_size)


def seconds_left(costs: Sequence[Cost], workers: int) -> float | None:
    """Seconds until all is done, side by side; None where a pace is not known."""
    each = [cost.seconds for cost in costs]
    if None in each:
        return None
    known = [seconds for seconds in each if seconds is not None]
    return max(max(known, default=0.0), sum(known) / workers)


def known_paces(states: Iterable[CellState], runs_folder: Path, plan: Plan) -> Paces:
    """The paces of earlier runs in the folder, by `pace_key`, as far as the cells need them."""
    trained = [entry for path in list_runs(runs_folder) if (entry := _trained(path)) is not None]
    found: Paces = {}
    for state in states:
        config = placed(state, plan)
        pace = pace_of(trained, config)
        if pace is not None:
            found[pace_key(config)] = pace
    return found


def _trained(path: Path) -> tuple[RunConfig, int, float, int] | None:
    """Settings, steps, seconds and bytes of weights of a run; None where there are none."""
    try:
        run = Run.open(path)
        weights = (run.checkpoint_folder / WEIGHTS).stat().st_size
    except (StudioError, OSError):
        return None
    reader = MetricsReader(run.metrics_file)
    reader.refresh(budget=4096)
    steps, seconds = reader.newest("step"), reader.newest("seconds")
    if not steps or not seconds:
        return None
    return run.config, int(steps), seconds, weights


def _measured(wanted: dict[tuple[object, ...], RunConfig], plan: Plan) -> Generator[Event, Request | None, Paces]:
    """Measure paces: each is the median of as many children as there will be workers."""
    found: Paces = {}
    for key, config in wanted.items():
        with Children(plan.workers) as children:
            answers = yield from children.run(_measure, [(config,)] * plan.workers, "Trying a few steps", "processes")
        each: list[Pace] = [pace for pace in answers if pace is not None]
        if each:
            found[key] = replace(each[0], seconds=statistics.median(pace.seconds for pace in each))
    return found


def _measure(config: RunConfig) -> Pace | None:
    """Measure in a child; None where it cannot be, e.g. without the data: training will say why."""
    import torch

    from engine.memory import keep_freed_memory

    keep_freed_memory()
    if config.threads:
        torch.set_num_threads(config.threads)
    try:
        return measure_pace(config)
    except StudioError:
        return None
