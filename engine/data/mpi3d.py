"""MPI3D: a robot arm that holds an object (M. W. Gondal et al., NeurIPS 2019), toy, realistic, real and complex.

Each is an .npz file with the array `images`, deflated, in the order of the factors. The files of the challenge of 2019
have 4 colours and 4 shapes, and 460,800 images; the present ones have 6 and 6, and 1,036,800.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import Factors
from engine.data.download import Remote
from engine.data.npz import open_npz
from engine.data.originals import (
    SIDE,
    Described,
    Original,
    Reading,
    ReadingJob,
    find_file,
    grid,
    has_name,
    labelled,
    reading,
)
from engine.data.prepared import Contents
from engine.errors import DataError

BLOCK = 2**20
NAMES = ("object color", "object shape", "object size", "camera height", "background color", "horizontal axis",
         "vertical axis")  # fmt: skip
SIZES = (6, 6, 2, 3, 3, 40, 40)
FEWER = (4, 4, 2, 3, 3, 40, 40)
"""Sizes of the complex shapes, and of the challenge's toy file."""

COLOURS = ("white", "green", "red", "blue", "brown", "olive")
SHAPES = ("cone", "cube", "cylinder", "hexagonal", "pyramid", "sphere")
COMPLEX = {
    "object color": ("yellow", "green", "olive", "red"),
    "object shape": ("coffee-cup", "tennis-ball", "croissant", "beer-cup"),
}
COMMON = {
    "object size": ("small", "large"),
    "camera height": ("top", "center", "bottom"),
    "background color": ("purple", "sea green", "salmon"),
}
ADDRESS = "https://huggingface.co/datasets/waleedgondal/mpi3d/resolve/main/"
MD5 = {
    "toy": "55889cb7c7dfc655d6e0277beee88868",
    "realistic": "59a6225b88b635365f70c91b3e52f70f",
    "real": "0f33f609918fb5c97996692f91129802",
}
"""Address as in the authors' README, md5 as in disent's loader."""

BY_HAND = "https://github.com/rr-learning/disentanglement_dataset"
FILES = {
    "toy": ("mpi3d_toy.npz", "sim_toy_64x_ordered_without_heldout_factors.npz"),
    "realistic": ("mpi3d_realistic.npz",),
    "real": ("mpi3d_real.npz",),
    "complex": ("real3d_complicated_shapes_ordered.npz", "mpi3d_real_complex.npz"),
}


def factors(kind: str, sizes: tuple[int, ...]) -> Factors:
    """Return the seven factors of a kind of file; the colours and shapes of the challenge's file have no names."""
    named = dict(COMMON)
    if kind == "complex":
        named |= COMPLEX
    elif sizes[:2] == SIZES[:2]:
        named |= {"object color": COLOURS, "object shape": SHAPES}
    fits = {name: words for name, words in named.items() if len(words) == sizes[NAMES.index(name)]}
    return grid(NAMES, [np.arange(size) for size in sizes], fits)


def mpi3d(kind: str, known: tuple[tuple[int, ...], ...] = (SIZES, FEWER)) -> Original:
    """Return the data set of a kind; its number of images decides which of the `known` sizes its factors have."""
    title = f"MPI3D {kind}"
    by_count = {int(np.prod(sizes)): sizes for sizes in (known[1:] if kind == "complex" else known)}

    def fits(path: Path) -> str:
        try:
            with open_npz(path) as file:
                header = file.header("images")
        except DataError as error:
            return str(error).rstrip(".")
        counts = " or ".join(f"{count:,}" for count in by_count)
        if header.shape[:1] not in [(count,) for count in by_count] or header.fortran:
            return f"its images are {header.shape}, and it should have {counts}"
        if header.shape[1:] != (SIDE, SIDE, 3) or header.dtype != np.uint8:
            return f"its images are {header.shape} {header.dtype}"
        return ""

    def find(path: Path) -> tuple[Path, ...]:
        return (find_file(path, title, FILES[kind], (".npz",), fits),)

    def read(files: tuple[Path, ...]) -> ReadingJob:
        with open_npz(files[0]) as file:
            shape = file.header("images").shape
        yield reading(title, 0, shape[0], "images")

        def images() -> Iterator[NDArray[np.uint8]]:
            row = SIDE * SIDE * 3
            with open_npz(files[0]) as file:
                rest = b""
                for chunk in file.chunks("images", BLOCK):
                    rest += chunk
                    whole = len(rest) - len(rest) % row
                    yield np.frombuffer(rest, np.uint8, whole).reshape(-1, SIDE, SIDE, 3)
                    rest = rest[whole:]

        return Reading((shape[0], SIDE, SIDE, 3), images())

    def describe(contents: Contents) -> Described:
        count = len(contents.store)
        return labelled(factors(kind, by_count[count]), "object shape", count)

    remotes = {FILES[kind][0]: Remote((ADDRESS + FILES[kind][0],), MD5[kind])} if kind in MD5 else {}
    return Original(
        f"mpi3d-{kind}", title, f"mpi3d-{kind}", find, read,
        named=lambda path: has_name(path, FILES[kind]),
        describe=describe,
        remotes=remotes,
        by_hand=BY_HAND,
    )  # fmt: skip
