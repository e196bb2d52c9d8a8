"""Which images a step sees: a function of seed and step only, so that a run resumes exactly."""

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from engine.data.dataset import Factors

ATTEMPTS = 20
"""Maximum number of draws of a partner's factors, for data without every combination of factors."""


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
        codes = self._codes(factors.classes(indices))
        order = np.argsort(codes, kind="stable")
        self._known, self._positions = codes[order], indices[order]

    def __call__(self, step: int) -> NDArray[np.int64]:
        """Positions in the data set of the images of a step, counted from 0: the first ones, then their partners."""
        first = self._first(step)
        rng = np.random.default_rng((self._seed, step, 2))
        classes = self._factors.classes(first)
        partners = first.copy()
        missing = np.arange(len(first))
        for _ in range(ATTEMPTS):
            codes = self._codes(self._changed(classes[missing], rng))
            start = np.searchsorted(self._known, codes, side="left")
            count = np.searchsorted(self._known, codes, side="right") - start
            found = count > 0
            place = start[found] + (rng.random(found.sum()) * count[found]).astype(np.int64)
            partners[missing[found]] = self._positions[place]
            missing = missing[~found]
            if not len(missing):
                break
        return np.concatenate([first, partners])

    def _codes(self, classes: NDArray[np.int64]) -> NDArray[np.int64]:
        """A number that identifies each row of classes, (n,)."""
        codes: NDArray[np.int64] = np.ravel_multi_index(tuple(classes.T), self._factors.sizes).astype(np.int64)
        return codes

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
