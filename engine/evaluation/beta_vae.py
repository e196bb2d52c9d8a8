"""The beta-VAE score: I. Higgins et al., "beta-VAE", ICLR 2017, with the values of disentanglement_lib.

Logistic regression with L2 regularisation (C = 1) on features that are not standardised, as published. The score does
not depend on the order of latents, but it does on their scale if that is far below 1.
"""

import numpy as np
from numpy.typing import NDArray

PROTOCOL = (
    "beta-VAE score (Higgins et al. 2017): logistic regression predicts the factor in which 64 pairs of images agree "
    "from the mean of |z_u - z_v|; accuracy on other points"
)


def beta_vae_score(
    differences: NDArray[np.float64],
    factor: NDArray[np.int64],
    test_differences: NDArray[np.float64],
    test_factor: NDArray[np.int64],
) -> float:
    """Return the accuracy on the test points, 0..1; chance is one over the number of factors.

    `differences` is (points, latents), the mean over pairs of |z_u - z_v|; `factor`, (points,), contains at least two
    factors.
    """
    from sklearn.linear_model import LogisticRegression

    # disentanglement_lib stops after 100 iterations; this fit always converges.
    model = LogisticRegression(max_iter=10_000)
    return float(model.fit(differences, factor).score(test_differences, test_factor))
