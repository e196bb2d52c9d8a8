"""How long a study will take on this machine, told before, and what of it is left while it runs."""

import math
import statistics
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from engine.data import ENTRIES
from engine.errors import StudioError
from engine.evaluation.catalogue import DCI, FACTORS, METRICS
from engine.jobs.events import Event, Job, Request
from engine.jobs.processes import Children
from engine.runs.kept_weights import WEIGHTS
from engine.runs.metrics_file import MetricsReader
from engine.runs.plugins_used import names_of
from engine.runs.run import Run, list_runs
from engine.settings.absent import missing_words
from engine.settings.run_config import RunConfig
from engine.studies.machine import Plan, plan_for
from engine.studies.standing import CellState, expected_steps, standing
from engine.studies.study import Study
from engine.system.user_code import explained
from engine.training.pace import LONGEST, Pace, estimate, measure_pace, pace_key, pace_of

Key: TypeAlias = tuple[Any, ...]
"""What the pace of a run depends on; as `engine.training.pace.pace_key` makes it."""

Paces: TypeAlias = dict[Key, Pace]
"""Paces by what they depend on."""

FORWARD_STEPS = 1.2
"""Training steps that an image batch of the headline metrics takes; sharpness and two decodings are in it."""

IMAGES = 10_000
"""Images that the headline metrics look at, at most."""

FACTOR_STEPS = {FACTORS: 2000, DCI: 4000}
"""What scores that need factors take, in training steps of batch 64 at 64 × 64 pixels, with one thread; roughly,
as measured beside other work. A study corrects it by the first evaluation that it sees."""


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


def estimate_study(
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
    possible = [state for state in left if not missing_words(state.cell.config)]
    wanted = {key: placed(state, plan) for state in possible if (key := key_of(state, plan)) not in paces}
    if measure and wanted:
        found = yield from _measured(wanted, plan)
        if measured is not None:
            measured |= found
        yield StudyEstimated(_needed(study, left, paces | found, plan))


def _needed(study: Study, left: Sequence[CellState], paces: Paces, plan: Plan) -> StudyEstimate:
    """What cells need at these paces."""
    known = [paces.get(key_of(state, plan)) for state in left]
    costs = [cost_of(study, state, pace) for state, pace in zip(left, known, strict=True)]
    new = [(state.cell.config, pace) for state, pace in zip(left, known, strict=True) if state.run is None and pace]
    disk = sum(estimate(config, pace).disk for config, pace in new)
    return StudyEstimate(seconds_left(costs, plan.workers), disk, len(left), plan)


def placed(state: CellState, plan: Plan) -> RunConfig:
    """The settings with which a cell is trained under a plan."""
    return state.cell.config.changed(device=plan.device, threads=plan.threads)


def key_of(state: CellState, plan: Plan) -> Key:
    """What a cell's pace depends on."""
    return pace_key(_on(state.cell.config, plan.resolved, plan.threads))


def _on(config: RunConfig, device: str, threads: int) -> RunConfig:
    """Settings with the device and threads that they came to, by which paces are compared."""
    return config.changed(device=device, threads=threads if device == "cpu" else 0)


def cost_of(study: Study, state: CellState, pace: Pace | None) -> Cost:
    """What a cell still takes at a pace."""
    if state.state == "evaluated":
        return Cost()
    config = state.cell.config
    total = state.total or expected_steps(config) or (config.total_steps(pace.images) if pace else 0)
    left = 0 if state.state == "trained" else max(0, total - state.step)
    return Cost(left, pace.seconds if pace else None, _evaluation_steps(study, config))


def _evaluation_steps(study: Study, config: RunConfig) -> float:
    """Training steps that take as long as a cell's evaluation."""
    entry = ENTRIES[config.dataset]
    images, training = entry.images or IMAGES, entry.training_images or IMAGES
    looked_at = min(IMAGES, images - training or images)
    steps = FORWARD_STEPS * looked_at / config.batch_size
    if entry.factors:
        groups = {column.group for column in METRICS.values() if column.metric in study.metrics}
        steps += sum(count for group, count in FACTOR_STEPS.items() if group in groups) * 64 / config.batch_size
    return steps


def seconds_left(costs: Sequence[Cost], workers: int) -> float | None:
    """Seconds until all is done, side by side; None where a pace is not known."""
    each = [cost.seconds for cost in costs]
    if None in each:
        return None
    known = [seconds for seconds in each if seconds is not None]
    return max(max(known, default=0.0), sum(known) / workers)


def known_paces(states: Iterable[CellState], runs_folder: Path, plan: Plan) -> Paces:
    """The paces of earlier runs in the folder, by `key_of`, as far as the cells need them."""
    trained = [entry for path in list_runs(runs_folder) if (entry := _trained(path)) is not None]
    found: Paces = {}
    for state in states:
        key = key_of(state, plan)
        pace = found.get(key) or pace_of(trained, _on(state.cell.config, plan.resolved, plan.threads))
        if pace is not None:
            found[key] = pace
    return found


def _trained(path: Path) -> tuple[RunConfig, int, float, int] | None:
    """Settings, steps, seconds and bytes of weights of a run; None where there are none."""
    try:
        run = Run.open(path)
        resolved = {name: run.resolved.get(name, getattr(run.config, name)) for name in ("device", "threads")}
        config = _on(run.config, **resolved)
        weights = (run.checkpoint_folder / WEIGHTS).stat().st_size
    except (StudioError, OSError):
        return None
    reader = MetricsReader(run.metrics_file)
    reader.refresh(budget=4096)
    steps, seconds = reader.newest("step"), reader.newest("seconds")
    return (config, int(steps), seconds, weights) if steps and seconds else None


def _measured(wanted: dict[Key, RunConfig], plan: Plan) -> Generator[Event, Request | None, Paces]:
    """Measure paces: each is the median of as many children as there will be workers."""
    found: Paces = {}
    for key, config in wanted.items():
        with Children(plan.workers) as children:
            trying = children.run(_measure, [(config,)] * plan.workers, "Trying a few steps", "processes")
            answers = yield from _within(LONGEST if names_of(config) else math.inf, trying)
        each: list[Pace] = [pace for pace in answers if pace is not None]
        if each:
            found[key] = replace(each[0], seconds=statistics.median(pace.seconds for pace in each))
    return found


def _within(
    seconds: float, trying: Generator[Event, Request | None, list[Pace | None]]
) -> Generator[Event, Request | None, list[Pace | None]]:
    """Return what children measured; nothing when they take longer, or a plug-in's code ends them."""
    end = time.monotonic() + seconds
    with closing(trying):
        while time.monotonic() < end:
            try:
                yield next(trying)
            except StopIteration as stop:
                return list(stop.value)
            except StudioError:
                break
    return []


def _measure(config: RunConfig) -> Pace | None:
    """Measure in a child; None where it cannot be, e.g. without the data: training will say why."""
    import torch

    from engine.system.memory import keep_freed_memory

    keep_freed_memory()
    if config.threads:
        torch.set_num_threads(config.threads)
    try:
        return measure_pace(config)
    except Exception as error:
        if isinstance(explained(error), StudioError):
            return None
        raise
