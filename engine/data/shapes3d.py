"""Shapes3D: 480,000 images of a coloured shape in a coloured room (C. Burgess and H. Kim, 2018), from 3dshapes.h5.

The class of each factor follows from an image's position. The file's floating-point labels are not used: they are
values such as 0.30000000000000004, and their ranges differ from those in its README.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import Factors
from engine.data.download import Remote
from engine.data.hdf5 import ENDINGS, open_hdf5
from engine.data.originals import SIDE, Original, Reading, ReadingJob, find_file, grid, has_name, labelled, reading
from engine.errors import DataError

FILE = "3dshapes.h5"
SIZES = (10, 10, 10, 8, 4, 15)
NAMES = ("floor hue", "wall hue", "object hue", "scale", "shape", "orientation")
SHAPES = ("cube", "cylinder", "sphere", "capsule")
BLOCK = 2**25

REMOTES = {
    FILE: Remote(
        ("https://storage.googleapis.com/3d-shapes/3dshapes.h5",), "099a2078d58cec4daad0702c55d06868", 267_573_662
    )
}
"""Address and md5 as in disent's loader, size as in TensorFlow Datasets' checksums."""


def factors(sizes: tuple[int, ...] = SIZES) -> Factors:
    """Return the six factors: hues from 0 to 0.9, scale from 0.75 to 1.25, orientation in degrees."""
    hues = [np.arange(size) / 10 for size in sizes[:3]]
    values: list[NDArray[Any]] = [
        *hues,
        np.linspace(0.75, 1.25, sizes[3]),
        np.arange(sizes[4]),
        np.linspace(-30, 30, sizes[5]),
    ]
    return grid(NAMES, values, {"shape": SHAPES[: sizes[4]]})


def shapes3d(sizes: tuple[int, ...] = SIZES) -> Original:
    """Return the data set, with these numbers of values of its factors."""
    count = int(np.prod(sizes))

    def fits(path: Path) -> str:
        try:
            with open_hdf5(path) as file:
                images, labels = file.header("images"), file.header("labels")
        except DataError as error:
            return str(error).rstrip(".")
        if (images.shape, images.dtype, labels.shape) != (
            (count, SIDE, SIDE, 3),
            np.dtype(np.uint8),
            (count, len(sizes)),
        ):
            return f"its images are {images.shape} {images.dtype}, and its labels {labels.shape}"
        return ""

    def find(path: Path) -> tuple[Path, ...]:
        if path.is_file() and path.suffix.lower() not in ENDINGS:
            raise DataError(f"{path} is not an HDF5 file. Choose Shapes3D's file {FILE}, or its folder.")
        return (find_file(path, "Shapes3D", [FILE], ENDINGS, fits),)

    def read(files: tuple[Path, ...]) -> ReadingJob:
        yield reading("Shapes3D", 0, count, "images")

        def images() -> Iterator[NDArray[np.uint8]]:
            with open_hdf5(files[0]) as file:
                yield from file.rows("images", BLOCK)

        return Reading((count, SIDE, SIDE, 3), images())

    known = factors(sizes)
    return Original(
        "shapes3d", "Shapes3D", "shapes3d", find, read,
        named=lambda path: has_name(path, [FILE]),
        describe=lambda contents: labelled(known, "shape", len(contents.store)),
        remotes=REMOTES,
    )  # fmt: skip
