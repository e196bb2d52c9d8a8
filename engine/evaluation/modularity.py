"""Modularity: K. Ridgeway & M. Mozer, "Learning Deep Disentangled Embeddings with the F-Statistic Loss", NeurIPS 2018.

Whether each latent is informative about one factor only; several latents may share a factor. Mutual information is that
of MIG. A latent without any information is left out, where disentanglement_lib counts it as 0.
"""

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.mig import BINS

PROTOCOL = (
    f"modularity (Ridgeway & Mozer 2018): mutual information of each latent ({BINS} bins of equal width) and factor; "
    "1 - the squares of all but the largest over (factors - 1) times the largest one's square, mean over latents with "
    "any information"
)
NO_INFORMATION = "no latent is informative about any factor"


def modularity(information: NDArray[np.float64]) -> float | str:
    """Return modularity, 0..1, from mutual information (latents, at least two factors), or why there is none."""
    squares = np.square(information)
    best = squares.max(axis=1)
    informative = best > 0
    if not informative.any():
        return NO_INFORMATION
    others = squares.sum(axis=1)[informative] - best[informative]
    return float(np.mean(1 - others / (best[informative] * (squares.shape[1] - 1))))
