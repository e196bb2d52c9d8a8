"""The one door to images: `load_dataset(name, folder)`."""

from dataclasses import dataclass
from pathlib import Path

from engine.config import DATASET_TITLES
from engine.data import dsprites, mnist
from engine.data.dataset import ArrayStore, BitStore, Dataset, Factors
from engine.errors import DataError
from engine.events import Finished, Job, Progress

__all__ = ["ArrayStore", "BitStore", "Dataset", "DatasetStatus", "Factors", "list_datasets", "load_dataset", "prepare"]


@dataclass(frozen=True, slots=True)
class DatasetStatus:
    """What can be said of a data set without loading it."""

    name: str
    title: str
    images: int
    training_images: int
    image_shape: tuple[int, int, int]
    state: str
    description: str


def list_datasets() -> list[DatasetStatus]:
    """Every data set the application knows, with its state."""
    return [
        DatasetStatus(
            "dsprites",
            DATASET_TITLES["dsprites"],
            dsprites.COUNT,
            dsprites.COUNT,
            (64, 64, 1),
            "ready" if dsprites.is_prepared() else "drawn on first use (377 MB)",
            "2D shapes from 5 factors: shape, scale, orientation, x, y; re-drawn offline",
        ),
        DatasetStatus(
            "mnist",
            DATASET_TITLES["mnist"],
            70_000,
            60_000,
            (28, 28, 1),
            "ready" if mnist.is_downloaded() else "downloaded on first use (12 MB), or read from --data",
            "handwritten digits with labels, 60,000 for training and 10,000 for testing",
        ),
    ]


def prepare(name: str, folder: Path | None = None) -> Job:
    """Make a data set ready to load: draw or download it where needed, with progress.

    Raises DataError when the name is unknown or that fails.
    """
    if name == "dsprites":
        yield from dsprites.prepare()
    elif name == "mnist":
        yield Progress(0, 1, "Looking for MNIST")
        where = folder or mnist.download()
        yield Finished(message=f"MNIST is ready in {where}")
    else:
        raise DataError(f"There is no data set {name!r}. There are: {', '.join(DATASET_TITLES)}.")


def load_dataset(name: str, folder: Path | None = None) -> Dataset:
    """Load a data set, preparing it first where needed. Raises DataError."""
    for _ in prepare(name, folder):
        pass
    return dsprites.load_dsprites() if name == "dsprites" else mnist.load_mnist(folder)
