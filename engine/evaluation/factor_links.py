"""The ground-truth factor, or for data without factors the class, that each latent follows, and how closely.

For a latent that is a quantity, the share is the correlation ratio η² (Fisher 1925): the variance of its posterior mean
between the values of a factor, as a share of its variance. Unlike a correlation it sees any dependence, also on factors
without an order or with a period. It is corrected for the number of values (ε², Kelley 1935), so that a latent that
follows nothing has a share of about 0 in a sample of any size. For a categorical latent it is Goodman and Kruskal's λ
(1954): the share of the errors in guessing the factor that knowing the category avoids.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.data.dataset import Dataset
from engine.evaluation.correlation import vary
from engine.evaluation.posterior_means import BATCH
from engine.evaluation.results import SEED
from engine.jobs.events import Link
from engine.methods.base import Method
from engine.methods.latents import Latent
from engine.networks.tensors import to_tensor
from engine.runs.divergence import is_active

IMAGES = 500
"""Images of the sample: enough for a standard error of at most 0.035, and few enough to be encoded with each preview.
"""

MOST_VALUES = 50
"""Values of a factor; one with more is taken in as many groups of neighbouring values."""

MOST_ALONE = 2 / 3
"""A latent follows a single class, not all of them, if it explains this share of what all classes explain."""


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What latents may follow: factors, or one column of classes that is named "class".

    `columns` has class numbers from 0, (images, targets), named by `names`. `value_names` name the values of each
    target, e.g. the digits of a category; `alone` are the names of single classes against the rest, empty for factors.
    """

    columns: NDArray[np.int64]
    names: tuple[str, ...]
    value_names: tuple[tuple[str, ...], ...]
    alone: tuple[str, ...] = ()

    @classmethod
    def of(cls, dataset: Dataset, images: NDArray[np.int64]) -> "Targets | None":
        """Return the targets of a data set at these positions; None if it has neither factors nor classes."""
        factors, labels = dataset.factors, dataset.labels
        if factors is not None:
            known = [
                factors.value_names.get(name, tuple(f"{value:.4g}" for value in values))
                for name, values in zip(factors.names, factors.values, strict=True)
            ]
            return cls(factors.classes(images), factors.names, tuple(known))
        if labels is None:
            return None
        names = dataset.label_names
        alone = tuple(f"{f'class {name}' if name.isdecimal() else name} vs rest" for name in names)
        return cls(labels[images][:, None], ("class",), (names,), alone if 2 < len(names) <= MOST_VALUES else ())


class Follower:
    """Finds what the latents of a model follow, on a fixed sample of a data set, the same in every part of the app."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._images = _sample(dataset)
        self._targets = Targets.of(dataset, self._images) if len(self._images) > 1 else None

    @torch.inference_mode()
    def links(self, model: Method, kl: Sequence[float]) -> tuple[Link, ...]:
        """Return the links of a model in eval mode; empty without factors and classes, or if no latent is active.

        `kl` is the mean KL of each latent in nats, empty or NaN for a method without KL.
        """
        targets = self._targets
        if targets is None or not any(_active(kl, model.latents)):
            return ()
        device = next(model.networks.parameters()).device
        parts = [
            model.encode(to_tensor(self._dataset.images(chosen), device))[0].cpu().numpy()
            for chosen in np.split(self._images, range(BATCH, len(self._images), BATCH))
        ]
        means = np.concatenate(parts)
        return links(means, targets, kl, model.kinds) if np.isfinite(means).all() else ()


def links(
    means: NDArray[np.floating], targets: Targets, kl: Sequence[float], kinds: Sequence[Latent]
) -> tuple[Link, ...]:
    """Return what each active latent follows most, in the order of latents.

    `means` are posterior means, (images, latents), `kinds` the kinds of latents, and `kl` the mean KL of each in nats;
    empty or NaN for a method without KL, whose latents are all taken to be active. Inactive latents are left out, since
    their means hardly vary, but may do so with a factor. Targets that do not vary in the sample are left out, too.
    """
    varying = [k for k, column in enumerate(targets.columns.T) if np.ptp(column) > 0]
    found = []
    for latent, (kind, active) in enumerate(zip(kinds, _active(kl, len(kinds)), strict=True)):
        if not active or not varying:
            continue
        codes = means[:, latent]
        shares = [_share(codes, targets.columns[:, k], kind) for k in varying]
        best = int(np.argmax(shares))
        k, share = varying[best], shares[best]
        name, majority = targets.names[k], tuple[str, ...]()
        if not kind.quantity:
            majority = _majority(codes.astype(np.int64), targets.columns[:, k], targets.value_names[k], kind.steps)
        elif targets.alone:
            alone = [_share(codes, (targets.columns[:, k] == value).astype(np.int64), kind)
                     for value in range(len(targets.alone))]  # fmt: skip
            first = int(np.argmax(alone))
            if alone[first] > 0 and alone[first] >= MOST_ALONE * share:
                name, share = targets.alone[first], alone[first]
        found.append(Link(latent, name, round(share, 4), len(means), majority))
    return tuple(found)


def correlation_ratio(codes: NDArray[np.floating], values: NDArray[np.int64]) -> float:
    """Return η² of codes (images,) and the class numbers of a factor (images,), corrected for chance: ε², 0..1."""
    if not vary(codes[:, None])[0]:
        return 0.0
    codes = np.asarray(codes, np.float64) - codes.mean(dtype=np.float64)
    counts, sums = np.bincount(values), np.bincount(values, codes)
    there = counts > 0
    images, groups = len(codes), int(there.sum())
    if groups == images:
        return 0.0  # every image has its own value: nothing is known about the spread within one
    share = float((sums[there] ** 2 / counts[there]).sum() / (codes**2).sum())
    return min(1.0, max(0.0, 1 - (1 - share) * (images - 1) / (images - groups)))


def errors_avoided(categories: NDArray[np.int64], values: NDArray[np.int64]) -> float:
    """Return Goodman and Kruskal's λ of categories (images,) on the class numbers of a factor (images,), 0..1."""
    table = np.zeros((categories.max() + 1, values.max() + 1), np.int64)
    np.add.at(table, (categories, values), 1)
    commonest = int(table.sum(axis=0).max())
    return float((table.max(axis=1).sum() - commonest) / max(1, len(values) - commonest))


def _sample(dataset: Dataset) -> NDArray[np.int64]:
    """Return the images of the headline split, or of all splits if that is smaller than the sample."""
    images = dataset.splits[dataset.headline_split]
    if len(images) < IMAGES:
        images = np.concatenate(list(dataset.splits.values()))
    return np.sort(np.random.default_rng(SEED).choice(images, min(IMAGES, len(images)), replace=False))


def _share(codes: NDArray[np.floating], values: NDArray[np.int64], kind: Latent) -> float:
    if not kind.quantity:
        return errors_avoided(codes.astype(np.int64), values)
    highest = int(values.max()) + 1
    return correlation_ratio(codes, values * MOST_VALUES // highest if highest > MOST_VALUES else values)


def _majority(
    categories: NDArray[np.int64], values: NDArray[np.int64], names: Sequence[str], steps: int
) -> tuple[str, ...]:
    """Return the name of the most frequent value in each category; empty for a category without images."""
    each = [np.bincount(values[categories == category]) for category in range(steps)]
    return tuple(names[int(counts.argmax())] if len(counts) else "" for counts in each)


def _active(kl: Sequence[float], latents: int) -> list[bool]:
    """Return whether each latent may carry information; without a KL, none is known to be inactive."""
    return [np.isnan(mean) or is_active(mean) for mean in kl] if len(kl) else [True] * latents
