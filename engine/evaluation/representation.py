"""The input of metrics: a model's codes of the images of its data set, and the ground-truth factors."""

from collections.abc import Callable, Generator, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from engine.data import Dataset
from engine.evaluation.catalogue import OF_FACTORS, Column, Need
from engine.evaluation.intervals import DRAWS
from engine.evaluation.metric import Score
from engine.evaluation.posterior_means import PosteriorMeans
from engine.evaluation.reasons import ONE_LATENT, no_category, no_factors, no_labels, no_training_split
from engine.evaluation.results import SEED, entry
from engine.evaluation.sampling import (
    MAX_CLASSES,
    MIN_IMAGES,
    MIN_IMAGES_PER_VALUE,
    TESTING,
    TRAINING,
    Batches,
    Groups,
    Pairs,
    draw_batches,
    draw_images,
    draw_pairs,
    pair_sums,
)
from engine.jobs.events import Event, Progress, Request
from engine.jobs.processes import Children
from engine.methods.latents import Latent
from engine.networks.tensors import to_images
from engine.runs.trained import TrainedModel

Scalar = TypeVar("Scalar", bound=np.generic)


class Representation:
    """The codes of one model. Metrics share groups, pairs and posterior means, which are computed when first needed.

    Arrays that are shared cannot be written to: else the value of a metric would depend on those computed before it.

    A metric that takes seconds uses `codes` and `classes` (or `labels`, `images`), those of `sample`. Others draw their
    own images and encode them with `means`, which yields Progress.
    """

    def __init__(self, trained: TrainedModel, children: Children, what: str) -> None:
        self._trained = trained
        self._dataset = trained.dataset
        self._means = PosteriorMeans(trained)
        self._children = children
        self._what = what

    # The sample

    @property
    def dataset(self) -> Dataset:
        """The data set, to which positions refer."""
        return self._dataset

    @property
    def kinds(self) -> tuple[Latent, ...]:
        """Kind of each latent, (latents,). The code of a category is its number, which is not a quantity."""
        return self._trained.model.kinds

    @property
    def sample(self) -> NDArray[np.int64]:
        """Positions of 10,000 images drawn with a fixed seed, or of two thirds of fewer than 15,000."""
        return self.drawn[0]

    @cached_property
    def codes(self) -> NDArray[np.float64]:
        """Posterior means of the sample, (n, latents)."""
        for _ in self.means(self.sample):
            pass
        return _fixed(self._means.means[self.sample].astype(np.float64))

    @cached_property
    def classes(self) -> NDArray[np.int64]:
        """Class of each factor that varies, integers from 0, for the sample, (n, factors). Needs factors."""
        return _fixed(self.groups.classes[self.sample])

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the factors that vary. Needs factors."""
        return self.groups.names

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class numbers of the sample's images, (n,). Needs labels."""
        assert self._dataset.labels is not None
        return self._dataset.labels[self.sample]

    @property
    def images(self) -> NDArray[np.uint8]:
        """The sample's images, uint8 (n, height, width, channels)."""
        return self._dataset.images(self.sample)

    def posteriors(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return posterior mean and log-variance of images, each (n, latents)."""
        with torch.inference_mode():
            parts = [self._trained.posterior_of(part) for part in _batches(positions)]
        mean, log_variance = (torch.cat(values).double().numpy() for values in zip(*parts, strict=True))
        return mean, log_variance

    def decoded(self, z: NDArray[np.floating], labels: NDArray[np.int64] | None = None) -> NDArray[np.uint8]:
        """Decode latents (n, latents), with labels if the model is conditional: uint8 (n, height, width, channels)."""
        given = None if labels is None else torch.from_numpy(np.asarray(labels, np.int64))
        with torch.inference_mode():
            logits = self._trained.logits(torch.from_numpy(np.asarray(z, np.float32)), given)
        return to_images(logits.sigmoid())

    @property
    def conditional(self) -> bool:
        """Whether the decoder is given labels."""
        return self._trained.model.classes > 0

    def rng(self, draw: int = 0) -> np.random.Generator:
        """Return the random generator of a draw: draw 0 gives the values, the others their spread."""
        return np.random.default_rng((SEED, draw) if draw else SEED)

    # Reasons for missing values

    def lacking(self, needs: frozenset[Need]) -> str:
        """Return which need of a metric is not met, as a sentence without a full stop; empty if all are."""
        model, title = self._trained.model, self._dataset.title
        if reasons := [reason for name, reason in model.lacks.items() if name in needs]:
            return reasons[0]
        if OF_FACTORS & needs and (lacking := self._factors_lacking(classes=Need.FACTORS in needs)):
            return lacking
        if Need.CATEGORY in needs and all(kind.quantity for kind in self.kinds):
            return no_category(type(model))
        if Need.LABELS in needs and self._dataset.labels is None:
            return no_labels(title)
        return no_training_split(title) if Need.TRAINING_SPLIT in needs and "train" not in self._dataset.splits else ""

    def _factors_lacking(self, *, classes: bool) -> str:
        return unscorable_reason(self._dataset, self._groups, self._means.means.shape[1], classes=classes)

    # Images that a metric draws itself

    @cached_property
    def _groups(self) -> Groups | None:
        factors = self._dataset.factors
        return None if factors is None else Groups.of(factors, len(self._dataset))

    @property
    def groups(self) -> Groups:
        """The images by the classes of their factors."""
        assert self._groups is not None
        return self._groups

    @cached_property
    def pairs(self) -> Pairs:
        """Pairs that agree in a factor: training points, then test points."""
        return draw_pairs(self.groups, TRAINING + TESTING, self.rng())

    def batches(self, draw: int = 0) -> Batches:
        """Return images that agree in a factor: training points, then test points, of the first or a further draw."""
        return draw_batches(self.groups, TRAINING + TESTING, self.rng(draw))

    @cached_property
    def drawn(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions of training images, and of other images for testing."""
        training, testing = draw_images(len(self._dataset), self.rng())
        return _fixed(training), _fixed(testing)

    def fitting(self, draw: int) -> NDArray[np.int64]:
        """Return positions of the training images of a further draw."""
        return draw_images(len(self._dataset), self.rng(draw))[0]

    def means(self, *images: NDArray[np.int64]) -> Generator[Event, Request | None, NDArray[np.float32]]:
        """Encode these images, by default all, and return the posterior means, (all images, latents)."""
        wanted = np.concatenate([i.ravel() for i in images]) if images else np.arange(len(self._dataset))
        yield from self._means.encode(wanted, f"{self._what}: encoding")
        return _fixed(self._means.means.view())

    def sampled(self, images: NDArray[np.int64]) -> Generator[Event, Request | None, NDArray[np.float64]]:
        """Draw z from the posterior of each image, with a fixed seed, (n, latents). Needs a reconstruction."""
        noise, parts = torch.Generator().manual_seed(SEED), []
        for part in _batches(images):
            with torch.inference_mode():
                z = self._trained.model.sample(self._trained.posterior_of(part), noise)
            parts.append(z.double().numpy())
            yield Progress(sum(map(len, parts)), len(images), f"{self._what}: drawing z", "images")
        return np.concatenate(parts)

    @cached_property
    def _sums(self) -> NDArray[np.float64]:
        return pair_sums(self._means.means, self.pairs)

    def pair_points(self, scale: float) -> Generator[Event, Request | None, tuple[NDArray[Any], ...]]:
        """Return scaled sums over pairs and their factors, of the training points and of the test points."""
        yield from self.means(self.pairs.first, self.pairs.second)
        sums, factor = self._sums * scale, self.pairs.factor
        return sums[:TRAINING], factor[:TRAINING], sums[TRAINING:], factor[TRAINING:]

    def in_child(
        self,
        work: Callable[..., Any],
        tasks: list[tuple[Any, ...]],
        what: str,
        unit: str,
        sizes: list[int] | None = None,
    ) -> Generator[Event, Request | None, list[Any]]:
        """Run fits in child processes, where cancelling ends them at once."""
        return self._children.run(work, tasks, f"{self._what}: {what}", unit, sizes)

    def further_draws(self, score: Callable[[int], float], what: str) -> Generator[Event, Request | None, list[float]]:
        """Return a score's values on further draws, which show its spread. `score` takes a draw's number."""
        found = []
        for draw in range(1, DRAWS + 1):
            yield Progress(draw - 1, DRAWS, f"{self._what}: {what} of further draws", "draws")
            found.append(score(draw))
        yield Progress(DRAWS, DRAWS, f"{self._what}: {what} of further draws", "draws")
        return found

    def table(self, values: NDArray[np.float64]) -> dict[str, Any]:
        """Return a (latents, factors) matrix behind a score, as stored in evaluation.json."""
        return {"factors": list(self.groups.names), "latents": np.round(values, 6).tolist()}

    # Entries of evaluation.json

    def entry(self, column: Column, score: Score) -> dict[str, Any]:
        """Return the entry of a score in evaluation.json, with its protocol, counts and factors."""
        counts: dict[str, Any] = {"n": len(self.sample), **score.counts}
        factors = list(self.groups.names) if OF_FACTORS & column.needs else None
        about: dict[str, Any] = {"interval": score.interval, "interval_of": score.interval_of} if score.interval else {}
        return {
            **entry(
                score.value, column.unit, column.protocol or column.about, "all",
                of=len(self._dataset), z=score.z, factors=factors, **about, **counts,
            ),
            **score.more,
        }  # fmt: skip


def unscorable_reason(dataset: Dataset, groups: Groups | None, latents: int, *, classes: bool = True) -> str:
    """Return why a data set or model cannot be scored; empty if it can.

    If a score does not take the values of factors as `classes`, only factors whose values have names need few of them.
    """
    if groups is None:
        return no_factors(dataset.title)
    if len(groups.names) < 2:
        return f"{dataset.title} has fewer than two factors that vary"
    if latents < 2:
        return ONE_LATENT
    if len(dataset) < MIN_IMAGES:
        return f"{dataset.title} has {len(dataset)} images; the scores need at least {MIN_IMAGES}"
    used = (groups.counts > 0).sum(axis=1) * (groups.named | classes)
    if used.max() > MAX_CLASSES:
        most = groups.names[int(used.argmax())]
        return f"factor {most!r} has {used.max():,} values; the scores accept at most {MAX_CLASSES}"
    if used.max() * MIN_IMAGES_PER_VALUE > len(dataset):
        most = groups.names[int(used.argmax())]
        return (
            f"factor {most!r} has {used.max():,} values in {len(dataset):,} images; the scores need at least "
            f"{MIN_IMAGES_PER_VALUE} images per value on average"
        )
    return ""


def _fixed(values: NDArray[Scalar]) -> NDArray[Scalar]:
    """An array that can no longer be written to."""
    values.flags.writeable = False
    return values


def _batches(positions: NDArray[np.int64], size: int = 64) -> Sequence[NDArray[np.int64]]:
    return [positions[start : start + size] for start in range(0, len(positions), size)]
