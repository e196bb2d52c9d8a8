"""Data sets: `load_dataset(name, ...)` loads them, and `ENTRIES` describes them before they are loaded."""

from pathlib import Path
from typing import NoReturn

from engine.data import own
from engine.data.cache import size_on_disk
from engine.data.dataset import ArrayStore, BitStore, Dataset, Factors
from engine.data.entries import OURS
from engine.data.entry import Entry
from engine.data.fingerprint import Fingerprint, fingerprint_of
from engine.errors import DataError
from engine.jobs.events import Finished, Job
from engine.settings.absent import DATASETS_ABSENT
from engine.settings.run_config import ClassOrder
from engine.system.registry import Registry

__all__ = [
    "ENTRIES",
    "ArrayStore",
    "BitStore",
    "Dataset",
    "Entry",
    "Factors",
    "Fingerprint",
    "check_data",
    "delete_cached",
    "disk_used",
    "entry_for",
    "fingerprint_of",
    "load_dataset",
    "load_if_available",
    "load_prepared",
    "prepare",
]


def _absent_entry(name: str) -> Entry:
    """Return the stand-in for a data set whose plug-in is not loaded. Raises KeyError if no run uses the name."""
    about, origin = DATASETS_ABSENT[name]
    words = origin.needed_by(f"The data set {about.title}")

    def refuse(*_: object) -> NoReturn:
        raise DataError(words)

    return Entry(
        name=name,
        title=about.title,
        description=about.description,
        images=about.images,
        training_images=about.training_images,
        shape=tuple(about.shape),
        licence="",
        load=refuse,
        classes=about.classes,
        factors=about.factors,
        path_kind=about.path_kind,
        prepare=refuse,
        state=lambda: f"needs {origin.words}, which is not loaded",
        check=refuse,
        downloads=refuse,
    )


ENTRIES: Registry[Entry] = Registry({entry.name: entry for entry in OURS}, _absent_entry)


def entry_for(path: Path) -> Entry:
    """Return the data set that a folder or file holds: a known one, else the user's own pictures or arrays.

    Raises DataError if it does not exist.
    """
    _require_possible(path)
    for entry in ENTRIES.values():
        if entry.holds(path):
            return entry
    raise DataError(f"{path} does not exist.")


def check_data(name: str, path: Path | None = None) -> None:
    """Check, without reading images, whether a data set can be used on this machine now.

    `path` is the user's folder or file. Raises DataError if it is missing or does not hold the data set, if one is
    required and none is given, or if the data set must be downloaded first.
    """
    entry = ENTRIES[name]
    if path is not None and entry.path_kind:
        entry.check(path)
    elif entry.needs_path:
        raise DataError(f"{entry.title}: no {entry.path_kind} is chosen. Choose one on the Data page or in the form.")
    elif entry.downloads():
        raise DataError(
            f"{entry.title} is not on this machine yet. Download it on the Data page, or choose the folder that holds "
            "its files."
        )


def prepare(name: str, path: Path | None = None, size: int = 64) -> Job:
    """Make a data set ready to load: draw, download or read it where needed, with progress.

    `path` is the user's folder or file, `size` the side to which the user's own pictures are resized. Raises DataError
    if the name is unknown or preparing fails.
    """
    try:
        entry = ENTRIES[name]
    except KeyError:
        raise DataError(f"There is no data set {name!r}. Choose one of: {', '.join(ENTRIES)}.") from None
    _require_possible(path)
    if entry.prepare is None:
        yield Finished(message=f"{entry.title}: nothing to prepare")
    else:
        yield from entry.prepare(path, size)


def _require_possible(path: Path | None) -> None:
    """Raise DataError for a path that cannot exist, before any other system call with it."""
    try:
        if path is not None:
            path.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # reported by each data set, with what it needs
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{str(path)[:200]} cannot be a folder or file: {reason}. Choose another.") from None


def load_dataset(name: str, path: Path | None = None, size: int = 64, class_order: ClassOrder = "natural") -> Dataset:
    """Load a data set, preparing it first if needed. Raises DataError.

    Jobs call `prepare` themselves, to report progress. For a run of version 1.0.0, the classes of a folder of pictures
    are numbered in alphabetical order.
    """
    for _ in prepare(name, path, size):
        pass
    return load_prepared(name, path, size, class_order)


def load_prepared(name: str, path: Path | None = None, size: int = 64, class_order: ClassOrder = "natural") -> Dataset:
    """Load a prepared data set. Raises DataError, also if it is not prepared."""
    dataset = ENTRIES[name].load(path, size)
    if path is not None and name == "images" and class_order == "alphabetical":
        return own.numbered_alphabetically(dataset, path)
    return dataset


def load_if_available(
    name: str, path: Path | None = None, size: int = 64, class_order: ClassOrder = "natural"
) -> tuple[Dataset | None, str]:
    """Load a data set if it is available, else return None and a sentence that says why. Draws or downloads nothing."""
    entry = ENTRIES[name]
    if path is None and entry.state() != "ready":
        return None, f"{entry.title}: {entry.state()}."
    try:
        return load_dataset(name, path, size, class_order), ""
    except DataError as error:
        return None, str(error)


def disk_used(name: str) -> int:
    """Return the bytes that a data set takes in the cache."""
    return size_on_disk(ENTRIES[name].cached())


def delete_cached(name: str) -> None:
    """Remove a data set's files from the cache; the user's own files are never touched. Raises DataError."""
    import shutil

    for path in ENTRIES[name].cached():
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        except OSError as error:
            raise DataError(f"{path} cannot be removed: {error.strerror or error}.") from None
