"""The user's pictures, dropped, pasted or drawn, as input of a model.

A picture is fitted the way the model's training data were made:

- "centred" (MNIST, KMNIST): the ink, light on dark, is scaled to fit a box of 20 x 20 pixels and moved by whole pixels
  so that its centre of mass is at the centre of the 28 x 28 image (LeCun, Cortes and Burges, the MNIST database).
- "filling" (Fashion-MNIST, Digits): the ink, light on dark, is scaled until its longer side fills the image, and
  centred (Xiao, Rasul and Vollgraf, arXiv:1708.07747, section 2).
- "plain" (all others): the picture is cut to its central square and resized, like pictures of a data set.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from engine.data.grey_levels import GreyLevels
from engine.errors import DataError
from engine.system.reading import open_regular

STYLES = {"mnist": "centred", "kmnist": "centred", "fashion-mnist": "filling", "digits": "filling"}
"""Styles by data set; all others are "plain"."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "ICO", "QOI", "SGI", "PSD")
"""Formats identified by a file's first bytes. Of Pillow's others, EPS runs a program and the rest are rare."""

FORMATS_BY_ENDING = ("TGA", "PCX", "DIB")
"""Formats that almost any bytes could be: tried only for file names with their extension."""

LARGEST_PICTURE = 100_000_000
"""Largest number of pixels of a picture that is read."""

LARGEST_SIDE = 1024
"""Largest side in pixels; larger pictures are scaled down when read."""

BOX = 20 / 28
"""Side of MNIST's box, as a share of the image's."""

INK = 0.2
"""Share of the strongest ink above which a pixel counts towards the bounding box."""

FAINTEST = 12
"""Grey levels by which ink must differ from the background."""


def style_of(dataset: str) -> str:
    """Return the style in which pictures are fitted for a model trained on a data set."""
    return STYLES.get(dataset, "plain")


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read a picture upright, with at most 1,024 pixels a side, as uint8 (height, width, 3), or 4 with transparency.

    Raises DataError if it cannot be read, is not a picture, or has more than 100 million pixels.
    """
    image = open_picture(path, LARGEST_PICTURE)
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.LANCZOS, reducing_gap=3)
    return np.asarray(image)


@cache
def picture_endings() -> dict[str, str]:
    """Return the readable formats by file name extension, in lower case with its dot."""
    Image.init()
    known = {*FORMATS, *FORMATS_BY_ENDING, "MPO"}  # MPO, several JPEGs in one file, is opened as JPEG
    return {ending: kind for ending, kind in Image.registered_extensions().items() if kind in known}


def open_picture(path: Path, largest: int, levels: GreyLevels | None = None) -> Image.Image:
    """Open the first frame of a picture, upright (EXIF), as RGB, or RGBA if it has transparency.

    Grey values of more than 8 bits are converted to 0..255 by `levels`, which is shared by a folder, or else by the
    picture's own range. Raises DataError if it cannot be read, is not a picture or has more than `largest` pixels.
    """
    levels = levels or GreyLevels()
    with _opened(path, largest) as opened:
        if opened.format != "MPO" and getattr(opened, "is_animated", False):
            levels.several_frames += 1
        image = ImageOps.exif_transpose(opened)
        if image.mode.startswith("I") or image.mode == "F":
            values = np.asarray(image, dtype=np.float64)
            image = Image.fromarray(levels.to_bytes(values, sixteen_bits=_has_sixteen_bits(opened)))
        transparent = "A" in image.getbands() or "transparency" in image.info
        return image.convert("RGBA" if transparent else "RGB")


def values_without_depth(path: Path, largest: int) -> NDArray[np.float64] | None:
    """Return the values of a picture without a defined white, i.e. of floating-point numbers or 32-bit integers.

    None for all other pictures. Raises DataError like `open_picture`.
    """
    with _opened(path, largest) as opened:
        if opened.mode in ("I", "F") and not _has_sixteen_bits(opened):
            return np.asarray(opened, dtype=np.float64)
    return None


@contextmanager
def _opened(path: Path, largest: int) -> Iterator[Image.Image]:
    """Open a picture file; errors while it is open are raised as DataError."""
    try:
        # Pillow warns of large pictures and odd metadata; both are handled here.
        with (
            warnings.catch_warnings(action="ignore"),
            open_regular(path) as file,
            Image.open(file, formats=_formats(path)) as opened,
        ):
            if opened.width * opened.height > largest:
                raise _too_large(path, largest)
            yield opened
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"{path.name} is not a picture that can be read: use PNG, JPEG, WebP or TIFF.") from None
    except Image.DecompressionBombError:
        raise _too_large(path, largest) from None
    except MemoryError:
        raise DataError(f"There is not enough memory to read {path.name}.") from None
    except Exception as error:  # a damaged file makes Pillow raise almost anything
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is truncated or damaged"
        raise DataError(f"{path.name} cannot be read: {reason}.") from None


def _has_sixteen_bits(image: Image.Image) -> bool:
    """Whether white is 65,535; Pillow returns 16-bit values of some formats as 32-bit numbers."""
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))


def _formats(path: Path) -> list[str]:
    """Formats to try for a file, as far as this build of Pillow supports them."""
    by_ending = picture_endings().get(path.suffix.lower())
    tried = (*FORMATS, by_ending) if by_ending in FORMATS_BY_ENDING else FORMATS
    return [kind for kind in tried if kind in Image.OPEN]


def on_black(image: Image.Image) -> Image.Image:
    """Composite an RGBA picture onto black and return RGB."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image).convert("RGB")


