"""dSprites, 64 x 64: all 737,280 images, drawn on this machine from their geometry.

L. Matthey, I. Higgins, D. Hassabis, A. Lerchner, "dSprites: Disentanglement testing sprites dataset", 2017. The
geometry was measured on 64,834 of the original images: it reproduces 64,825 of them exactly, and the others differ in
one pixel each. It also reproduces exactly a further sheet of 92 originals on which it was not measured.

Files of originals can be read, too: the official ones, or one with some of its images (dsprites_files.py).

An image row is one 64-bit word. A polygon edge that crosses the row's centre line at x flips every pixel whose centre
lies to the right of x, so a row is the exclusive or of one mask per crossing. Where an edge crosses a row depends only
on y, so the 32 x positions of a shape are drawn together.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from engine.data.cache import key_of, require_space, stamp
from engine.data.dataset import BitStore, Dataset, Factors
from engine.data.download import Remote, download
from engine.data.dsprites_files import OFFICIAL_HDF5, OFFICIAL_NAME, find_file, pack_images, read_positions
from engine.errors import DataError, NotPreparedError
from engine.jobs.events import Finished, Job, Progress
from engine.settings.folders import data_cache
from engine.system.files import replacing
from engine.system.paths import readable

SIDE = 64
SIZES = (3, 6, 40, 32, 32)
NAMES = ("shape", "scale", "orientation", "x", "y")
SHAPES = ("square", "ellipse", "heart")
COUNT = int(np.prod(SIZES))
ROW_BYTES = SIDE * SIDE // 8
FINE = 256
"""Vertices are rounded to 1 / FINE of a pixel."""

OFFICIAL = Remote(
    (f"https://github.com/google-deepmind/dsprites-dataset/raw/master/{OFFICIAL_NAME}",),
    md5="7da33b31b13a06f4b04a70402ce90c2e",
)
"""The official file; public loaders check the same md5."""

DRAWN = (
    "drawn on this machine; the geometry was measured on 64,834 originals, of which it reproduces 64,825 exactly and "
    "the others except for one pixel; a further sheet of 92 originals is exact, too"
)
SCALES = np.linspace(0.5, 1.0, 6)
ANGLES = np.linspace(0.0, 2 * np.pi, 40)
POSITIONS = np.linspace(0.0, 1.0, 32)
HALF_SIDE = 0.15 * SIDE

_MASKS = np.array([(1 << (SIDE - first)) - 1 for first in range(SIDE + 1)], dtype=np.uint64)
"""_MASKS[i] has the bits of the pixels i, i + 1, ... 63 set; pixel 0 is the most significant bit."""


def factors() -> Factors:
    """Return the five factors that vary, in the official order (colour is constant)."""
    return Factors(
        names=NAMES,
        values=(np.array([1.0, 2.0, 3.0]), SCALES, ANGLES, POSITIONS, POSITIONS),
        value_names={"shape": SHAPES},
    )


def outline(shape: int) -> NDArray[np.float64]:
    """Return the vertices of a shape at scale 1 and orientation 0, in pixels from its centre, y down, (n, 2)."""
    if SHAPES[shape] == "square":
        return HALF_SIDE * np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])
    if SHAPES[shape] == "ellipse":
        t = 2 * np.pi * np.arange(100) / 100
        return HALF_SIDE * np.stack([1.33 * np.cos(t), np.sin(t) / 1.33], axis=1)
    t = 2 * np.pi * np.arange(150) / 150
    up = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([HALF_SIDE * np.sin(t) ** 3, -(2 * HALF_SIDE / 29 * up + 0.15 * HALF_SIDE)], axis=1)


def draw_positions(shape: int, scale: int, orientation: int) -> NDArray[np.uint8]:
    """Draw one sprite at all 32 x 32 positions: packed bits, uint8 (1024, 512), y changing fastest."""
    a, b = SCALES[scale] * outline(shape).T
    cos, sin = np.cos(ANGLES[orientation]), np.sin(ANGLES[orientation])
    centres = 16 + 32 * np.arange(32)[:, None] / 31
    x = np.round(FINE * (centres + cos * a + sin * b)) / FINE
    y = np.round(FINE * (centres - sin * a + cos * b)) / FINE
    x_next, y_next = np.roll(x, -1, axis=1), np.roll(y, -1, axis=1)

    rows = np.arange(SIDE) + 0.5
    above = y[:, None, :] < rows[:, None]
    crossed = above != np.roll(above, -1, axis=2)
    ky, row, edge = np.nonzero(crossed)
    along = (rows[row] - y[ky, edge]) / (y_next[ky, edge] - y[ky, edge])
    crossing = x[:, edge] + along * (x_next[:, edge] - x[:, edge])
    masks = _MASKS[np.ceil(crossing - 0.5).astype(np.intp)]

    line = ky * SIDE + row
    starts = np.flatnonzero(np.diff(line, prepend=-1))
    words = np.zeros((32, 32 * SIDE), dtype=">u8")
    words[:, line[starts]] = np.bitwise_xor.reduceat(masks, starts, axis=1)
    return words.view(np.uint8).reshape(32 * 32, ROW_BYTES)


def draw(indices: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Draw some images by their official index: packed bits, uint8 (n, 512)."""
    shape, scale, orientation, x, y = np.unravel_index(np.asarray(indices), SIZES)
    sprite = np.ravel_multi_index((shape, scale, orientation), SIZES[:3])
    result = np.empty((len(sprite), ROW_BYTES), np.uint8)
    for which in np.unique(sprite):
        here = sprite == which
        result[here] = draw_positions(*_classes(which))[x[here] * 32 + y[here]]
    return result


