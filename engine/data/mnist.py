"""MNIST, 28 x 28: 60,000 training and 10,000 test images of handwritten digits, from IDX files.

Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
"""

from pathlib import Path

import numpy as np

from engine.data.dataset import ArrayStore, Dataset
from engine.data.idx import read_idx
from engine.errors import DataError
from engine.paths import cache_folder

PARTS = {"train": "train", "test": "t10k"}
SIDE = 28


def load_mnist(folder: Path | None) -> Dataset:
    """Read MNIST from a folder of IDX files, or from the cache, downloading it there first.

    Raises DataError when files are missing, damaged or do not fit each other.
    """
    source = f"IDX files in {folder}" if folder else "downloaded by torchvision"
    folder = folder or download()
    if not folder.is_dir():
        raise DataError(
            f"The data folder {folder} does not exist. Choose the folder that holds MNIST's four "
            "IDX files (train-images-idx3-ubyte, ...), or leave it empty to download them."
        )
    images, labels, splits, start = [], [], {}, 0
    for split, prefix in PARTS.items():
        pixels = read_idx(_find(folder, f"{prefix}-images-idx3-ubyte"), 3)
        digits = read_idx(_find(folder, f"{prefix}-labels-idx1-ubyte"), 1)
        if pixels.shape[1:] != (SIDE, SIDE):
            raise DataError(
                f"The {split} images in {folder} are {pixels.shape[1]} x {pixels.shape[2]} pixels; "
                f"MNIST's are {SIDE} x {SIDE}."
            )
        if len(pixels) != len(digits) or not len(pixels):
            raise DataError(
                f"{folder} holds {len(pixels):,} {split} images but {len(digits):,} labels; "
                "the files do not belong together."
            )
        if digits.max() > 9:
            raise DataError(f"The {split} labels in {folder} go up to {digits.max()}; digits end at 9.")
        images.append(pixels)
        labels.append(digits)
        splits[split] = np.arange(start, start + len(pixels))
        start += len(pixels)
    return Dataset(
        name="mnist",
        title="MNIST",
        store=ArrayStore(np.concatenate(images)[..., None]),
        image_shape=(SIDE, SIDE, 1),
        splits=splits,
        source=source,
        labels=np.concatenate(labels).astype(np.int64),
        label_names=tuple(str(digit) for digit in range(10)),
    )


def _find(folder: Path, name: str) -> Path:
    """The file of that name, raw or gzip-compressed, also as "train-images.idx3-ubyte"."""
    for candidate in (name, name.replace("-idx", ".idx")):
        for suffix in ("", ".gz"):
            path = folder / (candidate + suffix)
            if path.is_file():
                return path
    raise DataError(
        f"{folder} has no {name} or {name}.gz. MNIST needs four files: images and labels, for train and t10k."
    )


def _cached_folder() -> Path:
    """Where torchvision puts MNIST below the root it is given."""
    return cache_folder() / "downloads" / "MNIST" / "raw"


def is_downloaded() -> bool:
    """Whether all four files lie in the cache."""
    return all(
        (_cached_folder() / f"{prefix}-{kind}").is_file()
        for prefix in PARTS.values()
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
    )


def download() -> Path:
    """Return the cache folder with MNIST's files, downloaded by torchvision (md5 checked) where missing.

    Raises DataError when the download fails.
    """
    if not is_downloaded():
        from torchvision.datasets import MNIST

        try:
            MNIST(_cached_folder().parents[1], download=True)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"MNIST could not be downloaded ({_first_line(error)}). Check the network, or put its four IDX "
                "files in a folder and choose that as the data folder (--data on the command line)."
            ) from None
    return _cached_folder()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")
