"""Which images a step sees: a function of seed and step only, so that a run resumes exactly."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from engine.data.dataset import Factors

ATTEMPTS = 20
"""Maximum number of draws of an image's factors, for data without every combination of factors."""


class Sampler(Protocol):
    """Chooses the images of each step."""

    steps_per_epoch: int

    def __call__(self, step: int) -> NDArray[np.int64]:
        """Positions in the data set of the images of a step, counted from 0."""
        ...


class Independent:
    """Each image once per epoch, in an order that is a function of (seed, epoch), and of `stream` if it is not 0.

    Parameters
    ----------
    indices
        Positions of the images in the data set, (images,).
    batch_size, seed
        As in the settings.
    steps_per_epoch
        Batches in an epoch, of which the last may be smaller.
    """

    def __init__(
        self, indices: NDArray[np.int64], batch_size: int, seed: int, steps_per_epoch: int, stream: int = 0
    ) -> None:
        self._indices, self._batch_size = indices, batch_size
        self._seed, self._stream = seed, (stream,) if stream else ()
        self.steps_per_epoch = steps_per_epoch
        self._order: NDArray[np.int64] = np.empty(0, np.int64)
        self._epoch = -1

    def __call__(self, step: int) -> NDArray[np.int64]:
        """Positions in the data set of the images of a step, counted from 0."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._order = np.random.default_rng((self._seed, epoch, *self._stream)).permutation(self._indices)
            self._epoch = epoch
        return self._order[position * self._batch_size : (position + 1) * self._batch_size]


class TwoBatches:
    """Two independent batches per step, one after the other; each image occurs once per epoch in either."""

    def __init__(self, indices: NDArray[np.int64], batch_size: int, seed: int, steps_per_epoch: int) -> None:
        self._each = [Independent(indices, batch_size, seed, steps_per_epoch, stream) for stream in range(2)]
        self.steps_per_epoch = steps_per_epoch

    def __call__(self, step: int) -> NDArray[np.int64]:
        """Positions in the data set of the images of a step, counted from 0: (2 x batch,)."""
        return np.concatenate([batch(step) for batch in self._each])


class PairsAlike:
    """Pairs of images that differ in few factors: each image once per epoch, with a partner drawn for it.

    The partner shares the image's factors except for some, chosen without replacement, whose values are redrawn
    uniformly and may turn out the same (disentanglement_lib, methods/weak/train_weak_lib.py). If no training image has
    these factors, they are redrawn; an image for which no partner is found is its own partner.

    Parameters
    ----------
    indices, batch_size, seed, steps_per_epoch
        As for `Independent`; a batch has this number of pairs.
    factors
        Ground-truth factors of the data set.
    changing
        Number of factors that are redrawn. None: for each pair, with equal probability, either 1 or a random number up
        to all but one.
    """

    def __init__(
        self,
        indices: NDArray[np.int64],
        batch_size: int,
        seed: int,
        steps_per_epoch: int,
        factors: "Factors",
        changing: int | None,
    ) -> None:
        self._first = Independent(indices, batch_size, seed, steps_per_epoch)
        self.steps_per_epoch = steps_per_epoch
        self._seed, self._factors = seed, factors
        self._varying = [k for k, size in enumerate(factors.sizes) if size > 1]
        self._changing = min(changing or 0, len(self._varying))
        self._images = factors.among(indices)

    def __call__(self, step: int) -> NDArray[np.int64]:
        """Positions in the data set of the images of a step, counted from 0: the first ones, then their partners."""
        first = self._first(step)
        rng = np.random.default_rng((self._seed, step, 2))
        classes = self._factors.classes(first)
        partners = first.copy()
        missing = np.arange(len(first))
        for _ in range(ATTEMPTS):
            positions, found = self._images.find(self._changed(classes[missing], rng), rng)
            partners[missing[found]] = positions
            missing = missing[~found]
            if not len(missing):
                break
        return np.concatenate([first, partners])

    def _changed(self, classes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Classes with some factors of each row redrawn, (n, factors)."""
        n, varying = len(classes), len(self._varying)
        number = np.full(n, self._changing)
        if not self._changing:
            number = np.where(rng.random(n) < 0.5, 1, rng.integers(1, max(2, varying), n))
        rank = rng.random((n, varying)).argsort(1).argsort(1)
        changed = classes.copy()
        for column, factor in enumerate(self._varying):
            drawn = rng.integers(0, self._factors.sizes[factor], n)
            changed[:, factor] = np.where(rank[:, column] < number, drawn, classes[:, factor])
        return changed


class Kinds:
    """Which of several kinds of batch each step sees: drawn for each step in proportion to their shares."""

    def __init__(self, shares: Sequence[float], seed: int) -> None:
        self._chances = np.array(shares) / np.sum(shares)
        self._seed = seed

    def __call__(self, step: int) -> int:
        """Return the number of the kind, from 0, for a step, counted from 0."""
        return int(np.random.default_rng((self._seed, step, 3)).choice(len(self._chances), p=self._chances))


class OneKindVaries:
    """Batches of images that agree in all factors except those of one kind, whose values are drawn for each image.

    The common factors are those of a training image, drawn for the step; the other values are drawn uniformly. If no
    training image has these factors, they are redrawn; if none is found, the drawn image itself is used.

    Parameters
    ----------
    indices, batch_size, seed, steps_per_epoch
        As for `Independent`, but every batch is full.
    factors
        Ground-truth factors of the data set.
    kinds
        The factors of each kind, by number from 0.
    kind
        The number of the kind of each step.
    """

    def __init__(
        self,
        indices: NDArray[np.int64],
        batch_size: int,
        seed: int,
        steps_per_epoch: int,
        factors: "Factors",
        kinds: Sequence[Sequence[int]],
        kind: Kinds,
    ) -> None:
        self.steps_per_epoch = steps_per_epoch
        self._indices, self._batch_size, self._seed = indices, batch_size, seed
        self._factors, self._kinds, self._kind = factors, kinds, kind
        self._images = factors.among(indices)

    def __call__(self, step: int) -> NDArray[np.int64]:
        """Positions in the data set of the images of a step, counted from 0."""
        rng = np.random.default_rng((self._seed, step, 4))
        varying = self._kinds[self._kind(step)]
        positions = np.full(self._batch_size, self._indices[rng.integers(len(self._indices))])
        classes = self._factors.classes(positions)
        missing = np.arange(self._batch_size)
        for _ in range(ATTEMPTS):
            for factor in varying:
                classes[missing, factor] = rng.integers(0, self._factors.sizes[factor], len(missing))
            those, found = self._images.find(classes[missing], rng)
            positions[missing[found]] = those
            missing = missing[~found]
            if not len(missing):
                break
        return positions


class OneImageOrMany:
    """Batches that repeat one image; and, for one kind, batches of different images.

    Parameters
    ----------
    images
        Chooses different images for each step.
    kind
        The number of the kind of each step.
    many
        Number of the kind of different images.
    """

    def __init__(self, images: Independent, kind: Kinds, many: int) -> None:
        self.steps_per_epoch = images.steps_per_epoch
        self._images, self._kind, self._many = images, kind, many

    def __call__(self, step: int) -> NDArray[np.int64]:
        """Positions in the data set of the images of a step, counted from 0."""
        images = self._images(step)
        return images if self._kind(step) == self._many else np.full_like(images, images[0])
