"""Summaries of the KL divergence of posteriors from the prior."""

import numpy as np
from numpy.typing import NDArray

ACTIVE_NATS = 0.1
"""A latent with a mean KL above this carries information about the image."""


def is_active(kl: float) -> bool:
    """Return whether a latent with this mean KL, in nats, carries information about the image."""
    return kl > ACTIVE_NATS


def active_latents(kl_per_latent: NDArray[np.float64]) -> int:
    """Count the latents whose mean KL over the images exceeds 0.1 nats. `kl_per_latent` is (latents,)."""
    return sum(map(is_active, kl_per_latent.tolist()))


def latents_by_kl(kl_per_latent: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the latents ordered by mean KL, largest first; ties keep their order."""
    return np.argsort(-np.asarray(kl_per_latent), kind="stable").astype(np.int64)
