"""CelebA: 202,599 faces with 40 attributes (Z. Liu, P. Luo, X. Wang, X. Tang, ICCV 2015), cropped and 64 x 64.

The aligned images, 178 x 218 pixels, come as a folder img_align_celeba or its zip file; the attributes and the split
from list_attr_celeba.txt and list_eval_partition.txt beside them. The central square of 148 pixels is used, as is
usual. Each attribute is a factor of two values; they are not independent, and few of their combinations occur.
"""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.data.dataset import Factors
from engine.data.originals import SIDE, Described, Original, Reading, ReadingJob, reading
from engine.data.prepared import About, Contents
from engine.errors import DataError
from engine.system.reading import open_regular

IMAGES = "img_align_celeba"
ATTRIBUTES = "list_attr_celeba.txt"
PARTITION = "list_eval_partition.txt"
SPLITS = ("train", "validation", "test")
WIDTH, HEIGHT, CROP = 178, 218, 148
LARGEST_TEXT = 2**26
LARGEST_PICTURE = 2**22
BATCH = 64
BY_HAND = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"


def celeba() -> Original:
    """Return the data set."""
    return Original(
        "celeba", "CelebA", "celeba", _find, _read,
        named=lambda path: path.name == f"{IMAGES}.zip" or (path / ATTRIBUTES).is_file(),
        describe=_describe,
        by_hand=BY_HAND,
    )  # fmt: skip


def _find(path: Path) -> tuple[Path, ...]:
    """The attributes, the split, and the folder or zip file of images."""
    places = [path, path / IMAGES, path / f"{IMAGES}.zip"]
    images = next((place for place in places if _holds_images(place)), None)
    if images is None:
        raise DataError(f"{path} does not hold CelebA: choose the folder with {IMAGES} or {IMAGES}.zip.")
    lists = []
    for name in (ATTRIBUTES, PARTITION):
        around = (path, images.parent, images.parent.parent)
        file = next((place / name for place in around if (place / name).is_file()), None)
        if file is None:
            raise DataError(f"CelebA's {name} is missing: put it beside {images}.")
        lists.append(file)
    return (*lists, images)


def _holds_images(path: Path) -> bool:
    if path.is_dir():
        return (path / "000001.jpg").is_file() or (path / IMAGES / "000001.jpg").is_file()
    return path.suffix.lower() == ".zip" and path.is_file()


def _read(files: tuple[Path, ...]) -> ReadingJob:
    attributes, partition, images = files
    yield reading("CelebA's attributes", 0, 1, "files")
    attribute_names, names, table = _attributes(attributes)
    splits = _splits(partition, names)

    def batches() -> Iterator[NDArray[np.uint8]]:
        with ExitStack() as stack:
            content_of = _opened(images, stack)
            for start in range(0, len(names), BATCH):
                yield np.stack([_face(name, content_of) for name in names[start : start + BATCH]])

    about = About(factors=table, factor_names=attribute_names, splits=splits)
    return Reading((len(names), SIDE, SIDE, 3), batches(), about)


def _describe(contents: Contents) -> Described:
    names = tuple(contents.factor_names)
    values = tuple(np.array([0.0, 1.0]) for _ in names)
    factors = Factors(names, values, dict.fromkeys(names, ("no", "yes")), contents.factors)
    return Described(factors, splits=dict(contents.splits))


def _lines(path: Path) -> list[str]:
    try:
        with open_regular(path) as file:
            content = file.read(LARGEST_TEXT + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    if len(content) > LARGEST_TEXT:
        raise DataError(f"{path} has more than {LARGEST_TEXT:,} bytes, which no list of CelebA has.")
    return content.decode(errors="replace").splitlines()


def _attributes(path: Path) -> tuple[tuple[str, ...], list[str], NDArray[np.int64]]:
    """Names of the attributes and of the images, and the attributes of each, 0 or 1, (n, attributes)."""
    lines = _lines(path)
    try:
        count, names = int(lines[0]), tuple(lines[1].split())
        rows = [line.split() for line in lines[2:] if line.strip()]
        table = np.array([row[1:] for row in rows], np.int64)
        if len(rows) != count or table.shape != (count, len(names)) or not np.isin(table, (-1, 1)).all():
            raise ValueError("its numbers do not agree")
    except (ValueError, IndexError) as error:
        raise DataError(f"{path} is damaged or not CelebA's list of attributes ({error}).") from None
    return names, [row[0] for row in rows], (table > 0).astype(np.int64)


def _splits(path: Path, names: list[str]) -> dict[str, NDArray[np.int64]]:
    parts = dict(line.split()[:2] for line in _lines(path) if len(line.split()) > 1)
    numbers = np.array([parts.get(name, "") for name in names])
    if not np.isin(numbers, [str(number) for number in range(len(SPLITS))]).all():
        raise DataError(f"{path} is damaged: it does not put each image of {ATTRIBUTES} into part 0, 1 or 2.")
    found = {name: np.flatnonzero(numbers == str(number)) for number, name in enumerate(SPLITS)}
    return {name: where for name, where in found.items() if len(where)}


def _opened(images: Path, stack: ExitStack) -> Callable[[str], bytes]:
    """A function that returns the content of an image, from a folder or a zip file."""
    if images.is_dir():
        folder = images if (images / "000001.jpg").is_file() else images / IMAGES

        def from_folder(name: str) -> bytes:
            with open_regular(folder / Path(name).name) as file:
                return file.read(LARGEST_PICTURE)

        return from_folder
    try:
        archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(open_regular(images))))
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise DataError(f"{images} is damaged or not a zip file ({error}).") from None
    members = {Path(member.filename).name: member for member in archive.infolist() if not member.is_dir()}

    def from_archive(name: str) -> bytes:
        with archive.open(members[name]) as file:
            return file.read(LARGEST_PICTURE)

    return from_archive


def _face(name: str, content_of: Callable[[str], bytes]) -> NDArray[np.uint8]:
    """The central square of a face, (64, 64, 3). Raises DataError."""
    try:
        with Image.open(BytesIO(content_of(name)), formats=["JPEG", "PNG"]) as picture:
            if picture.size != (WIDTH, HEIGHT):
                raise DataError(
                    f"{name} has {picture.width} x {picture.height} pixels, not CelebA's {WIDTH} x {HEIGHT}."
                )
            left, top = (WIDTH - CROP) // 2, (HEIGHT - CROP) // 2
            square = picture.convert("RGB").crop((left, top, left + CROP, top + CROP))
            return np.asarray(square.resize((SIDE, SIDE), Image.Resampling.LANCZOS), np.uint8)
    except DataError:
        raise
    except KeyError:
        raise DataError(f"CelebA's image {name} is missing.") from None
    except Exception as error:  # a damaged file makes Pillow and zipfile raise almost anything
        raise DataError(f"CelebA's image {name} cannot be read: it is missing or damaged ({error}).") from None
