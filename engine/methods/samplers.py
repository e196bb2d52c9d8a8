"""Which images a step sees: a function of the seed and the step alone, so that a resume goes on exactly."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Sampler(Protocol):
    """Chooses the images of each step."""

    steps_per_epoch: int

    def __call__(self, step: int) -> NDArray[np.int64]:
        """Positions in the data set of the images of a step, counted from 0."""
        ...


class Independent:
    """Each image once an epoch, in an order that is a function of (seed, epoch).

    Parameters
    ----------
    indices
        Positions of the images in the data set, (images,).
    batch_size, seed
        As in the settings.
    steps_per_epoch
        Batches in an epoch, of which the last may be smaller.
    """

    def __init__(self, indices: NDArray[np.int64], batch_size: int, seed: int, steps_per_epoch: int) -> None:
        self._indices, self._batch_size, self._seed = indices, batch_size, seed
        self.steps_per_epoch = steps_per_epoch
        self._order: NDArray[np.int64] = np.empty(0, np.int64)
        self._epoch = -1

    def __call__(self, step: int) -> NDArray[np.int64]:
        """Positions in the data set of the images of a step, counted from 0."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._order = np.random.default_rng((self._seed, epoch)).permutation(self._indices)
            self._epoch = epoch
        return self._order[position * self._batch_size : (position + 1) * self._batch_size]
