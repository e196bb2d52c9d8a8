"""The binary matrix of NYU's NORB: a header of little-endian integers, then the numbers, the last index fastest.

Magic number (type), number of dimensions, then the dimensions, at least three of them. Described on the data set's
page, https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/.
"""

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.system.reading import open_regular

TYPES: dict[int, np.dtype[Any]] = {
    0x1E3D4C51: np.dtype("<f4"),
    0x1E3D4C53: np.dtype("<f8"),
    0x1E3D4C54: np.dtype("<i4"),
    0x1E3D4C55: np.dtype("u1"),
    0x1E3D4C56: np.dtype("<i2"),
}
"""By magic number. Bytes have no sign; disentanglement_lib reads them as if they had."""

MOST_DIMENSIONS = 8
LARGEST = 2**31
BLOCK = 2**22


@dataclass(frozen=True, slots=True)
class BinaryMatrix:
    """An open matrix: shape, type, and the rest of its file."""

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    file: IO[bytes]

    def rows(self) -> Iterator[NDArray[Any]]:
        """Yield the rows, some at a time. Raises DataError if there are fewer or more than the header says."""
        row = math.prod(self.shape[1:]) * self.dtype.itemsize
        left = self.shape[0]
        while left:
            number = min(left, max(1, BLOCK // row))
            content = self.file.read(number * row)
            if len(content) < number * row:
                raise DataError(f"{self.path} is truncated: {left:,} of its {self.shape[0]:,} rows are incomplete.")
            left -= number
            yield np.frombuffer(content, self.dtype).reshape(number, *self.shape[1:])
        if self.file.read(1):
            raise DataError(f"{self.path} is damaged: it is longer than its header says.")

    def read(self) -> NDArray[Any]:
        """Read the matrix. Raises DataError."""
        return np.concatenate([*self.rows()])


@contextmanager
def open_matrix(path: Path) -> Iterator[BinaryMatrix]:
    """Open a matrix, gzip-compressed or raw. Raises DataError, also for errors while it is read."""
    try:
        with open_regular(path) as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            yield _opened(path, cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if compressed else raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged and cannot be unpacked ({error}). Download it again.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None


def _opened(path: Path, file: IO[bytes]) -> BinaryMatrix:
    head = file.read(8)
    if len(head) < 8:
        raise DataError(f"{path} is truncated: its header is incomplete.")
    magic, dimensions = struct.unpack("<ii", head)
    if magic not in TYPES or not 1 <= dimensions <= MOST_DIMENSIONS:
        raise DataError(f"{path} is not a binary matrix of NORB (it starts with {head.hex(' ')}).")
    stored = max(3, dimensions)
    sizes = file.read(4 * stored)
    if len(sizes) < 4 * stored:
        raise DataError(f"{path} is truncated: its header is incomplete.")
    shape = struct.unpack(f"<{stored}i", sizes)[:dimensions]
    if min(shape) < 1 or math.prod(shape) * TYPES[magic].itemsize > LARGEST:
        raise DataError(f"{path} announces the shape {shape}, which no file of NORB has; it is damaged.")
    return BinaryMatrix(path, shape, TYPES[magic], file)