def prepare(official: Path | None = None) -> Job:
    """Draw all images into the cache or, given a file of originals (or its folder), pack its images there.

    Closing the job leaves nothing behind. Raises DataError if the disk is too full, the cache cannot be written to, or
    the file holds no dSprites images.
    """
    source = None if official is None else find_file(official)
    positions = _positions(source)
    path = _packed_file(source)
    if not _complete(path, len(positions)):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            require_space(path.parent, len(positions) * ROW_BYTES, "dSprites")
            with replacing(path) as temporary, temporary.open("wb") as file:
                yield from _draw_all(file) if source is None else pack_images(source, len(positions), file)
        except OSError as error:
            raise DataError(
                f"dSprites cannot be written to {path.parent}: {error.strerror or error}. It needs "
                f"{len(positions) * ROW_BYTES / 1e6:,.0f} MB there."
            ) from None
    yield Finished(message=f"dSprites is ready: {len(positions):,} images in {path}")


def load(official: Path | None = None) -> Dataset:
    """Open the packed images, memory-mapped. `prepare` must have run; raises DataError otherwise."""
    source = None if official is None else find_file(official)
    positions = _positions(source)
    path = _packed_file(source)
    if not _complete(path, len(positions)):
        raise NotPreparedError("dSprites is not prepared yet. Run: python main.py datasets prepare dsprites")
    try:
        bits = np.memmap(path, np.uint8, "r", shape=(len(positions), ROW_BYTES))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    complete = len(positions) == COUNT
    which = "the official file" if complete else "the originals in"
    return Dataset(
        name="dsprites",
        title="dSprites",
        store=BitStore(bits, SIDE, SIDE),
        image_shape=(SIDE, SIDE, 1),
        splits={"all": np.arange(len(positions))},
        source=DRAWN if source is None else f"{which} {readable(source)}",
        labels=positions // (COUNT // len(SHAPES)),
        label_names=SHAPES,
        factors=factors() if complete else _some_factors(positions),
        notes=() if complete else (f"{len(positions):,} of dSprites' {COUNT:,} images.",),
    )


def check(path: Path) -> None:
    """Raise DataError unless a path is a file of originals or a folder with one."""
    find_file(path)


def is_drawn() -> bool:
    """Return whether all drawn images are in the cache."""
    return _complete(_packed_file(None), COUNT)


def cached_files() -> list[Path]:
    """Return this data set's files in the cache."""
    folder = data_cache()
    return [*folder.glob("dsprites-*.bits"), *folder.glob(f"downloads/dsprites/{OFFICIAL_NAME}*")]


def download_official() -> Job:
    """Download the official file into the cache, with progress in bytes, resuming an interrupted download."""
    path = downloaded_file()
    yield from download(OFFICIAL, path)
    yield from prepare(path)


def downloaded_file() -> Path:
    """Return the path of the official file if the application downloads it."""
    return data_cache() / "downloads" / "dsprites" / OFFICIAL_NAME


def recognise(path: Path) -> bool:
    """Return whether a path is a file of originals or a folder with one; a damaged HDF5 file counts by its name."""
    try:
        find_file(path)
    except DataError:
        return OFFICIAL_HDF5 in (path.name, *(file.name for file in path.glob(OFFICIAL_HDF5)))
    return True


def _positions(source: Path | None) -> NDArray[np.int64]:
    """Positions, in the official order, of the drawn images or of those in a file."""
    return np.arange(COUNT) if source is None else read_positions(source, factors(), COUNT)


def _some_factors(positions: NDArray[np.int64]) -> Factors:
    """Factors of some of the images, with only the values that occur among them."""
    every = factors()
    values, classes = [], []
    for all_values, column in zip(every.values, every.classes(positions).T, strict=True):
        found, where = np.unique(column, return_inverse=True)
        values.append(all_values[found])
        classes.append(where)
    shapes = tuple(SHAPES[int(value) - 1] for value in values[0])
    return Factors(NAMES, tuple(values), {"shape": shapes}, np.stack(classes, axis=1).astype(np.int64))


def _packed_file(source: Path | None) -> Path:
    """Cache file of the drawn images, or of those in a file (identified by its size and time)."""
    if source is None:
        return data_cache() / "dsprites-drawn-v1.bits"
    return data_cache() / f"dsprites-official-{key_of([str(source.absolute()), stamp(source)])}.bits"


def _complete(path: Path, count: int) -> bool:
    return path.is_file() and path.stat().st_size == count * ROW_BYTES


def _draw_all(file: IO[bytes]) -> Iterator[Progress]:
    sprites = int(np.prod(SIZES[:3]))
    for sprite in range(sprites):
        file.write(draw_positions(*_classes(sprite)).data)
        yield Progress((sprite + 1) * 1024, COUNT, "Drawing dSprites", "images")


def _classes(sprite: int) -> tuple[int, int, int]:
    shape, scale, orientation = np.unravel_index(sprite, SIZES[:3])
    return int(shape), int(scale), int(orientation)
