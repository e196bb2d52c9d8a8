"""Reading representations from .npz files: codes of images that any program computed, with what is known of the images.

The arrays are described in the help (representations.html). Files are not trusted: reading one executes nothing.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import ArrayStore, Dataset, Factors, ImageStore, NoImages
from engine.data.npz import NpzFile, open_npz
from engine.errors import DataError
from engine.system.paths import readable
from engine.system.plain_text import one_line

MIN_SAMPLES = 100
"""Smallest number of samples: from fewer nothing can be estimated."""

MOST_LATENTS = 256
MOST_BYTES = 900_000_000
"""Largest size in bytes of all arrays as they are kept."""

LONGEST_NAME = 80


@dataclass(frozen=True, slots=True, eq=False)
class GivenRepresentation:
    """Codes, float32 (n, latents), names of latents (empty for those without one), and what is known of the images.

    `notes` are sentences about what was left out or noticed.
    """

    codes: NDArray[np.float32]
    latent_names: tuple[str, ...]
    dataset: Dataset
    notes: tuple[str, ...] = ()


def read_representation(path: Path) -> GivenRepresentation:
    """Read and validate a file. Raises DataError with a sentence that says what is wrong."""
    with open_npz(path) as file:
        codes = _codes(file)
        count, notes = len(codes), []
        factors = _factors(file, count)
        labels, label_names = _labels(file, count)
        splits = _splits(file, count)
        store: ImageStore = NoImages(count, file.path.name)
        if "images" in file.names:
            images = _images(file, count)
            if codes.nbytes + images.nbytes > MOST_BYTES:
                megabytes = images.nbytes / 1e6
                notes.append(f"The images of {path.name} are left out, since they take {megabytes:,.0f} MB.")
            else:
                store = ArrayStore(images)
        if factors is None and labels is None:
            notes.append(f"{path.name} has neither 'factors' nor 'labels': only metrics that need none have values.")
        names = _names(file, "latent_names", codes.shape[1])
    title = one_line(readable(path.stem))
    has_images = isinstance(store, ArrayStore)
    dataset = Dataset(
        name="arrays",
        title=title,
        store=store,
        image_shape=store.array.shape[1:] if has_images else (0, 0, 0),  # type: ignore[attr-defined]
        splits=splits,
        source=f"arrays in {one_line(readable(path))}",
        labels=labels,
        label_names=label_names,
        factors=factors,
        pixel_digest="" if has_images else "no images",
    )
    return GivenRepresentation(codes, names, dataset, tuple(notes))


def _codes(file: NpzFile) -> NDArray[np.float32]:
    """The codes: 'codes', or the 'means' of an export of latents."""
    name = "means" if "codes" not in file.names and "means" in file.names else "codes"
    header = file.header(name)
    where = f"{name!r} in {file.path.name}"
    if len(header.shape) != 2 or not header.shape[1]:
        raise DataError(f"{where} has the shape {header.shape}; it must be (samples, latents).")
    if header.dtype.kind not in "fiub":
        raise DataError(f"{where} has the type {header.dtype}; it must be numbers.")
    count, latents = header.shape
    if latents > MOST_LATENTS:
        raise DataError(f"{where} has {latents:,} latents; at most {MOST_LATENTS} can be scored.")
    if count < MIN_SAMPLES:
        raise DataError(f"{where} has {count} samples; at least {MIN_SAMPLES} are needed for any score.")
    _bounded(file, name)
    with np.errstate(over="ignore"):
        codes = np.ascontiguousarray(np.asarray(file.read(name)).astype(np.float32))
    if not np.isfinite(codes).all():
        row = int(np.argmax(~np.isfinite(codes).all(axis=1)))
        raise DataError(f"{where} has values that are not finite numbers, first in row {row:,}.")
    return codes


def _factors(file: NpzFile, count: int) -> Factors | None:
    """The factors by class: each value that occurs in a column is a class of it."""
    if "factors" not in file.names:
        return None
    header, name = file.header("factors"), file.path.name
    if len(header.shape) != 2 or header.shape[0] != count or not header.shape[1]:
        raise DataError(
            f"'factors' in {name} has the shape {header.shape}; it must be ({count}, factors), a row for each code."
        )
    given = _numbers(file, "factors")
    names = _names(file, "factor_names", given.shape[1])
    names = tuple(own or f"factor {number}" for number, own in enumerate(names))
    if len(set(names)) < len(names):
        raise DataError(f"'factor_names' in {name} has a name twice.")
    values, tables = [], []
    for column in given.T:
        found, where = np.unique(column, return_inverse=True)
        values.append(found.astype(np.float64))
        tables.append(where.reshape(-1))
    table = np.stack(tables, axis=1).astype(np.int64)
    if "factor_values" in file.names:
        values = _class_values(file, table, values)
    return Factors(names, tuple(values), _named(file, names, values), table)


def _class_values(
    file: NpzFile, table: NDArray[np.int64], classes: list[NDArray[np.float64]]
) -> list[NDArray[np.float64]]:
    """The value of each class, from 'factor_values', which has that of each sample."""
    if file.header("factor_values").shape != table.shape:
        raise DataError(f"'factor_values' in {file.path.name} must have the shape of 'factors', {table.shape}.")
    given, found = _numbers(file, "factor_values").astype(np.float64), []
    for column, each, known in zip(table.T, given.T, classes, strict=True):
        values = np.empty(len(known))
        values[column] = each
        if not np.array_equal(values[column], each):
            raise DataError(f"'factor_values' in {file.path.name} has several values for one class of a factor.")
        found.append(values)
    return found


def _named(file: NpzFile, names: tuple[str, ...], values: list[NDArray[np.float64]]) -> dict[str, tuple[str, ...]]:
    """Names of the values of those factors whose values are names, not quantities: 'named_factors'."""
    if "named_factors" not in file.names:
        return {}
    listed = _strings(file, "named_factors", None)
    if unknown := [each for each in listed if each not in names]:
        raise DataError(f"'named_factors' in {file.path.name} has {unknown[0]!r}, which is none of its factors.")
    return {
        name: tuple(f"{value:g}" for value in own) for name, own in zip(names, values, strict=True) if name in listed
    }


def _labels(file: NpzFile, count: int) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    if "labels" not in file.names:
        return None, ()
    header, name = file.header("labels"), file.path.name
    if header.shape != (count,):
        raise DataError(f"'labels' in {name} has the shape {header.shape}; it must be ({count},), one for each code.")
    if header.dtype.kind not in "iu":
        raise DataError(f"'labels' in {name} has the type {header.dtype}; classes are whole numbers.")
    values, labels = np.unique(np.asarray(file.read("labels")), return_inverse=True)
    if len(values) > 1000:
        raise DataError(f"'labels' in {name} has {len(values):,} classes; at most 1,000 can be used.")
    return labels.reshape(-1).astype(np.int64), tuple(str(value) for value in values)


def _splits(file: NpzFile, count: int) -> dict[str, NDArray[np.int64]]:
    """Positions by split: 'split' has the number of each sample's split among 'split_names'."""
    if "split" not in file.names:
        return {"all": np.arange(count)}
    header, name = file.header("split"), file.path.name
    if header.shape != (count,) or header.dtype.kind not in "iu":
        raise DataError(f"'split' in {name} must be {count:,} whole numbers, the split of each sample.")
    numbers, names = np.asarray(file.read("split")).astype(np.int64), _strings(file, "split_names", None)
    if set(names) - {"train", "test", "all"} or len(set(names)) < len(names):
        raise DataError(f"'split_names' in {name} must be 'train' and 'test', or 'all'.")
    if numbers.min() < 0 or numbers.max() >= len(names):
        raise DataError(f"'split' in {name} has a number that is none of the {len(names)} 'split_names'.")
    found = {each: np.flatnonzero(numbers == number) for number, each in enumerate(names)}
    if empty := [each for each, where in found.items() if not len(where)]:
        raise DataError(f"The split {empty[0]!r} in {name} is empty.")
    return found


