"""What the Data page shows of a data set, read outside the window's thread."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data import ENTRIES, Dataset, load_dataset, load_prepared
from engine.errors import NotPreparedError

SAMPLES = 48


@dataclass(frozen=True, slots=True, eq=False)
class Details:
    """A loaded data set and a page of its images."""

    dataset: Dataset
    samples: NDArray[np.uint8]
    indices: NDArray[np.int64]


def read_details(name: str, path: Path | None, size: int, page: int) -> Details | None:
    """Load a data set and draw a page of random samples, seeded by its number; None if it must be prepared first.

    A plug-in's data set is prepared here, since it does not say whether it is. Raises DataError.
    """
    load = load_prepared if ENTRIES.origin(name) is None else load_dataset
    try:
        dataset = load(name, path, size)
    except NotPreparedError:
        return None
    count = min(SAMPLES, len(dataset))
    indices = np.sort(np.random.default_rng(page).choice(len(dataset), count, replace=False))
    return Details(dataset, dataset.images(indices), indices)


def label_of(dataset: Dataset, index: int) -> str:
    """Return an image's position and, where there are classes, its class."""
    if dataset.labels is None:
        return f"image {index:,}"
    return f"image {index:,}: {dataset.label_names[int(dataset.labels[index])]}"


def values_of(dataset: Dataset, index: int) -> str:
    """Return an image's factor values as text; empty where there are none."""
    if dataset.factors is None:
        return ""
    classes = dataset.factors.classes(np.array([index]))[0]
    return ", ".join(value_text(dataset, k, int(c)) for k, c in enumerate(classes))


def value_text(dataset: Dataset, factor: int, number: int) -> str:
    """Return a factor value as text, e.g. "scale 0.60"."""
    factors = dataset.factors
    assert factors is not None
    name = factors.names[factor]
    named = factors.value_names.get(name)
    return f"{name} {named[number] if named else format(factors.values[factor][number], '.3g')}"
