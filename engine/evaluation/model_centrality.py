"""ModelCentrality: Z. Lin et al., "InfoGAN-CR and ModelCentrality", ICML 2020 (code: fjxmlzn/InfoGAN-CR).

Disentangled models agree on what a factor is, so the best model of several is the most central one. Each model in turn
plays the ground truth: it generates images in which one of its latents is fixed, and every other model's encoder is
scored on them by the FactorVAE score, in the protocol of InfoGAN-CR. A run's value is the mean over the other runs of
this score, both ways round. No factors are needed.

Fewer images than published are generated (200 points of 50 images instead of 1,000 of 100), since all runs encode all
of them. There is no interval: another selection of runs is another question.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.correlation import vary
from engine.evaluation.infogan_cr import factor_vae
from engine.methods.latents import Latent

POINTS, IMAGES, REFERENCE = 200, 50, 2_000
"""Points of images that share a latent, images of a point, and images from which deviations are estimated."""

PROTOCOL = (
    f"ModelCentrality (Lin et al. 2020): FactorVAE score of a run's encoder on {POINTS} points of {IMAGES} images that "
    "another run generates with one of its latents fixed, the latents in turn, and of the other's on those of this; "
    "mean over both and over all other runs"
)


def draw(
    kinds: Sequence[Latent], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Draw z from a model's prior: points (points, images, latents), others (reference, latents), the fixed latents.

    In the images of a point, the latent of that number, (points,), is the same.
    """
    z = np.stack([[kind.draw(rng) for _ in range(POINTS * IMAGES + REFERENCE)] for kind in kinds], axis=1)
    points, reference = z[: POINTS * IMAGES].reshape(POINTS, IMAGES, len(kinds)), z[POINTS * IMAGES :]
    fixed = np.arange(POINTS) % len(kinds)
    points[np.arange(POINTS), :, fixed] = points[np.arange(POINTS), :1, fixed]
    return points, reference, fixed


def agreement(codes: NDArray[np.floating], reference: NDArray[np.floating], fixed: NDArray[np.int64]) -> float:
    """Return the FactorVAE score, 0..1, of a run's codes of another's images.

    `codes` is (points, images, latents), `reference` (n, latents), `fixed` (points,) the other's latent that was fixed.
    """
    values = np.asarray(reference, np.float64)
    spread = np.where(vary(values), values.std(axis=0), 0.0)
    return factor_vae(np.asarray(codes, np.float64).std(axis=1), spread, fixed)


def centrality(agreements: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each run's mean agreement with the others, (runs,), from that of run j on i's images, (i, j)."""
    both = (agreements + agreements.T) / 2
    return np.array([np.delete(row, i).mean() for i, row in enumerate(both)])
