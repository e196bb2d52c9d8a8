"""The cost of a run until it was evaluated: training steps, and hours of a processor or a GPU."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.catalogue import Column
from engine.evaluation.rows import Row
from engine.runs.metrics_file import SCORES, MetricsReader


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A metric after a number of training steps and seconds of training, without pauses; None if they are not known."""

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
"""Costs against which scores are drawn, by name."""


def evaluations(row: Row, metric: str) -> list[Evaluated]:
    """Return the values of a metric that a run has, in order of steps.

    These are the scores that it recorded during training; if it recorded none, there is that of its evaluation. The two
    are not mixed, since their protocols differ.
    """
    if during := _during_training(row, metric):
        return during
    value = row.value(metric)
    return [] if value is None else [Evaluated(row.step, _seconds(row, row.step), value)]


def spent(row: Row, evaluated: Evaluated, cost: str) -> float | None:
    """Return the cost of a run until an evaluation, in the unit of a column of `COSTS`; None if it is not known."""
    if row.elsewhere:
        return None
    if cost == STEPS.metric:
        return float(evaluated.step)
    if evaluated.seconds is None or row.threads is None or (row.threads > 0) != (cost == PROCESSOR_HOURS.metric):
        return None
    return evaluated.seconds * max(1, row.threads) / 3600


def course_note(rows: Sequence[Row], metric: str) -> str:
    """Return how scores recorded during training differ from evaluations; empty if none of these runs has any."""
    if metric != "factor_vae" or not any(_during_training(row, metric) for row in rows):
        return ""
    return "Scores recorded during training are based on fewer votes than those of an evaluation."


def _during_training(row: Row, metric: str) -> list[Evaluated]:
    kept = _columns_of(row, "scores.csv") if metric in SCORES else {}
    if not kept:
        return []
    points = zip(kept["step"], kept["seconds"], kept[metric], strict=True)
    return [Evaluated(int(step), float(seconds), float(value)) for step, seconds, value in points if np.isfinite(value)]


def _seconds(row: Row, step: int) -> float | None:
    """Seconds of training up to a step, from the curves."""
    kept = _columns_of(row, "metrics.csv")
    if not kept or not len(kept["step"]):
        return None
    return float(np.interp(step, np.append(0.0, kept["step"]), np.append(0.0, kept["seconds"])))


def _columns_of(row: Row, name: str) -> Mapping[str, NDArray[np.float64]]:
    """The columns of a run's curves or scores; empty if it has none."""
    if row.path is None:
        return {}
    try:
        status = (row.path / name).stat()
    except OSError:
        return {}
    return _read(row.path / name, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1024)
def _read(file: Path, changed: int, size: int) -> Mapping[str, NDArray[np.float64]]:
    """Position and scores in a file, which is read again only if it has changed."""
    reader = MetricsReader(file)
    reader.refresh()
    wanted = [name for name in reader.names if name in ("step", "seconds", *SCORES)]
    return {name: reader.column(name).copy() for name in wanted}
