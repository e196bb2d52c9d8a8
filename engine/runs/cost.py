"""What a run has cost: training time, speed, and the machine."""

from collections.abc import Callable
from dataclasses import dataclass

from engine.runs.run import Run


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of a run so far.

    `seconds` is its training time without pauses, `images_per_second` the number of training images processed in it,
    None before the first point of the curves. `machine` is what it was trained on, e.g. "CPU, 2 threads"; empty before
    its first start.
    """

    seconds: float
    images_per_second: float | None
    machine: str


def cost_of(run: Run, last: Callable[[str], float | None]) -> Cost:
    """Return the cost of a run, given the latest values of its curves by name."""
    seconds, step = last("seconds") or 0.0, last("step") or 0.0
    speed = step * run.config.batch_size / seconds if seconds > 0 and step > 0 else None
    return Cost(seconds, speed, _machine(run))


def _machine(run: Run) -> str:
    device, threads = run.resolved.get("device"), run.resolved.get("threads")
    if device is None:
        return ""
    if device != "cpu":
        return f"GPU ({device})"
    return f"CPU, {threads} thread{'' if threads == 1 else 's'}" if threads else "CPU"
