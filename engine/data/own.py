"""The user's own images: a folder of pictures, or an .npz file with arrays; prepared once into the cache.

A picture is rotated upright (EXIF), composited onto black if transparent, cut to its central square and resized with
Pillow's Lanczos filter. If any picture is in colour, all are stored as RGB, else as grey. picture_folder.py derives
classes and splits from folders.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from engine.data.arrays import copy_images, read_factors, read_images_header, read_labels
from engine.data.cache import key_of, require_space, split_90_10, stamp
from engine.data.dataset import Dataset
from engine.data.grey_levels import GreyLevels
from engine.data.input_pictures import LARGEST_PICTURE, on_black, open_picture, values_without_depth
from engine.data.npz import open_npz
from engine.data.picture_folder import Listing, arrange, list_pictures, some
from engine.data.pixel_file import keep_images, write_images
from engine.data.prepared import About, PreparedCopy, Writing, factors_of, finished
from engine.errors import DataError, NotPreparedError
from engine.jobs.events import Finished, Job, Progress
from engine.system.files import replacing
from engine.system.paths import readable
from engine.system.plain_text import one_line
from engine.system.reading import path_exists

COLOURFUL = 12
"""A picture is in colour if its channels differ by more than this anywhere (JPEG's greys are not quite grey)."""

DEPTH_UNKNOWN = (".tif", ".tiff", ".pfm")
"""Extensions of pictures that may lack a defined white: all are measured before the first is converted."""

VERSION = 4
"""To be raised when pictures are prepared differently, or the files of the copy hold something else."""


def prepare(path: Path | None, size: int) -> Job:
    """Prepare a folder of pictures, resized to `size` x `size`, or an .npz file, with progress. Raises DataError."""
    path = _require(path)
    copy, listing = _copy_of(path, size)
    if not copy.ready:
        if listing is not None:
            yield from _prepare_folder(path, listing, size, copy)
        else:
            yield from _prepare_arrays(path, copy)
    yield Finished(message=f"{readable(path.name)} is ready")


def load(path: Path | None, size: int) -> Dataset:
    """Open the prepared copy. Raises DataError if there is none or the original has changed since."""
    path = _require(path)
    copy, listing = _copy_of(path, size)
    if not copy.ready:
        raise NotPreparedError(f"{path} changed while it was opened. Try again.")
    contents = copy.open(path)
    place = one_line(readable(path))
    return Dataset(
        name="images" if listing else "arrays",
        title=one_line(readable(path.name if listing else path.stem)),
        store=contents.store,
        image_shape=contents.store.image_shape,
        splits=contents.splits or split_90_10(len(contents.store)),
        source=f"pictures in {place}, cut to squares and resized" if listing else f"arrays in {place}",
        labels=contents.labels if len(contents.labels) else None,
        label_names=tuple(contents.label_names),
        factors=factors_of(contents.factors, tuple(contents.factor_names)) if contents.factors.size else None,
        notes=(*(listing.notes if listing else ()), *contents.notes),
        pixel_digest=contents.pixel_digest,
    )


def numbered_alphabetically(dataset: Dataset, folder: Path) -> Dataset:
    """Return a folder's pictures with classes numbered as in version 1.0.0, for a run that it trained.

    Raises DataError if version 1.0.0 found other classes than are found now.
    """
    if dataset.labels is None:
        return dataset
    endings = (".png", ".jpg", ".jpeg", ".webp")
    files = (file.relative_to(folder) for file in folder.rglob("*") if file.suffix.lower() in endings)
    former = sorted({readable(file.parts[0]) for file in files if len(file.parts) > 1})
    if set(former) != set(dataset.label_names):
        raise DataError(
            f"The run was trained by version 1.0.0, which took {some(former)} for the classes in {folder}; now they "
            f"are {some(dataset.label_names)}. Its labels cannot be matched to these: train it again."
        )
    numbers = np.array([former.index(name) for name in dataset.label_names])
    return replace(dataset, labels=numbers[dataset.labels], label_names=tuple(former))


def check(path: Path) -> None:
    """Raise DataError unless a path is a folder with pictures or a file with an array of images."""
    path = _require(path)
    if path.is_file():
        with open_npz(path) as file:
            read_images_header(file)
        return
    listing = _listed(path)
    if not listing.pictures:
        raise _no_pictures(path, listing)


def _listed(folder: Path) -> Listing:
    try:
        return list_pictures(folder)
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}.") from None


def _no_pictures(folder: Path, listing: Listing) -> DataError:
    return DataError(" ".join([f"{folder} and its subfolders hold no pictures.", *listing.notes]))


