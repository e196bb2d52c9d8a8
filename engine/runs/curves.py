"""What is done to curves before they are drawn: smoothing, ranges, fewer points. Functions of arrays, no drawing."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

ROUNDING = 1e-9
"""Values that differ by less of themselves are one: nothing is recorded with more than nine digits."""

OUTLIERS = 5.0
"""Per cent of a curve's points, at either end of their range, that may be left out of view (as in TensorBoard)."""

_EXPONENT = 230.0
"""Powers of the factor are kept above exp(-230), about 1e-100: nothing overflows, and what is below is nothing."""


@dataclass(frozen=True, slots=True)
class View:
    """How curves are looked at. `column` is what is along the axis below: step, epoch or seconds."""

    column: str = "step"
    logarithmic: bool = False
    ignore_outliers: bool = False


class Smoothing:
    """A debiased exponential average of a series that grows: y_n = sum f^(n-i) x_i / sum f^(n-i).

    As in Adam (Kingma & Ba 2015, section 3) the weights are those of the points there are, so that the first points are
    not drawn towards zero. A value that is not finite stays as it is, a gap, and leaves the average alone.

    Parameters
    ----------
    factor
        How much of the average is kept at each point, from 0 (no smoothing) up to but not including 1.
    """

    def __init__(self, factor: float) -> None:
        if not 0 <= factor < 1:
            raise ValueError(f"a smoothing factor is from 0 to below 1, not {factor}")
        self.factor = factor
        self._sum = 0.0
        self._count = 0

    def append(self, values: Values) -> Values:
        """Return the average at these points, (n,), which follow those of the last call. Costs O(n)."""
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

        A block is long enough that of what came before only the block just before it is felt.
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
        """Sums of f^i for i from 0 to below n, that is (1 - f^n) / (1 - f), for the next points; exact for f near 1."""
        rest, rate = 1 - self.factor, math.log1p(self.factor - 1)
        weights = np.full(number, 1 / rest)
        # From where f^n is below the precision of a float on, nothing changes any more.
        early = max(0, min(number, math.ceil(-40 / rate) - self._count))
        weights[:early] *= -np.expm1(rate * np.arange(self._count + 1, self._count + early + 1))
        return weights


def smooth(values: Values, factor: float) -> Values:
    """Debiased exponential average of a whole series, (n,). See `Smoothing`."""
    return Smoothing(factor).append(values)


def logarithms(values: Values) -> Values:
    """Base-10 logarithms; what is not positive is a gap (NaN)."""
    found = np.full(len(values), np.nan)
    np.log10(values, out=found, where=values > 0)
    return found


def visible(x: Values, low: float, high: float) -> slice:
    """Return the part of ascending `x` from `low` to `high`, and one point beyond on either side."""
    first, last = int(np.searchsorted(x, low, "left")), int(np.searchsorted(x, high, "right"))
    return slice(max(0, first - 1), min(len(x), last + 1))


def thinned(x: Values, y: Values, points: int) -> tuple[Values, Values]:
    """Return at most about `points` points that look like all of them: the least and the largest of each bucket.

    Buckets are aligned to the start of the arrays and their size is a power of two, so that a curve that grows does
    not shimmer. A bucket with no number in it is a gap.
    """
    if len(x) <= points:
        return x, y
    size = 1 << math.ceil(math.log2(2 * len(x) / points))
    starts = np.arange(0, len(x), size)
    both = np.stack([np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts)], axis=1)
    return np.repeat(x[starts], 2), both.reshape(-1)


def value_range(curves: Iterable[Values], *, ignore_outliers: bool) -> tuple[float, float] | None:
    """Range in which the curves are seen, with a margin; None when they hold no number.

    With `ignore_outliers` it spans the middle 90 % of the points of each curve, so that a steep beginning does not
    flatten the rest, and a short curve among long ones is still seen.
    """
    ends: list[float] = []
    for values in curves:
        # A sample of the points has the same percentiles, at a cost that does not grow.
        finite = values[:: len(values) // 2048 + 1] if ignore_outliers else values
        finite = finite[np.isfinite(finite)]
        if len(finite) and ignore_outliers:
            ends.extend(np.percentile(finite, [OUTLIERS, 100 - OUTLIERS]).tolist())
        elif len(finite):
            ends.extend([float(finite.min()), float(finite.max())])
    if not ends:
        return None
    low, high = min(ends), max(ends)
    if high - low <= ROUNDING * max(abs(low), abs(high)):  # alike but for the rounding of their means
        low = high = (low + high) / 2
    margin = 0.05 * (high - low) or max(0.05 * abs(high), 1e-3)
    return low - margin, high + margin


def nearest(x: Values, position: float) -> int | None:
    """Index of the point of ascending `x` nearest to a position; None when there is no point."""
    if not len(x):
        return None
    after = int(np.searchsorted(x, position))
    if after == 0 or after == len(x):
        return min(after, len(x) - 1)
    return after if x[after] - position < position - x[after - 1] else after - 1
