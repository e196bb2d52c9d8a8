"""Images in a file of any size, of which only those asked for are read."""

import os
import threading
import weakref
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import Images, Indices
from engine.data.pixel_file import open_header
from engine.errors import DataError

ROW = tuple[int, int, int]


class FileStore:
    """The images of an .npy file, uint8 (n, height, width, channels), read by position.

    The file is read, not memory-mapped: each page of a mapping that was touched counts as memory of the process, which
    after an epoch would be all of it. Reads may come from several threads, and from forked processes.

    Raises OSError or ValueError for a file that does not hold images.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        (self._count, *row), self._start = open_header(path)
        self.image_shape: ROW = (row[0], row[1], row[2])
        self._bytes = int(np.prod(row))
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._lock = threading.Lock()
        self.close = weakref.finalize(self, os.close, self._file)
        """Closes the file; also called when the store is no longer used."""

    def __len__(self) -> int:
        return self._count

    def __call__(self, indices: Indices) -> Images:
        """Return the images at these positions; neighbours are read together. Raises DataError."""
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < self._count:
            raise IndexError(f"there are {self._count} images")
        found = np.empty((len(indices), self._bytes), np.uint8)
        starts = np.flatnonzero(np.diff(indices, prepend=-2) != 1)
        for start, stop in zip(starts, np.append(starts, len(indices))[1:], strict=True):
            self._read(found[start:stop], self._start + int(indices[start]) * self._bytes)
        return found.reshape(-1, *self.image_shape)

    def _read(self, rows: NDArray[np.uint8], place: int) -> None:
        """Fill rows from a place in the file."""
        flat = rows.reshape(-1)
        done = 0
        while done < len(flat):
            try:
                part = self._bytes_at(place + done, len(flat) - done)
            except OSError as error:
                raise DataError(f"{self.path} cannot be read: {error.strerror or error}.") from None
            if not part:
                raise DataError(f"{self.path} has become shorter while it was in use. Prepare its data again.")
            flat[done : done + len(part)] = np.frombuffer(part, np.uint8)
            done += len(part)

    def _bytes_at(self, place: int, count: int) -> bytes:
        if os.name != "nt":
            return os.pread(self._file, count, place)  # shares no position with other threads and processes
        with self._lock:
            os.lseek(self._file, place, os.SEEK_SET)
            return os.read(self._file, count)
