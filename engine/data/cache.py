"""The user's cache of prepared data sets: its folder, names, disk space; and the split of data without one."""

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from engine.errors import DataError
from engine.settings.folders import data_cache

SPARE = 2**26
"""Bytes to leave free on a disk."""


def key_of(parts: Iterable[object]) -> str:
    """Return a name for a prepared copy, which changes when anything it was made from does."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(part).encode())
    return digest.hexdigest()[:20]


def stamp(path: Path) -> tuple[int, int]:
    """Return the size and modification time (nanoseconds) of a file. Raises OSError."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def prepared_folder() -> Path:
    """Create and return the folder of prepared copies. Raises DataError."""
    folder = data_cache() / "prepared"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"The cache folder {folder} cannot be created: {error.strerror or error}.") from None
    return folder


def require_space(folder: Path, size: int, what: str) -> None:
    """Raise DataError if the disk of `folder` has no room for `size` bytes."""
    free = shutil.disk_usage(folder).free
    if free < size + SPARE:
        raise DataError(
            f"{what} needs {size / 1e6:,.0f} MB in {folder}, but only {free / 1e6:,.0f} MB are free. "
            "Make room there and try again."
        )


def split_90_10(count: int) -> dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Return positions of a seeded random 90 % for training and 10 % for testing, each in ascending order.

    One or two images are not split, to leave enough to train on.
    """
    if count < 3:
        return {"all": np.arange(count)}
    order = np.random.default_rng(0).permutation(count)
    tests = max(1, count // 10)
    return {"train": np.sort(order[tests:]), "test": np.sort(order[:tests])}


def size_on_disk(paths: Iterable[Path]) -> int:
    """Return the total size of these files and folders in bytes."""
    total = 0
    for path in paths:
        files = (Path(root) / name for root, _, names in os.walk(path) for name in names) if path.is_dir() else [path]
        for file in files:
            try:
                total += file.stat().st_size
            except OSError:
                continue
    return total
