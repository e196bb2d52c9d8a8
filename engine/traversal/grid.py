"""The grid of a traversal, with a row for each latent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.evaluation.evaluate import kept_kl
from engine.evaluation.posterior_means import BATCH
from engine.evaluation.sampling import sample_of
from engine.methods.latents import Latent
from engine.runs.divergence import latents_by_kl
from engine.runs.metrics_file import MetricsReader
from engine.runs.trained import TrainedModel
from engine.traversal.coding import decode
from engine.traversal.start import Start, checked_label, start_from_image

KL_IMAGES = 1000
"""Images over which the KL of each latent is averaged to order the latents."""


EVALUATED = "the images of the evaluation, as on the Metrics page"
"""What the KL of an evaluation is averaged over."""


@dataclass(frozen=True, slots=True, eq=False)
class Traversal:
    """A grid of images with a row for each latent, over absolute values of that latent.

    `images` is uint8 (latents, values, height, width, channels), black where a row has fewer values than others.
    `original` and `reconstruction` are (height, width, channels); the original is None for the prior. `values` are
    those of each row, `mean` and `deviation` those of the image's posterior, (all latents,). For each latent shown,
    `kl` is the mean KL over the data in nats, NaN for a method without KL, and `kinds` its kind. `label` is the class
    given to the decoder, `label_name` its name.
    """

    original: NDArray[np.uint8] | None
    reconstruction: NDArray[np.uint8]
    images: NDArray[np.uint8]
    latents: tuple[int, ...]
    kl: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    step: int
    kinds: tuple[Latent, ...]
    label: int | None = None
    label_name: str = ""

    def row(self, number: int) -> NDArray[np.uint8]:
        """Return the images of a row, one for each of its values."""
        return self.images[number, : len(self.values[number])]

    def rows(self, numbers: Sequence[int]) -> "Traversal":
        """Return the traversal with only these rows."""
        kept = [int(number) for number in numbers]
        return replace(
            self,
            images=self.images[kept],
            latents=tuple(self.latents[n] for n in kept),
            kl=tuple(self.kl[n] for n in kept),
            values=tuple(self.values[n] for n in kept),
            kinds=tuple(self.kinds[n] for n in kept),
        )

    @property
    def columns(self) -> tuple[float, ...]:
        """The values shown above the columns: those shared by all rows; empty if rows differ.

        Categories and codes are ignored unless all rows are such.
        """
        others = {v for v, kind in zip(self.values, self.kinds, strict=True) if not kind.integer} or set(self.values)
        return next(iter(others)) if len(others) == 1 else ()

    def note(self, number: int) -> str:
        """Return the note beside a row without a name: its KL, or for a method without KL the kind of latent."""
        if not np.isnan(self.kl[number]):
            return f"{self.kl[number]:.2f} nats"
        kind = self.kinds[number]
        return f"{kind.low:.0f} to {kind.high:.0f}" if kind.integer else kind.prior


class LatentKL(NamedTuple):
    """Mean KL of each latent, in nats, (latents,), and a description of what it is averaged over.

    NaN and empty for a method without KL.
    """

    values: NDArray[np.float64]
    over: str


def mean_kl(trained: TrainedModel, images: int = KL_IMAGES) -> NDArray[np.float64]:
    """Return the mean KL of each latent in nats, (latents,): the values of `latent_kl`."""
    return latent_kl(trained, images).values


@torch.no_grad()
def latent_kl(trained: TrainedModel, images: int = KL_IMAGES) -> LatentKL:
    """Return the mean KL of each latent, from the evaluation of these weights if there is one, as on the Metrics page.

    Otherwise it is averaged over a seeded sample of the data; without the data set, it is the last value logged before
    these weights, or zeros.
    """
    if not trained.model.has("kl"):
        return LatentKL(np.full(trained.model.latents, np.nan), "")
    evaluated = kept_kl(trained)
    if evaluated is not None:
        return LatentKL(evaluated, EVALUATED)
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
    """Return the latents to show: those named, those above a KL, or all, ordered by KL, largest first.

    Without a KL (NaN), they keep their order. Raises ConfigError for a latent that the model does not have.
    """
    if latents:
        wrong = [i for i in latents if not 0 <= i < len(kl)]
        if wrong:
            raise ConfigError(f"There is no latent {wrong[0]}; the model has {len(kl)}, numbered from 0.")
    return tuple(
        int(i) for i in latents_by_kl(kl) if (not latents or i in latents) and (min_kl is None or not kl[i] < min_kl)
    )


def traverse(
    trained: TrainedModel,
    image: int,
    latents: Sequence[int],
    kl: NDArray[np.float64],
    span: tuple[float, float] | None = None,
    steps: int | None = None,
    label: int | None = None,
) -> Traversal:
    """Decode the grid of an image of the data set. Raises ConfigError if there is no such image or label."""
    return traverse_from(trained, start_from_image(trained, image), latents, kl, span, steps, label)


def traverse_from(
    trained: TrainedModel,
    start: Start,
    latents: Sequence[int],
    kl: NDArray[np.float64],
    span: tuple[float, float] | None = None,
    steps: int | None = None,
    label: int | None = None,
) -> Traversal:
    """Decode a grid: in row r, latent `latents[r]` takes `steps` absolute values over `span`, or over its own span.

    A category or code takes all of its values. The other latents stay at the start's posterior mean; the label is the
    start's own unless given. Raises ConfigError if there is no such label.
    """
    label = checked_label(trained, label, start.label)
    kinds = tuple(trained.model.kinds[latent] for latent in latents)
    values = tuple(kind.values(span, steps) for kind in kinds)
    z = np.tile(start.mean, (1 + sum(map(len, values)), 1))
    ends = 1 + np.cumsum([0, *map(len, values)])
    for latent, row, first in zip(latents, values, ends[:-1], strict=True):
        z[first : first + len(row), latent] = row
    decoded = decode(trained, z, None if label is None else np.full(len(z), label))
    images = np.zeros((len(latents), max(map(len, values), default=0), *decoded.shape[1:]), np.uint8)
    for number, pictures in enumerate(np.split(decoded, ends)[1:-1]):
        images[number, : len(pictures)] = pictures
    return Traversal(
        original=start.original,
        reconstruction=decoded[0],
        images=images,
        latents=tuple(latents),
        kl=tuple(float(kl[i]) for i in latents),
        values=values,
        mean=start.mean,
        deviation=start.deviation,
        step=trained.step,
        kinds=kinds,
        label=label,
        label_name="" if label is None else trained.dataset.label_names[label],
    )


def class_grid(
    trained: TrainedModel,
    start: Start,
    latent: int,
    span: tuple[float, float] | None = None,
    steps: int | None = None,
) -> NDArray[np.uint8]:
    """Decode a latent for every class of a conditional model, which shows the style shared by all classes.

    Returns uint8 (classes, steps, height, width, channels). Raises ConfigError for a model without labels or without
    that latent.
    """
    model = trained.model
    if not model.classes:
        raise ConfigError(f"{trained.run.name} is not conditional: it has no classes to draw.")
    choose_latents(np.zeros(model.latents), [latent])
    values = model.kinds[latent].values(span, steps)
    z = np.tile(start.mean, (model.classes * len(values), 1))
    z[:, latent] = np.tile(values, model.classes)
    decoded = decode(trained, z, np.repeat(np.arange(model.classes), len(values)))
    return decoded.reshape(model.classes, len(values), *decoded.shape[1:])


def difference(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what a latent changes in each pixel: the range of grey levels over its values.

    From uint8 (values, height, width, channels) to (height, width, channels). It is not rescaled: 0 is a pixel that
    never changes, 255 one that goes from black to white, so that latents can be compared.
    """
    changed: NDArray[np.uint8] = images.max(axis=0) - images.min(axis=0)
    return changed
