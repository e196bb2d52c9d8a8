"""What a folder of pictures holds: which files are pictures, their classes, the split that its folders give.

Folders are taken as people have them: what systems and tools leave behind is passed over, links are followed once,
train, val and test are a split, and what is left out is counted in a note.
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
"""What systems, NAS boxes and tools leave in folders, in lower case; so do hidden names, which start with a dot."""

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
"""Folder names that stand for a part of the data, in lower case."""

SHOWN = 3
"""Names that a note lists before it says "..."."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The pictures below a folder, in the order of their paths, and notes on what was passed over."""

    pictures: tuple[Path, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Arrangement:
    """What the folders say of pictures: `kept` are the positions of those that are used.

    `labels` are class numbers of the kept ones, int64, empty without classes; `splits` positions among them.
    """

    kept: tuple[int, ...]
    labels: NDArray[np.int64]
    label_names: tuple[str, ...]
    splits: Mapping[str, NDArray[np.int64]]
    notes: tuple[str, ...]


def natural_key(name: str) -> tuple[object, ...]:
    """Return what names are sorted by so that numbers in them count as numbers: 2 comes before 10."""
    parts = re.split(r"(\d+)", name.casefold())
    return (*(int(part) if i % 2 else part for i, part in enumerate(parts)), name)


def list_pictures(folder: Path) -> Listing:
    """Find the pictures in a folder and below it. Raises OSError when the folder itself cannot be read.

    A folder that is reached twice, through links, is read once, by its own name where it has one here.
    """
    found = _Search(folder)
    found.read(folder)
    while found.links:  # after all that is there itself
        found.read(found.links.pop(0))
    return Listing(tuple(sorted(found.pictures)), tuple(found.notes()))


class _Search:
    """A walk through a folder, and what it passed over."""

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
        """Take in a folder and what lies below it but for linked folders, which are put aside."""
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
        """Put an entry of a folder where it belongs; return it where it is a folder to read. Raises OSError."""
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
        """Whether a linked folder holds the link itself, or the folder that is searched."""
        target = link.resolve()
        return any(place.resolve().is_relative_to(target) for place in (link.parent, self.root))

    def _name(self, path: Path) -> str:
        return readable(path.relative_to(self.root).as_posix())

    def notes(self) -> Iterator[str]:
        """Say what was passed over, and why."""
        if self._others:
            kinds = ", ".join(f"{count:,} {ending or 'without an ending'}" for ending, count in _most(self._others))
            yield f"Left out because they are not pictures that can be read: {kinds}."
        if self._system:
            yield f"Left out because they are hidden or the system's own: {some(self._system)}."
        if self._twice:
            links = some([self._name(path) for path in self._twice])
            yield f"Left out because they link to folders that are read already: {links}."
        if self._unread:
            yield f"Left out because they cannot be opened or link to nothing: {some(self._unread)}."


def _is_system(name: str) -> bool:
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


def _most(counts: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent, and the rest together."""
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    rest = sum(count for _, count in ranked[SHOWN + 1 :])
    return [*ranked[: SHOWN + 1], *([("others", rest)] if rest else [])]


def some(names: Sequence[str]) -> str:
    """Return a few names in words."""
    names = sorted(names, key=natural_key)
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")


def arrange(folder: Path, pictures: Sequence[Path]) -> Arrangement:
    """Read classes and split off the folders that pictures lie in, all below `folder`.

    A folder that holds all the others stands for nothing. Folders named train, val and test are the split, above the
    classes or below them; what lies outside them is left out. Then the first folders are the classes, where there are
    two or more. A few pictures beside the classes, fewer than a class has, are left out; with more there are none.
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
                f"The {len(names):,} folders are not taken as classes, since too many pictures lie beside them "
                f"({len(beside):,}). Move these into folders to train with classes."
            )
        names = []
    numbers = {name: number for number, name in enumerate(names)}
    labels = np.array([numbers[folders[i][0]] for i in kept] if names else [], np.int64)
    splits = _splits([parts[i] for i in kept]) if parts else split_90_10(len(kept))
    return Arrangement(tuple(kept), labels, tuple(map(readable, names)), splits, tuple(notes))


def _unwrapped(folders: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Folders without a first one that holds everything, as unpacked archives have it."""
    while folders and all(folders) and len({names[0] for names in folders}) == 1:
        folders = [names[1:] for names in folders]
    return folders


def _few(beside: int, inside: int, groups: int) -> bool:
    """Whether pictures beside folders are fewer than a folder has on average."""
    return beside * groups < inside


def _split_of(folders: Sequence[tuple[str, ...]]) -> tuple[list[str], int]:
    """The part of the split that each picture belongs to ("" for none), and the level of folders that says so.

    There is none unless one folder is for training and another is not, and they hold nearly all.
    """
    for level in (0, 1):
        parts = [SPLIT_NAMES.get(names[level].lower(), "") if len(names) > level else "" for names in folders]
        named = set(parts) - {""}
        if "train" in named and len(named) > 1 and _few(parts.count(""), len(parts) - parts.count(""), len(named)):
            return parts, level
    return [], 0


def _splits(parts: Sequence[str]) -> Mapping[str, NDArray[np.int64]]:
    """Positions of each part. What is held out is the test part, where no other is."""
    if "test" not in parts:
        parts = ["test" if part == "validation" else part for part in parts]
    of = np.array(parts)
    return {name: np.flatnonzero(of == name) for name in ("train", "validation", "test") if name in parts}


def _left_out(folder: Path, pictures: Sequence[Path], which: Iterable[int], where: str) -> list[str]:
    names = [readable(pictures[i].relative_to(folder).as_posix()) for i in which]
    return [f"Left out because they lie {where}: {some(names)}."] if names else []
