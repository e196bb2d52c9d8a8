"""Confidence intervals for metrics estimated on a random draw of images.

A value is computed on one draw of images (or points) from a data set; another draw gives another value. For 95 % of
draws, a 95 % interval covers the mean over all draws. It says nothing about training with another seed.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.system.student import quantile

OVER_IMAGES = "of the mean over other images of this kind"
OVER_POINTS = "of the accuracy's mean over draws like this one, from the number of test points"
OVER_DRAWS = "of the score's mean over draws like this one, from the spread of {} others"
"""Descriptions of what an interval covers."""

DRAWS = 20
"""Further draws used to measure the spread of a score; the interval is 7 % wider than if the spread were known."""


def around_one_draw(value: float, others: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the mean over draws, from the value of one draw and of other, independent ones.

    The distance of the value from the mean, divided by the standard deviation of the others, follows Student's t
    (exactly if draws are normal). No assumption is made about how a value is computed, so that the effects of bins
    chosen from each draw's range, and of votes from each draw's points, are included.
    """
    half = quantile(len(others) - 1) * float(np.std(others, ddof=1))
    return value - half, value + half


def wilson(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a proportion from `n` trials (E. B. Wilson 1927), valid also near 0 and 1.

    For a classifier's accuracy, it accounts only for the test points, which suffices for classifiers that hardly depend
    on the draw of their 10,000 training points. Majority votes do depend on it (see `factor_vae`).
    """
    from scipy.stats import binomtest

    found = binomtest(round(share * n), n).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def around_mean(values: NDArray[np.floating]) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean of independent values (Student's t); None for a single value."""
    if len(values) < 2:
        return None
    mean = float(values.mean())
    half = quantile(len(values) - 1) * float(values.std(ddof=1)) / len(values) ** 0.5
    return mean - half, mean + half
