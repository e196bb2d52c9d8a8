"""A folder of pictures: which files are pictures, and the classes and split given by its subfolders.

Files of systems and tools are skipped, links are followed once, train, val and test are a split, and everything that is
left out is counted in a note.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.cache import split_90_10
from engine.data.input_pictures import picture_endings
from engine.system.paths import readable

SYSTEM_NAMES = frozenset(
    {
        "__macosx",
        "@eadir",
        "#recycle",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "__pycache__",
        "thumbs.db",
        "desktop.ini",
    }
)
"""Names, in lower case, that systems, NAS devices and tools leave in folders, beside hidden names (with a dot)."""

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""Folder names, in lower case, that stand for a part of the split."""

SHOWN = 3
"""Names that a note lists before "and n more"."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The pictures below a folder, sorted by path, and notes on what was skipped."""

    pictures: tuple[Path, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Arrangement:
    """Classes and split of pictures, from their folders: `kept` are the positions of the pictures that are used.

    `labels` are class numbers of the kept ones, int64, empty without classes; `splits` are positions among them.
    """

    kept: tuple[int, ...]
    labels: NDArray[np.int64]
    label_names: tuple[str, ...]
    splits: Mapping[str, NDArray[np.int64]]
    notes: tuple[str, ...]


def natural_key(name: str) -> tuple[object, ...]:
    """Return a sort key by which numbers in names are compared as numbers: 2 comes before 10."""
    parts = re.split(r"(\d+)", name.casefold())
    return (*(int(part) if i % 2 else part for i, part in enumerate(parts)), name)


def list_pictures(folder: Path) -> Listing:
    """Find the pictures in a folder and its subfolders. Raises OSError if the folder itself cannot be read.

    A folder reached more than once through links is read once, under its own name if that is below `folder`.
    """
    found = _Search(folder)
    found.read(folder)
    while found.links:  # after all folders that are not links
        found.read(found.links.pop(0))
    return Listing(tuple(sorted(found.pictures)), tuple(found.notes()))


class _Search:
    """A walk through a folder, and what it skipped."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pictures: list[Path] = []
        self.links: list[Path] = []
        self._seen: set[tuple[int, int] | Path] = set()
        self._system: list[str] = []
        self._unread: list[str] = []
        self._twice: list[Path] = []
        self._others: Counter[str] = Counter()

    def read(self, folder: Path) -> None:
        """Read a folder and its subfolders, except linked folders, which are put aside."""
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            try:
                status = here.stat()
                place = (status.st_dev, status.st_ino) if status.st_ino else here.resolve()
                if place in self._seen:
                    self._twice.append(here)
                    continue
                self._seen.add(place)
                with os.scandir(here) as entries:
                    for entry in entries:
                        try:
                            waiting += self._take(here / entry.name, entry)
                        except OSError:  # e.g. a link to itself
                            self._unread.append(self._name(here / entry.name))
            except OSError:
                if here == self.root:
                    raise
                self._unread.append(self._name(here))

    def _take(self, path: Path, entry: "os.DirEntry[str]") -> list[Path]:
        """Sort a folder's entry by kind, and return it if it is a folder to read. Raises OSError."""
        ending = path.suffix.lower()
        if _is_system(path.name):
            if entry.is_dir() or ending in picture_endings():
                self._system.append(self._name(path))
        elif entry.is_dir():
            if not entry.is_symlink():
                return [path]
            (self._twice if self._is_loop(path) else self.links).append(path)
        elif not entry.is_file():
            self._unread.append(self._name(path))
        elif ending in picture_endings():
            self.pictures.append(path)
        else:
            self._others[ending] += 1
        return []

    def _is_loop(self, link: Path) -> bool:
        """Whether a linked folder contains the link itself or the searched folder."""
        target = link.resolve()
        return any(place.resolve().is_relative_to(target) for place in (link.parent, self.root))

    def _name(self, path: Path) -> str:
        return readable(path.relative_to(self.root).as_posix())

    def notes(self) -> Iterator[str]:
        """Yield sentences that say what was left out, and why."""
        if self._others:
            kinds = ", ".join(f"{count:,} {ending or 'without an extension'}" for ending, count in _most(self._others))
            yield f"Left out because they are not readable pictures: {kinds}."
        if self._system:
            yield f"Left out because they are hidden or the system's own: {some(self._system)}."
        if self._twice:
            links = some([self._name(path) for path in self._twice])
            yield f"Left out because they link to folders that are already read: {links}."
        if self._unread:
            yield f"Left out because they cannot be opened or link to nothing: {some(self._unread)}."


def _is_system(name: str) -> bool:
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


def _most(counts: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent entries, and the rest combined."""
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    rest = sum(count for _, count in ranked[SHOWN + 1 :])
    return [*ranked[: SHOWN + 1], *([("others", rest)] if rest else [])]


def some(names: Sequence[str]) -> str:
    """Return a list of names as text, truncated after a few."""
    names = sorted(names, key=natural_key)
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")


def arrange(folder: Path, pictures: Sequence[Path]) -> Arrangement:
    """Derive classes and split from the folders of pictures, all below `folder`.

    A single folder that contains everything is ignored. Folders named train, val and test, above or below the classes,
    are the split; pictures outside them are left out. The top-level folders that remain are the classes if there are
    at least two. Pictures beside them are left out if they are fewer than a class has on average; otherwise there are
    no classes.
    """
    folders = _unwrapped([picture.relative_to(folder).parts[:-1] for picture in pictures])
    notes: list[str] = []
    kept = list(range(len(pictures)))
    parts, level = _split_of(folders)
    if parts:
        outside = [i for i in kept if not parts[i]]
        notes += _left_out(folder, pictures, outside, "outside the folders of the split")
        kept = [i for i in kept if parts[i]]
        within = [(*folders[i][:level], *folders[i][level + 1 :]) for i in kept]
        folders = [()] * len(folders)
        for i, inner in zip(kept, _unwrapped(within), strict=True):
            folders[i] = inner
    inside = [i for i in kept if folders[i]]
    names = sorted({folders[i][0] for i in inside}, key=natural_key)
    beside = [i for i in kept if not folders[i]]
    if len(names) > 1 and _few(len(beside), len(inside), len(names)):
        notes += _left_out(folder, pictures, beside, "beside the folders of the classes")
        kept = inside
    else:
        if len(names) > 1:
            notes.append(
                f"The {len(names):,} folders are not used as classes because too many pictures are beside them "
                f"({len(beside):,}). Move these into folders to train with classes."
            )
        names = []
    numbers = {name: number for number, name in enumerate(names)}
    labels = np.array([numbers[folders[i][0]] for i in kept] if names else [], np.int64)
    splits = _splits([parts[i] for i in kept]) if parts else split_90_10(len(kept))
    return Arrangement(tuple(kept), labels, tuple(map(readable, names)), splits, tuple(notes))


def _unwrapped(folders: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Folders without a single top-level one that contains everything, as in unpacked archives."""
    while folders and all(folders) and len({names[0] for names in folders}) == 1:
        folders = [names[1:] for names in folders]
    return folders


def _few(beside: int, inside: int, groups: int) -> bool:
    """Whether there are fewer pictures beside folders than in a folder on average."""
    return beside * groups < inside


def _split_of(folders: Sequence[tuple[str, ...]]) -> tuple[list[str], int]:
    """The part of the split of each picture ("" for none), and the folder level that determines it.

    There is no split unless there are a training folder and another one, which together hold almost all pictures.
    """
    for level in (0, 1):
        parts = [SPLIT_NAMES.get(names[level].lower(), "") if len(names) > level else "" for names in folders]
        named = set(parts) - {""}
        if "train" in named and len(named) > 1 and _few(parts.count(""), len(parts) - parts.count(""), len(named)):
            return parts, level
    return [], 0


def _splits(parts: Sequence[str]) -> Mapping[str, NDArray[np.int64]]:
    """Positions of each part; a validation part without a test part becomes the test part."""
    if "test" not in parts:
        parts = ["test" if part == "validation" else part for part in parts]
    of = np.array(parts)
    return {name: np.flatnonzero(of == name) for name in ("train", "validation", "test") if name in parts}


def _left_out(folder: Path, pictures: Sequence[Path], which: Iterable[int], where: str) -> list[str]:
    names = [readable(pictures[i].relative_to(folder).as_posix()) for i in which]
    return [f"Left out because they are {where}: {some(names)}."] if names else []
