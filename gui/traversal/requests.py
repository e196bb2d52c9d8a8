"""What the traversal page asks for: frozen, so that a question that was asked already is known again."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of a run: the newest (`stamp` changes with them), or those kept at a step.

    `data` changes with the user's file or folder of data.
    """

    run: Path
    checkpoint: int | None = None
    stamp: object = None
    data: object = None


@dataclass(frozen=True, slots=True)
class ImageAt:
    """An image of the data set; None: a typical one."""

    index: int | None = None


@dataclass(frozen=True, slots=True)
class GivenPicture:
    """A picture from a file, the clipboard or the canvas. `number` tells one from another.

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
    """Values a latent goes through: `steps` from `low` to `high`; a category goes through its own."""

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
    """One latent over the range, in every class; None: the latent of largest KL."""

    latent: int | None
    range: Range


@dataclass(frozen=True, slots=True)
class WalkWanted:
    """The way from the image to another, straight and along the sphere."""

    end: Source
    steps: int


@dataclass(frozen=True, slots=True)
class CompareWanted:
    """The same traversal for other runs too."""

    others: tuple[Weights, ...]
    range: Range


Wanted: TypeAlias = LatentsWanted | ClassesWanted | WalkWanted | CompareWanted


@dataclass(frozen=True, slots=True)
class Request:
    """Which weights, which image, which class for the decoder (None: the image's own), and what to show of them."""

    weights: Weights
    source: Source
    label: int | None
    wanted: Wanted
