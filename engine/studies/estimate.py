"""Estimates of the time that a study will take on this machine, before it starts and while it runs."""

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
from engine.studies.cell_states import CellState, cell_states, expected_steps
from engine.studies.machine import Plan, plan_for
from engine.studies.study import Study
from engine.system.user_code import explained
from engine.training.pace import LONGEST, Pace, estimate, measure_pace, pace_key, pace_of

Key: TypeAlias = tuple[Any, ...]
"""What the pace of a run depends on, as returned by `engine.training.pace.pace_key`."""

Paces: TypeAlias = dict[Key, Pace]
"""Paces by key."""

FORWARD_STEPS = 1.2
"""Cost of a batch of images in the headline metrics, in training steps, including sharpness and two decodings."""

IMAGES = 10_000
"""Largest number of images for the headline metrics."""

FACTOR_STEPS = {FACTORS: 2000, DCI: 4000}
"""Approximate cost of scores that need factors, in training steps of batch size 64 at 64 × 64 pixels with one thread,
as measured beside other work. A study corrects it after its first evaluation."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Remaining cost of a cell: training steps, then its evaluation; `step_seconds` is None if no pace is known."""

    steps: int = 0
    step_seconds: float | None = None
    evaluation_steps: float = 0.0
    evaluation_seconds: float | None = None

    @property
    def evaluation(self) -> float | None:
        """Seconds of the evaluation: as observed, else estimated from the time of a step; None if not known."""
        if self.evaluation_seconds is not None or not self.evaluation_steps:
            return self.evaluation_seconds or 0.0
        return None if self.step_seconds is None else self.evaluation_steps * self.step_seconds

    @property
    def training(self) -> float | None:
        """Seconds of training; None if not known."""
        if not self.steps:
            return 0.0
        return None if self.step_seconds is None else self.steps * self.step_seconds

    @property
    def seconds(self) -> float | None:
        """Seconds of training and evaluation; None if not known."""
        parts = (self.training, self.evaluation)
        return None if None in parts else sum(part for part in parts if part is not None)


@dataclass(frozen=True, slots=True)
class StudyEstimate:
    """Remaining needs of a study: seconds (None if not known), bytes on disk, and number of cells."""

    seconds: float | None
    disk: int
    cells: int
    plan: Plan


@dataclass(frozen=True, slots=True)
class StudyEstimated(Event):
    """An estimate of what a study needs, as far as known."""

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
    """Estimate what remains of a study from the pace of earlier runs in the folder, as a job.

    Yields StudyEstimated at once with what is known. With `measure`, unknown paces are then measured in as many child
    processes as there will be workers, which takes some seconds, and StudyEstimated is yielded again. `measured` holds
    earlier measurements, and new ones are added to it. Raises ConfigError.
    """
    plan = plan_for(len(study.cells), device, workers, threads)
    left = [state for state in cell_states(study, runs_folder) if state.state != "evaluated"]
    paces = (measured or {}) | known_paces(left, runs_folder, plan)
    yield StudyEstimated(_needed(study, left, paces, plan))
    possible = [state for state in left if not missing_words(state.cell.config)]
    wanted = {key: cell_config(state, plan) for state in possible if (key := key_of(state, plan)) not in paces}
    if measure and wanted:
        found = yield from _measured(wanted, plan)
        if measured is not None:
            measured |= found
        yield StudyEstimated(_needed(study, left, paces | found, plan))


def _needed(study: Study, left: Sequence[CellState], paces: Paces, plan: Plan) -> StudyEstimate:
    """Needs of cells at these paces."""
    known = [paces.get(key_of(state, plan)) for state in left]
    costs = [cost_of(study, state, pace) for state, pace in zip(left, known, strict=True)]
    new = [(state.cell.config, pace) for state, pace in zip(left, known, strict=True) if state.run is None and pace]
    disk = sum(estimate(config, pace).disk for config, pace in new)
    return StudyEstimate(seconds_left(costs, plan.workers), disk, len(left), plan)


def cell_config(state: CellState, plan: Plan) -> RunConfig:
    """Return the settings with which a cell is trained under a plan."""
    return state.cell.config.changed(device=plan.device, threads=plan.threads)


def key_of(state: CellState, plan: Plan) -> Key:
    """Return the key of a cell's pace."""
    return pace_key(_on(state.cell.config, plan.resolved, plan.threads))


def _on(config: RunConfig, device: str, threads: int) -> RunConfig:
    """Settings with the resolved device and threads, by which paces are compared."""
    return config.changed(device=device, threads=threads if device == "cpu" else 0)


def cost_of(study: Study, state: CellState, pace: Pace | None) -> Cost:
    """Return the remaining cost of a cell at a pace."""
    if state.state == "evaluated":
        return Cost()
    config = state.cell.config
    total = state.total or expected_steps(config) or (config.total_steps(pace.images) if pace else 0)
    left = 0 if state.state == "trained" else max(0, total - state.step)
    return Cost(left, pace.seconds if pace else None, _evaluation_steps(study, config))


def _evaluation_steps(study: Study, config: RunConfig) -> float:
    """Cost of a cell's evaluation in training steps."""
    entry = ENTRIES[config.dataset]
    images, training = entry.images or IMAGES, entry.training_images or IMAGES
    evaluated = min(IMAGES, images - training or images)
    steps = FORWARD_STEPS * evaluated / config.batch_size
    if entry.factors:
        groups = {column.group for column in METRICS.values() if column.metric in study.metrics}
        steps += sum(count for group, count in FACTOR_STEPS.items() if group in groups) * 64 / config.batch_size
    return steps


def seconds_left(costs: Sequence[Cost], workers: int) -> float | None:
    """Return the seconds until all cells are done by parallel workers; None if a pace is not known."""
    each = [cost.seconds for cost in costs]
    if None in each:
        return None
    known = [seconds for seconds in each if seconds is not None]
    return max(max(known, default=0.0), sum(known) / workers)


def known_paces(states: Iterable[CellState], runs_folder: Path, plan: Plan) -> Paces:
    """Return the paces of earlier runs in the folder, by `key_of`, as far as the cells need them."""
    trained = [entry for path in list_runs(runs_folder) if (entry := _trained(path)) is not None]
    found: dict[Key, Pace | None] = {}
    for state in states:
        key = key_of(state, plan)
        if key not in found:
            found[key] = pace_of(trained, _on(state.cell.config, plan.resolved, plan.threads))
    return {key: pace for key, pace in found.items() if pace is not None}


def _trained(path: Path) -> tuple[RunConfig, int, float, int] | None:
    """Settings, steps, seconds and bytes of weights of a run; None if it is not trained."""
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
    """Measure paces, each as the median over as many child processes as there will be workers."""
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
    """Measure a pace in a child process; None if that fails, e.g. without the data, as training will report."""
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