def _require(path: Path | None) -> Path:
    if path is None:
        raise DataError("Choose a folder of pictures or an .npz file first (--data on the command line).")
    if not path_exists(path):
        raise DataError(f"{path} does not exist. Choose a folder of pictures or an .npz file.")
    return path


def _copy_of(path: Path, size: int) -> tuple[PreparedCopy, Listing | None]:
    """The prepared copy's files and, if `path` is a folder, its pictures."""
    try:
        listing = list_pictures(path) if path.is_dir() else None
        if listing is not None:
            parts: list[object] = [size, *((str(file), *stamp(file)) for file in listing.pictures)]
        else:
            parts = [stamp(path)]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    key = key_of([VERSION, str(path.absolute()), *parts])
    return PreparedCopy.named(f"own-{'arrays' if listing is None else 'images'}-{key}"), listing


# Folders of pictures


def _prepare_folder(folder: Path, listing: Listing, size: int, copy: PreparedCopy) -> Writing:
    files = listing.pictures
    if not files:
        raise _no_pictures(folder, listing)
    title = readable(folder.name)
    require_space(copy.pixels.parent, len(files) * size * size * 3, f"Preparing {title}")
    readable_ones: list[int] = []
    colourful: list[bool] = []
    levels = GreyLevels()

    def pictures() -> Iterator[NDArray[np.uint8]]:
        """Each picture, as one of a batch; a black one, later dropped, in place of one that cannot be read."""
        for number, file in enumerate(files):
            picture = _picture(file, size, levels)
            if picture is not None:
                readable_ones.append(number)
                colourful.append(int(np.ptp(picture.astype(np.int16), axis=2).max()) > COLOURFUL)
            yield np.zeros((1, size, size, 3), np.uint8) if picture is None else picture[None]

    try:
        yield from _measure([file for file in files if file.suffix.lower() in DEPTH_UNKNOWN], title, levels)
        with replacing(copy.pixels) as temporary:
            for done in write_images(temporary, (len(files), size, size, 3), pictures()):
                yield Progress(done, len(files), f"Reading {title}", "pictures")
            if not readable_ones:
                raise DataError(f"None of the {len(files):,} pictures in {folder} can be read.")
            arranged = arrange(folder, [files[number] for number in readable_ones])
            in_colour = any(colourful[i] for i in arranged.kept)
            if not in_colour or len(arranged.kept) < len(files):
                kept = [readable_ones[i] for i in arranged.kept]
                for done in keep_images(temporary, kept, in_colour=in_colour):
                    yield Progress(done, len(kept), f"Arranging {title}", "pictures")
            notes, digest = yield from finished(temporary, title)
    except OSError as error:
        raise DataError(f"{folder} cannot be prepared: {error.strerror or error}.") from None
    known = [*arranged.notes, *levels.notes()]
    if len(readable_ones) < len(files):
        skipped = [readable(files[number].relative_to(folder).as_posix())
                   for number in sorted({*range(len(files))} - {*readable_ones})]  # fmt: skip
        known.append(
            f"{len(skipped):,} of {len(files):,} pictures could not be read and are left out: {some(skipped)}."
        )
    copy.finish(About(arranged.labels, arranged.label_names, splits=arranged.splits, notes=known), notes, digest)


def _measure(files: Sequence[Path], title: str, levels: GreyLevels) -> Writing:
    """Find the range of values in pictures without a defined white."""
    for number, file in enumerate(files, 1):
        with suppress(DataError, MemoryError):  # counted when it is read
            values = values_without_depth(file, LARGEST_PICTURE)
            if values is not None:
                levels.measure(values)
        yield Progress(number, len(files), f"Measuring {title}", "pictures")


def _picture(file: Path, size: int, levels: GreyLevels) -> NDArray[np.uint8] | None:
    """A picture as uint8 (size, size, 3); None if it cannot be read."""
    try:
        image = on_black(open_picture(file, LARGEST_PICTURE, levels))
        return np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS))
    except (DataError, MemoryError):
        return None


# Arrays


def _prepare_arrays(path: Path, copy: PreparedCopy) -> Writing:
    with open_npz(path) as file:
        header, shape = read_images_header(file)
        labels, names = read_labels(file, shape[0])
        factors, factor_names = read_factors(file, shape[0])
        beside = header.bytes if header.fortran else 0
        require_space(copy.pixels.parent, int(np.prod(shape, dtype=np.int64)) + beside, f"Preparing {path.name}")
        images = copy_images(file, header, copy.pixels.with_suffix(".fortran"))
        about = About(labels, names, np.empty(0, np.int64) if factors is None else factors, factor_names)
        try:
            yield from copy.write(readable(path.name), shape, images, about)
        except OSError as error:
            raise DataError(f"{path} cannot be prepared: {error.strerror or error}.") from None
