"""Requests of the Traversal page, frozen so that a repeated request can be recognised."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of a run: the latest (`stamp` changes with them), or those kept at a step.

    `data` changes with the user's data file or folder.
    """

    run: Path
    checkpoint: int | None = None
    stamp: object = None
    data: object = None


@dataclass(frozen=True, slots=True)
class ImageAt:
    """An image of the data set; None for a typical one."""

    index: int | None = None


@dataclass(frozen=True, slots=True)
class GivenPicture:
    """An image from a file, the clipboard or the canvas, identified by `number`.

    `pixels` is uint8 (height, width) or (height, width, 3 or 4).
    """

    number: int
    words: str
    drawn: bool
    pixels: NDArray[np.uint8] = field(compare=False)


@dataclass(frozen=True, slots=True)
class FromPrior:
    """Latents drawn from their priors with this seed."""

    seed: int


Source: TypeAlias = ImageAt | GivenPicture | FromPrior


@dataclass(frozen=True, slots=True)
class Range:
    """The values of a latent: `steps` values from `low` to `high`; a category takes its own."""

    low: float = -3.0
    high: float = 3.0
    steps: int = 9

    @property
    def span(self) -> tuple[float, float]:
        """The two ends."""
        return self.low, self.high


@dataclass(frozen=True, slots=True)
class LatentsWanted:
    """Every latent over the range."""

    range: Range


@dataclass(frozen=True, slots=True)
class ClassesWanted:
    """One latent over the range for every class; None for the latent with the largest KL."""

    latent: int | None
    range: Range


@dataclass(frozen=True, slots=True)
class WalkWanted:
    """Interpolations from the image to another, linear and spherical."""

    end: Source
    steps: int


@dataclass(frozen=True, slots=True)
class CompareWanted:
    """The same traversal for other runs too."""

    others: tuple[Weights, ...]
    range: Range


@dataclass(frozen=True, slots=True)
class MapWanted:
    """The image's code alone: the map's points come from all images."""


@dataclass(frozen=True, slots=True)
class SamplesWanted:
    """Samples from the prior, decoded as `label`, or as classes drawn at random if that is None."""

    number: int
    seed: int
    label: int | None


Wanted: TypeAlias = LatentsWanted | ClassesWanted | WalkWanted | CompareWanted | MapWanted | SamplesWanted


@dataclass(frozen=True, slots=True)
class Request:
    """Which weights, image and class for the decoder (None: the image's own) to use, and what to show."""

    weights: Weights
    source: Source
    label: int | None
    wanted: Wanted
