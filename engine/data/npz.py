"""Reading arrays from untrusted .npz files: bounded, streamed, and without executing anything."""

import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from engine.errors import DataError
from engine.system.reading import open_regular

LARGEST = 2**34
"""Largest size of an array in bytes, whatever the file's size."""


@dataclass(frozen=True, slots=True)
class ArrayHeader:
    """Shape, type and memory order of an array in the file."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    fortran: bool = False
    """Whether the first index changes fastest in the file, instead of the last."""

    @property
    def bytes(self) -> int:
        """Size of the array when unpacked."""
        size = self.dtype.itemsize
        for length in self.shape:
            size *= length
        return size


class NpzFile:
    """An open .npz file, as in `with open_npz(path) as file`."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self._archive = archive
        self.names = tuple(name[:-4] for name in archive.namelist() if name.endswith(".npy"))

    def header(self, name: str) -> ArrayHeader:
        """Read the shape and type of an array. Raises DataError for object arrays and unbounded sizes."""
        with self._open(name) as stream:
            return self._header(name, stream)

    def read(self, name: str) -> NDArray[np.generic]:
        """Read an array. Raises DataError."""
        header = self.header(name)
        data = b"".join(self.chunks(name, 2**22))
        return np.frombuffer(data, header.dtype).reshape(header.shape, order="F" if header.fortran else "C")

    def chunks(self, name: str, size: int) -> Iterator[bytes]:
        """Yield the bytes of an array in file order, at most `size` at a time.

        Raises DataError if there are fewer or more than its header says.
        """
        with self._open(name) as stream:
            header = self._header(name, stream)
            left = header.bytes
            while left:
                part = stream.read(min(size, left))
                if not part:
                    raise DataError(f"{self.path.name} is truncated: {name!r} ends {left:,} bytes too early.")
                left -= len(part)
                yield part
            if stream.read(1):
                raise DataError(f"{self.path.name} is damaged: {name!r} is longer than its header says.")

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        try:
            with self._archive.open(f"{name}.npy") as stream:
                yield stream
        except KeyError:
            raise DataError(
                f"{self.path.name} has no array {name!r}; it has {', '.join(self.names) or 'none'}."
            ) from None
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error) as error:
            raise DataError(f"{self.path.name} is damaged: {name!r} cannot be unpacked ({error}).") from None
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror or error}.") from None

    def _header(self, name: str, stream: IO[bytes]) -> ArrayHeader:
        try:
            version = npy.read_magic(stream)
            reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # a header that numpy only guesses at is damaged
                shape, fortran, dtype = reader(stream)
        except Exception as error:  # a damaged header makes numpy's parser raise almost anything
            raise DataError(f"{self.path.name} is damaged: {name!r} is not an array ({error}).") from None
        if dtype.hasobject:
            raise DataError(
                f"{name!r} in {self.path.name} is an array of Python objects, which could execute code; "
                "save it as numbers or strings."
            )
        header = ArrayHeader(shape, dtype, fortran and len(shape) > 1)
        if any(length < 0 for length in shape) or header.bytes > LARGEST:
            raise DataError(
                f"{name!r} in {self.path.name} announces {header.bytes:,} bytes; at most {LARGEST:,} are read."
            )
        return header


def _kind(path: Path) -> str:
    """Say what a file is that is not an .npz file, and what to do."""
    start = b""
    with suppress(OSError), path.open("rb") as file:
        start = file.read(8)
    if start == b"\x89HDF\r\n\x1a\n":
        return "is an HDF5 file; only those of published data sets are read. Save its arrays with numpy.savez."
    if start[:6] == b"\x93NUMPY":
        return "is a single array. Save it as 'images' in an .npz file: numpy.savez(FILE, images=...)."
    return "is not an .npz file or is truncated."


@contextmanager
def open_npz(path: Path) -> Iterator[NpzFile]:
    """Open an .npz file for reading. Raises DataError if it is not one."""
    with _regular(path) as file:
        try:
            archive = zipfile.ZipFile(file)
        except zipfile.BadZipFile:
            raise DataError(f"{path} {_kind(path)}") from None
        except (OSError, ValueError, struct.error, NotImplementedError) as error:
            raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
        with archive:
            yield NpzFile(path, archive)


def _regular(path: Path) -> IO[bytes]:
    try:
        return open_regular(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
