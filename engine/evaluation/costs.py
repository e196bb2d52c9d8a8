"""What a run had spent when it was evaluated: training steps, and hours of a processor or a GPU."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.catalogue import Column
from engine.evaluation.rows import Row
from engine.runs.metrics_file import MetricsReader


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A metric after so many training steps and seconds of training, without pauses; None where they are not known."""

    step: int
    seconds: float | None
    value: float


def _cost(name: str, title: str, decimals: int, about: str) -> Column:
    return Column(name, title, "", decimals, "", "Cost", "", about)


STEPS = _cost("training_steps", "Training steps", 0, "Training steps up to the evaluation.")
PROCESSOR_HOURS = _cost(
    "processor_hours", "Processor hours", 2, "Time in training on the CPU, without pauses, times its threads."
)
GPU_HOURS = _cost("gpu_hours", "GPU hours", 2, "Time in training on a GPU, without pauses.")

COSTS = {column.metric: column for column in (STEPS, PROCESSOR_HOURS, GPU_HOURS)}
"""What scores are drawn against, by name."""


def evaluations(row: Row, metric: str) -> list[Evaluated]:
    """Return the values of a metric that a run has, in order of steps."""
    value = row.value(metric)
    return [] if value is None else [Evaluated(row.step, _seconds(row, row.step), value)]


def spent(row: Row, evaluated: Evaluated, cost: str) -> float | None:
    """Return what a run had spent at an evaluation, in the unit of a column of `COSTS`; None where it is not known."""
    if cost == STEPS.metric:
        return float(evaluated.step)
    if evaluated.seconds is None or row.threads is None or (row.threads > 0) != (cost == PROCESSOR_HOURS.metric):
        return None
    return evaluated.seconds * max(1, row.threads) / 3600


def _seconds(row: Row, step: int) -> float | None:
    """Seconds of training up to a step, from the curves."""
    if row.path is None:
        return None
    file = row.path / "metrics.csv"
    try:
        status = file.stat()
    except OSError:
        return None
    steps, seconds = _clock(file, status.st_mtime_ns, status.st_size)
    return float(np.interp(step, np.append(0.0, steps), np.append(0.0, seconds))) if len(steps) else None


@lru_cache(maxsize=1024)
def _clock(file: Path, changed: int, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Steps and seconds of the points of a run's curves, which are read again only if they have changed."""
    reader = MetricsReader(file)
    reader.refresh()
    return reader.column("step").copy(), reader.column("seconds").copy()
