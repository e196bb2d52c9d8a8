"""The images that a run is trained on: all training images, or a subset by their factors."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.data import ENTRIES
from engine.data.counters import mixed
from engine.data.dataset import Dataset, Factors, Indices
from engine.errors import DataError
from engine.settings.run_config import RunConfig
from engine.settings.subset import Condition, Line, Subset

FEWEST = 2


def training_positions(dataset: Dataset, config: RunConfig) -> Indices:
    """Return the positions of the images that a run is trained on, in ascending order.

    Raises DataError if the data set lacks factors or values that its subset names, or if hardly any image is left.
    """
    subset = subset_of(config)
    if not subset:
        return dataset.training
    if dataset.factors is None:
        raise DataError(f"{dataset.title} has no ground-truth factors, by which a subset could be chosen.")
    kept = kept_images(subset, dataset.factors, len(dataset), dataset.title)
    chosen = dataset.training[kept[dataset.training]]
    if len(chosen) < FEWEST:
        raise DataError(f"Of the training images of {dataset.title}, {len(chosen)} remain with '{subset}'.")
    return chosen


def training_count(config: RunConfig) -> int | None:
    """Return the number of images that a run is trained on; None if that is known only after reading them."""
    entry, subset = ENTRIES[config.dataset], subset_of(config)
    if not subset:
        return entry.training_images
    if entry.grid is None or entry.training_images != entry.images:
        return None
    return _count(config.dataset, subset)


def subset_of(config: RunConfig) -> str:
    """Return the subset that a run is trained on; empty for all images, as for data sets without factors."""
    return config.subset if ENTRIES[config.dataset].factors else ""


def problem_with_subset(config: RunConfig) -> str:
    """Return why a subset does not suit the factors of its data set, a sentence; empty if it does or may."""
    entry, subset = ENTRIES[config.dataset], subset_of(config)
    if not subset or entry.grid is None:
        return ""
    try:
        check_subset(Subset.parse(subset), entry.grid(), entry.title)
    except DataError as error:
        return str(error)
    return ""


@lru_cache(maxsize=64)
def _count(name: str, subset: str) -> int | None:
    entry = ENTRIES[name]
    assert entry.grid is not None
    assert entry.images is not None
    try:
        return int(kept_images(subset, entry.grid(), entry.images, entry.title).sum())
    except DataError:
        return None


def check_subset(subset: Subset, factors: Factors, title: str) -> None:
    """Raise DataError if a subset names factors or values that there are not."""
    for line in subset.lines:
        for name in (line.first, line.second):
            if factors.sizes[_number_of(name, factors, title)] < 2:
                raise DataError(f"The factor {name!r} of {title} has one value only, and cannot be correlated.")
    for condition in (condition for conditions in subset.without for condition in conditions):
        _range_of(condition, factors, title)


def kept_images(subset: str, factors: Factors, images: int, title: str) -> NDArray[np.bool_]:
    """Return which images a subset keeps, (images,). The draw is the same on every machine. Raises DataError."""
    parsed = Subset.parse(subset)
    check_subset(parsed, factors, title)
    kept = np.ones(images, np.bool_)
    for number, line in enumerate(parsed.lines):
        kept &= _uniform(images, number) < _probability(line, factors, images, title)
    for conditions in parsed.without:
        met = np.ones(images, np.bool_)
        for condition in conditions:
            k, low, high = _range_of(condition, factors, title)
            classes = _column(factors, k, images)
            met &= (classes >= low) & (classes <= high)
        kept &= ~met
    return kept


def _probability(line: Line, factors: Factors, images: int, title: str) -> NDArray[np.float64]:
    """The probability with which each image is kept."""
    pair = [_number_of(name, factors, title) for name in (line.first, line.second)]
    a, b = (np.linspace(0, 1, factors.sizes[k]) for k in pair)
    table = np.exp(-((a[:, None] - b) ** 2) / (2 * line.width**2))
    first, second = (_column(factors, k, images) for k in pair)
    probability: NDArray[np.float64] = table[first, second]
    return probability


def _uniform(images: int, stream: int) -> NDArray[np.float64]:
    """A random number from 0 to 1 for each image."""
    with np.errstate(over="ignore"):
        counters = np.arange(images, dtype=np.uint64) + np.uint64((stream + 1) << 40)
    uniform: NDArray[np.float64] = (mixed(counters) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return uniform


def _column(factors: Factors, k: int, images: int) -> NDArray[np.int64]:
    """The class of a factor for each image."""
    if factors.table is not None:
        return factors.table[:, k]
    stride = int(np.prod(factors.sizes[k + 1 :]))
    return np.arange(images) // stride % factors.sizes[k]


def _number_of(name: str, factors: Factors, title: str) -> int:
    if name not in factors.names:
        raise DataError(f"{title} has no factor {name!r}; its factors are {', '.join(factors.names)}.")
    return factors.names.index(name)


def _range_of(condition: Condition, factors: Factors, title: str) -> tuple[int, int, int]:
    """The number of a condition's factor, and the first and the last class that it names."""
    k = _number_of(condition.factor, factors, title)
    names = factors.value_names.get(condition.factor, ())
    ends = []
    for value in (condition.low, condition.high):
        number = names.index(value) if value in names else int(value) if value.isascii() and value.isdigit() else -1
        if not 0 <= number < factors.sizes[k]:
            known = ", ".join(names) if names else f"0 to {factors.sizes[k] - 1}, in order"
            raise DataError(f"The factor {condition.factor!r} of {title} has no value {value!r}; it has {known}.")
        ends.append(number)
    if ends[0] > ends[1]:
        raise DataError(f"{condition.factor} = {condition.low}..{condition.high} ends before it begins.")
    return k, ends[0], ends[1]
