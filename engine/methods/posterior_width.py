"""Why beta widens posteriors, and why wide posteriors overlap: the report's Figure 1 as a toy model with a closed form.

One latent z with prior N(0, 1); a linear decoder with Gaussian noise, x = a z + noise of variance v; a posterior
q(z|x) = N(mean, variance). The loss of beta-VAE for one image (Eq. 4 of the report) is

    E_q[(x - a z)^2] / (2 v) + beta * KL(q || N(0, 1))
    = (p (t - mean)^2 + p variance + beta (mean^2 + variance - ln variance - 1)) / 2,

where p = a^2 / v is the decoder's precision and t = x / a the latent value that reproduces the image exactly. Its
derivatives vanish at mean = t p / (p + beta) and variance = beta / (p + beta).
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Posterior:
    """A Gaussian over one latent."""

    mean: float
    deviation: float


def best_posterior(target: float, beta: float, precision: float) -> Posterior:
    """Return the posterior that minimises reconstruction + beta * KL for an image that `target` reproduces exactly.

    `precision`, a^2 / v, is the decoder's; it and `beta` are positive.
    """
    return Posterior(target * precision / (precision + beta), math.sqrt(beta / (precision + beta)))


def overlap(one: Posterior, other: Posterior) -> float:
    """Return the area under both densities, 0 to 1, of two posteriors with the same standard deviation.

    Half of it is the error rate of the best guess as to which of two images z was drawn for.
    """
    return math.erfc(abs(one.mean - other.mean) / (2 * math.sqrt(2) * one.deviation))


def reconstruction_loss(posterior: Posterior, target: float, precision: float) -> float:
    """Return E_q[(x - a z)^2] / (2 v), in nats up to a constant."""
    return precision * ((target - posterior.mean) ** 2 + posterior.deviation**2) / 2


def divergence(posterior: Posterior) -> float:
    """Return KL(q || N(0, 1)), in nats."""
    variance = posterior.deviation**2
    return (posterior.mean**2 + variance - math.log(variance) - 1) / 2
