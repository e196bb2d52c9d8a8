"""The user's own images: a folder of pictures, or an .npz file with arrays; prepared once into the cache.

A picture is rotated upright (EXIF), composited onto black if transparent, cut to its central square and resized with
Pillow's Lanczos filter. If any picture is in colour, all are stored as RGB, else as grey. picture_folder.py derives
classes and splits from folders.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from engine.data.arrays import copy_images, read_factors, read_images_header, read_labels
from engine.data.cache import key_of, prepared_folder, require_space, split_90_10, stamp
from engine.data.dataset import ArrayStore, Dataset, Factors
from engine.data.fingerprint import file_digest
from engine.data.grey_levels import GreyLevels
from engine.data.input_pictures import LARGEST_PICTURE, on_black, open_picture, values_without_depth
from engine.data.npz import open_npz
from engine.data.picture_folder import Listing, arrange, list_pictures, some
from engine.data.pixel_file import finish_images, write_images
from engine.errors import DataError
from engine.jobs.events import Event, Finished, Job, Progress, Request
from engine.system.files import replacing, scratch
from engine.system.paths import readable
from engine.system.plain_text import one_line
from engine.system.reading import path_exists

COLOURFUL = 12
"""A picture is in colour if its channels differ by more than this anywhere (JPEG's greys are not quite grey)."""

DEPTH_UNKNOWN = (".tif", ".tiff", ".pfm")
"""Extensions of pictures that may lack a defined white: all are measured before the first is converted."""

VERSION = 3
"""To be raised when pictures are prepared differently."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The two files of a prepared copy; the second is written last."""

    pixels: Path
    about: Path

    @property
    def ready(self) -> bool:
        """Whether the copy is complete."""
        return self.pixels.is_file() and self.about.is_file()


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
        raise DataError(f"{path} changed while it was opened. Try again.")
    try:
        pixels = np.load(copy.pixels, mmap_mode="r", allow_pickle=False)
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or not pixels.size:
            raise DataError(f"{copy.pixels.name} holds no images.")
        with open_npz(copy.about) as about:
            labels, table, split = (about.read(name).astype(np.int64) for name in ("labels", "factors", "split"))
            names, factor_names, split_names, notes = (
                tuple(one_line(str(word)) for word in about.read(name))
                for name in ("label_names", "factor_names", "split_names", "notes")
            )
            pixel_digest = str(about.read("pixel_digest"))
        for numbers, known in ((labels, names), (split, split_names)):
            if len(numbers) not in (0, len(pixels)) or not set(np.unique(numbers)) <= set(range(len(known))):
                raise DataError(f"{copy.about.name} does not fit the images.")
        if table.size and table.shape != (len(pixels), len(factor_names)):
            raise DataError(f"{copy.about.name} does not fit the images.")
    except (OSError, EOFError, ValueError, DataError):
        copy.about.unlink(missing_ok=True)
        raise DataError(f"The prepared copy of {path} was damaged and has been removed. Try again.") from None
    place = one_line(readable(path))
    return Dataset(
        name="images" if listing else "arrays",
        title=one_line(readable(path.name if listing else path.stem)),
        store=ArrayStore(pixels),
        image_shape=(int(pixels.shape[1]), int(pixels.shape[2]), int(pixels.shape[3])),
        splits={name: np.flatnonzero(split == i) for i, name in enumerate(split_names)} or split_90_10(len(pixels)),
        source=f"pictures in {place}, cut to squares and resized" if listing else f"arrays in {place}",
        labels=labels if len(labels) else None,
        label_names=names,
        factors=_factors(table, factor_names) if table.size else None,
        notes=(*(listing.notes if listing else ()), *notes),
        pixel_digest=pixel_digest,
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


def _copy_of(path: Path, size: int) -> tuple[Prepared, Listing | None]:
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
    folder = prepared_folder()
    name = f"own-{'arrays' if listing is None else 'images'}-{key}"
    return Prepared(folder / f"{name}.npy", folder / f"{name}.npz"), listing


# Folders of pictures


def _prepare_folder(
    folder: Path, listing: Listing, size: int, copy: Prepared
) -> Generator[Event, Request | None, None]:
    files = listing.pictures
    if not files:
        raise _no_pictures(folder, listing)
    title = readable(folder.name)
    require_space(copy.pixels.parent, len(files) * size * size * 3, f"Preparing {title}")
    good: list[Path] = []
    skipped: list[str] = []
    colourful: list[bool] = []
    levels = GreyLevels()
    try:
        yield from _measure([file for file in files if file.suffix.lower() in DEPTH_UNKNOWN], title, levels)
        with scratch(copy.pixels.with_suffix(".rgb")) as temporary:
            with temporary.open("wb") as out:
                for number, file in enumerate(files, 1):
                    picture = _picture(file, size, levels)
                    if picture is None:
                        skipped.append(readable(file.relative_to(folder).as_posix()))
                    else:
                        colourful.append(int(np.ptp(picture.astype(np.int16), axis=2).max()) > COLOURFUL)
                        out.write(picture.data)
                        good.append(file)
                    yield Progress(number, len(files), f"Reading {title}", "pictures")
            if not good:
                raise DataError(f"None of the {len(files):,} pictures in {folder} can be read.")
            arranged = arrange(folder, good)
            raw = np.memmap(temporary, np.uint8, "r", shape=(len(good), size, size, 3))
            in_colour = any(colourful[i] for i in arranged.kept)
            notes = _write_pixels(copy.pixels, raw, arranged.kept, in_colour)
            del raw
    except OSError as error:
        raise DataError(f"{folder} cannot be prepared: {error.strerror or error}.") from None
    if skipped:
        read = f"{len(skipped):,} of {len(files):,} pictures could not be read and are left out: {some(skipped)}."
        notes = [read, *notes]
    notes = [*arranged.notes, *levels.notes(), *notes]
    _write_about(copy, arranged.labels, arranged.label_names, notes, splits=arranged.splits)


def _measure(files: Sequence[Path], title: str, levels: GreyLevels) -> Generator[Event, Request | None, None]:
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


def _write_pixels(path: Path, raw: NDArray[np.uint8], kept: Sequence[int], in_colour: bool) -> list[str]:
    """Write pictures to an .npy file, grey ones with one channel, and return notes on their brightness."""
    channels = 3 if in_colour else 1
    chosen = np.asarray(kept)

    def parts() -> Iterator[NDArray[np.uint8]]:
        for start in range(0, len(chosen), 256):
            part = raw[chosen[start : start + 256]]
            yield part if in_colour else part.mean(axis=3, keepdims=True).round().astype(np.uint8)

    with replacing(path) as temporary:
        for _ in write_images(temporary, (len(chosen), *raw.shape[1:3], channels), parts()):
            pass
        return finish_images(temporary)


# Arrays


def _prepare_arrays(path: Path, copy: Prepared) -> Generator[Event, Request | None, None]:
    with open_npz(path) as file:
        header, shape = read_images_header(file)
        labels, names = read_labels(file, shape[0])
        factors, factor_names = read_factors(file, shape[0])
        require_space(copy.pixels.parent, int(np.prod(shape, dtype=np.int64)), f"Preparing {path.name}")
        try:
            with replacing(copy.pixels) as temporary:
                images = copy_images(file, header, copy.pixels.with_suffix(".fortran"))
                for done in write_images(temporary, shape, images):
                    yield Progress(done, shape[0], f"Reading {readable(path.name)}", "images")
                notes = finish_images(temporary)
        except OSError as error:
            raise DataError(f"{path} cannot be prepared: {error.strerror or error}.") from None
    _write_about(copy, labels, names, notes, factors, factor_names)


def _factors(table: NDArray[np.int64], names: tuple[str, ...]) -> Factors:
    """Factors from a table of values, (n, factors); the classes are the sorted values that occur."""
    values, classes = [], []
    for column in table.T:
        found, where = np.unique(column, return_inverse=True)
        values.append(found.astype(np.float64))
        classes.append(where)
    return Factors(names=names, values=tuple(values), table=np.stack(classes, axis=1).astype(np.int64))


def _write_about(
    copy: Prepared,
    labels: NDArray[np.int64],
    label_names: Sequence[str],
    notes: Sequence[str],
    factors: NDArray[np.int64] | None = None,
    factor_names: Sequence[str] = (),
    splits: Mapping[str, NDArray[np.int64]] | None = None,
) -> None:
    """Write labels, factors, splits and notes; without `splits`, the images are split when loaded."""
    count = sum(map(len, splits.values())) if splits else 0
    split = np.zeros(count, np.uint8)
    for number, where in enumerate((splits or {}).values()):
        split[where] = number
    try:
        with replacing(copy.about) as temporary, temporary.open("wb") as out:
            np.savez(
                out,
                labels=labels,
                label_names=np.array(label_names, dtype=np.str_),
                factors=np.empty((0, 0), np.int64) if factors is None else factors,
                factor_names=np.array(factor_names, dtype=np.str_),
                split=split,
                split_names=np.array(list(splits or ()), dtype=np.str_),
                notes=np.array(notes, dtype=np.str_),
                pixel_digest=np.array(file_digest(copy.pixels)),
            )
    except OSError as error:
        raise DataError(f"{copy.about} cannot be written: {error.strerror or error}.") from None
