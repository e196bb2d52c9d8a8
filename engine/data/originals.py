"""Published data sets: their original files are found or downloaded, and converted once into a prepared copy."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.data.cache import key_of, prepared_folder, require_space, stamp
from engine.data.dataset import Dataset, Factors, Indices
from engine.data.download import Remote, download
from engine.data.prepared import About, Contents, PreparedCopy
from engine.errors import DataError, NotPreparedError
from engine.jobs.events import Event, Finished, Job, Progress, Request
from engine.settings.folders import data_cache
from engine.system.paths import readable

SIDE = 64
VERSION = 1
"""To be raised when originals are converted differently."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Original files that are being read: the shape of all images (n, 64, 64, channels), and the images in batches."""

    shape: tuple[int, int, int, int]
    images: Iterator[NDArray[np.uint8]]
    about: About = field(default_factory=About)


ReadingJob = Generator[Event, Request | None, Reading]


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """Factors, labels and splits of a data set; `splits` empty: not split."""

    factors: Factors
    labels: NDArray[np.int64] | None = None
    label_names: tuple[str, ...] = ()
    splits: dict[str, Indices] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Original:
    """A published data set.

    `find` returns the files of the data set at a path and raises DataError if they are not there; `read` is a job that
    opens them. Both judge files by their content. `named` says whether a path has the name of the original files.
    `describe` returns what is known of the prepared images. `remotes` are the files to download by name, `by_hand` a
    page from which they can be had otherwise. Data sets with the same `copy` share a prepared copy.
    """

    name: str
    title: str
    copy: str
    find: Callable[[Path], tuple[Path, ...]]
    read: Callable[[tuple[Path, ...]], ReadingJob]
    named: Callable[[Path], bool]
    describe: Callable[[Contents], Described]
    remotes: dict[str, Remote] = field(default_factory=dict)
    by_hand: str = ""

    @property
    def folder(self) -> Path:
        """The folder of downloaded files."""
        return data_cache() / "downloads" / self.copy

    @property
    def downloaded(self) -> bool:
        """Whether all files have been downloaded."""
        return bool(self.remotes) and all((self.folder / name).is_file() for name in self.remotes)

    @property
    def state(self) -> str:
        """Whether it can be used without a path, or what is lacking, in a few words."""
        if not self.remotes:
            return "choose a folder or file"
        if not self.downloaded:
            return "needs download (or choose a file)"
        return "ready" if self._copy(self._files(None)).ready else "needs preparing"

    def cached(self) -> list[Path]:
        """Return its files in the cache."""
        downloads = [self.folder] if self.folder.is_dir() and any(self.folder.iterdir()) else []
        return [*prepared_folder().glob(f"{self.copy}-*"), *downloads]

    def prepare(self, path: Path | None) -> Job:
        """Download the files if no path is given, and convert them, unless that was done. Raises DataError."""
        if path is None:
            for name, remote in self.remotes.items():
                yield from download(remote, self.folder / name)
        files = self._files(path)
        copy = self._copy(files)
        if not copy.ready:
            try:
                reading = yield from self.read(files)
                needed = int(np.prod(reading.shape, dtype=np.int64))
                require_space(copy.pixels.parent, needed, f"Preparing {self.title}")
                yield from copy.write(self.title, reading.shape, reading.images, reading.about)
            except OSError as error:
                raise DataError(f"{self.title} cannot be prepared: {error.strerror or error}.") from None
        yield Finished(message=f"{self.title} is ready")

    def load(self, path: Path | None) -> Dataset:
        """Open the prepared copy. Raises DataError if there is none or it is damaged."""
        files = self._files(path)
        copy = self._copy(files)
        if not copy.ready:
            raise NotPreparedError(f"{self.title} is not prepared yet. Prepare it on the Data page.")
        contents = copy.open(files[0])
        known = self.describe(contents)
        where = readable(files[0] if len(files) == 1 else files[0].parent)
        return Dataset(
            name=self.name,
            title=self.title,
            store=contents.store,
            image_shape=contents.store.image_shape,
            splits=known.splits or {"all": np.arange(len(contents.store))},
            source=f"original files in {where}" if path else "downloaded original files",
            labels=known.labels,
            label_names=known.label_names,
            factors=known.factors,
            notes=(*known.notes, *contents.notes),
            pixel_digest=contents.pixel_digest,
        )

    def holds(self, path: Path) -> bool:
        """Return whether a path has the names or the content of the original files."""
        if self.named(path):
            return True
        try:
            return path.suffix.lower() != ".npz" and bool(self.find(path))
        except DataError:
            return False

    def check(self, path: Path) -> None:
        """Raise DataError unless a path holds the original files."""
        self.find(path)

    def _files(self, path: Path | None) -> tuple[Path, ...]:
        if path is not None:
            return self.find(path)
        if not self.downloaded:
            raise DataError(f"{self.title} has not been downloaded. {self.how_to_get}")
        return tuple(self.folder / name for name in self.remotes)

    @property
    def how_to_get(self) -> str:
        """A sentence that says where the files come from."""
        if self.remotes:
            return "Download it on the Data page, or choose its original files."
        return f"Get its files from {self.by_hand}, and choose them as the data folder."

    def _copy(self, files: Sequence[Path]) -> PreparedCopy:
        try:
            parts = [(str(file.absolute()), stamp(file)) for file in files]
        except OSError as error:
            raise DataError(f"{files[0]} cannot be read: {error.strerror or error}.") from None
        return PreparedCopy.named(f"{self.copy}-{key_of([VERSION, *parts])}")