def _images(file: NpzFile, count: int) -> NDArray[np.uint8]:
    header, name = file.header("images"), file.path.name
    shape = (*header.shape, 1) if len(header.shape) == 3 else header.shape
    if len(shape) != 4 or shape[0] != count or shape[3] not in (1, 3) or not shape[1] or not shape[2]:
        raise DataError(
            f"'images' in {name} has the shape {header.shape}; it must be ({count}, height, width) or ({count}, "
            "height, width, 1 or 3), an image for each code."
        )
    if header.dtype.kind not in "bf" and header.dtype != np.uint8:
        raise DataError(
            f"'images' in {name} has the type {header.dtype}; it must be uint8, bool or numbers from 0 to 1."
        )
    _bounded(file, "images")
    given = np.asarray(file.read("images")).reshape(shape)
    if given.dtype.kind == "f":
        if not np.isfinite(given).all() or given.min() < 0 or given.max() > 1:
            raise DataError(f"'images' in {name} has values that are not numbers from 0 to 1.")
        return np.asarray((given * 255).round().astype(np.uint8))
    return np.ascontiguousarray(given.astype(np.uint8) * (255 if given.dtype.kind == "b" else 1))


def _numbers(file: NpzFile, key: str) -> NDArray[np.generic]:
    """An array of finite numbers."""
    header = file.header(key)
    if header.dtype.kind not in "iufb":
        raise DataError(f"{key!r} in {file.path.name} has the type {header.dtype}; it must be numbers.")
    _bounded(file, key)
    found = np.asarray(file.read(key))
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        raise DataError(f"{key!r} in {file.path.name} has values that are not finite numbers.")
    return found


def _bounded(file: NpzFile, key: str) -> None:
    if file.header(key).bytes > 8 * MOST_BYTES:
        raise DataError(
            f"{key!r} in {file.path.name} is larger than {8 * MOST_BYTES / 1e9:.0f} GB; take fewer samples."
        )


def _names(file: NpzFile, key: str, count: int) -> tuple[str, ...]:
    """Names, one for each of `count`; all empty if there are none."""
    return _strings(file, key, count) if key in file.names else ("",) * count


def _strings(file: NpzFile, key: str, count: int | None) -> tuple[str, ...]:
    header = file.header(key)
    wanted = "strings" if count is None else f"{count} strings"
    if len(header.shape) != 1 or count not in (None, header.shape[0]) or header.dtype.kind not in "US":
        raise DataError(f"{key!r} in {file.path.name} must be {wanted}.")
    _bounded(file, key)
    texts = (each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each) for each in file.read(key))
    return tuple(one_line(text, LONGEST_NAME) for text in texts)
