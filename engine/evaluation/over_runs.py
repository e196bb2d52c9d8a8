"""A metric over several runs: mean, standard deviation, median, range, and the interval of the mean."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.evaluation.catalogue import Column
from engine.evaluation.intervals import around_mean

SPREADS = {
    "std": "mean ± SD",
    "range": "median [min, max]",
    "interval": "mean [95 % interval]",
}
"""What a cell of several runs can show, by name in the settings."""


@dataclass(frozen=True, slots=True)
class OverRuns:
    """Statistics of a metric over at least one run.

    `deviation` is the standard deviation (n - 1), `interval` the 95 % interval of the mean (Student's t); both are None
    for a single run.
    """

    n: int
    mean: float
    median: float
    low: float
    high: float
    deviation: float | None
    interval: tuple[float, float] | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "OverRuns | None":
        """Return the statistics of these values; None if there are none."""
        if not values:
            return None
        several = len(values) > 1
        return cls(
            len(values),
            statistics.mean(values),
            statistics.median(values),
            min(values),
            max(values),
            statistics.stdev(values) if several else None,
            around_mean(np.asarray(values, dtype=np.float64)) if several else None,
        )

    def centre(self, spread: str) -> float:
        """Return the value that is shown with a spread of `SPREADS`: the median with the range, else the mean."""
        return self.median if spread == "range" else self.mean

    def text(self, column: Column, spread: str = "std") -> str:
        """Return the value with its spread, e.g. "0.43 ± 0.02"; without one for a single run."""
        places = decimals_of(column, several=self.n > 1)
        words = f"{self.centre(spread):.{places}f}"
        if self.deviation is None or self.interval is None:
            return words
        if spread == "std":
            return f"{words} ± {self.deviation:.{places}f}"
        low, high = (self.low, self.high) if spread == "range" else self.interval
        return f"{words} [{low:.{places}f}, {high:.{places}f}]"

    def in_full(self, column: Column, of: int) -> str:
        """Return all statistics as a sentence, given the number of runs `of` which some may lack the metric."""
        places = max(column.decimals, 1) + 1
        parts = [f"mean {self.mean:.{places}f}"]
        if self.deviation is not None and self.interval is not None:
            low, high = self.interval
            parts.append(f"standard deviation {self.deviation:.{places}f}")
            parts.append(f"95 % interval of the mean {low:.{places}f} to {high:.{places}f}")
        parts += [
            f"median {self.median:.{places}f}",
            f"minimum {self.low:.{places}f}",
            f"maximum {self.high:.{places}f}",
        ]
        return f"Over {self.n} of {of} runs: {', '.join(parts)}"

    def numbers(self) -> dict[str, float]:
        """Return the statistics by name, for other programs."""
        found: dict[str, float] = {"n": self.n, "median": self.median, "minimum": self.low, "maximum": self.high}
        if self.interval is not None:
            found |= {"interval_low": self.interval[0], "interval_high": self.interval[1]}
        return found


def decimals_of(column: Column, *, several: bool) -> int:
    """Return the number of decimals shown: a mean over several runs needs at least one."""
    return max(column.decimals, 1) if several else column.decimals
