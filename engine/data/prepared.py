"""Prepared copies in the user's cache: the pixels in one file, of any size, and the rest in a second one."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.cache import prepared_folder
from engine.data.dataset import Factors
from engine.data.file_store import FileStore
from engine.data.npz import open_npz
from engine.data.pixel_file import finish_images, sample_digest, write_images
from engine.errors import DataError, NotPreparedError
from engine.jobs.events import Event, Progress, Request
from engine.system.files import replacing
from engine.system.plain_text import one_line

Writing = Generator[Event, Request | None, None]


def _none() -> NDArray[np.int64]:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class About:
    """What is known of images beside their pixels; empty arrays stand for what they do not have.

    `labels` are class numbers (n,), `factors` a table of values (n, factors), `splits` positions by name. `notes` are
    sentences about what was noticed while reading.
    """

    labels: NDArray[np.int64] = field(default_factory=_none)
    label_names: Sequence[str] = ()
    factors: NDArray[np.int64] = field(default_factory=_none)
    factor_names: Sequence[str] = ()
    splits: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Contents(About):
    """A prepared copy that was opened: its images, and the digest of all pixels."""

    store: FileStore = field(kw_only=True)
    pixel_digest: str = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class PreparedCopy:
    """The two files of a prepared copy; the second is written last."""

    pixels: Path
    about: Path

    @classmethod
    def named(cls, name: str) -> "PreparedCopy":
        """Return the copy of a name in the cache. Raises DataError if the cache cannot be created."""
        folder = prepared_folder()
        return cls(folder / f"{name}.npy", folder / f"{name}.npz")

    @property
    def ready(self) -> bool:
        """Whether the copy is complete."""
        return self.pixels.is_file() and self.about.is_file()

    def write(self, title: str, shape: tuple[int, ...], parts: Iterable[NDArray[np.uint8]], about: About) -> Writing:
        """Write images of a total shape (n, height, width, channels), with progress; closing it leaves nothing behind.

        Raises OSError or DataError.
        """
        with replacing(self.pixels) as temporary:
            for done in write_images(temporary, shape, parts):
                yield Progress(done, shape[0], f"Reading {title}", "images")
            notes, digest = yield from finished(temporary, title)
        self.finish(about, notes, digest)

    def finish(self, about: About, notes: Sequence[str], digest: str) -> None:
        """Write all but the pixels, which are in place; `notes` are added to those known before. Raises DataError."""
        split = np.zeros(sum(map(len, about.splits.values())), np.uint8)
        for number, where in enumerate(about.splits.values()):
            split[where] = number
        try:
            with replacing(self.about) as temporary, temporary.open("wb") as out:
                np.savez(
                    out,
                    labels=about.labels,
                    label_names=np.array(about.label_names, dtype=np.str_),
                    factors=about.factors,
                    factor_names=np.array(about.factor_names, dtype=np.str_),
                    split=split,
                    split_names=np.array(list(about.splits), dtype=np.str_),
                    notes=np.array([*about.notes, *notes], dtype=np.str_),
                    pixel_digest=np.array(digest),
                    sample_digest=np.array(sample_digest(self.pixels)),
                )
        except OSError as error:
            raise DataError(f"{self.about} cannot be written: {error.strerror or error}.") from None

    def open(self, original: object) -> Contents:
        """Open the copy of `original`, the path that messages name.

        Raises NotPreparedError if it is damaged; it is then removed, to be prepared again.
        """
        try:
            with open_npz(self.about) as about:
                labels, table, split = (about.read(name).astype(np.int64) for name in ("labels", "factors", "split"))
                names, factor_names, split_names, notes = (
                    tuple(one_line(str(word)) for word in about.read(name))
                    for name in ("label_names", "factor_names", "split_names", "notes")
                )
                digest, sample = (str(about.read(name)) for name in ("pixel_digest", "sample_digest"))
            if sample_digest(self.pixels) != sample:
                raise ValueError(f"{self.pixels} has changed")
            store = FileStore(self.pixels)
            for numbers, known in ((labels, names), (split, split_names)):
                if len(numbers) not in (0, len(store)) or not set(np.unique(numbers)) <= set(range(len(known))):
                    raise ValueError(f"{self.about} does not fit the images")
            if table.size and table.shape != (len(store), len(factor_names)):
                raise ValueError(f"{self.about} does not fit the images")
        except (OSError, EOFError, ValueError, DataError):
            self.about.unlink(missing_ok=True)
            words = f"The prepared copy of {original} was damaged and has been removed. Try again."
            raise NotPreparedError(words) from None
        splits = {name: np.flatnonzero(split == i) for i, name in enumerate(split_names)}
        return Contents(labels, names, table, factor_names, splits, notes, store=store, pixel_digest=digest)


def finished(temporary: Path, title: str) -> Generator[Event, Request | None, tuple[list[str], str]]:
    """Check the pixels in a file, with progress, and return notes on them and their digest. Raises OSError."""
    checking = finish_images(temporary)
    while True:
        try:
            done, total = next(checking)
        except StopIteration as end:
            found: tuple[list[str], str] = end.value
            return found
        yield Progress(done, total, f"Checking {title}", "bytes")


def factors_of(table: NDArray[np.int64], names: tuple[str, ...]) -> Factors:
    """Return factors from a table of values, (n, factors); the classes are the sorted values that occur."""
    values, classes = [], []
    for column in table.T:
        found, where = np.unique(column, return_inverse=True)
        values.append(found.astype(np.float64))
        classes.append(where)
    return Factors(names=names, values=tuple(values), table=np.stack(classes, axis=1).astype(np.int64))
