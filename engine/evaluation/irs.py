"""IRS, the interventional robustness score: R. Suter et al., "Robustly Disentangled Causal Mechanisms", ICML 2019.

Whether a latent stays where it is while all factors but one change. As in disentanglement_lib, which took it from the
authors: the 99 % quantile of distances instead of the largest. Neither the order nor the sign of latents matters; their
scale does, since latents with a larger range weigh more. Latents that are constant to single precision are left out.
"""

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.correlation import vary

QUANTILE = 0.99
PROTOCOL = (
    "interventional robustness score (Suter et al. 2019): 1 - the 99 % quantile of a latent's distances from its mean "
    "over images that share a value of a factor, mean over values, over its largest distance from its mean over all "
    "images; the factor with the largest, mean over latents weighted by that distance"
)


def robustness(codes: NDArray[np.floating], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how robust each latent is to changes of all factors but one, (latents, factors), at most 1.

    `codes` is (images, latents), `classes` (images, factors). Rows of latents that do not vary are 0.
    """
    values, varies = np.asarray(codes, np.float64), vary(codes)
    largest = reach(codes)
    found = np.zeros((values.shape[1], classes.shape[1]))
    for k, column in enumerate(classes.T):
        present = np.unique(column)
        total = np.zeros(values.shape[1])
        for value in present:
            alike = values[column == value]
            total += np.quantile(np.abs(alike - alike.mean(axis=0)), QUANTILE, axis=0)
        np.divide(total / len(present), largest, out=total, where=varies)
        found[varies, k] = 1 - total[varies]
    return found


def reach(codes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the largest distance of each latent from its mean, (latents,); 0 for those that do not vary."""
    values = np.asarray(codes, np.float64)
    return np.asarray(np.where(vary(codes), np.abs(values - values.mean(axis=0)).max(axis=0), 0.0))


def irs(codes: NDArray[np.floating], classes: NDArray[np.int64]) -> float:
    """Return the score, at most 1; 0 if no latent varies."""
    weights = reach(codes)
    if not weights.any():
        return 0.0
    return float(np.average(robustness(codes, classes).max(axis=1), weights=weights))
