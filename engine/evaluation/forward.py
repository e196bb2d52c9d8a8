"""A forward pass of a model over images, with the per-image values that metrics of reconstructions need."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import RunError
from engine.evaluation.sharpness import laplacian_variance
from engine.jobs.events import Event, Progress, Request
from engine.methods.terms import reconstruction_per_image
from engine.networks.tensors import to_tensor
from engine.runs.trained import TrainedModel

BATCH = 100
"""Images at a time. More are slower, since their feature maps exceed the processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class ForwardPass:
    """Values per image: losses and KL in nats, sharpness in squared grey levels; `kl` and `means` are (n, latents).

    Values that were not requested, or that the method does not have, are empty.
    """

    reconstruction: NDArray[np.float64]
    reconstruction_mean: NDArray[np.float64]
    kl: NDArray[np.float64]
    means: NDArray[np.float64]
    sharpness: NDArray[np.float64]
    sharpness_originals: NDArray[np.float64]


def forward(
    trained: TrainedModel, indices: NDArray[np.int64], seed: int, what: str, *, sharpness: bool
) -> Generator[Event, Request | None, ForwardPass]:
    """Encode and decode images, with z sampled and with z = posterior mean, as far as the method supports it.

    Yields Progress in images. Raises RunError if the weights give values that are not finite.
    """
    noise = torch.Generator().manual_seed(seed)
    parts: list[tuple[NDArray[np.float64], ...]] = []
    for start in range(0, len(indices), BATCH):
        chosen = indices[start : start + BATCH]
        parts.append(_batch(trained, chosen, noise, sharpness))
        yield Progress(min(start + BATCH, len(indices)), len(indices), what, "images")
    passed = ForwardPass(*(np.concatenate(values) for values in zip(*parts, strict=True)))
    require_finite(trained, passed.reconstruction, passed.kl, passed.means)
    return passed


def require_finite(trained: TrainedModel, *values: NDArray[np.floating]) -> None:
    """Raise RunError unless all outputs of the model are finite."""
    if not all(np.isfinite(array).all() for array in values):
        raise RunError(
            f"The weights of {trained.run.name} give values that are not numbers; the run diverged. "
            "It cannot be evaluated."
        )


@torch.no_grad()
def _batch(
    trained: TrainedModel, indices: NDArray[np.int64], noise: torch.Generator, sharpness: bool
) -> tuple[NDArray[np.float64], ...]:
    model, sampled, at_mean, sharp, sharp_originals = trained.model, *(np.empty(0) for _ in range(4))
    if not trained.dataset.has_images:
        return sampled, at_mean, np.empty((0, 0)), _numbers(trained.posterior_of(indices).mean), sharp, sharp_originals
    originals = trained.dataset.images(indices)
    images, labels = to_tensor(originals), trained.labels(indices)
    posterior = trained.encode(originals) if model.encodes else trained.posterior_of(indices)
    if sharpness:
        sharp_originals = laplacian_variance(originals)
    if model.has("reconstruction"):
        z = model.sample(posterior, noise)  # the same noise on every device
        sampled = _numbers(reconstruction_per_image(trained.logits(z, labels), images))
        logits = trained.logits(posterior.mean, labels)
        at_mean = _numbers(reconstruction_per_image(logits, images))
        if sharpness:
            sharp = laplacian_variance(torch.sigmoid(logits).permute(0, 2, 3, 1).numpy() * 255.0)
    kl = _numbers(model.kl(posterior)) if model.has("kl") else np.empty((0, 0))
    return sampled, at_mean, kl, _numbers(posterior.mean), sharp, sharp_originals


def _numbers(values: torch.Tensor) -> NDArray[np.float64]:
    return np.asarray(values.double().numpy())
