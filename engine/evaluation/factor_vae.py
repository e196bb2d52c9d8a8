"""The FactorVAE score: H. Kim & A. Mnih, "Disentangling by Factorising", ICML 2018, as in disentanglement_lib.

Variances are normalised by each latent's own, so the order of latents does not matter, and their scale matters only if
it moves a standard deviation across 0.05, the threshold below which a latent does not vote.
"""

import numpy as np
from numpy.typing import NDArray

MIN_DEVIATION = 0.05
PROTOCOL = (
    "FactorVAE score (Kim & Mnih 2018): the latent with the smallest normalised variance over 64 images that agree in "
    f"a factor votes for it; latents with a standard deviation below {MIN_DEVIATION} are left out; accuracy of the "
    "majority vote on other points"
)


def factor_vae_score(
    global_variance: NDArray[np.float64],
    variances: NDArray[np.float64],
    factor: NDArray[np.int64],
    test_variances: NDArray[np.float64],
    test_factor: NDArray[np.int64],
) -> float:
    """Return the accuracy of the majority vote on the test points, 0..1; 0 if no latent votes.

    `global_variance` is (latents,), `variances` (points, latents), see `sampling.batch_variances`, `factor` (points,).
    """
    active = np.sqrt(global_variance) >= MIN_DEVIATION
    if not active.any():
        return 0.0
    factors = int(max(factor.max(), test_factor.max())) + 1
    votes = counted(global_variance, variances, factor, factors)[active]
    predicted = votes.argmax(axis=1)[_voting(test_variances, global_variance, active)]
    return float(np.mean(predicted == test_factor))


def counted(
    global_variance: NDArray[np.float64], variances: NDArray[np.float64], factor: NDArray[np.int64], factors: int
) -> NDArray[np.int64]:
    """Return how often each latent voted for each factor, (latents, factors); a latent without a vote has none."""
    active = np.sqrt(global_variance) >= MIN_DEVIATION
    votes = np.zeros((len(active), factors), np.int64)
    if active.any():
        np.add.at(votes, (np.flatnonzero(active)[_voting(variances, global_variance, active)], factor), 1)
    return votes


def _voting(
    variances: NDArray[np.float64], global_variance: NDArray[np.float64], active: NDArray[np.bool_]
) -> NDArray[np.int64]:
    chosen: NDArray[np.int64] = np.argmin(variances[:, active] / global_variance[active], axis=1)
    return chosen