def fit_picture(picture: NDArray[np.uint8], image_shape: tuple[int, int, int], style: str) -> NDArray[np.uint8]:
    """Fit a picture to a model's input, uint8 of `image_shape` (height, width, channels).

    `picture` is uint8 (height, width) or (height, width, channels): grey, RGB or RGBA, of any size. `style` is
    "centred", "filling" or "plain". Raises DataError for another shape, or if the first two styles find no ink.
    """
    image = _image_of(picture)
    side, _, channels = image_shape
    if style == "plain":
        fitted = ImageOps.fit(on_black(image), (side, side), Image.Resampling.LANCZOS)
        pixels = np.asarray(fitted)
        grey = pixels.mean(axis=2, keepdims=True).round().astype(np.uint8)
        return pixels if channels == 3 else grey
    ink = _ink(image)
    inked = _centred(ink, side) if style == "centred" else _filling(ink, side)
    return np.repeat(inked[..., None], channels, axis=2)


def _image_of(picture: NDArray[np.uint8]) -> Image.Image:
    values = picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture
    if not values.size or not (values.ndim == 2 or (values.ndim == 3 and values.shape[2] in (3, 4))):
        raise DataError(f"A picture with the shape {picture.shape} cannot be used; it must be grey, RGB or RGBA.")
    return Image.fromarray(np.ascontiguousarray(values))


def _ink(image: Image.Image) -> NDArray[np.float64]:
    """Ink of a picture within its bounding box, float64 (height, width), from 0 (background) to 255 (strongest).

    The background is the median of the border; ink is lighter or darker, whichever differs more. In a picture with
    transparency, the background is transparent, and the ink is dark or light like the rest of the picture.
    """
    if image.mode == "RGBA":
        pixels = np.asarray(image, np.float64)
        alpha, grey = pixels[..., 3] / 255, pixels[..., :3].mean(axis=2)
        light = alpha.sum() > 0 and float((alpha * grey).sum() / alpha.sum()) > 127
        grey = grey * alpha + (0 if light else 255) * (1 - alpha)
    else:
        grey = np.asarray(image.convert("L"), np.float64)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    background = float(np.median(border))
    above, below = grey.max() - background, background - grey.min()
    ink = np.clip(grey - background if above >= below else background - grey, 0, None)
    if ink.max() <= FAINTEST:
        raise DataError("There is nothing on the picture: it has a single colour.")
    rows, columns = (np.flatnonzero((ink > INK * ink.max()).any(axis)) for axis in (1, 0))
    box: NDArray[np.float64] = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] * (255 / ink.max())
    return box


def _scaled(ink: NDArray[np.float64], longest: int) -> NDArray[np.float64]:
    """Scale ink so that its longer side has this many pixels."""
    scale = longest / max(ink.shape)
    height, width = (max(1, round(edge * scale)) for edge in ink.shape)
    image = Image.fromarray(ink.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, np.float64)


def _centred(ink: NDArray[np.float64], side: int) -> NDArray[np.uint8]:
    small = _scaled(ink, round(side * BOX))
    total = small.sum()
    rows, columns = (small.sum(axis) @ np.arange(small.shape[1 - axis]) / total for axis in (1, 0))
    top, left = round(side / 2 - rows), round(side / 2 - columns)
    return _placed(small, side, top, left)


def _filling(ink: NDArray[np.float64], side: int) -> NDArray[np.uint8]:
    small = _scaled(ink, side)
    return _placed(small, side, (side - small.shape[0]) // 2, (side - small.shape[1]) // 2)


def _placed(small: NDArray[np.float64], side: int, top: int, left: int) -> NDArray[np.uint8]:
    """Put ink on an empty image, moved inwards if it would extend beyond the edge."""
    top, left = (min(max(0, at), side - edge) for at, edge in zip((top, left), small.shape, strict=True))
    image = np.zeros((side, side), np.uint8)
    image[top : top + small.shape[0], left : left + small.shape[1]] = small.round().clip(0, 255).astype(np.uint8)
    return image


def _too_large(path: Path, largest: int) -> DataError:
    return DataError(f"{path.name} has more than {largest / 1e6:,.0f} million pixels; scale it down first.")
