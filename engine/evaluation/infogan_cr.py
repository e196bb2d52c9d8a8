"""FactorVAE and beta-VAE scores in the protocol of InfoGAN-CR, in which many records on dSprites were published.

Z. Lin et al., "InfoGAN-CR and ModelCentrality", ICML 2020 (code: fjxmlzn/InfoGAN-CR). It differs from disentanglement_
lib's: 500 points of 100 images, the factors in turn; every latent votes, even one that hardly varies; and points are
classified by what was fitted to the same points, so that both scores are too high by about 0.01. That is also why there
is no interval: it would be one around a biased value.
"""

import numpy as np
from numpy.typing import NDArray

POINTS, IMAGES = 500, 100
SPREAD_IMAGES = 10_000
"""Images from which deviations are estimated, at least; a tenth of all, as published, if that is more."""

_POINTS = f"{POINTS} points of {IMAGES} images, the factors in turn, classified by what was fitted to them"
FACTOR_VAE = (
    "FactorVAE score in the protocol of InfoGAN-CR (Lin et al. 2020): the latent with the smallest normalised standard "
    f"deviation votes, none is left out; {_POINTS}"
)
BETA_VAE = (
    "beta-VAE score in the protocol of InfoGAN-CR (Lin et al. 2020): logistic regression (C = 1) on the mean of "
    f"|z_u - z_v| over {IMAGES // 2} pairs; {_POINTS}"
)


def factor_vae(deviations: NDArray[np.float64], spread: NDArray[np.float64], factor: NDArray[np.int64]) -> float:
    """Return the accuracy of the majority vote on the points that voted, 0..1; 0 if no latent varies.

    `deviations` is (points, latents), `spread` (latents,) the deviation over other images, 0 for a latent that does not
    vary, `factor` (points,).
    """
    votes = counted(deviations, spread, factor)
    return float(votes.max(axis=1).sum() / len(factor)) if len(votes) else 0.0


def counted(
    deviations: NDArray[np.float64], spread: NDArray[np.float64], factor: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the votes for each factor of each latent that varies, (varying latents, factors)."""
    varies = spread > 0
    votes = np.zeros((int(varies.sum()), int(factor.max()) + 1), np.int64)
    if len(votes):
        np.add.at(votes, (np.argmin(deviations[:, varies] / spread[varies], axis=1), factor), 1)
    return votes


def beta_vae(differences: NDArray[np.float64], factor: NDArray[np.int64]) -> float:
    """Return the accuracy of logistic regression on the points it was fitted to, 0..1.

    `differences` is (points, latents), the mean over pairs of |z_u - z_v|; `factor` is (points,).
    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=10_000)
    return float(model.fit(differences, factor).score(differences, factor))
