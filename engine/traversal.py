"""Latent traversals as arrays, no drawing: change one latent, keep the others, look."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.evaluation.divergence import latents_by_kl
from engine.evaluation.evaluate import sample_of
from engine.models.loading import TrainedModel
from engine.objectives import kl_per_latent
from engine.tensors import to_images, to_tensor

KL_IMAGES = 1000
"""Images over which the KL of each latent is averaged to order them."""


@dataclass(frozen=True, slots=True, eq=False)
class Traversal:
    """A row for each latent, over absolute values of that latent.

    `images` is uint8 (latents, values, height, width, channels); `original` and `reconstruction` (height,
    width, channels); `mean` and `deviation` of the image's posterior (all latents,); `kl` the mean KL over the
    data of each latent shown, in nats; `label` the class the decoder was given.
    """

    original: NDArray[np.uint8]
    reconstruction: NDArray[np.uint8]
    images: NDArray[np.uint8]
    latents: tuple[int, ...]
    kl: tuple[float, ...]
    values: tuple[float, ...]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    step: int
    label: int | None = None


@torch.no_grad()
def mean_kl(trained: TrainedModel, images: int = KL_IMAGES) -> NDArray[np.float64]:
    """Mean KL of each latent over a seeded sample of the data, in nats, (latents,)."""
    indices = sample_of(trained.dataset, trained.dataset.headline_split, images)
    sums = np.zeros(trained.model.latents)
    for start in range(0, len(indices), 250):
        chosen = indices[start : start + 250]
        sums += kl_per_latent(*trained.model.encode(to_tensor(trained.dataset.images(chosen)))).double().sum(0).numpy()
    return sums / len(indices)


def choose_latents(
    kl: NDArray[np.float64], latents: Sequence[int] | None = None, min_kl: float | None = None
) -> tuple[int, ...]:
    """Latents to show, by KL, largest first: those named, those above a KL, or all.

    Raises ConfigError for a latent that the model does not have.
    """
    if latents:
        wrong = [i for i in latents if not 0 <= i < len(kl)]
        if wrong:
            raise ConfigError(f"There is no latent {wrong[0]}; the model has {len(kl)}, numbered from 0.")
    return tuple(
        int(i) for i in latents_by_kl(kl) if (not latents or i in latents) and (min_kl is None or kl[i] >= min_kl)
    )


@torch.no_grad()
def traverse(
    trained: TrainedModel,
    image: int,
    latents: Sequence[int],
    kl: NDArray[np.float64],
    span: tuple[float, float] = (-3.0, 3.0),
    steps: int = 11,
    label: int | None = None,
) -> Traversal:
    """Decode a grid: in row r, latent `latents[r]` takes `steps` absolute values over `span`.

    The other latents stay at the image's posterior mean; the label is the image's own unless given. Raises
    ConfigError when there is no such image or label.
    """
    dataset, model = trained.dataset, trained.model
    if not 0 <= image < len(dataset):
        raise ConfigError(f"There is no image {image}; {dataset.title} has {len(dataset):,}, numbered from 0.")
    own = trained.labels(np.array([image]))
    if label is not None and own is None:
        raise ConfigError(f"{trained.run.name} is not conditional: it takes no label.")
    if label is not None and not 0 <= label < model.classes:
        raise ConfigError(f"There is no label {label}; {dataset.title} has {model.classes}, numbered from 0.")
    original = dataset.images(np.array([image]))
    mean, log_variance = model.encode(to_tensor(original))
    values = torch.linspace(span[0], span[1], steps)
    z = mean.repeat(1 + len(latents) * steps, 1)
    for row, latent in enumerate(latents):
        z[1 + row * steps : 1 + (row + 1) * steps, latent] = values
    chosen = None
    if own is not None:
        chosen = (own if label is None else torch.tensor([label])).repeat(len(z))
    decoded = to_images(model.decode(z, chosen))
    return Traversal(
        original=original[0],
        reconstruction=decoded[0],
        images=decoded[1:].reshape(len(latents), steps, *decoded.shape[1:]),
        latents=tuple(latents),
        kl=tuple(float(kl[i]) for i in latents),
        values=tuple(values.tolist()),
        mean=mean[0].double().numpy(),
        deviation=(0.5 * log_variance[0]).exp().double().numpy(),
        step=trained.step,
        label=int(chosen[0]) if chosen is not None else None,
    )
