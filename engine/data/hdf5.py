"""Reading arrays from untrusted HDF5 files: in blocks of complete chunks, and from this file alone.

The interface is that of `NpzFile`: a file of dSprites is read alike in either format.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.npz import LARGEST, ArrayHeader
from engine.errors import DataError

ENDINGS = (".h5", ".hdf5")
LARGEST_BLOCK = 2**30
"""Largest number of bytes that must be unpacked at once, because a chunk of the file holds as many."""


class Hdf5File:
    """An open HDF5 file, as in `with open_hdf5(path) as file`.

    `names` are those of its data sets; that of a data set in a group is joined to the group's: latents_values.
    """

    def __init__(self, path: Path, file: Any) -> None:
        import h5py  # imported late: it would slow down every start

        self.path = path
        self._sets: dict[str, Any] = {}

        def note(name: str, found: Any) -> None:
            if isinstance(found, h5py.Dataset):
                self._sets[name.replace("/", "_")] = found

        with _explained(path):
            file.visititems(note)  # visits no links, which may lead to other files
        self.names = tuple(self._sets)

    def header(self, name: str) -> ArrayHeader:
        """Return the shape and type of an array. Raises DataError for anything but numbers, and unbounded sizes."""
        found = self._set(name)
        with _explained(self.path):
            if found.is_virtual or found.external:
                raise DataError(f"{name!r} in {self.path.name} refers to other files; only the file itself is read.")
            shape, dtype = found.shape, found.dtype
        if shape is None or dtype.kind not in "buif":
            raise DataError(f"{name!r} in {self.path.name} is not an array of numbers.")
        header = ArrayHeader(tuple(shape), dtype)
        if header.bytes > LARGEST:
            raise DataError(
                f"{name!r} in {self.path.name} announces {header.bytes:,} bytes; at most {LARGEST:,} are read."
            )
        return header

    def read(self, name: str) -> NDArray[np.generic]:
        """Read an array. Raises DataError."""
        header = self.header(name)
        rows = [*self.rows(name, 2**22)]
        return np.concatenate(rows) if rows else np.empty(header.shape, header.dtype)

    def chunks(self, name: str, size: int) -> Iterator[bytes]:
        """Yield the bytes of an array, about `size` at a time. Raises DataError."""
        for rows in self.rows(name, size):
            yield rows.tobytes()

    def rows(self, name: str, size: int) -> Iterator[NDArray[Any]]:
        """Yield the rows of an array, about `size` bytes at a time, but no chunk of the file twice. Raises DataError.

        A chunk may span many rows, all of which are unpacked to read one of them.
        """
        header, found = self.header(name), self._set(name)
        count = header.shape[0] if header.shape else 0
        row = max(1, header.bytes // max(1, count))
        with _explained(self.path):
            chunk = min(found.chunks[0] if found.chunks else 1, max(1, count))
        step = max(1, size // row // chunk) * chunk
        if step * row > max(LARGEST_BLOCK, size):
            raise DataError(
                f"{self.path.name} is stored in pieces of {step * row:,} bytes, which are too large to be read."
            )
        for start in range(0, count, step):
            with _explained(self.path):
                rows: NDArray[Any] = found[start : start + step]
            yield rows

    def _set(self, name: str) -> Any:
        if name not in self._sets:
            raise DataError(f"{self.path.name} has no array {name!r}; it has {', '.join(self.names) or 'none'}.")
        return self._sets[name]


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path.name} is damaged and cannot be read ({error}).") from None


@contextmanager
def open_hdf5(path: Path) -> Iterator[Hdf5File]:
    """Open an HDF5 file for reading. Raises DataError if it is not one."""
    import h5py

    if not path.is_file():
        raise DataError(f"{path} does not exist.")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path} is not an HDF5 file or is truncated ({error}).") from None
    with file:
        yield Hdf5File(path, file)
