"""Curves of runs that are alike but for the seed, as one: mean and spread at each step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.runs.curves import Values
from engine.runs.metrics_file import POSITION_COLUMNS, MetricsReader
from engine.system.student import quantile

SPREADS = {"std": "standard deviation", "range": "minimum to maximum", "interval": "95 % interval of the mean"}
"""What a band can show around the mean, by name in the settings."""


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Mean and spread of a value over runs at each step, all (steps,).

    `low` and `high` are the ends of the spread, NaN where there are too few runs for one. `n` is the number of runs
    that have a value at a step; `interpolated` of them have none recorded there, but before and after it.
    """

    mean: Values
    low: Values
    high: Values
    n: NDArray[np.int64]
    interpolated: NDArray[np.int64]


def spread_around(values: NDArray[np.float64], spread: str) -> tuple[Values, Values, Values]:
    """Return mean, low and high end over runs, each (steps,), of values (runs, steps); NaN is no value.

    By `spread`, the ends are the mean ± the standard deviation (n - 1), the minimum and maximum, or the 95 % interval
    of the mean (Student's t). The first and last need two runs.
    """
    finite = np.isfinite(values)
    n = finite.sum(axis=0)
    some, several = n > 0, n > 1
    mean = np.full(len(n), np.nan)
    np.divide(np.where(finite, values, 0.0).sum(axis=0), n, out=mean, where=some)
    if spread == "range":
        low = np.where(finite, values, np.inf).min(axis=0)
        high = np.where(finite, values, -np.inf).max(axis=0)
        return mean, np.where(some, low, np.nan), np.where(some, high, np.nan)
    squares = np.where(finite, values - mean, 0.0) ** 2
    half = np.full(len(n), np.nan)
    np.divide(squares.sum(axis=0), n - 1, out=half, where=several)
    half = np.sqrt(half)
    if spread == "interval":
        quantiles = np.array([np.nan, np.nan, *(quantile(number - 1) for number in range(2, len(values) + 1))])
        half = half * quantiles[n] / np.sqrt(np.maximum(n, 1))
    return mean, mean - half, mean + half


def band_of(curves: Sequence[tuple[Values, Values]], steps: Values, spread: str) -> Band:
    """Return the band of several curves, each as (steps, values), at these ascending steps.

    A curve without a row at a step is interpolated linearly between the rows before and after it; it has no value
    before its first and after its last row, nor next to a value that is not a number.
    """
    values = np.full((len(curves), len(steps)), np.nan)
    missing = np.zeros(values.shape, dtype=bool)
    for number, (own, column) in enumerate(curves):
        if not len(column):
            continue
        if np.array_equal(own, steps):
            values[number] = column
            continue
        values[number] = np.interp(steps, own, column, left=np.nan, right=np.nan)
        missing[number] = ~np.isin(steps, own)
    finite = np.isfinite(values)
    values[~finite] = np.nan
    mean, low, high = spread_around(values, spread)
    return Band(mean, low, high, finite.sum(axis=0), (finite & missing).sum(axis=0))


class BandReader:
    """The metrics of several runs, read like those of one: a column holds means, at every step that any run recorded.

    Parameters
    ----------
    readers
        Those of the runs, which follow their files. Columns are computed again when they have grown.
    spread
        One of `SPREADS`.
    """

    def __init__(self, readers: Sequence[MetricsReader], spread: str) -> None:
        self.readers, self.spread = readers, spread
        self._known: object = None
        self._steps: Values = np.empty(0)
        self._columns: dict[str, Values] = {}
        self._bands: dict[tuple[str, float], Band] = {}

    def _follow(self) -> None:
        """Forget what was computed before the files have grown."""
        now = tuple((reader.version, len(reader)) for reader in self.readers)
        if now == self._known:
            return
        self._known, self._columns, self._bands = now, {}, {}
        each = [reader.column("step") for reader in self.readers if len(reader)]
        longest = max(each, key=len, default=np.empty(0))
        if all(np.array_equal(own, longest[: len(own)]) for own in each):
            self._steps = longest.copy()
        else:
            self._steps = np.unique(np.concatenate(each))

    def __len__(self) -> int:
        self._follow()
        return len(self._steps)

    @property
    def own(self) -> tuple[str, ...]:
        """Names of the method's own curves."""
        return next((reader.own for reader in self.readers if len(reader)), ())

    def column(self, name: str) -> Values:
        """Return the steps, or the mean of another column at each of them.

        Epoch and time are means as well; where a slow run ends, the mean time does not fall.
        """
        self._follow()
        if name == "step":
            return self._steps
        if name not in self._columns:
            mean = self.band(name).mean
            self._columns[name] = np.fmax.accumulate(mean) if name in POSITION_COLUMNS else mean
        return self._columns[name]

    def band(self, name: str, smoothing: float = 0.0, smoothed: Callable[[], Sequence[Values]] | None = None) -> Band:
        """Return the band of a column; with a factor of `smoothing`, of the columns that `smoothed` returns.

        These are the column of each run, in their order, smoothed by that factor.
        """
        self._follow()
        key = (name, smoothing)
        if key not in self._bands:
            columns = smoothed() if smoothed else [reader.column(name) for reader in self.readers]
            curves = [(reader.column("step"), column) for reader, column in zip(self.readers, columns, strict=True)]
            self._bands[key] = band_of(curves, self._steps, self.spread)
        return self._bands[key]
