"""Arrays of the user's own .npz file: images and, optionally, labels and factors, all validated."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.npz import ArrayHeader, NpzFile
from engine.errors import DataError
from engine.system.files import scratch

SIDES = (28, 32, 64, 128)
BLOCK = 2**26
"""Bytes converted at a time where an array is in Fortran order."""


def read_images_header(file: NpzFile) -> tuple[ArrayHeader, tuple[int, int, int, int]]:
    """Return the header of 'images' and its shape including channels. Raises DataError if it cannot be used."""
    name = file.path.name
    if "images" not in file.names and {"imgs", "latents_classes"} <= set(file.names):
        raise DataError(
            f"{name} is a dSprites file, not a file of your own arrays. Choose dSprites with it as the data folder "
            "(--dataset dsprites --data FILE on the command line)."
        )
    header = file.header("images")
    shape = (*header.shape, 1) if len(header.shape) == 3 else header.shape
    if len(shape) != 4 or shape[1] != shape[2] or shape[1] not in SIDES or shape[3] not in (1, 3) or not shape[0]:
        raise DataError(
            f"'images' in {name} has the shape {header.shape}; it must be (n, side, side) or (n, side, side, 1 or 3), "
            f"with a side of {', '.join(map(str, SIDES))}."
        )
    if header.dtype.kind not in "bf" and header.dtype != np.uint8:
        raise DataError(
            f"'images' in {name} has the type {header.dtype}; it must be uint8 (0 to 255), bool, or floating-point "
            "numbers from 0 to 1."
        )
    return header, (shape[0], shape[1], shape[2], shape[3])


def copy_images(file: NpzFile, header: ArrayHeader, spare: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield the images in batches, as uint8 in C order.

    An array in Fortran order, whose images are not contiguous, is first unpacked beside `spare`. Raises DataError or
    OSError.
    """
    count = header.shape[0]
    row = header.bytes // count
    if not header.fortran:
        for part in _complete_images(file.chunks("images", 2**22), row):
            values = np.frombuffer(part, header.dtype).reshape(-1, *header.shape[1:])
            yield _to_bytes(values, file.path)
        return
    with scratch(spare) as temporary:
        with temporary.open("wb") as out:
            for chunk in file.chunks("images", 2**22):
                out.write(chunk)
        mapped = np.memmap(temporary, header.dtype, "r", shape=header.shape, order="F")
        step = max(1, BLOCK // row)
        for start in range(0, count, step):
            block = np.ascontiguousarray(mapped[start : start + step])
            yield _to_bytes(block, file.path)
        del mapped


def _complete_images(chunks: Iterator[bytes], row: int) -> Iterator[bytes]:
    """Regroup chunks so that each holds complete images."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        complete = len(rest) - len(rest) % row
        if complete:
            yield rest[:complete]
            rest = rest[complete:]


def _to_bytes(values: NDArray[np.generic], path: Path) -> NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return np.asarray(values, np.uint8)
    if values.dtype.kind == "b":
        return np.asarray(values, np.uint8) * np.uint8(255)
    numbers = np.asarray(values, np.float64)
    if not np.isfinite(numbers).all() or numbers.min() < 0 or numbers.max() > 1:
        raise DataError(f"'images' in {path.name} holds NaN, infinite numbers or numbers outside 0 to 1.")
    return (numbers * 255).round().astype(np.uint8)


def read_labels(file: NpzFile, count: int) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return class numbers and class names, the sorted values of the labels; both empty without labels."""
    if "labels" not in file.names:
        return np.empty(0, np.int64), ()
    header = file.header("labels")
    if header.shape != (count,) or header.dtype.kind not in "iu":
        raise DataError(
            f"'labels' in {file.path.name} must be {count:,} whole numbers; it has the shape {header.shape} and "
            f"the type {header.dtype}."
        )
    values, labels = np.unique(np.asarray(file.read("labels")), return_inverse=True)
    if len(values) > 1000:
        raise DataError(f"'labels' in {file.path.name} has {len(values):,} classes; at most 1,000 can be used.")
    return labels.astype(np.int64), tuple(str(value) for value in values)


def read_factors(file: NpzFile, count: int) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Return the table of factors, int64 (n, factors), and their names; None without factors."""
    if "factors" not in file.names:
        return None, ()
    header = file.header("factors")
    if len(header.shape) != 2 or header.shape[0] != count or not header.shape[1] or header.dtype.kind not in "iu":
        raise DataError(
            f"'factors' in {file.path.name} must be whole numbers with the shape ({count}, factors); it has the "
            f"shape {header.shape} and the type {header.dtype}."
        )
    columns = header.shape[1]
    names = tuple(f"factor {i}" for i in range(columns))
    if "factor_names" in file.names:
        if file.header("factor_names").shape != (columns,) or file.header("factor_names").dtype.kind != "U":
            raise DataError(f"'factor_names' in {file.path.name} must be {columns} strings.")
        names = tuple(str(name) for name in file.read("factor_names"))
    return np.asarray(file.read("factors")).astype(np.int64), names
