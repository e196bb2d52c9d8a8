"""Cars3D: 183 models of cars from 24 azimuths and 4 elevations (S. Reed et al., NIPS 2015), resized to 64 x 64.

The originals are MATLAB 5 files in nips2015-analogy-data.tar.gz: for each car, `im`, uint8 (128, 128, 3, 24, 4). Cars
are numbered by the archive's list.txt.
"""

import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import Factors
from engine.data.download import Remote
from engine.data.originals import SIDE, Described, Original, Reading, ReadingJob, grid, reading, resized
from engine.errors import DataError
from engine.system.reading import open_regular

FILE = "nips2015-analogy-data.tar.gz"
LIST = "list.txt"
TYPES, AZIMUTHS, ELEVATIONS = 183, 24, 4
NAMES = ("elevation", "azimuth", "object type")
LARGEST = 2**26
"""Largest size of a car's file in bytes; one has 4.7 MB when unpacked."""

REMOTES = {
    FILE: Remote(("http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",), "4e866a7919c1beedf53964e6f7a23686")
}
"""Address and md5 as in disent's loader."""


def factors(types: int = TYPES) -> Factors:
    """Return the three factors, in the order of disentanglement_lib and disent; azimuth in degrees."""
    return grid(NAMES, [np.arange(ELEVATIONS), np.arange(AZIMUTHS) * 360 / AZIMUTHS, np.arange(types)])


def cars3d(types: int = TYPES) -> Original:
    """Return the data set, with this number of cars."""

    def find(path: Path) -> tuple[Path, ...]:
        if path.is_file() and path.name.lower().endswith((".tar.gz", ".tgz")):
            return (path,)
        if path.is_dir():
            places = [path / FILE, *(path / part / LIST for part in ("", "cars", "data/cars"))]
            for place in places:
                if place.is_file() and (place.name == FILE or any(place.parent.glob("car_*_mesh.mat"))):
                    return (place,)
        raise DataError(f"{path} does not hold Cars3D: choose {FILE}, or the folder with {LIST} and car_*_mesh.mat.")

    def read(files: tuple[Path, ...]) -> ReadingJob:
        cars: dict[str, NDArray[np.uint8]] = {}
        order: list[str] | None = None
        yield reading("Cars3D", 0, types, "cars")
        for name, content in _members(files[0]):
            if name == LIST:
                order = content.decode(errors="replace").split()
            else:
                cars[name.removesuffix(".mat")] = _views(name, content)
                yield reading("Cars3D", min(len(cars), types), types, "cars")
        if order is None:
            raise DataError(f"{files[0]} has no {LIST}, which gives the order of the cars.")
        order = [name.removesuffix(".mat") for name in order]
        missing = [name for name in order if name not in cars]
        if missing or len(order) != types or len(set(order)) != types:
            lacking = f"; {len(missing)} of them are missing, e.g. {missing[0][:40]}" if missing else ""
            raise DataError(f"{files[0]} is not Cars3D: its {LIST} names {len(order)} cars, not {types}{lacking}.")

        def images() -> Iterator[NDArray[np.uint8]]:
            for elevation in range(ELEVATIONS):
                for azimuth in range(AZIMUTHS):
                    yield np.stack([cars[name][elevation, azimuth] for name in order])

        return Reading((ELEVATIONS * AZIMUTHS * types, SIDE, SIDE, 3), images())

    known = factors(types)
    return Original(
        "cars3d", "Cars3D", "cars3d", find, read,
        named=lambda path: path.name == FILE or (path / FILE).is_file(),
        describe=lambda contents: Described(known),
        remotes=REMOTES,
    )  # fmt: skip


def _views(name: str, content: bytes) -> NDArray[np.uint8]:
    """A car from all sides, resized, (elevations, azimuths, 64, 64, 3)."""
    from scipy.io import loadmat

    try:
        images = loadmat(BytesIO(content), variable_names=["im"])["im"]
    except Exception as error:  # a damaged file makes scipy raise almost anything
        raise DataError(f"{name} is damaged: it is not a MATLAB 5 file with an array 'im' ({error}).") from None
    if images.ndim != 5 or images.shape[2:] != (3, AZIMUTHS, ELEVATIONS) or images.dtype != np.uint8:
        raise DataError(f"{name} is damaged: its array 'im' is {images.shape} {images.dtype}.")
    views = images.transpose(4, 3, 0, 1, 2).reshape(-1, *images.shape[:3])
    return np.stack([resized(view) for view in views]).reshape(ELEVATIONS, AZIMUTHS, SIDE, SIDE, 3)


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of list.txt and the cars' files, in the archive or beside list.txt."""
    with _explained(path):
        if path.name == LIST:
            for file in [path, *sorted(path.parent.glob("car_*_mesh.mat"))]:
                with open_regular(file) as opened:
                    yield file.name, _limited(file.name, opened.read(LARGEST + 1))
            return
        with open_regular(path) as opened, tarfile.open(fileobj=opened, mode="r|gz") as archive:
            for member in archive:
                place = PurePosixPath(member.name)
                wanted = place.parent.name == "cars" and (place.name == LIST or place.match("car_*_mesh.mat"))
                if wanted and member.isfile():
                    content = archive.extractfile(member)
                    assert content is not None
                    yield place.name, _limited(place.name, content.read(LARGEST + 1))


def _limited(name: str, content: bytes) -> bytes:
    if len(content) > LARGEST:
        raise DataError(f"{name} has more than {LARGEST:,} bytes, which no file of Cars3D has.")
    return content


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, zlib.error, EOFError) as error:
        raise DataError(f"{path} is damaged and cannot be unpacked ({error}). Download it again.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
