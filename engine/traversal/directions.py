"""Directions in latent space: from the mean code of one group of images to that of another, e.g. from thin to thick."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.methods.latents import Latent
from engine.traversal.groups import Grouping

LEAST_IMAGES = 5
"""Number of images below which the mean of a group says too little."""


def find_direction(
    means: NDArray[np.floating], grouping: Grouping, start: int, end: int, kinds: Sequence[Latent]
) -> NDArray[np.float64]:
    """Return the difference between the mean posterior means of two groups, `end` less `start`, (latents,).

    As the attribute vectors of Larsen et al. 2016, section 3.2. `means` is (images, latents). Unordered categories have
    no mean: their difference is 0. Raises ConfigError if a group has fewer than five of the images, or if both are the
    same.
    """
    if start == end:
        raise ConfigError("A direction needs two different groups.")
    for group in (start, end):
        count = int((grouping.numbers == group).sum())
        if count < LEAST_IMAGES:
            raise ConfigError(
                f"{count} of the {len(means):,} images have {grouping.title} {grouping.names[group]}: too few for a "
                f"direction, which needs {LEAST_IMAGES}."
            )
    ends = [np.asarray(means, np.float64)[grouping.numbers == group].mean(axis=0) for group in (start, end)]
    difference: NDArray[np.float64] = ends[1] - ends[0]
    difference[[not kind.quantity for kind in kinds]] = 0
    return difference
