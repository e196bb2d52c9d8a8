"""Files of original dSprites images: the official .npz or HDF5, and others with some of its images in the same form."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, NoReturn

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import Factors
from engine.data.hdf5 import ENDINGS, Hdf5File, open_hdf5
from engine.data.npz import NpzFile, open_npz
from engine.errors import DataError
from engine.jobs.events import Progress

OFFICIAL_NAME = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
OFFICIAL_HDF5 = OFFICIAL_NAME.replace(".npz", ".hdf5")
SIDE = 64


def find_file(path: Path) -> Path:
    """Return the given file of originals, or the one in a folder. Raises DataError if there is none."""
    if not path.is_dir():
        if path.is_file() and (path.name == OFFICIAL_NAME or _holds_originals(path)):
            return path
        _refuse(path)
    if (path / OFFICIAL_NAME).is_file():
        return path / OFFICIAL_NAME
    try:
        files = sorted(path.iterdir())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    found = [file for file in files if file.suffix.lower() in (".npz", *ENDINGS) and _holds_originals(file)]
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise DataError(f"{path} has several dSprites files: {names}. Choose one of them.")
    if not found:
        _refuse(path / (OFFICIAL_HDF5 if (path / OFFICIAL_HDF5).is_file() else OFFICIAL_NAME))
    return found[0]


def _refuse(path: Path) -> NoReturn:
    """Raise DataError that says what a file without originals is, and what to do."""
    if not path.is_file():
        problem = "does not exist"
    elif path.name == OFFICIAL_HDF5:
        problem = "is damaged or truncated"
    else:
        problem = "is not a dSprites file: it has no arrays 'imgs' and 'latents_classes'"
    raise DataError(
        f"{path} {problem}. Choose the official dSprites file or its folder, or leave the data folder empty: dSprites "
        "is then drawn on this machine."
    )


def open_originals(path: Path) -> "AbstractContextManager[NpzFile | Hdf5File]":
    """Open a file of originals, whose arrays have the same names in either format. Raises DataError."""
    return open_hdf5(path) if path.suffix.lower() in ENDINGS else open_npz(path)


def _holds_originals(path: Path) -> bool:
    try:
        with open_originals(path) as file:
            return {"imgs", "latents_classes"} <= set(file.names)
    except DataError:
        return False


def read_positions(path: Path, factors: Factors, everything: int) -> NDArray[np.int64]:
    """Return the positions, (n,), of a file's images in the official order of all `everything` images.

    A file with all images has the official order. Otherwise positions are its `original_dataset_indices`, or follow
    from the values of the factors; `latents_classes` are not used, since files with some of the images renumber them.
    Raises DataError.
    """
    with open_originals(path) as file:
        header = file.header("imgs")
        if header.shape[1:] != (SIDE, SIDE) or header.dtype != np.uint8 or header.fortran or not header.shape[0]:
            raise DataError(
                f"{path.name} is not the official dSprites file, or one like it: its images are {header.shape} "
                f"{header.dtype}, not (n, {SIDE}, {SIDE}) uint8."
            )
        count = header.shape[0]
        if count == everything:
            return np.arange(count)
        if "original_dataset_indices" in file.names:
            positions = _array(file, "original_dataset_indices", [(count,)], "iu").astype(np.int64)
        elif "latents_values" in file.names:
            positions = _from_values(path, _array(file, "latents_values", [(count, 6), (count, 5)], "f"), factors)
        else:
            raise DataError(
                f"{path.name} is not the official dSprites file: it has {count:,} images, and neither "
                "'original_dataset_indices' nor 'latents_values' to identify them."
            )
    if positions.min() < 0 or positions.max() >= everything:
        raise DataError(f"{path.name} is damaged: it has positions beyond dSprites' {everything:,} images.")
    return positions


def _array(file: NpzFile | Hdf5File, name: str, shapes: list[tuple[int, ...]], kinds: str) -> NDArray[np.generic]:
    """Read an array with one of these shapes and kinds of numbers. Raises DataError."""
    header = file.header(name)
    if header.shape not in shapes or header.dtype.kind not in kinds:
        raise DataError(
            f"{name!r} in {file.path.name} has the shape {header.shape} and the type {header.dtype}; it must have the "
            f"shape {shapes[0]}."
        )
    return file.read(name)


def _from_values(path: Path, values: NDArray[np.generic], factors: Factors) -> NDArray[np.int64]:
    """Positions from the values of shape, scale, orientation, x and y, optionally preceded by colour."""
    classes = []
    for known, column in zip(factors.values, np.asarray(values, np.float64).T[-5:], strict=True):
        nearest = np.abs(column[:, None] - known).argmin(axis=1)
        if not np.allclose(known[nearest], column, atol=1e-4):
            raise DataError(f"{path.name} has values in 'latents_values' that dSprites does not have.")
        classes.append(nearest)
    return np.asarray(np.ravel_multi_index(tuple(classes), factors.sizes), np.int64)


def pack_images(path: Path, count: int, out: IO[bytes]) -> Iterator[Progress]:
    """Pack the images of a file, one byte of 0 or 1 per pixel, into bits, as a stream. Raises DataError or OSError."""
    with open_originals(path) as archive:
        rest, done = b"", 0
        for chunk in archive.chunks("imgs", 1024 * SIDE * SIDE):
            rest += chunk
            complete = len(rest) - len(rest) % (SIDE * SIDE)
            pixels = np.frombuffer(rest, np.uint8, complete)
            if pixels.max(initial=0) > 1:
                raise DataError(f"{path.name} is damaged: its pixels are not all 0 or 1.")
            out.write(np.packbits(pixels).data)
            rest, done = rest[complete:], done + complete // (SIDE * SIDE)
            yield Progress(done, count, f"Reading {path.name}", "images")
