"""Total and mean correlation of latents, computed from their posterior means; no ground truth is needed.

Correlations depend neither on the order nor on the scale of latents. Constant latents are left out. There is no
interval: for nearly independent latents, the values are mostly sampling noise, whose spread resampling does not show: a
bootstrap's 95 % interval covered the mean over draws for only 55 % of draws.
"""

import numpy as np
from numpy.typing import NDArray

TOTAL_CORRELATION = (
    "total correlation of the posterior means, as of a Gaussian with their covariance (disentanglement_lib; "
    "Locatello et al. 2019): -ln det(correlations) / 2"
)
MEAN_CORRELATION = "mean of |Pearson correlation| between the posterior means of two latents, over all pairs"


def varying(codes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the latents, (images, latents), that are not constant to single precision, standardised."""
    values = np.asarray(codes, dtype=np.float64)[:, vary(codes)]
    return np.asarray((values - values.mean(axis=0)) / values.std(axis=0))


def vary(codes: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which latents, (latents,), of codes (images, latents) are not constant to single precision."""
    values = np.asarray(codes, dtype=np.float64)
    return np.asarray(values.std(axis=0) > 1e-6 * np.maximum(np.abs(values.mean(axis=0)), 1e-6))


def total_correlation(codes: NDArray[np.floating]) -> float:
    """Return the total correlation in nats, at least 0, infinite if latents are linearly dependent.

    `codes` is (images, latents), without constant latents.
    """
    if codes.shape[1] < 2:
        return 0.0
    sign, log_determinant = np.linalg.slogdet(_correlations(codes))
    return max(0.0, -0.5 * float(log_determinant)) if sign > 0 else float("inf")


def mean_correlation(codes: NDArray[np.floating]) -> float:
    """Return the mean |correlation| over all pairs of latents, 0..1; `codes` as in `total_correlation`."""
    if codes.shape[1] < 2:
        return 0.0
    return min(1.0, float(np.abs(_correlations(codes)[np.triu_indices(codes.shape[1], 1)]).mean()))


def _correlations(codes: NDArray[np.floating]) -> NDArray[np.float64]:
    covariance = np.cov(codes, rowvar=False, ddof=0)
    deviation = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(deviation, deviation))
