"""XYSquares: a red, a green and a blue square, each at 8 x 8 positions of a grid: 262,144 images, drawn when asked for.

From disent (N. Michlo, R. Klein, S. James, "Overlooked implications of the reconstruction loss for VAE
disentanglement", IJCAI 2023). Neighbouring positions do not overlap, so that pixel by pixel, any two positions of a
square are equally far apart: a reconstruction loss does not tell which are neighbours.
"""

from dataclasses import dataclass

import numpy as np

from engine.data.dataset import Dataset, Factors, Images, Indices

SIDE, SQUARE = 64, 8
PLACES = SIDE // SQUARE
NAMES = ("red x", "red y", "green x", "green y", "blue x", "blue y")
SIZES = (PLACES,) * len(NAMES)
COUNT = PLACES**6


def factors() -> Factors:
    """Return the six factors, in disent's order; positions in squares from the left and from the top."""
    return Factors(NAMES, tuple(np.arange(PLACES, dtype=np.float64) for _ in NAMES))


@dataclass(frozen=True, slots=True)
class Squares:
    """Draws the images."""

    def __len__(self) -> int:
        return COUNT

    def __call__(self, indices: Indices) -> Images:
        """Return the images at these positions."""
        places = np.stack(np.unravel_index(indices, SIZES), axis=1).reshape(-1, 3, 2)
        white = (np.arange(SIDE) // SQUARE == places[..., None]).astype(np.uint8) * np.uint8(255)
        images = np.zeros((len(indices), SIDE, SIDE * 3), np.uint8)
        for colour in range(3):
            across = np.zeros((len(indices), SIDE, 3), np.uint8)
            across[..., colour] = white[:, colour, 0]
            images |= white[:, colour, 1, :, None] & across.reshape(-1, 1, SIDE * 3)
        return images.reshape(-1, SIDE, SIDE, 3)


def load() -> Dataset:
    """Return the data set."""
    return Dataset(
        name="xy-squares",
        title="XYSquares",
        store=Squares(),
        image_shape=(SIDE, SIDE, 3),
        splits={"all": np.arange(COUNT)},
        source="drawn on this machine",
        factors=factors(),
    )
