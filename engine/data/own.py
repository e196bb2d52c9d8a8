"""The user's own images: a folder of pictures, or an .npz file with arrays; prepared once into the cache.

A picture is turned upright (EXIF), laid on black where it is transparent, cut to its central square and resized with
Pillow's Lanczos filter. If any is in colour all are kept as RGB, else as grey. Sub-folders become classes.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from engine.data.cache import key_of, prepared_folder, require_space, split_90_10, stamp
from engine.data.dataset import ArrayStore, Dataset, Factors
from engine.data.npz import NpzFile, open_npz
from engine.errors import DataError
from engine.events import Event, Finished, Job, Progress, Request
from engine.files import replacing, scratch
from engine.pictures_in import LARGEST_PICTURE, on_black, open_picture

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp"})
SIDES = (28, 32, 64, 128)
COLOURFUL = 12
"""A picture is in colour when its channels differ by more than this somewhere (JPEG's greys are not quite grey)."""

VERSION = 1
"""Raise it when pictures are prepared differently."""


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
    """Prepare a folder of pictures (at `size` x `size`) or an .npz file, with progress. Raises DataError."""
    path = _require(path)
    copy = _copy_of(path, size)
    if not copy.ready:
        yield from _prepare_folder(path, size, copy) if path.is_dir() else _prepare_arrays(path, copy)
    yield Finished(message=f"{path.name} is ready")


def load(path: Path | None, size: int) -> Dataset:
    """Open what `prepare` made. Raises DataError when it did not run, or the original changed since."""
    path = _require(path)
    copy = _copy_of(path, size)
    if not copy.ready:
        raise DataError(f"{path} changed while it was opened. Try again.")
    try:
        pixels = np.load(copy.pixels, mmap_mode="r", allow_pickle=False)
        with np.load(copy.about, allow_pickle=False) as about:
            labels = about["labels"] if len(about["labels"]) else None
            names = tuple(str(name) for name in about["label_names"])
            table = about["factors"]
            factors = _factors(table, tuple(str(n) for n in about["factor_names"])) if table.size else None
            notes = tuple(str(note) for note in about["notes"])
    except (OSError, ValueError, KeyError):
        copy.about.unlink(missing_ok=True)
        raise DataError(f"The prepared copy of {path} was damaged and is removed. Try again.") from None
    return Dataset(
        name="images" if path.is_dir() else "arrays",
        title=path.stem or path.name,
        store=ArrayStore(pixels),
        image_shape=(int(pixels.shape[1]), int(pixels.shape[2]), int(pixels.shape[3])),
        splits=split_90_10(len(pixels)),
        source=f"pictures in {path}, cut to squares and resized" if path.is_dir() else f"arrays in {path}",
        labels=labels,
        label_names=names,
        factors=factors,
        notes=notes,
    )


def _require(path: Path | None) -> Path:
    if path is None:
        raise DataError("Choose a folder of pictures or an .npz file first (--data on the command line).")
    if not path.exists():
        raise DataError(f"{path} does not exist. Choose a folder of pictures or an .npz file.")
    return path


def _copy_of(path: Path, size: int) -> Prepared:
    try:
        if path.is_dir():
            parts: list[object] = [size, *((str(file), *stamp(file)) for file in _pictures(path))]
        else:
            parts = [stamp(path)]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    key = key_of([VERSION, str(path.absolute()), *parts])
    folder = prepared_folder()
    name = f"own-{'images' if path.is_dir() else 'arrays'}-{key}"
    return Prepared(folder / f"{name}.npy", folder / f"{name}.npz")


def _pictures(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in ENDINGS and file.is_file())


# Folders of pictures


def _prepare_folder(folder: Path, size: int, copy: Prepared) -> Generator[Event, Request | None, None]:
    files = _pictures(folder)
    if not files:
        raise DataError(f"{folder} holds no pictures (PNG, JPEG or WebP), nor do its sub-folders.")
    require_space(copy.pixels.parent, len(files) * size * size * 3, f"Preparing {folder.name}")
    good: list[Path] = []
    skipped: list[str] = []
    in_colour = False
    try:
        with scratch(copy.pixels.with_suffix(".rgb")) as temporary:
            with temporary.open("wb") as out:
                for number, file in enumerate(files, 1):
                    picture = _picture(file, size)
                    if picture is None:
                        skipped.append(file.relative_to(folder).as_posix())
                    else:
                        in_colour = in_colour or int(np.ptp(picture.astype(np.int16), axis=2).max()) > COLOURFUL
                        out.write(picture.data)
                        good.append(file)
                    yield Progress(number, len(files), f"Reading {folder.name}", "pictures")
            if not good:
                raise DataError(f"None of the {len(files):,} pictures in {folder} can be read.")
            raw = np.memmap(temporary, np.uint8, "r", shape=(len(good), size, size, 3))
            _write_pixels(copy.pixels, raw, in_colour)
            del raw
    except OSError as error:
        raise DataError(f"{folder} cannot be prepared: {error.strerror or error}.") from None
    labels, names = _classes(folder, good)
    notes = []
    if skipped:
        some = ", ".join(skipped[:3]) + (", ..." if len(skipped) > 3 else "")
        notes = [f"{len(skipped):,} of {len(files):,} pictures could not be read and are left out: {some}."]
    _write_about(copy.about, labels, names, None, (), notes)


def _picture(file: Path, size: int) -> NDArray[np.uint8] | None:
    """One picture as uint8 (size, size, 3); None when it cannot be read."""
    try:
        image = on_black(open_picture(file, LARGEST_PICTURE))
        return np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS))
    except (DataError, MemoryError):
        return None


