"""A small data set with labels and factors, in memory and as a file."""

import numpy as np
import pytest
import torch

from engine.data import ArrayStore, Dataset, Factors

SIZES = (3, 4, 5, 2)
"""Classes of the factors: shape, x, y, brightness."""


def squares():
    """Images of every combination of factors, uint8 (120, 32, 32), and the classes, (120, 4)."""
    classes = np.stack([a.ravel() for a in np.indices(SIZES)], axis=1)
    images = np.zeros((len(classes), 32, 32), np.uint8)
    for image, (shape, x, y, bright) in zip(images, classes, strict=True):
        image[4 + 5 * y : 8 + 5 * y + shape, 4 + 6 * x : 8 + 6 * x] = 255 if bright else 128
    return images, classes


@pytest.fixture(scope="session")
def data():
    images, classes = squares()
    values = tuple(np.arange(n, dtype=np.float64) for n in SIZES)
    return Dataset(
        name="arrays",
        title="Squares",
        store=ArrayStore(images[..., None]),
        image_shape=(32, 32, 1),
        splits={"all": np.arange(len(images))},
        source="drawn",
        labels=classes[:, 0].copy(),
        label_names=("flat", "middling", "tall"),
        factors=Factors(("shape", "x", "y", "brightness"), values),
    )


@pytest.fixture(scope="session")
def data_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("squares") / "squares.npz"
    images, classes = squares()
    np.savez(path, images=images, factors=classes, labels=classes[:, 0])
    return path


@pytest.fixture
def double():
    """Double precision for a comparison of whole steps: Adam's first ones follow a gradient's sign, however small."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
