"""Images of a data set that come with the application, so that the gallery's models open without the data set.

Of data with factors they form a smaller grid: some values of each factor, in all combinations, so that every
combination of the sliders has its image.
"""

import lzma
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data import ArrayStore, BitStore, Dataset, Factors
from engine.errors import DataError
from engine.system.files import write_bytes
from engine.system.plain_text import one_line

SEED = 0

DAMAGE = (
    ValueError, TypeError, KeyError, EOFError, IndexError, NotImplementedError, zipfile.BadZipFile, lzma.LZMAError
)  # fmt: skip
"""Exceptions that reading a damaged sample raises."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """A sample: positions of the images in the data set, and for data with factors the classes of each factor."""

    positions: NDArray[np.int64]
    classes: tuple[NDArray[np.int64], ...] = ()


def choose_values(dataset: Dataset, numbers: Sequence[int]) -> Chosen:
    """Choose up to so many evenly spaced values of each factor, in all combinations.

    Raises DataError for data without a full grid of factors, or for another number of factors.
    """
    factors = dataset.factors
    if factors is None or factors.table is not None or len(numbers) != len(factors.sizes):
        raise DataError(f"{dataset.title} has no full grid of {len(numbers)} factors to choose values from.")
    classes = tuple(
        np.unique(np.linspace(0, size - 1, min(size, number)).round().astype(np.int64))
        for size, number in zip(factors.sizes, numbers, strict=True)
    )
    grid = np.stack(np.meshgrid(*classes, indexing="ij"), axis=-1).reshape(-1, len(classes))
    positions = np.asarray(np.ravel_multi_index(tuple(grid.T), factors.sizes), np.int64)
    return Chosen(positions, classes)


def choose_images(dataset: Dataset, number: int) -> Chosen:
    """Choose so many images of the headline split at random, with a fixed seed."""
    images = dataset.splits[dataset.headline_split]
    chosen = np.random.default_rng(SEED).choice(images, min(number, len(images)), replace=False)
    return Chosen(np.sort(chosen).astype(np.int64))


def write_sample(path: Path, dataset: Dataset, chosen: Chosen) -> None:
    """Write a sample; black-and-white images as bits. Raises OSError."""
    images = dataset.images(chosen.positions)
    binary = images.shape[-1] == 1 and set(np.unique(images)) <= {0, 255}
    stored: dict[str, NDArray[np.generic]] = {
        "shape": np.array(images.shape[1:]),
        # Channel by channel, the images of one layout repeat each other, which the compression uses.
        "images": np.packbits(images.reshape(len(images), -1) > 0, axis=1) if binary else images.transpose(0, 3, 1, 2),
        "positions": chosen.positions,
        "of": np.array(len(dataset)),
        "title": np.array(dataset.title),
    }
    if dataset.labels is not None:
        stored |= {"labels": dataset.labels[chosen.positions], "label_names": np.array(dataset.label_names)}
    if dataset.factors is not None:
        stored["factor_names"] = np.array(dataset.factors.names)
        for number, (name, classes) in enumerate(zip(dataset.factors.names, chosen.classes, strict=True)):
            stored[f"values_{number}"] = dataset.factors.values[number][classes]
            if name in dataset.factors.value_names:
                stored[f"value_names_{number}"] = np.array(dataset.factors.value_names[name])[classes]
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_LZMA) as archive:
        for name, array in stored.items():
            part = BytesIO()
            np.lib.format.write_array(part, np.asarray(array, order="C"), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), part.getvalue(), zipfile.ZIP_LZMA)  # without a date
    write_bytes(path, content.getvalue())


def read_sample(path: Path, name: str) -> Dataset:
    """Read the sample of the data set `name`. Raises DataError if the file is missing or damaged."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            found = {key: file[key] for key in file.files}
        return _dataset(found, name)
    except OSError as error:
        raise DataError(f"The gallery's images {path} cannot be read: {error.strerror or error}.") from None
    except DAMAGE:
        raise DataError(
            f"The gallery's images {path} are damaged. Install the application again to restore them."
        ) from None


def _dataset(found: dict[str, NDArray[np.generic]], name: str) -> Dataset:
    height, width, channels = map(int, found["shape"])
    images = found["images"].astype(np.uint8, copy=False)
    if images.ndim == 2:
        store: BitStore | ArrayStore = BitStore(images, height, width)
    else:
        store = ArrayStore(np.ascontiguousarray(images.transpose(0, 2, 3, 1)))
        if store.array.shape[1:] != (height, width, channels):
            raise ValueError("the images have another shape")
    labels = found["labels"].astype(np.int64) if "labels" in found else None
    if labels is not None and len(labels) != len(store):
        raise ValueError("there is not a label for each image")
    title = one_line(str(found["title"]))
    return Dataset(
        name=name,
        title=title,
        store=store,
        image_shape=(height, width, channels),
        splits={"all": np.arange(len(store))},
        source="comes with the gallery",
        labels=labels,
        label_names=_words(found["label_names"]) if labels is not None else (),
        factors=_factors(found, len(store)),
        notes=(f"{len(store):,} of {title}'s {int(found['of']):,} images.",),
    )


def _factors(found: dict[str, NDArray[np.generic]], images: int) -> Factors | None:
    if "factor_names" not in found:
        return None
    names = _words(found["factor_names"])
    values = tuple(found[f"values_{number}"].astype(np.float64) for number in range(len(names)))
    known = {name: _words(found[key]) for n, name in enumerate(names) if (key := f"value_names_{n}") in found}
    factors = Factors(names, values, known)
    if np.prod(factors.sizes) != images:
        raise ValueError("the images do not form a grid")
    return factors


def _words(array: NDArray[np.generic]) -> tuple[str, ...]:
    return tuple(one_line(str(word)) for word in array)


def write_codes(path: Path, means: NDArray[np.float32]) -> None:
    """Write the posterior means of a sample's images, (images, latents), in half precision. Raises OSError."""
    content = BytesIO()
    np.lib.format.write_array(content, means.astype(np.float16), allow_pickle=False)
    write_bytes(path, lzma.compress(content.getvalue()))


def read_codes(path: Path, images: int, latents: int) -> NDArray[np.float32]:
    """Read the posterior means of a sample's images, (images, latents). Raises DataError."""
    try:
        content = lzma.decompress(path.read_bytes())
        means: NDArray[np.float32] = np.lib.format.read_array(BytesIO(content), allow_pickle=False).astype(np.float32)
        if means.shape != (images, latents) or not np.isfinite(means).all():
            raise ValueError("they do not fit the images")
    except OSError as error:
        raise DataError(f"The gallery's codes {path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, EOFError, lzma.LZMAError):
        raise DataError(f"The gallery's codes {path} are damaged. Install the application again.") from None
    return means
