"""A few images and their reconstructions, with the sharpness of each."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.evaluation.sampling import sample_of
from engine.evaluation.sharpness import laplacian_variance
from engine.runs.trained import TrainedModel


@dataclass(frozen=True, slots=True, eq=False)
class Reconstructions:
    """Images, uint8 (n, height, width, channels), and their sharpness before rounding, (n,), in squared grey levels."""

    images: NDArray[np.uint8]
    sharpness: NDArray[np.float64]


def originals(trained: TrainedModel, number: int) -> Reconstructions:
    """Return the first images of a seeded sample of the headline split, the same for all runs of a data set."""
    images = trained.dataset.images(_chosen(trained, number))
    return Reconstructions(images, laplacian_variance(images))


@torch.no_grad()
def reconstructions(trained: TrainedModel, number: int) -> Reconstructions:
    """Return a model's reconstructions of `originals`, with z = posterior mean."""
    chosen = _chosen(trained, number)
    mean, _ = trained.encode(trained.dataset.images(chosen))
    grey = torch.sigmoid(trained.logits(mean, trained.labels(chosen))).permute(0, 2, 3, 1).numpy() * 255.0
    return Reconstructions(np.rint(grey).astype(np.uint8), laplacian_variance(grey))


def _chosen(trained: TrainedModel, number: int) -> NDArray[np.int64]:
    return sample_of(trained.dataset, trained.dataset.headline_split, number)
