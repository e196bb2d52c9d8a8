"""Encoding images to posteriors and decoding latents to images, as numpy arrays."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from engine.errors import ConfigError
from engine.evaluation.forward import require_finite
from engine.evaluation.posterior_means import BATCH
from engine.networks.tensors import to_images
from engine.runs.trained import TrainedModel


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Posteriors of n images: mean, standard deviation and log-variance, each float64 (n, latents).

    For a category or code, the mean is its number (that of the most likely one) and the log-variance is 0.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    log_variance: NDArray[np.float64]


@torch.no_grad()
def encode(trained: TrainedModel, images: NDArray[np.uint8]) -> Posterior:
    """Encode images, uint8 (n, height, width, channels), to their posteriors.

    Raises RunError if the weights give values that are not finite.
    """
    latents = trained.model.latents
    mean, log_variance = np.empty((len(images), latents)), np.empty((len(images), latents))
    for first in range(0, len(images), BATCH):
        part = slice(first, first + BATCH)
        found = trained.encode(images[part])
        mean[part], log_variance[part] = (tensor.double().numpy() for tensor in found)
    require_finite(trained, mean, log_variance)
    return Posterior(mean, np.exp(0.5 * log_variance), log_variance)


@torch.no_grad()
def decode(
    trained: TrainedModel, z: NDArray[np.floating], labels: NDArray[np.int64] | None = None
) -> NDArray[np.uint8]:
    """Decode latents (n, latents), with class numbers (n,) if the model is conditional, to images, uint8 (n, h, w, c).

    Images are decoded one at a time: a convolution over a larger batch sums in another order, so that an image could
    differ by a grey level depending on its batch, and at these sizes a batch is no faster on a CPU. They are decoded by
    one thread: beside a run in training, waiting for a second thread takes far longer than the millisecond of work.
    Raises ConfigError if labels are missing or not expected.
    """
    model = trained.model
    if bool(model.classes) != (labels is not None):
        raise ConfigError(
            f"{trained.run.name} is conditional: it needs a label for every image."
            if model.classes
            else f"{trained.run.name} is not conditional: it takes no label."
        )
    inputs = torch.from_numpy(np.asarray(z, np.float32)).to(trained.device)
    classes = None if labels is None else torch.from_numpy(np.asarray(labels, np.int64)).to(trained.device)
    images = np.empty((len(inputs), *model.image_shape), np.uint8)
    with _thread_pools().limit(limits=1, user_api="openmp"):
        for i in range(len(inputs)):
            images[i] = to_images(model.decode(inputs[i : i + 1], None if classes is None else classes[i : i + 1]))[0]
    return images


@cache
def _thread_pools() -> ThreadpoolController:
    """OpenMP as loaded by torch. A limit holds only for the thread that sets it, so that others are not slowed down."""
    return ThreadpoolController()