def _write_pixels(path: Path, raw: NDArray[np.uint8], in_colour: bool) -> None:
    """Write pictures as an .npy file, grey ones with one channel."""
    channels = 3 if in_colour else 1
    with replacing(path) as temporary:
        shape = (*raw.shape[:3], channels)
        target = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)
        for start in range(0, len(raw), 256):
            part = raw[start : start + 256]
            target[start : start + 256] = part if in_colour else part.mean(axis=3, keepdims=True).round()
        target.flush()
        del target


def _classes(folder: Path, files: list[Path]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Classes from the first level of sub-folders; none where pictures lie beside them or there is only one."""
    parents = [file.relative_to(folder).parts for file in files]
    if any(len(parts) == 1 for parts in parents):
        return np.empty(0, np.int64), ()
    names = tuple(sorted({parts[0] for parts in parents}))
    if len(names) < 2:
        return np.empty(0, np.int64), ()
    return np.array([names.index(parts[0]) for parts in parents], np.int64), names


# Arrays


def _prepare_arrays(path: Path, copy: Prepared) -> Generator[Event, Request | None, None]:
    with open_npz(path) as file:
        header = file.header("images")
        shape = (*header.shape, 1) if len(header.shape) == 3 else header.shape
        if len(shape) != 4 or shape[1] != shape[2] or shape[1] not in SIDES or shape[3] not in (1, 3) or not shape[0]:
            raise DataError(
                f"'images' in {path.name} has the shape {header.shape}; it must be (n, side, side) or (n, side, side, "
                f"1 or 3), with a side of {', '.join(map(str, SIDES))}."
            )
        if header.dtype.kind not in "bf" and header.dtype != np.uint8:
            raise DataError(
                f"'images' in {path.name} has the type {header.dtype}; it must be uint8 (0 to 255), bool, or "
                "floating-point numbers from 0 to 1."
            )
        labels, names = _read_labels(file, shape[0])
        factors, factor_names = _read_factors(file, shape[0])
        require_space(copy.pixels.parent, int(np.prod(shape, dtype=np.int64)), f"Preparing {path.name}")
        try:
            with replacing(copy.pixels) as temporary, temporary.open("wb") as out:
                about = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(out, about)
                row = header.dtype.itemsize * shape[1] * shape[2] * shape[3]
                done = 0
                for part in _whole_rows(file.chunks("images", 2**22), row):
                    out.write(_to_bytes(np.frombuffer(part, header.dtype), path).data)
                    done += len(part) // row
                    yield Progress(done, shape[0], f"Reading {path.name}", "images")
        except OSError as error:
            raise DataError(f"{path} cannot be prepared: {error.strerror or error}.") from None
    _write_about(copy.about, labels, names, factors, factor_names, [])


def _whole_rows(chunks: Iterator[bytes], row: int) -> Iterator[bytes]:
    """Regroup chunks so that each holds whole images."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        whole = len(rest) - len(rest) % row
        if whole:
            yield rest[:whole]
            rest = rest[whole:]


def _to_bytes(values: NDArray[np.generic], path: Path) -> NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return np.asarray(values, np.uint8)
    if values.dtype.kind == "b":
        return np.asarray(values, np.uint8) * np.uint8(255)
    numbers = np.asarray(values, np.float64)
    if not np.isfinite(numbers).all() or numbers.min() < 0 or numbers.max() > 1:
        raise DataError(f"'images' in {path.name} holds NaN, infinite numbers or numbers outside 0 to 1.")
    return (numbers * 255).round().astype(np.uint8)


def _read_labels(file: NpzFile, count: int) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    if "labels" not in file.names:
        return np.empty(0, np.int64), ()
    header = file.header("labels")
    if header.shape != (count,) or header.dtype.kind not in "iu":
        raise DataError(
            f"'labels' in {file.path.name} must be {count:,} whole numbers; it has the shape {header.shape} and "
            f"the type {header.dtype}."
        )
    values, labels = np.unique(np.asarray(file.read("labels")), return_inverse=True)
    if len(values) > 1000:
        raise DataError(f"'labels' in {file.path.name} has {len(values):,} classes; at most 1,000 can be used.")
    return labels.astype(np.int64), tuple(str(value) for value in values)


def _read_factors(file: NpzFile, count: int) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    if "factors" not in file.names:
        return None, ()
    header = file.header("factors")
    if len(header.shape) != 2 or header.shape[0] != count or not header.shape[1] or header.dtype.kind not in "iu":
        raise DataError(
            f"'factors' in {file.path.name} must be whole numbers of the shape ({count}, factors); it has the "
            f"shape {header.shape} and the type {header.dtype}."
        )
    columns = header.shape[1]
    names = tuple(f"factor {i}" for i in range(columns))
    if "factor_names" in file.names:
        if file.header("factor_names").shape != (columns,) or file.header("factor_names").dtype.kind != "U":
            raise DataError(f"'factor_names' in {file.path.name} must be {columns} strings.")
        names = tuple(str(name) for name in file.read("factor_names"))
    return np.asarray(file.read("factors")).astype(np.int64), names


def _factors(table: NDArray[np.int64], names: tuple[str, ...]) -> Factors:
    """Factors from a table of values, (n, factors); classes are the values that occur, in order."""
    values, classes = [], []
    for column in table.T:
        found, where = np.unique(column, return_inverse=True)
        values.append(found.astype(np.float64))
        classes.append(where)
    return Factors(names=names, values=tuple(values), table=np.stack(classes, axis=1).astype(np.int64))


def _write_about(
    path: Path,
    labels: NDArray[np.int64],
    names: tuple[str, ...],
    factors: NDArray[np.int64] | None,
    factor_names: tuple[str, ...],
    notes: list[str],
) -> None:
    try:
        with replacing(path) as temporary, temporary.open("wb") as out:
            np.savez(
                out,
                labels=labels,
                label_names=np.array(names, dtype=np.str_),
                factors=np.empty((0, 0), np.int64) if factors is None else factors,
                factor_names=np.array(factor_names, dtype=np.str_),
                notes=np.array(notes, dtype=np.str_),
            )
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}.") from None
