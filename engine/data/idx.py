"""IDX, the file format of MNIST: a header of big-endian integers, then the bytes.

The format is described on Yann LeCun's MNIST page: two zero bytes, the type (8: unsigned byte), the number of
dimensions, the dimensions as 32-bit integers.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.system.reading import open_regular

UNSIGNED_BYTE = 8
LARGEST = 2**31
"""Largest number of bytes; larger sizes are rejected before memory is allocated."""


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes with a given number of dimensions, gzip-compressed or raw.

    Raises DataError if the file is missing, truncated, corrupt, of another type or shape, or longer than its header
    says.
    """
    try:
        with _open(path) as file:
            shape = _header(path, file.read(4 + 4 * dimensions), dimensions)
            size = math.prod(shape)
            if size > LARGEST or math.prod(max(n, 1) for n in shape) > LARGEST:
                raise DataError(
                    f"{path} announces {size:,} bytes, more than any data set of this kind has; the file is damaged."
                )
            data = _read(file, size)
            if len(data) < size:
                raise DataError(
                    f"{path} is truncated: it announces {size:,} bytes and holds {len(data):,}. Download it again."
                )
            if file.read(1):
                raise DataError(f"{path} holds more than the {size:,} bytes it announces; it is damaged.")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged and cannot be unpacked ({error}). Download it again.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    return np.frombuffer(data, np.uint8).reshape(shape)


def _read(file: IO[bytes], size: int) -> bytes:
    """Read up to `size` bytes in pieces, so that a damaged header cannot allocate memory the file does not fill."""
    data = bytearray()
    while len(data) < size and (part := file.read(min(2**22, size - len(data)))):
        data += part
    return bytes(data)


def _open(path: Path) -> IO[bytes]:
    with open_regular(path) as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path, "rb")) if compressed else path.open("rb")


def _header(path: Path, head: bytes, dimensions: int) -> tuple[int, ...]:
    if len(head) < 4 + 4 * dimensions:
        raise DataError(f"{path} is truncated: its header is incomplete.")
    zero, kind, count = struct.unpack(">HBB", head[:4])
    if zero != 0 or kind != UNSIGNED_BYTE or count != dimensions:
        raise DataError(
            f"{path} is not an IDX file with {dimensions} dimensions of bytes (it starts with {head[:4].hex(' ')})."
        )
    return struct.unpack(f">{dimensions}I", head[4:])
