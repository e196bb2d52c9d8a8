"""The training image nearest to a given one, to see whether a model reproduces what it was trained on."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data import Dataset
from engine.errors import DataError
from engine.jobs.events import Event, Progress, Request

PIXELS = 1_000_000
"""Pixels compared at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The nearest of `of` training images: its position, its pixels, uint8 (height, width, channels), its distance.

    The distance is L2 over all pixels, which range from 0 to 1.
    """

    index: int
    image: NDArray[np.uint8]
    distance: float
    of: int


def find_nearest(dataset: Dataset, image: NDArray[np.uint8]) -> Generator[Event, Request | None, Nearest]:
    """Return the training image nearest to one of the same shape, uint8 (height, width, channels); of ties, the first.

    Distances are exact: sums of squared differences of grey levels, as integers. Yields Progress in images. Raises
    DataError if there are no training images.
    """
    training = np.asarray(dataset.training, np.int64)
    if not len(training):
        raise DataError(f"{dataset.title} has no training images to compare with.")
    wanted = image.ravel().astype(np.int32)
    sums = np.int32 if wanted.size * 255**2 < 2**31 else np.int64  # the former takes a quarter of the time
    step = max(1, PIXELS // wanted.size)
    best, least = -1, np.iinfo(np.int64).max
    for start in range(0, len(training), step):
        chosen = training[start : start + step]
        difference = dataset.images(chosen).reshape(len(chosen), -1) - wanted
        distances = np.einsum("ij,ij->i", difference, difference, dtype=sums)
        place = int(distances.argmin())
        if distances[place] < least:
            best, least = int(chosen[place]), int(distances[place])
        yield Progress(min(start + step, len(training)), len(training), "Looking for the nearest image", "images")
    return Nearest(best, dataset.images(np.array([best]))[0], float(np.sqrt(least)) / 255, len(training))
