"""The pixels of a prepared copy: an .npy file that is written image by image and then checked for brightness.

It is not memory-mapped for writing: if the disk has no room for a mapped page, the system kills the process.
"""

import hashlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from engine.data.fingerprint import DIGITS
from engine.errors import DataError

BLOCK = 2**22
DIM = 32
"""Brightest value up to which images are reported as almost black."""

SAMPLE = 2**14
"""Bytes at the beginning, in the middle and at the end of a file that `sample_digest` reads."""


def write_images(path: Path, shape: tuple[int, ...], parts: Iterable[NDArray[np.uint8]]) -> Iterator[int]:
    """Write images of a total shape (n, height, width, channels), uint8, and yield the number written so far.

    Raises OSError, and DataError if there are more or fewer images than announced.
    """
    with path.open("wb") as out:
        out.write(_header(shape))
        done = 0
        for images in parts:
            out.write(np.ascontiguousarray(images).data)
            done += len(images)
            yield done
    if done != shape[0]:
        raise DataError(f"{done:,} images were read instead of {shape[0]:,}.")


def keep_images(path: Path, kept: Sequence[int], *, in_colour: bool) -> Iterator[int]:
    """Keep only some of the RGB images in a file, at ascending positions, as grey ones unless `in_colour`.

    The images are moved within the file, which needs no further disk space. Yields their number so far. Raises OSError.
    """
    with path.open("r+b") as file:
        shape, start = _read_header(file)
        to = start
        for first in range(0, len(kept), 256):
            positions = kept[first : first + 256]
            images = np.empty((len(positions), *shape[1:]), np.uint8)
            for image, position in zip(images, positions, strict=True):
                file.seek(start + position * image.nbytes)
                file.readinto(image.data)
            if not in_colour:
                images = images.mean(axis=3, keepdims=True).round().astype(np.uint8)
            file.seek(to)
            file.write(images.data)
            to += images.nbytes
            yield first + len(positions)
        file.truncate(to)
        file.seek(0)
        file.write(_header((len(kept), *shape[1:3], 3 if in_colour else 1)))


def finish_images(path: Path) -> Generator[tuple[int, int], None, tuple[list[str], str]]:
    """Make images of 0 and 1 black and white; return notes on their brightness, and the digest of the file.

    Yields bytes done and bytes in all. Raises OSError.
    """
    total = path.stat().st_size
    with path.open("r+b") as file:
        _, start = _read_header(file)
        file.seek(0)
        digest = hashlib.sha256(file.read(start))
        peak = 0
        for block in _blocks(file):
            digest.update(block)
            peak = max(peak, int(np.frombuffer(block, np.uint8).max()))
            yield file.tell(), total
        if peak == 1:
            file.seek(0)
            digest = hashlib.sha256(file.read(start))
            for block in _blocks(file):
                white = np.frombuffer(block, np.uint8) * np.uint8(255)
                digest.update(white.data)
                file.seek(-len(block), 1)
                file.write(white.data)
                file.seek(0, 1)  # switch from writing back to reading
                yield file.tell(), total
    return _notes(peak), digest.hexdigest()[:DIGITS]


def sample_digest(path: Path) -> str:
    """Return the digest of a file's size and of 16 KiB each at its beginning, middle and end. Raises OSError.

    It notices a truncated file and one with a hole in these places, at no cost.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for place in (0, size // 2, max(0, size - SAMPLE)):
            file.seek(place)
            digest.update(file.read(SAMPLE))
    return digest.hexdigest()[:DIGITS]


def open_header(path: Path) -> tuple[tuple[int, ...], int]:
    """Return the shape of the images in a file, and the position of the first. Raises OSError or ValueError."""
    with path.open("rb") as file:
        shape, start = _read_header(file)
    if len(shape) != 4 or not all(shape) or path.stat().st_size != start + int(np.prod(shape, dtype=np.int64)):
        raise ValueError(f"{path} holds no images")
    return shape, start


def _header(shape: tuple[int, ...]) -> bytes:
    """The beginning of an .npy file, equally long for any number of images and channels."""
    out = BytesIO()
    npy.write_array_header_1_0(out, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return out.getvalue()


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], int]:
    npy.read_magic(file)
    shape, fortran, dtype = npy.read_array_header_1_0(file)
    if fortran or dtype != np.uint8:
        raise ValueError("not an array of bytes in C order")
    return shape, file.tell()


def _notes(peak: int) -> list[str]:
    if peak == 0:
        return ["All images are black."]
    if peak == 1:
        return ["The images contain only 0 and 1: 1 is taken as white."]
    if peak <= DIM:
        return [
            f"The brightest value in the images is {peak} of 255: they are almost black. Save them with the full range "
            "of values to see more and train better."
        ]
    return []


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block
