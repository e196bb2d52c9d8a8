"""Sampling of images by their factors for the disentanglement scores; works on positions only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import Dataset, Factors
from engine.evaluation.catalogue import IMAGES
from engine.evaluation.results import SEED

BATCH = 64
"""Pairs or images per point of a score (disentanglement_lib's batch size; the report's L)."""

TRAINING, TESTING = 10_000, 5_000
"""Points or images for fitting a score, and for testing it."""

QUICK_TRAINING, QUICK_TESTING = TRAINING // 10, TESTING // 10
"""Points of a score during training."""

QUICK_IMAGES = TRAINING + (QUICK_TRAINING + QUICK_TESTING) * BATCH
"""Maximum number of images that are encoded for scores during training."""

MIN_IMAGES = 100
MIN_IMAGES_PER_VALUE = 3
"""Smallest average number of images per value of a factor: if each image has its own, nothing can be learned."""

MAX_CLASSES = 256


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """The images of a data set grouped by the class of each factor that varies.

    `classes` is int64 (images, factors). `order[k]` lists the images by their class of factor k; the `counts[k, c]`
    images of class c start at `starts[k, c]`. `values[k]` are the values of its classes; where `named[k]`, they have
    names, and so no order.
    """

    names: tuple[str, ...]
    classes: NDArray[np.int64]
    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]
    values: tuple[NDArray[np.float64], ...]
    named: NDArray[np.bool_]

    @classmethod
    def of(cls, factors: Factors, images: int) -> "Groups":
        """Group `images` images; factors with only one class are left out."""
        classes = factors.classes(np.arange(images))
        varying = [k for k in range(classes.shape[1]) if np.ptp(classes[:, k])]
        classes = np.ascontiguousarray(classes[:, varying])
        counts = np.zeros((len(varying), classes.max(initial=0) + 1), np.int64)
        for k, column in enumerate(classes.T):
            counts[k] = np.bincount(column, minlength=counts.shape[1])
        order = np.argsort(classes.astype(np.int32), axis=0, kind="stable").T
        names = tuple(factors.names[k] for k in varying)
        values = tuple(np.asarray(factors.values[k], np.float64) for k in varying)
        named = np.array([bool(factors.value_names.get(name)) for name in names], bool)
        starts = np.cumsum(counts, axis=1) - counts
        return cls(names, classes, np.ascontiguousarray(order), starts, counts, values, named)

    def sharing(
        self, factor: NDArray[np.int64], images: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Draw, for each image, an image of the same class of a factor, uniformly; `factor` broadcasts to `images`."""
        group = self.classes[images, factor]
        place = (rng.random(images.shape) * self.counts[factor, group]).astype(np.int64)
        drawn: NDArray[np.int64] = self.order[factor, self.starts[factor, group] + place]
        return drawn


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Points of pairs that agree in a factor: `factor` (points,), `first` and `second` (points, 64)."""

    factor: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """Points of images that agree in a factor: `factor` (points,), `images` (points, 64)."""

    factor: NDArray[np.int64]
    images: NDArray[np.int64]


def draw_pairs(groups: Groups, points: int, rng: np.random.Generator, batch: int = BATCH) -> Pairs:
    """Draw, for each point, a random factor and pairs of random images that agree in it (Higgins et al. 2017)."""
    factor = rng.integers(0, len(groups.names), points)
    first = rng.integers(0, len(groups.classes), (points, batch))
    return Pairs(factor, first, groups.sharing(factor[:, None], first, rng))


def draw_batches(groups: Groups, points: int, rng: np.random.Generator, batch: int = BATCH) -> Batches:
    """Draw, for each point, a random factor and images that all share one class of it (Kim & Mnih 2018)."""
    factor = rng.integers(0, len(groups.names), points)
    alike = np.repeat(rng.integers(0, len(groups.classes), (points, 1)), batch, axis=1)
    return Batches(factor, groups.sharing(factor[:, None], alike, rng))


def draw_in_turn(groups: Groups, points: int, rng: np.random.Generator, batch: int) -> Batches:
    """Draw, for each point, images that share one class of a factor, the factors in turn (Lin et al. 2020)."""
    factor = np.arange(points) % len(groups.names)
    alike = np.repeat(rng.integers(0, len(groups.classes), (points, 1)), batch, axis=1)
    return Batches(factor, groups.sharing(factor[:, None], alike, rng))


def draw_images(images: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw 10,000 training and 5,000 other test images; with fewer than 15,000, two thirds and one third of all."""
    drawn = rng.permutation(images)[: TRAINING + TESTING]
    cut = min(TRAINING, len(drawn) * 2 // 3)
    return drawn[:cut], drawn[cut:]


def sample_of(dataset: Dataset, split: str, limit: int = IMAGES) -> NDArray[np.int64]:
    """Return positions of at most `limit` images of a split, drawn with a fixed seed, in ascending order."""
    return drawn_from(np.asarray(dataset.splits[split], dtype=np.int64), limit)


def drawn_from(indices: NDArray[np.int64], limit: int = IMAGES) -> NDArray[np.int64]:
    """Return at most `limit` of these positions, drawn with a fixed seed, in ascending order."""
    if len(indices) <= limit:
        return indices
    return np.sort(np.random.default_rng(SEED).choice(indices, limit, replace=False))


def pair_sums(means: NDArray[np.float32], pairs: Pairs) -> NDArray[np.float64]:
    """Return the sums over each point's pairs of |z_u - z_v|, (points, latents), given the means of all images."""
    return np.concatenate(
        [
            np.abs(means[first].astype(np.float64) - means[second]).sum(axis=1)
            for first, second in zip(_chunks(pairs.first), _chunks(pairs.second), strict=True)
        ]
    )


def batch_variances(means: NDArray[np.float32], batches: Batches) -> NDArray[np.float64]:
    """Return the variance of each latent over each point's images (ddof 1), (points, latents)."""
    return np.concatenate([means[part].astype(np.float64).var(axis=1, ddof=1) for part in _chunks(batches.images)])


def _chunks(positions: NDArray[np.int64], points: int = 500) -> list[NDArray[np.int64]]:
    return [positions[start : start + points] for start in range(0, len(positions), points)]