def find_file(
    path: Path, title: str, names: Sequence[str], endings: Sequence[str], fits: Callable[[Path], str]
) -> Path:
    """Return the file at a path, or in a folder, that holds a data set.

    Files with one of the original `names` come first, then those with one of the `endings`. `fits` returns why a file
    cannot be used, as the end of a sentence. Raises DataError if none fits.
    """
    if path.is_dir():
        try:
            inside = sorted(file for file in path.iterdir() if file.suffix.lower() in endings and file.is_file())
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
        candidates = sorted(inside, key=lambda file: file.name not in names)
        if not candidates:
            raise DataError(f"{path} does not hold {title}'s file {names[0]}.")
    elif path.is_file():
        candidates = [path]
    else:
        raise DataError(f"{path} does not exist. Choose {title}'s file {names[0]}, or its folder.")
    problems = []
    for file in candidates:
        problem = fits(file)
        if not problem:
            return file
        problems.append(f"{file.name} is not {title}'s file {names[0]}, or not one like it: {problem}.")
    raise DataError(problems[0])


def has_name(path: Path, names: Sequence[str]) -> bool:
    """Return whether a path is a file of one of these names, or a folder with one."""
    folder = [path / name for name in names] if path.is_dir() else [path] if path.name in names else []
    return any(file.is_file() for file in folder)


def resized(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image, (height, width) or (height, width, 3), resized to 64 x 64 with Lanczos' filter."""
    smaller = Image.fromarray(np.ascontiguousarray(image)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return np.asarray(smaller, np.uint8)


def grid(
    names: Sequence[str],
    values: Sequence[NDArray[Any]],
    value_names: dict[str, tuple[str, ...]] | None = None,
) -> Factors:
    """Return factors of images that have every combination, of which the last factor changes fastest."""
    return Factors(tuple(names), tuple(np.asarray(each, np.float64) for each in values), value_names or {})


def labelled(factors: Factors, by: str, count: int, notes: tuple[str, ...] = ()) -> Described:
    """Return factors with the classes of one of them, by name, as labels of all images."""
    k = factors.names.index(by)
    named = factors.value_names.get(by) or tuple(str(number) for number in range(factors.sizes[k]))
    return Described(factors, factors.classes(np.arange(count))[:, k], named, notes=notes)


def reading(what: str, done: int, total: int, unit: str) -> Progress:
    """Return the progress of reading original files."""
    return Progress(done, total, f"Reading {what}", unit)
