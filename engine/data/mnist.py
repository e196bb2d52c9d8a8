"""The MNIST family, 28 x 28: 60,000 training and 10,000 test images with labels, from IDX files.

MNIST (LeCun, Cortes, Burges), Fashion-MNIST (Xiao, Rasul, Vollgraf 2017) and KMNIST (Clanuwat et al. 2018).

Addresses and checksums are torchvision's, but its classes are not used: they download a file in one call that can be
neither cancelled nor resumed and shows progress only in a terminal, and they accept any file with the name of an
unpacked one. Here, a job downloads, a file gets its name only once its checksum is verified, and the user's files are
read in place, compressed or not, in more layouts than torchvision's, with a message if they are damaged.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.data.dataset import ArrayStore, Dataset
from engine.data.download import Remote, download
from engine.data.idx import read_idx
from engine.errors import DataError
from engine.jobs.events import Finished, Job
from engine.settings.folders import data_cache
from engine.system.paths import readable

PARTS = {"train": "train", "test": "t10k"}
KINDS = ("images-idx3-ubyte", "labels-idx1-ubyte")
RAW = "raw"
"""Subfolder of a data set's folder to which torchvision unpacks the IDX files."""

SIDE = 28


@dataclass(frozen=True, slots=True)
class Family:
    """A member of the family: title, classes, and the torchvision class that has the addresses of its files."""

    title: str
    classes: tuple[str, ...]
    torchvision: str


FAMILY = {
    "mnist": Family("MNIST", tuple("0123456789"), "MNIST"),
    "fashion-mnist": Family(
        "Fashion-MNIST",
        ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
        "FashionMNIST",
    ),
    "kmnist": Family("KMNIST", ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"), "KMNIST"),
}


def load(name: str, folder: Path | None) -> Dataset:
    """Load a member of the family from a folder of IDX files, or from the cache.

    Raises DataError if files are missing, damaged or inconsistent.
    """
    family = FAMILY[name]
    where = _place(name, folder) if folder else cached_folder(name)
    source = f"IDX files in {readable(where)}" if folder else "downloaded; addresses and checksums from torchvision"
    folder = where
    images, labels, splits, start = [], [], {}, 0
    for split, prefix in PARTS.items():
        pixels = read_idx(_find(folder, f"{prefix}-{KINDS[0]}", family), 3)
        classes = read_idx(_find(folder, f"{prefix}-{KINDS[1]}", family), 1)
        if pixels.shape[1:] != (SIDE, SIDE):
            raise DataError(
                f"The {split} images in {folder} are {pixels.shape[1]} x {pixels.shape[2]} pixels; "
                f"{family.title}'s are {SIDE} x {SIDE}."
            )
        if len(pixels) != len(classes) or not len(pixels):
            raise DataError(
                f"{folder} holds {len(pixels):,} {split} images but {len(classes):,} labels; "
                "the files do not belong together."
            )
        if classes.max() > 9:
            raise DataError(f"The {split} labels in {folder} go up to {classes.max()}; the classes end at 9.")
        images.append(pixels)
        labels.append(classes)
        splits[split] = np.arange(start, start + len(pixels))
        start += len(pixels)
    return Dataset(
        name=name,
        title=family.title,
        store=ArrayStore(np.concatenate(images)[..., None]),
        image_shape=(SIDE, SIDE, 1),
        splits=splits,
        source=source,
        labels=np.concatenate(labels).astype(np.int64),
        label_names=family.classes,
    )


def check(name: str, folder: Path) -> None:
    """Raise DataError unless a folder holds the four files of a member, directly or in torchvision's layout."""
    where = _place(name, folder)
    for prefix in PARTS.values():
        for kind in KINDS:
            _find(where, f"{prefix}-{kind}", FAMILY[name])


def prepare(name: str, folder: Path | None) -> Job:
    """Find the four files in a folder, or download those missing in the cache, with md5 check and progress in bytes.

    Raises DataError.
    """
    if folder is not None:
        check(name, folder)
    if folder is None and not is_downloaded(name):
        for file, remote in _remotes(name).items():
            try:
                yield from download(remote, cached_folder(name) / file)
            except DataError as error:
                raise DataError(
                    f"{error} Check the network, or put the four IDX files in a folder and choose that as the data "
                    "folder (--data on the command line)."
                ) from None
    yield Finished(message=f"{FAMILY[name].title} is ready in {readable(folder or cached_folder(name))}")


def recognise(folder: Path) -> str | None:
    """Return the member whose files a folder holds, directly or in torchvision's layout; None if it holds none.

    The files of all members have the same names, so it is MNIST unless the folder or its parent is named after another.
    """
    if _has_images(folder) or _has_images(folder / RAW):
        return _named(folder) or "mnist"
    return next((name for name in FAMILY if _has_images(folder / FAMILY[name].torchvision / RAW)), None)


def cached_folder(name: str) -> Path:
    """Return the folder of a downloaded member."""
    return data_cache() / "downloads" / name


def is_downloaded(name: str) -> bool:
    """Return whether all four files are in the cache."""
    folder = cached_folder(name)
    return all((folder / f"{prefix}-{kind}.gz").is_file() for prefix in PARTS.values() for kind in KINDS)


def _named(folder: Path) -> str | None:
    """The member that a folder or its parent is named after."""
    where = "/".join(folder.parts[-2:]).lower().replace("-", "").replace("_", "")
    return next((name for name in reversed(FAMILY) if name.replace("-", "") in where), None)


def _place(name: str, folder: Path) -> Path:
    """The folder that holds the files: the given one, or one of torchvision's below it.

    Raises DataError if there is none, or if it is named after another member.
    """
    family = FAMILY[name]
    if not folder.is_dir():
        raise DataError(
            f"The data folder {folder} does not exist. Choose the folder that holds {family.title}'s four IDX files "
            "(train-images-idx3-ubyte, ...), or leave it empty to download them."
        )
    below = (folder, folder / RAW, folder / family.torchvision / RAW, folder / family.torchvision)
    place = next((path for path in below if _has_images(path)), folder)
    other = _named(place)
    if place.name == RAW and other not in (name, None):
        raise DataError(f"{place} holds {FAMILY[str(other)].title}, judging by its name, not {family.title}.")
    return place


def _has_images(folder: Path) -> bool:
    return _candidates(folder, f"{PARTS['train']}-{KINDS[0]}") is not None


def _remotes(name: str) -> dict[str, Remote]:
    """The four files with torchvision's addresses and checksums."""
    import torchvision.datasets

    known = getattr(torchvision.datasets, FAMILY[name].torchvision)
    return {file: Remote(tuple(mirror + file for mirror in known.mirrors), md5) for file, md5 in known.resources}


def _find(folder: Path, name: str, family: Family) -> Path:
    """The file with a name. Raises DataError if there is none."""
    path = _candidates(folder, name)
    if path is None:
        raise DataError(
            f"{folder} has no {name} or {name}.gz. {family.title} needs four files: images and labels, for train and "
            "t10k."
        )
    return path


def _candidates(folder: Path, name: str) -> Path | None:
    """The file with a name, raw or gzip-compressed, also as "train-images.idx3-ubyte"; None if there is none."""
    names = (name, name.replace("-idx", ".idx"))
    paths = (folder / (candidate + suffix) for candidate in names for suffix in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)
