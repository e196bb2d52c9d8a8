"""dSprites in colour, with noise, and on textures: 737,280 images each, drawn from those of dSprites when asked for.

After F. Locatello et al., "Challenging common assumptions in the unsupervised learning of disentangled representations"
(ICML 2019), whose code (disentanglement_lib, data/ground_truth/dsprites.py) draws colours, noise and crops anew each
time an image is used. Here they belong to the image, so that a data set has the same images every time. The third
variant stands for their "Scream-dSprites", whose painting is replaced by textures of our own.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.data import dsprites
from engine.data.counters import mixed, random_bytes
from engine.data.dataset import BitStore, Dataset, Images, Indices

SIDE = dsprites.SIDE
CHANNELS = 3
TEXTURE = 512
"""Side of the texture from which backgrounds are cut."""


ROW = SIDE * CHANNELS
"""Bytes in a row of an image; numpy is several times as fast on complete rows as on the channels of single pixels."""

_SPREAD = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).repeat(CHANNELS, axis=1) * np.uint8(255)
"""Eight pixels in three channels for each byte of packed bits, (256, 24)."""


@dataclass(frozen=True, slots=True)
class _Variant:
    """Images in three channels, made from packed sprites."""

    sprites: BitStore

    def __len__(self) -> int:
        return len(self.sprites)

    def _white(self, indices: Indices) -> Images:
        """White sprites on black, (n, rows, 192)."""
        return _SPREAD[self.sprites.bits[indices]].reshape(-1, SIDE, ROW)


class Coloured(_Variant):
    """White sprites in a colour of their own, each channel uniform from 0.5 to 1, on black."""

    def __call__(self, indices: Indices) -> Images:
        """Return the images at these positions."""
        colours = 128 + (random_bytes(indices, 8)[:, :CHANNELS] >> 1)
        return _images(self._white(indices) & np.tile(colours, SIDE)[:, None])


class Noisy(_Variant):
    """White sprites on coloured noise, uniform from 0 to 1 in each pixel and channel."""

    def __call__(self, indices: Indices) -> Images:
        """Return the images at these positions."""
        noise = random_bytes(indices, SIDE * ROW).reshape(-1, SIDE, ROW)
        return _images(np.maximum(noise, self._white(indices)))


class Textured(_Variant):
    """Sprites in which the background appears inverted; it is a random cut of a texture, with a random tint."""

    def __call__(self, indices: Indices) -> Images:
        """Return the images at these positions."""
        drawn = random_bytes(indices, 8)
        places = drawn[:, :4].copy().view("<u2").astype(np.int64) % (TEXTURE - SIDE + 1)
        whole = texture().reshape(TEXTURE, -1)
        background = np.empty((len(indices), SIDE, ROW), np.uint8)
        for cut, (down, right) in zip(background, places.tolist(), strict=True):
            cut[:] = whole[down : down + SIDE, CHANNELS * right : CHANNELS * right + ROW]
        background += np.tile(drawn[:, 4:7] >> 1, SIDE)[:, None]
        background ^= self._white(indices)
        return _images(background)


def _images(rows: NDArray[np.uint8]) -> Images:
    return rows.reshape(-1, SIDE, SIDE, CHANNELS)


VARIANTS: dict[str, type[Coloured | Noisy | Textured]] = {
    "dsprites-colour": Coloured,
    "dsprites-noise": Noisy,
    "dsprites-textures": Textured,
}


def load(name: str, title: str) -> Dataset:
    """Open a variant by its name. dSprites must have been drawn; raises DataError otherwise."""
    plain = dsprites.load()
    assert isinstance(plain.store, BitStore)
    return replace(
        plain,
        name=name,
        title=title,
        store=VARIANTS[name](plain.store),
        image_shape=(SIDE, SIDE, CHANNELS),
        source="drawn on this machine from dSprites",
    )


@lru_cache(maxsize=1)
def texture() -> NDArray[np.uint8]:
    """Return the texture at half its brightness, uint8 (512, 512, 3), 0 to 127: bands of changing colour that curl.

    It is computed with integers alone."""
    down, right = (_smooth_noise(stream, 64) for stream in (1, 2))
    curled = 3 * _smooth_noise(3, 128) + 2 * down + right
    bands = np.abs((curled + 2 * np.arange(TEXTURE)[:, None]) % 256 - 128)  # 0 to 128 and back
    channels = [(bands >> 1) + (_smooth_noise(4 + channel, 32) >> 2) for channel in range(CHANNELS)]
    found: NDArray[np.uint8] = np.ascontiguousarray(np.stack(channels, axis=2), np.uint8)
    found.flags.writeable = False
    return found


def _smooth_noise(stream: int, cell: int) -> NDArray[np.int64]:
    """Random values from 0 to 255 at the corners of cells, interpolated bilinearly between them, (512, 512)."""
    cells = TEXTURE // cell + 1
    corners = (mixed(np.arange(cells**2, dtype=np.uint64) + np.uint64(stream << 32)) >> np.uint64(56)).astype(np.int64)
    corners = corners.reshape(cells, cells)
    whole, part = np.divmod(np.arange(TEXTURE), cell)
    rows = corners[whole] * (cell - part)[:, None] + corners[whole + 1] * part[:, None]
    both = rows[:, whole] * (cell - part) + rows[:, whole + 1] * part
    smooth: NDArray[np.int64] = both // cell**2
    return smooth
