"""The grid of a traversal, a row for each latent, and what is made of its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.evaluation.evaluate import kept_kl, sample_of
from engine.evaluation.representation import BATCH
from engine.runs.divergence import latents_by_kl
from engine.runs.metrics_file import MetricsReader
from engine.runs.trained import TrainedModel
from engine.traversal.coding import decode
from engine.traversal.start import Start, checked_label, start_from_image

KL_IMAGES = 1000
"""Images over which the KL of each latent is averaged to order them."""


@dataclass(frozen=True, slots=True, eq=False)
class Traversal:
    """A row for each latent, over absolute values of that latent.

    `images` is uint8 (latents, values, height, width, channels); `original` and `reconstruction` (height,
    width, channels), the original None for the prior; `mean` and `deviation` of the image's posterior (all latents,);
    `kl` the mean KL over the data of each latent shown, in nats; `label` the class the decoder was given, `label_name`
    what it is called.
    """

    original: NDArray[np.uint8] | None
    reconstruction: NDArray[np.uint8]
    images: NDArray[np.uint8]
    latents: tuple[int, ...]
    kl: tuple[float, ...]
    values: tuple[float, ...]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    step: int
    label: int | None = None
    label_name: str = ""


class LatentKL(NamedTuple):
    """Mean KL of each latent, in nats, (latents,), and in words what the means are over."""

    values: NDArray[np.float64]
    over: str


def mean_kl(trained: TrainedModel, images: int = KL_IMAGES) -> NDArray[np.float64]:
    """Mean KL of each latent in nats, (latents,): the values of `latent_kl`."""
    return latent_kl(trained, images).values


@torch.no_grad()
def latent_kl(trained: TrainedModel, images: int = KL_IMAGES) -> LatentKL:
    """Mean KL of each latent: of the evaluation of these weights if there is one, as the metrics page has it.

    Otherwise over a seeded sample of the data; where the data set is gone as the training logged it last before these
    weights, zeros where it did not.
    """
    evaluated = kept_kl(trained)
    if evaluated is not None:
        return LatentKL(evaluated, "the images that it was evaluated on, as on the Metrics page")
    if not trained.has_data:
        return LatentKL(_logged_kl(trained), "the last steps of training before these weights")
    indices = sample_of(trained.dataset, trained.dataset.headline_split, images)
    sums = np.zeros(trained.model.latents)
    for start in range(0, len(indices), BATCH):
        chosen = indices[start : start + BATCH]
        posterior = trained.encode(trained.dataset.images(chosen))
        sums += trained.model.kl(posterior).double().sum(0).numpy()
    of = len(trained.dataset.splits[trained.dataset.headline_split])
    return LatentKL(sums / len(indices), f"{len(indices):,} of {of:,} images; evaluate the run for more")


def _logged_kl(trained: TrainedModel) -> NDArray[np.float64]:
    reader = MetricsReader(trained.run.metrics_file)
    reader.refresh()
    before = np.flatnonzero(reader.column("step") <= trained.step)
    if not len(before) or reader.latents != trained.model.latents:
        return np.zeros(trained.model.latents)
    logged: NDArray[np.float64] = np.nan_to_num(reader.kl_per_latent[before[-1]])
    return logged


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


def traverse(
    trained: TrainedModel,
    image: int,
    latents: Sequence[int],
    kl: NDArray[np.float64],
    span: tuple[float, float] = (-3.0, 3.0),
    steps: int = 11,
    label: int | None = None,
) -> Traversal:
    """Decode the grid of an image of the data set. Raises ConfigError when there is no such image or label."""
    return traverse_from(trained, start_from_image(trained, image), latents, kl, span, steps, label)


def traverse_from(
    trained: TrainedModel,
    start: Start,
    latents: Sequence[int],
    kl: NDArray[np.float64],
    span: tuple[float, float] = (-3.0, 3.0),
    steps: int = 11,
    label: int | None = None,
) -> Traversal:
    """Decode a grid: in row r, latent `latents[r]` takes `steps` absolute values over `span`.

    The other latents stay at the start's posterior mean; the label is the start's own unless given. Raises
    ConfigError when there is no such label.
    """
    label = checked_label(trained, label, start.label)
    values = _values(span, steps)
    z = np.tile(start.mean, (1 + len(latents) * steps, 1))
    for row, latent in enumerate(latents):
        z[1 + row * steps : 1 + (row + 1) * steps, latent] = values
    decoded = decode(trained, z, None if label is None else np.full(len(z), label))
    return Traversal(
        original=start.original,
        reconstruction=decoded[0],
        images=decoded[1:].reshape(len(latents), steps, *decoded.shape[1:]),
        latents=tuple(latents),
        kl=tuple(float(kl[i]) for i in latents),
        values=tuple(values.tolist()),
        mean=start.mean,
        deviation=start.deviation,
        step=trained.step,
        label=label,
        label_name="" if label is None else trained.dataset.label_names[label],
    )


def class_grid(
    trained: TrainedModel,
    start: Start,
    latent: int,
    span: tuple[float, float] = (-3.0, 3.0),
    steps: int = 11,
) -> NDArray[np.uint8]:
    """Decode one latent against every class of a conditional model: the style that all classes are drawn in.

    uint8 (classes, steps, height, width, channels). Raises ConfigError for a model without labels or that latent.
    """
    model = trained.model
    if not model.classes:
        raise ConfigError(f"{trained.run.name} is not conditional: it has no classes to draw.")
    choose_latents(np.zeros(model.latents), [latent])
    z = np.tile(start.mean, (model.classes * steps, 1))
    z[:, latent] = np.tile(_values(span, steps), model.classes)
    decoded = decode(trained, z, np.repeat(np.arange(model.classes), steps))
    return decoded.reshape(model.classes, steps, *decoded.shape[1:])


def difference(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What a latent changes, pixel by pixel: the largest less the smallest grey level over its values.

    From uint8 (values, height, width, channels) to (height, width, channels). It is not stretched: 0 is a pixel that
    never changes, 255 one that goes from black to white, and latents can be compared.
    """
    changed: NDArray[np.uint8] = images.max(axis=0) - images.min(axis=0)
    return changed


def _values(span: tuple[float, float], steps: int) -> NDArray[np.float64]:
    """Evenly spaced values with both ends; what is nearly 0 is 0."""
    values = np.linspace(span[0], span[1], steps)
    values[np.abs(values) < 1e-12] = 0
    return values
