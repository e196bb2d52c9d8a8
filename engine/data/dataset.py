"""A data set: uint8 images, optional labels, optional ground-truth factors."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError, NoImagesError

Images: TypeAlias = NDArray[np.uint8]
Indices: TypeAlias = NDArray[np.int64]


class ImageStore(Protocol):
    """Images by position, kept in their stored format and converted to uint8 pixels on access."""

    def __len__(self) -> int:
        """Return the number of images."""

    def __call__(self, indices: Indices) -> Images:
        """Return images as uint8 (n, height, width, channels), 0 black to 255 white."""


@dataclass(frozen=True, slots=True)
class ArrayStore:
    """Images as one array, uint8 (n, height, width, channels), in memory or memory-mapped."""

    array: Images

    def __len__(self) -> int:
        return len(self.array)

    def __call__(self, indices: Indices) -> Images:
        """Return the images at these positions."""
        return self.array[indices]


@dataclass(frozen=True, slots=True)
class BitStore:
    """Black-and-white images as packed bits, uint8 (n, height * width / 8), in memory or memory-mapped."""

    bits: Images
    height: int
    width: int

    def __len__(self) -> int:
        return len(self.bits)

    def __call__(self, indices: Indices) -> Images:
        """Return the images at these positions, 0 or 255, with one channel."""
        pixels = np.unpackbits(self.bits[indices], axis=1)
        np.multiply(pixels, 255, out=pixels)
        return pixels.reshape(-1, self.height, self.width, 1)


@dataclass(frozen=True, slots=True)
class NoImages:
    """The place of images of which only codes, labels or factors are known."""

    count: int
    file: str

    def __len__(self) -> int:
        return self.count

    def __call__(self, indices: Indices) -> Images:
        """Raise NoImagesError."""
        raise NoImagesError(f"{self.file} holds no images.")


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """Ground-truth factors of variation.

    `values[k]` holds the value of each class of factor k. Without a `table`, the images form a full grid in which the
    last factor changes fastest. With one, `table` holds the classes of every image, int64 (n, factors), and the grid
    may have holes.
    """

    names: tuple[str, ...]
    values: tuple[NDArray[np.float64], ...]
    value_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    table: NDArray[np.int64] | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of classes of each factor."""
        return tuple(len(v) for v in self.values)

    def classes(self, indices: Indices) -> NDArray[np.int64]:
        """Return the class of every factor for these images, (n, factors)."""
        if self.table is not None:
            return self.table[indices]
        return np.stack(np.unravel_index(indices, self.sizes), axis=1).astype(np.int64)

    def nearest(self, classes: NDArray[np.int64]) -> int:
        """Return the position of the image with these classes, (factors,), or of the nearest one in a grid with holes.

        The distance is the sum over factors of the difference of classes, each as a share of the factor's range.
        """
        if self.table is None:
            return int(np.ravel_multi_index(tuple(classes), self.sizes))
        spread = np.maximum(np.array(self.sizes) - 1, 1)
        return int(np.argmin((np.abs(self.table - classes) / spread).sum(axis=1)))

    def among(self, indices: Indices) -> "FactorIndex":
        """Return an index of images at these positions by their classes. Raises DataError like `FactorIndex`."""
        return FactorIndex(self, indices)


class FactorIndex:
    """Finds images at some positions by the classes of all their factors.

    Raises DataError if the factors have more combinations than can be numbered.
    """

    def __init__(self, factors: Factors, indices: Indices) -> None:
        self._sizes = factors.sizes
        if math.prod(self._sizes) >= 2**63:
            raise DataError(f"The factors {', '.join(factors.names)} have too many combinations to find images.")
        codes = self._codes(factors.classes(indices))
        order = np.argsort(codes, kind="stable")
        self._known, self._positions = codes[order], indices[order]

    def find(self, classes: NDArray[np.int64], rng: np.random.Generator) -> tuple[Indices, NDArray[np.bool_]]:
        """Look for an image with each row of classes, (n, factors); of several, one is drawn.

        Returns the positions of those that were found, in order, and for each row whether it was found, (n,).
        """
        codes = self._codes(classes)
        start = np.searchsorted(self._known, codes, side="left")
        count = np.searchsorted(self._known, codes, side="right") - start
        found = count > 0
        place = start[found] + (rng.random(found.sum()) * count[found]).astype(np.int64)
        return self._positions[place], found

    def _codes(self, classes: NDArray[np.int64]) -> NDArray[np.int64]:
        """A number for each row of classes, (n,)."""
        codes: NDArray[np.int64] = np.ravel_multi_index(tuple(classes.T), self._sizes).astype(np.int64)
        return codes


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Dataset:
    """Images with their splits, labels and factors.

    `splits` maps "train" and "test" to positions, or "all" where the field does not split the data set. `labels` are
    class numbers of all images, int64 (n,), named by `label_names`. `notes` are sentences about what was noticed while
    reading. `pixel_digest` is the digest of all pixels if they were prepared into a file.
    """

    name: str
    title: str
    store: ImageStore
    image_shape: tuple[int, int, int]
    splits: Mapping[str, Indices]
    source: str
    labels: NDArray[np.int64] | None = None
    label_names: tuple[str, ...] = ()
    factors: Factors | None = None
    notes: tuple[str, ...] = ()
    pixel_digest: str = ""

    def __len__(self) -> int:
        return len(self.store)

    def images(self, indices: Indices) -> Images:
        """Return the images at these positions, uint8 (n, height, width, channels)."""
        return self.store(np.asarray(indices, dtype=np.int64))

    @property
    def has_images(self) -> bool:
        """Whether its images are known, and not only their number."""
        return not isinstance(self.store, NoImages)

    @property
    def classes(self) -> int:
        """Number of label classes; 0 without labels."""
        return len(self.label_names)

    @property
    def training(self) -> Indices:
        """Positions of the training images."""
        return self.splits.get("train", self.splits.get("all", np.empty(0, np.int64)))

    @property
    def headline_split(self) -> str:
        """The split used for headline metrics: "test", or "all" without one."""
        return "test" if "test" in self.splits else "all"
