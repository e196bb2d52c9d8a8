"""Intervals around scores: what another sample of the same size could have given."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054
"""The normal distribution's 97.5 % quantile."""

RESAMPLES = 200


def wilson(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a proportion from `n` trials (E. B. Wilson 1927), also right near 0 and 1."""
    square = Z95**2 / n
    middle = (share + square / 2) / (1 + square)
    half = Z95 / (1 + square) * math.sqrt(share * (1 - share) / n + square / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap(
    statistic: Callable[[NDArray[np.float64]], float], n: int, seed: int, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """95 % basic bootstrap interval (Davison & Hinkley 1997, section 5.2) of a statistic of `n` images.

    `statistic` takes how often each image was drawn, (n,). The basic interval mirrors the quantiles at the estimate,
    which takes off the bias that resampling adds to mutual information.
    """
    rng = np.random.default_rng(seed)
    drawn = [statistic(np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)) for _ in range(resamples)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    value = statistic(np.ones(n))
    return float(2 * value - high), float(2 * value - low)
