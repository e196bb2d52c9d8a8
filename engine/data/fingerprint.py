"""Fingerprint of a data set: digests of its images, labels, classes, factors and splits.

It is stored with a run and with each evaluation, so that results are never mistaken for those of other data.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import ArrayStore, Dataset, Factors, Indices

SAMPLE = 512
"""Images read where reading all would take too long: one at a random position in each of as many equal intervals."""

DIGITS = 20

WORDS = {
    "images": "the images",
    "labels": "the labels",
    "classes": "the names or the order of the classes",
    "factors": "the factors",
    "splits": "the split into training and test images",
}
"""Names of the parts of a fingerprint in messages."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Hexadecimal digests of the parts of a data set; empty for parts that it does not have.

    `images` covers number, shape and pixels; `labels` the class of every image; `classes` the names of the classes in
    order; `factors` names, values and table; `splits` which images are for training and which for testing.
    """

    images: str
    labels: str
    classes: str
    factors: str
    splits: str

    @property
    def short(self) -> str:
        """Four characters that distinguish data sets of the same name in a table."""
        return _digest(asdict(self).values())[:4]

    def values(self) -> dict[str, str]:
        """Return the fingerprint as stored in files."""
        return asdict(self)

    @classmethod
    def read(cls, values: Any) -> "Fingerprint | None":
        """Read a fingerprint stored by `values`; None for anything else, such as a file of version 1.0.0."""
        names = [field.name for field in fields(cls)]
        if not isinstance(values, dict) or not all(isinstance(values.get(name), str) for name in names):
            return None
        return cls(**{name: values[name] for name in names})

    def changes(self, now: "Fingerprint") -> str:
        """Return what differs in `now` as text, e.g. "the images and the factors"; empty if nothing does.

        Where the images differ, a different split is not mentioned.
        """
        before, after = asdict(self), asdict(now)
        words = [WORDS[name] for name in before if before[name] != after[name]]
        if self.images != now.images and WORDS["splits"] in words:
            words.remove(WORDS["splits"])
        return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


_KNOWN: "WeakKeyDictionary[Dataset, Fingerprint]" = WeakKeyDictionary()


def fingerprint_of(dataset: Dataset) -> Fingerprint:
    """Return the fingerprint of a data set, computed once for each open data set.

    Labels, classes, factors and splits are read completely, and so are images in memory (MNIST, the digits) and the
    user's own images, whose digest is computed when they are prepared. Of other images, `SAMPLE` are read, including
    the first and the last, so that a change may go unnoticed: likely for one image in 480,000, unlikely for one in a
    hundred. dSprites as drawn and the official file, which differ by single pixels in about one image in 7,000, have
    the same fingerprint unless one of these is in the sample, so that a run can resume with either.

    A user's file that was replaced by one of the same size and modification time is not noticed, since the prepared
    copy is used as long as these agree.
    """
    known = _KNOWN.get(dataset)
    if known is None:
        known = _KNOWN[dataset] = Fingerprint(
            images=_of_images(dataset),
            labels="" if dataset.labels is None else _digest(_runs(dataset.labels, step=0)),
            classes=_digest(dataset.label_names) if dataset.label_names else "",
            factors="" if dataset.factors is None else _of_factors(dataset.factors),
            splits=_of_splits(dataset),
        )
    return known


def _of_images(dataset: Dataset) -> str:
    store = dataset.store
    pixels: Any
    if dataset.pixel_digest:
        pixels = dataset.pixel_digest
    elif isinstance(store, ArrayStore) and not isinstance(store.array, np.memmap):
        pixels = store.array
    else:
        pixels = dataset.images(_sample(len(dataset)))
    return _digest([len(dataset), *dataset.image_shape, pixels])


def _sample(count: int) -> Indices:
    """Positions of `SAMPLE` images in ascending order: first, last, and a random one in each interval between."""
    if count <= SAMPLE:
        return np.arange(count)
    edges = np.linspace(0, count, SAMPLE + 1).astype(np.int64)
    chosen = np.random.default_rng(0).integers(edges[:-1], edges[1:])
    chosen[0], chosen[-1] = 0, count - 1
    return chosen


def _of_factors(factors: Factors) -> str:
    # Rounded, since the last bit of a computed value may depend on the machine.
    parts: list[Any] = [*factors.names, *(np.round(values, 9) for values in factors.values)]
    parts += [f"{name}: {names}" for name, names in sorted(factors.value_names.items())]
    return _digest(parts if factors.table is None else [*parts, factors.table])


def _of_splits(dataset: Dataset) -> str:
    parts = [(name, *_runs(np.asarray(where, np.int64), step=1)) for name, where in dataset.splits.items()]
    return _digest(part for group in parts for part in group)


def _runs(values: NDArray[np.int64], step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions at which values do not increase by `step`, and the values there: a compact form if such runs are long.

    The last position is the number of values.
    """
    starts = np.flatnonzero(values[1:] != values[:-1] + step) + 1
    return np.concatenate([starts, [len(values)]]), np.concatenate([values[:1], values[starts]])


def _digest(parts: Iterable[Any]) -> str:
    """Digest of text, numbers, bytes and arrays, with types and lengths, so that parts cannot run together."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).data)
        elif isinstance(part, bytes):
            digest.update(part)
        else:
            text = str(part).encode(errors="surrogatepass")  # folder names that are not UTF-8
            digest.update(f"{len(text)}:".encode() + text)
    return digest.hexdigest()[:DIGITS]
