"""A small data set with labels and factors, in memory and as a file."""

import numpy as np
import pytest
import torch

from engine.data import ArrayStore, Dataset, Factors
from engine.methods.base import Batch, Context
from engine.methods.building import build
from engine.networks.architectures import NETWORKS
from engine.networks.network import Network
from engine.settings.run_config import RunConfig

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


class Linear(Network):
    """No hidden layer: for tests that train a method for a second."""

    title = about = "Linear"

    def encoder(self, spec):
        return LinearEncoder(spec)

    def decoder(self, spec):
        side, _, channels = spec.image_shape
        layer = torch.nn.Linear(spec.latents + spec.classes, channels * side * side)
        return torch.nn.Sequential(layer, torch.nn.Unflatten(1, (channels, side, side)))

    def encoder_words(self, side, normalisation):
        return "no hidden layer"

    def decoder_words(self):
        return "has none either"


class LinearEncoder(torch.nn.Linear):
    def __init__(self, spec):
        super().__init__(int(np.prod(spec.image_shape)), 2 * spec.latents)

    def forward(self, images):
        return super().forward(images.flatten(1)).chunk(2, 1)


@pytest.fixture
def trained_briefly(data, monkeypatch):
    """A function: the posteriors of all squares, (120, 3), after 100 steps of a method with a linear network."""
    monkeypatch.setitem(NETWORKS, "linear", Linear())
    images = torch.from_numpy(squares()[0][:, None] / np.float32(255))

    def train(**settings):
        values = {"dataset": "arrays", "network": "linear", "latents": 3, "learning_rate": 1e-2}
        method = build(RunConfig.parse(values | settings), data).train()
        optimisers, noise = method.optimisers(), torch.Generator().manual_seed(1)
        for step in range(1, 101):
            method.step(Batch(images, None), Context(step, 1, 120, noise, optimisers))
        with torch.no_grad():
            return method.encode(images)

    return train


@pytest.fixture
def double():
    """Double precision for a comparison of whole steps: Adam's first ones follow a gradient's sign, however small."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
