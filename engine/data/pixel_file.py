"""The pixels of a prepared copy: an .npy file that is written image by image and then checked for brightness.

It is not memory-mapped for writing: if the disk has no room for a mapped page, the system kills the process.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

BLOCK = 2**22
DIM = 32
"""Brightest value up to which images are reported as almost black."""


def write_images(path: Path, shape: tuple[int, ...], parts: Iterable[NDArray[np.uint8]]) -> Iterator[int]:
    """Write images of a total shape (n, height, width, channels), uint8, and yield the number written so far.

    Raises OSError.
    """
    with path.open("wb") as out:
        npy.write_array_header_1_0(out, {"descr": "|u1", "fortran_order": False, "shape": shape})
        done = 0
        for images in parts:
            out.write(images.data)
            done += len(images)
            yield done


def finish_images(path: Path) -> list[str]:
    """Make images of 0 and 1 black and white, and return notes on their brightness. Raises OSError."""
    with path.open("r+b") as file:
        npy.read_magic(file)
        npy.read_array_header_1_0(file)
        start = file.tell()
        peak = max((int(np.frombuffer(block, np.uint8).max()) for block in _blocks(file)), default=0)
        if peak == 1:
            file.seek(start)
            for block in _blocks(file):
                file.seek(-len(block), 1)
                file.write((np.frombuffer(block, np.uint8) * np.uint8(255)).data)
                file.seek(0, 1)  # switch from writing back to reading
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
