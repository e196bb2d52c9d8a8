"""Curves prepared for drawing: smoothing, ranges, downsampling. Works on arrays and draws nothing."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

ROUNDING = 1e-9
"""Relative difference below which values count as equal: they are recorded with nine digits."""

OUTLIERS = 5.0
"""Per cent of a curve's points at each end of its range that may lie outside the view (as in TensorBoard)."""

_EXPONENT = 230.0
"""Powers of the factor stay above exp(-230), about 1e-100: they do not overflow, and smaller ones are negligible."""


@dataclass(frozen=True, slots=True)
class View:
    """How curves are shown. `column` is the quantity on the x axis: step, epoch or seconds."""

    column: str = "step"
    logarithmic: bool = False
    ignore_outliers: bool = False


class Smoothing:
    """A debiased exponential average of a growing series: y_n = sum f^(n-i) x_i / sum f^(n-i).

    As in Adam (Kingma & Ba 2015, section 3), weights are normalised over the points so far, so that the first points
    are not biased towards zero. A value that is not finite is returned unchanged, as a gap, and does not enter the
    average.

    Parameters
    ----------
    factor
        Share of the average that is kept at each point, from 0 (no smoothing) to below 1.
    """

    def __init__(self, factor: float) -> None:
        if not 0 <= factor < 1:
            raise ValueError(f"a smoothing factor must be from 0 to below 1, not {factor}")
        self.factor = factor
        self._sum = 0.0
        self._count = 0

    def append(self, values: Values) -> Values:
        """Return the average at the next points, (n,), in O(n)."""
        smooth = np.array(values, dtype=np.float64)
        if self.factor == 0:
            return smooth
        finite = np.isfinite(smooth)
        points = smooth[finite]
        smooth[finite] = self._sums(points) / self._weights(len(points))
        self._count += len(points)
        return smooth

    def _sums(self, points: Values) -> Values:
        """s_n = f s_(n-1) + x_n, as cumulative sums over blocks in which no power of f vanishes.

        A block is so long that only the block just before it still contributes.
        """
        block = max(1, min(len(points), int(_EXPONENT / -math.log(self.factor))))
        powers = self.factor ** np.arange(1.0, block + 1)
        table = np.zeros((-(-len(points) // block), block))
        table.reshape(-1)[: len(points)] = points
        table /= powers
        np.cumsum(table, axis=1, out=table)
        table *= powers
        table[1:] += powers * table[:-1, -1:].copy()
        if len(table):
            table[0] += powers * self._sum
        sums = table.reshape(-1)[: len(points)]
        self._sum = float(sums[-1]) if len(sums) else self._sum
        return sums

    def _weights(self, number: int) -> Values:
        """Sums of f^i over i < n, i.e. (1 - f^n) / (1 - f), at the next points; accurate for f near 1."""
        rest, rate = 1 - self.factor, math.log1p(self.factor - 1)
        weights = np.full(number, 1 / rest)
        # Once f^n is below the precision of a float, the sum no longer changes.
        early = max(0, min(number, math.ceil(-40 / rate) - self._count))
        weights[:early] *= -np.expm1(rate * np.arange(self._count + 1, self._count + early + 1))
        return weights


def smooth(values: Values, factor: float) -> Values:
    """Return the debiased exponential average of a complete series, (n,). See `Smoothing`."""
    return Smoothing(factor).append(values)


def logarithms(values: Values) -> Values:
    """Return base-10 logarithms, NaN (a gap) for non-positive values."""
    found = np.full(len(values), np.nan)
    np.log10(values, out=found, where=values > 0)
    return found


def visible(x: Values, low: float, high: float) -> slice:
    """Return the part of ascending `x` from `low` to `high`, with one more point on either side."""
    first, last = int(np.searchsorted(x, low, "left")), int(np.searchsorted(x, high, "right"))
    return slice(max(0, first - 1), min(len(x), last + 1))


def thinned(x: Values, y: Values, points: int) -> tuple[Values, Values]:
    """Downsample a curve to about `points` points that look like all of them: minimum and maximum of each bucket.

    Buckets are aligned to the start of the arrays and their size is a power of two, so that a growing curve does not
    flicker. A bucket without numbers is a gap.
    """
    if len(x) <= points:
        return x, y
    size = 1 << math.ceil(math.log2(2 * len(x) / points))
    starts = np.arange(0, len(x), size)
    both = np.stack([np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts)], axis=1)
    return np.repeat(x[starts], 2), both.reshape(-1)


def value_range(curves: Iterable[Values], *, ignore_outliers: bool) -> tuple[float, float] | None:
    """Return the range of the y axis for some curves, with a margin; None if they hold no number.

    With `ignore_outliers`, it covers the middle 90 % of the points of each curve, so that a steep start does not
    flatten the rest and a short curve among long ones stays in view.
    """
    ends: list[float] = []
    for values in curves:
        # A sample of the points has the same percentiles, at a bounded cost.
        finite = values[:: len(values) // 2048 + 1] if ignore_outliers else values
        finite = finite[np.isfinite(finite)]
        if len(finite) and ignore_outliers:
            ends.extend(np.percentile(finite, [OUTLIERS, 100 - OUTLIERS]).tolist())
        elif len(finite):
            ends.extend([float(finite.min()), float(finite.max())])
    if not ends:
        return None
    low, high = min(ends), max(ends)
    if high - low <= ROUNDING * max(abs(low), abs(high)):  # equal up to rounding
        low = high = (low + high) / 2
    margin = 0.05 * (high - low) or max(0.05 * abs(high), 1e-3)
    return low - margin, high + margin


def nearest(x: Values, position: float) -> int | None:
    """Return the index of the point of ascending `x` nearest to a position; None if there are no points."""
    if not len(x):
        return None
    after = int(np.searchsorted(x, position))
    if after == 0 or after == len(x):
        return min(after, len(x) - 1)
    return after if x[after] - position < position - x[after - 1] else after - 1
