"""Intervals around values: where the mean of what is estimated lies, over draws of the images that it is estimated on.

A value is computed on one draw of images (or points) out of a data set; another draw gives another value. A 95 %
interval covers, for 95 % of draws, the mean over all draws. It says nothing of another seed's training.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

OVER_IMAGES = "of the mean over other images of this kind"
OVER_POINTS = "of the accuracy's mean over draws like this one, from the number of test points"
OVER_DRAWS = "of the score's mean over draws like this one, from the spread of {} others"
"""What an interval is of, in words."""

DRAWS = 20
"""Further draws by which the spread of a score is measured: the interval is 7 % wider than if it were known."""


def around_one_draw(value: float, others: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean over draws, from the value of one draw and those of other, independent ones.

    The value lies s times a t-distributed distance from the mean, s the standard deviation of the others (exact where
    draws are normal). Nothing is assumed of how a value comes about, so bins that follow each draw's range, and votes
    that follow each draw's points, vary as they do.
    """
    half = _quantile(len(others) - 1) * float(np.std(others, ddof=1))
    return value - half, value + half


def wilson(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a proportion from `n` trials (E. B. Wilson 1927), also right near 0 and 1.

    Of a classifier's accuracy it counts the test points alone: for classifiers that hardly vary with their 10,000
    training points. Votes do (see `factor_vae`).
    """
    from scipy.stats import binomtest

    found = binomtest(round(share * n), n).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def around_mean(values: NDArray[np.floating]) -> tuple[float, float] | None:
    """95 % interval of the mean of values that are independent (Student's t); None of a single value."""
    if len(values) < 2:
        return None
    mean = float(values.mean())
    half = _quantile(len(values) - 1) * float(values.std(ddof=1)) / len(values) ** 0.5
    return mean - half, mean + half


@cache
def _quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975))
