"""Data sets of plug-ins, guarded: their errors become messages, and the data they load are validated."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from engine.data.dataset import Dataset, Factors
from engine.data.entry import Entry
from engine.errors import DataError, StudioError
from engine.jobs.events import Job
from engine.networks.network import CHANNELS, SIDES
from engine.settings.folders import data_cache
from engine.system.plain_text import one_line
from engine.system.registry import Origin
from engine.system.user_code import definition_words, raised_words

T = TypeVar("T")


def guarded(entry: Entry, origin: Origin) -> Entry:
    """Return an entry that raises only DataError and loads only data that `problem_with` accepts."""

    def called(function: Callable[..., T], *arguments: Any) -> T:
        try:
            return function(*arguments)
        except StudioError:
            raise
        except Exception as error:
            raise DataError(f"{raised_words(error, origin.plugin, function)}.") from error

    def load(path: Path | None, size: int) -> Dataset:
        dataset = called(entry.load, path, size)
        if problem := called(problem_with, entry, dataset):
            place = f" ({where})" if (where := definition_words(entry.load)) else ""
            raise DataError(f"{origin.words[:1].upper()}{origin.words[1:]}{place}: {problem}")
        return dataset

    def prepare(path: Path | None, size: int) -> Job:
        assert entry.prepare is not None
        job = called(entry.prepare, path, size)
        try:
            yield from job
        except (StudioError, GeneratorExit):
            raise
        except Exception as error:
            raise DataError(f"{raised_words(error, origin.plugin, entry.prepare)}.") from error

    def state() -> str:
        try:
            return one_line(str(called(entry.state)))
        except StudioError as error:
            return str(error)

    def cached() -> list[Path]:
        try:
            # Only files in the cache may be removed with it.
            return [Path(path) for path in called(entry.cached) if Path(path).absolute().is_relative_to(data_cache())]
        except StudioError:
            return []

    def holds(path: Path) -> bool:
        try:
            return bool(called(entry.holds, path))
        except StudioError:
            return False

    return replace(
        entry,
        load=load,
        prepare=None if entry.prepare is None else prepare,
        state=state,
        cached=cached,
        holds=holds,
        check=lambda path: called(entry.check, path),
        downloads=lambda: bool(called(entry.downloads)),
    )


def problem_with(entry: Entry, dataset: Any) -> str:
    """Return the problem of the data that an entry loaded, as a sentence; empty if there is none."""
    if not isinstance(dataset, Dataset):
        return f"load must return a Dataset, and returned an object of type {type(dataset).__name__}."
    if dataset.name != entry.name:
        return f"the Dataset must have the name {entry.name}, and has {str(dataset.name)!r}."
    count = len(dataset)
    checks = (_of_images(entry, dataset), _of_splits(dataset, count), _of_labels(dataset, count), _of_factors(dataset))
    if problem := next((words for words in checks if words), ""):
        return problem
    for name, announced, found in (
        ("images", entry.images, count),
        ("training_images", entry.training_images, len(dataset.training)),
    ):
        if announced is not None and announced != found:
            return f"{name} of its Entry is {announced:,}, but it loads {found:,}."
    return ""


def _of_images(entry: Entry, dataset: Dataset) -> str:
    shape = dataset.image_shape
    if not (
        isinstance(shape, tuple) and len(shape) == 3
        and shape[0] == shape[1] and shape[0] in SIDES and shape[2] in CHANNELS
    ):  # fmt: skip
        sides = ", ".join(map(str, SIDES))
        return f"image_shape must be (side, side, channels) with a side of {sides} and 1 or 3 channels, and is {shape}."
    if entry.shape and tuple(entry.shape) != shape[: len(entry.shape)]:
        return f"shape of its Entry is {entry.shape}, but it loads images of {shape}."
    if not len(dataset):
        return "it loads no images."
    few: Any = dataset.images(np.array([0, len(dataset) - 1]))
    if not isinstance(few, np.ndarray) or few.dtype != np.uint8 or few.shape != (2, *shape):
        found = f"{few.dtype} {few.shape}" if isinstance(few, np.ndarray) else type(few).__name__
        wanted = f"uint8 (n, height, width, channels), two of them {(2, *shape)}"
        return f"its images must be {wanted}, and those are {found}."
    return ""


def _of_splits(dataset: Dataset, count: int) -> str:
    splits: Any = dataset.splits
    if not isinstance(splits, Mapping) or set(splits) not in ({"all"}, {"train", "test"}):
        return 'splits must be {"all": positions}, or {"train": positions, "test": positions}.'
    for name, where in splits.items():
        if not (isinstance(where, np.ndarray) and where.ndim == 1 and where.dtype.kind == "i" and len(where)):
            return f"the split {name!r} must be positions of images, int64 (n,)."
        if where.min() < 0 or where.max() >= count:
            return f"the split {name!r} names image {int(where.max())}, and there are {count:,}, numbered from 0."
    return ""


def _of_labels(dataset: Dataset, count: int) -> str:
    labels, names = dataset.labels, dataset.label_names
    if labels is None:
        return "label_names name classes, and there are no labels." if names else ""
    if not (isinstance(labels, np.ndarray) and labels.shape == (count,) and labels.dtype == np.int64):
        return f"labels must be class numbers, int64 ({count},)."
    if labels.min() < 0 or labels.max() >= len(names):
        return f"label_names has {len(names)} names, and the labels go from {labels.min()} to {labels.max()}."
    return ""


def _of_factors(dataset: Dataset) -> str:
    factors, count = dataset.factors, len(dataset)
    if factors is None:
        return ""
    if not isinstance(factors, Factors) or len(factors.names) != len(factors.values):
        return "factors must be Factors with the values of each name."
    if not all(isinstance(values, np.ndarray) and values.ndim == 1 for values in factors.values):
        return "the values of each of its factors must be an array, one value for each class, e.g. np.arange(8)."
    sizes, table = factors.sizes, factors.table
    if table is None:
        grid = int(np.prod(sizes, dtype=np.int64))
        sized = " × ".join(map(str, sizes))
        made = f"its factors make a grid of {sized} = {grid:,} images"
        return "" if grid == count else f"{made}, and there are {count:,}."
    if not (isinstance(table, np.ndarray) and table.shape == (count, len(sizes)) and table.dtype == np.int64):
        return f"the table of its factors must be int64 ({count}, {len(sizes)})."
    for name, column, size in zip(factors.names, table.T, sizes, strict=True):
        if column.min() < 0 or column.max() >= size:
            return f"the table of factor {name!r} has classes that its values do not have."
    return ""
