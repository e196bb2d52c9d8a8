"""SmallNORB: 50 toys under several lights and angles (Y. LeCun, F. J. Huang, L. Bottou, CVPR 2004), 64 x 64.

Training and test set have different toys of the same five categories; both are read, sorted by their factors. Of each
pair of images, that of the first camera is used, resized from 96 x 96.

Studies treat the toy, "instance", differently. disentanglement_lib joins both sets and does not count it as a factor:
of the ten toys of a category, any may be drawn. disent counts it as one, and uses the training set.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.binary_matrix import open_matrix
from engine.data.dataset import Factors
from engine.data.download import Remote
from engine.data.originals import SIDE, Described, Original, Reading, ReadingJob, grid, labelled, reading, resized
from engine.data.prepared import About, Contents
from engine.errors import DataError

PARTS = {
    "train": "smallnorb-5x46789x9x18x6x2x96x96-training",
    "test": "smallnorb-5x01235x9x18x6x2x96x96-testing",
}
KINDS = ("dat", "cat", "info")
ADDRESS = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/"
_KNOWN = {
    "train": {
        "dat": ("66054832f9accfe74a0f4c36a75bc0a2", 131_896_188),
        "cat": ("23c8b86101fbf0904a000b43d3ed2fd9", 348),
        "info": ("51dee1210a742582ff607dfd94e332e3", 71_052),
    },
    "test": {
        "dat": ("e4ad715691ed5a3a5f138751a4ceb071", 130_799_817),
        "cat": ("5aa791cd7e6016cf957ce9bdb93b8603", 347),
        "info": ("a9454f3864d7fd4bb3ea7fc3eb84924e", 10_428),
    },
}
REMOTES = {
    f"{PARTS[part]}-{kind}.mat.gz": Remote((f"{ADDRESS}{PARTS[part]}-{kind}.mat.gz",), *_KNOWN[part][kind])
    for part in PARTS
    for kind in KINDS
}
"""md5 and sizes as in disent's loader and TensorFlow Datasets' checksums."""

CATEGORIES = ("animal", "human", "plane", "truck", "car")
NAMES = ("category", "instance", "elevation", "azimuth", "lighting")
SIZES = (5, 10, 9, 18, 6)


def factors(sizes: tuple[int, ...] = SIZES) -> Factors:
    """Return the five factors of both sets; elevation and azimuth in degrees."""
    values = [np.arange(sizes[0]), np.arange(sizes[1]), 30 + 5 * np.arange(sizes[2]), 20 * np.arange(sizes[3])]
    return grid(NAMES, [*values, np.arange(sizes[4])], {"category": CATEGORIES[: sizes[0]]})


def without_instance(known: Factors) -> Factors:
    """Return the factors without instance: several images have the same classes, of which one is drawn."""
    classes = np.delete(known.classes(np.arange(math.prod(known.sizes))), 1, axis=1)
    rest = [k for k in range(len(NAMES)) if k != 1]
    return Factors(tuple(NAMES[k] for k in rest), tuple(known.values[k] for k in rest), known.value_names, classes)


def small_norb(*, instances: bool, sizes: tuple[int, ...] = SIZES) -> Original:
    """Return the data set, in which instance is a factor, and both sets are a split, or in which it is drawn."""
    known = factors(sizes)
    count = int(np.prod(sizes))

    def read(files: tuple[Path, ...]) -> ReadingJob:
        images = np.empty((count, SIDE, SIDE, 1), np.uint8)
        tested = np.full(count, -1, np.int64)
        done = 0
        for part in range(2):
            dat, cat, info = files[3 * part : 3 * part + 3]
            where = _positions(cat, info, sizes)
            with open_matrix(dat) as matrix:
                if len(matrix.shape) != 4 or matrix.shape[:2] != (len(where), 2) or matrix.dtype != np.uint8:
                    raise DataError(f"{dat} holds no pairs of images for {cat.name}: {matrix.shape} {matrix.dtype}.")
                start = 0
                for pairs in matrix.rows():
                    here = where[start : start + len(pairs)]
                    images[here, ..., 0] = [resized(image) for image in pairs[:, 0]]
                    tested[here] = part
                    start += len(pairs)
                    done += len(pairs)
                    yield reading("SmallNORB", min(done, count), count, "images")
        if done != count or (tested < 0).any():
            raise DataError(f"{files[0].parent} does not hold SmallNORB: its {done:,} images are not all {count:,}.")
        splits = {name: np.flatnonzero(tested == number) for number, name in enumerate(PARTS)}
        return Reading(images.shape, _batches(images), About(splits=splits))

    def describe(contents: Contents) -> Described:
        found = labelled(known, "category", count)
        if instances:
            return replace(found, splits=dict(contents.splits))
        return replace(found, factors=without_instance(known))

    return Original(
        "smallnorb-instances" if instances else "smallnorb",
        "SmallNORB with instances" if instances else "SmallNORB",
        "smallnorb",
        _find,
        read,
        named=lambda path: not instances and _is_folder(path),
        describe=describe,
        remotes=REMOTES,
    )


def _find(path: Path) -> tuple[Path, ...]:
    """The six files, compressed or not, in a folder or beside one of them: training, then test set."""
    folder = path if path.is_dir() else path.parent
    found = []
    for stem in (f"{part}-{kind}.mat" for part in PARTS.values() for kind in KINDS):
        file = next((folder / name for name in (f"{stem}.gz", stem) if (folder / name).is_file()), None)
        if file is None:
            raise DataError(f"{folder} has no {stem}.gz. SmallNORB needs six files: dat, cat and info, of both sets.")
        found.append(file)
    if path not in (folder, *found):
        raise DataError(f"{path} is not one of SmallNORB's six files.")
    return tuple(found)


def _is_folder(path: Path) -> bool:
    return path.name.startswith("smallnorb-") if path.is_file() else any(path.glob("smallnorb-*.mat*"))


def _positions(cat: Path, info: Path, sizes: tuple[int, ...]) -> NDArray[np.int64]:
    """Positions of a set's images in the grid of all factors, (n,)."""
    with open_matrix(cat) as matrix:
        category = matrix.read()
    with open_matrix(info) as matrix:
        more = matrix.read()
    if category.ndim != 1 or more.shape != (len(category), 4) or category.dtype.kind != "i" or more.dtype.kind != "i":
        raise DataError(f"{info.name} does not belong to {cat.name}: {more.shape} and {category.shape}.")
    instance, elevation, azimuth, lighting = more.T.astype(np.int64)
    classes = (category.astype(np.int64), instance, elevation, azimuth // 2, lighting)
    if any(column.min() < 0 or column.max() >= size for column, size in zip(classes, sizes, strict=True)):
        raise DataError(f"{info} is damaged: it has values that SmallNORB does not have.")
    return np.asarray(np.ravel_multi_index(classes, sizes), np.int64)


def _batches(images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(images), 1024):
        yield images[start : start + 1024]
