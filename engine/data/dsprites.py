"""dSprites, 64 x 64: all 737,280 images drawn on this machine from their geometry.

L. Matthey, I. Higgins, D. Hassabis, A. Lerchner, "dSprites: Disentanglement testing sprites dataset", 2017.
The geometry was measured on 64,834 of the original images: it reproduces 64,825 of them exactly, the others
differ in one pixel each.

An image row is one 64-bit word. A polygon's edge that crosses the row's centre line at x flips every pixel
whose centre lies right of x, so a row is the exclusive or of one mask per crossing. Where an edge crosses
a row depends on y alone, so the 32 x positions of a shape are drawn together.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import BitStore, Dataset, Factors
from engine.errors import DataError
from engine.events import Finished, Job, Progress
from engine.files import replacing
from engine.paths import cache_folder

SIDE = 64
SIZES = (3, 6, 40, 32, 32)
NAMES = ("shape", "scale", "orientation", "x", "y")
SHAPES = ("square", "ellipse", "heart")
COUNT = int(np.prod(SIZES))
ROW_BYTES = SIDE * SIDE // 8
FINE = 256
"""Vertices are rounded to this fraction of a pixel."""

SCALES = np.linspace(0.5, 1.0, 6)
ANGLES = np.linspace(0.0, 2 * np.pi, 40)
POSITIONS = np.linspace(0.0, 1.0, 32)
HALF_SIDE = 0.15 * SIDE

_MASKS = np.array([(1 << (SIDE - first)) - 1 for first in range(SIDE + 1)], dtype=np.uint64)
"""_MASKS[i] has the bits of the pixels i, i + 1, ... 63 set; pixel 0 is the most significant bit."""


def factors() -> Factors:
    """The five factors that vary, in the official order (colour is constant)."""
    return Factors(
        names=NAMES,
        values=(np.array([1.0, 2.0, 3.0]), SCALES, ANGLES, POSITIONS, POSITIONS),
        value_names={"shape": SHAPES},
    )


def outline(shape: int) -> NDArray[np.float64]:
    """Vertices of a shape at scale 1 and orientation 0, in pixels from its centre, y down, (n, 2)."""
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


def cache_file() -> Path:
    """Where the drawn images are kept: 737,280 x 512 bytes, nothing else."""
    return cache_folder() / "dsprites-drawn-v1.bits"


def is_prepared() -> bool:
    """Whether all images lie drawn in the cache."""
    path = cache_file()
    return path.is_file() and path.stat().st_size == COUNT * ROW_BYTES


def prepare() -> Job:
    """Draw all images into the cache, with progress. Closing the job leaves nothing behind.

    Raises DataError when the disk is too full or the cache cannot be written.
    """
    path = cache_file()
    if not is_prepared():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _require_space(path.parent, COUNT * ROW_BYTES)
            yield from _draw_all(path)
        except OSError as error:
            raise DataError(
                f"dSprites cannot be drawn into {path.parent}: {error.strerror or error}. It needs 377 MB there."
            ) from None
    yield Finished(message=f"dSprites is ready: {COUNT:,} images in {path}")


def _draw_all(path: Path) -> Iterator[Progress]:
    sprites = int(np.prod(SIZES[:3]))
    with replacing(path) as temporary, temporary.open("wb") as file:
        for sprite in range(sprites):
            file.write(draw_positions(*_classes(sprite)).data)
            yield Progress((sprite + 1) * 1024, COUNT, "Drawing dSprites", "images")


def _classes(sprite: int) -> tuple[int, int, int]:
    shape, scale, orientation = np.unravel_index(sprite, SIZES[:3])
    return int(shape), int(scale), int(orientation)


def _require_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + 2**26:
        raise DataError(
            f"dSprites needs {size / 1e6:.0f} MB in {folder}, but only {free / 1e6:.0f} MB are free. "
            "Make room there and try again."
        )


def load_dsprites() -> Dataset:
    """Open the drawn images, memory-mapped. `prepare` must have run; raises DataError otherwise."""
    if not is_prepared():
        raise DataError("dSprites is not drawn yet. Run: python main.py datasets prepare dsprites")
    try:
        bits = np.memmap(cache_file(), np.uint8, "r", shape=(COUNT, ROW_BYTES))
    except OSError as error:
        raise DataError(f"{cache_file()} cannot be read: {error.strerror or error}.") from None
    return Dataset(
        name="dsprites",
        title="dSprites",
        store=BitStore(bits, SIDE, SIDE),
        image_shape=(SIDE, SIDE, 1),
        splits={"all": np.arange(COUNT)},
        source="drawn on this machine from the published geometry, checked against 46,080 originals",
        labels=np.repeat(np.arange(len(SHAPES)), COUNT // len(SHAPES)),
        label_names=SHAPES,
        factors=factors(),
    )
