"""What metrics look at: a model's codes of the images of its data set, and the factors they are to be told from."""

from collections.abc import Callable, Generator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.data import Dataset
from engine.evaluation.catalogue import Column, Need
from engine.evaluation.intervals import DRAWS
from engine.evaluation.metric import Score
from engine.evaluation.posterior_means import PosteriorMeans
from engine.evaluation.reasons import ONE_LATENT, no_category, no_factors, no_labels, no_training_split
from engine.evaluation.results import SEED, entry
from engine.evaluation.sampling import (
    FEWEST_A_VALUE,
    FEWEST_IMAGES,
    MAX_CLASSES,
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


class Representation:
    """The codes of one model. What several metrics need (groups, pairs, posterior means) is made once, when first
    needed.

    A metric that takes seconds looks at `codes` and `classes` (or `labels`, `images`), which are those of `sample`. The
    others draw their own images, and encode them with `means`, which yields Progress.
    """

    def __init__(self, trained: TrainedModel, children: Children, what: str) -> None:
        self._trained = trained
        self._dataset = trained.dataset
        self._means = PosteriorMeans(trained)
        self._children = children
        self._what = what

    # Of the sample

    @property
    def dataset(self) -> Dataset:
        """The data set; what is asked for by position is asked of it."""
        return self._dataset

    @property
    def kinds(self) -> tuple[Latent, ...]:
        """What each latent is, (latents,). The code of a category is its number: no quantity."""
        return self._trained.model.kinds

    @property
    def sample(self) -> NDArray[np.int64]:
        """Positions of up to 10,000 images drawn from all with a fixed seed; of fewer than 15,000, two thirds."""
        return self.drawn[0]

    @cached_property
    def codes(self) -> NDArray[np.float64]:
        """Posterior means of the sample, (n, latents)."""
        for _ in self.means(self.sample):
            pass
        return self._means.means[self.sample].astype(np.float64)

    @cached_property
    def classes(self) -> NDArray[np.int64]:
        """Class of each factor that varies, whole numbers from 0, for the sample, (n, factors). Needs factors."""
        return self.groups.classes[self.sample]

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the factors that vary. Needs factors."""
        return self.groups.names

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class number of the sample's images, (n,). Needs labels."""
        assert self._dataset.labels is not None
        return self._dataset.labels[self.sample]

    @property
    def images(self) -> NDArray[np.uint8]:
        """The sample's images, uint8 (n, height, width, channels)."""
        return self._dataset.images(self.sample)

    def posteriors(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Posterior mean and log-variance of images, each (n, latents)."""
        with torch.inference_mode():
            parts = [self._trained.encode(self._dataset.images(part)) for part in _batches(positions)]
        mean, log_variance = (torch.cat(values).double().numpy() for values in zip(*parts, strict=True))
        return mean, log_variance

    def decoded(self, z: NDArray[np.floating], labels: NDArray[np.int64] | None = None) -> NDArray[np.uint8]:
        """Images of latents (n, latents), uint8 (n, height, width, channels); of a conditional model with labels."""
        given = None if labels is None else torch.from_numpy(np.asarray(labels, np.int64))
        with torch.inference_mode():
            logits = self._trained.logits(torch.from_numpy(np.asarray(z, np.float32)), given)
        return to_images(logits.sigmoid())

    def rng(self, draw: int = 0) -> np.random.Generator:
        """Randomness of a draw: 0 is the one that values are of, the others show how much values vary."""
        return np.random.default_rng((SEED, draw) if draw else SEED)

    # Why there is no value

    def lacking(self, needs: frozenset[Need]) -> str:
        """Say what a metric needs and there is not, as a sentence without its full stop; empty where all is there."""
        model, title = self._trained.model, self._dataset.title
        if reasons := [reason for name, reason in model.lacks.items() if name in needs]:
            return reasons[0]
        if Need.FACTORS in needs and self._factors_lacking:
            return self._factors_lacking
        if Need.CATEGORY in needs and not any(kind.whole for kind in self.kinds):
            return no_category(type(model))
        if Need.LABELS in needs and self._dataset.labels is None:
            return no_labels(title)
        return no_training_split(title) if Need.TRAINING_SPLIT in needs and "train" not in self._dataset.splits else ""

    @cached_property
    def _factors_lacking(self) -> str:
        return reason_against(self._dataset, self._groups, self._means.means.shape[1])

    # Of images that a metric draws for itself

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
        """Pairs that agree in a factor: points to fit on, then points to test on."""
        return draw_pairs(self.groups, TRAINING + TESTING, self.rng())

    def batches(self, draw: int = 0) -> Batches:
        """Images that agree in a factor: points to fit on, then points to test on; of the first or a further draw."""
        return draw_batches(self.groups, TRAINING + TESTING, self.rng(draw))

    @cached_property
    def drawn(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions of images to fit on and of others to test on."""
        return draw_images(len(self._dataset), self.rng())

    def fitting(self, draw: int) -> NDArray[np.int64]:
        """Positions of images to fit on, of a further draw."""
        return draw_images(len(self._dataset), self.rng(draw))[0]

    def means(self, *images: NDArray[np.int64]) -> Generator[Event, Request | None, NDArray[np.float32]]:
        """Posterior means of all images, (images, latents), of which these are encoded; without any, all of them."""
        asked = np.concatenate([i.ravel() for i in images]) if images else np.arange(len(self._dataset))
        yield from self._means.encode(asked, f"{self._what}: encoding")
        return self._means.means

    @cached_property
    def _sums(self) -> NDArray[np.float64]:
        return pair_sums(self._means.means, self.pairs)

    def pair_points(self, scale: float) -> Generator[Event, Request | None, tuple[NDArray[Any], ...]]:
        """Scaled sums over pairs and their factor, of the points to fit on and of those to test on."""
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
        """Run a fit where cancelling ends it at once."""
        return self._children.run(work, tasks, f"{self._what}: {what}", unit, sizes)

    def further_draws(self, score: Callable[[int], float], what: str) -> Generator[Event, Request | None, list[float]]:
        """Compute a score on further draws, whose spread is that of the score. `score` takes a draw's number."""
        found = []
        for draw in range(1, DRAWS + 1):
            yield Progress(draw - 1, DRAWS, f"{self._what}: {what} of further draws", "draws")
            found.append(score(draw))
        yield Progress(DRAWS, DRAWS, f"{self._what}: {what} of further draws", "draws")
        return found

    def table(self, values: NDArray[np.float64]) -> dict[str, Any]:
        """A (latents, factors) matrix behind a score, as kept in evaluation.json."""
        return {"factors": list(self.groups.names), "latents": np.round(values, 6).tolist()}

    # What is kept

    def entry(self, column: Column, score: Score) -> dict[str, Any]:
        """A score as evaluation.json has it: with its protocol, its counts, and the factors it is over."""
        counts: dict[str, Any] = {"n": len(self.sample), **score.counts}
        factors = list(self.groups.names) if Need.FACTORS in column.needs else None
        about: dict[str, Any] = {"interval": score.interval, "interval_of": score.interval_of} if score.interval else {}
        return {
            **entry(
                score.value, column.unit, column.protocol or column.about, "all",
                of=len(self._dataset), z="mean", factors=factors, **about, **counts,
            ),
            **score.more,
        }  # fmt: skip


def reason_against(dataset: Dataset, groups: Groups | None, latents: int) -> str:
    """Why a data set or model cannot be scored, as a sentence; empty when it can."""
    if groups is None:
        return no_factors(dataset.title)
    if len(groups.names) < 2:
        return f"{dataset.title} has fewer than two factors that vary"
    if latents < 2:
        return ONE_LATENT
    if len(dataset) < FEWEST_IMAGES:
        return f"{dataset.title} has {len(dataset)} images; the scores need at least {FEWEST_IMAGES}"
    used = (groups.counts > 0).sum(axis=1)
    if used.max() > MAX_CLASSES:
        most = groups.names[int(used.argmax())]
        return f"factor {most!r} has {used.max():,} values; scores by classes take up to {MAX_CLASSES}"
    if used.max() * FEWEST_A_VALUE > len(dataset):
        most = groups.names[int(used.argmax())]
        return (
            f"factor {most!r} has {used.max():,} values in {len(dataset):,} images; the scores need at least "
            f"{FEWEST_A_VALUE} images a value on average"
        )
    return ""


def _batches(positions: NDArray[np.int64], size: int = 64) -> Sequence[NDArray[np.int64]]:
    return [positions[start : start + size] for start in range(0, len(positions), size)]
