"""A data set: blobs of light with their ground-truth factors (position, width, brightness), drawn in an instant."""

import numpy as np

from engine.plugins.interface import INTERFACE, ArrayStore, Dataset, Entry, Factors, Plugin

SIDE = 32
ROWS = COLUMNS = np.linspace(6.0, 25.0, 8)
WIDTHS = np.array([1.5, 2.5, 3.5, 4.5])
BRIGHTNESS = np.array([0.4, 0.7, 1.0])
COUNT = len(ROWS) * len(COLUMNS) * len(WIDTHS) * len(BRIGHTNESS)


def load(path, size):
    """Draw all images; neither `path` nor `size` is used."""
    values = (ROWS, COLUMNS, WIDTHS, BRIGHTNESS)
    # A grid of all combinations, the last factor changing fastest: then the factors need no table.
    row, column, width, brightness = (axis.reshape(-1, 1, 1) for axis in np.meshgrid(*values, indexing="ij"))
    y, x = np.mgrid[:SIDE, :SIDE]
    distance = (y - row) ** 2 + (x - column) ** 2
    images = 255 * brightness * np.exp(-distance / (2 * width**2))
    return Dataset(
        name="blobs",
        title="Blobs",
        store=ArrayStore(images.round().astype(np.uint8)[..., None]),
        image_shape=(SIDE, SIDE, 1),
        splits={"all": np.arange(COUNT)},
        source="drawn",
        factors=Factors(("row", "column", "width", "brightness"), values),
    )


PLUGIN = Plugin(
    name="blobs",
    version="1.0",
    interface=INTERFACE,
    datasets={
        "blobs": Entry(
            name="blobs",
            title="Blobs",
            description="Blobs of light that vary in position, width and brightness; drawn on this machine.",
            images=COUNT,
            training_images=COUNT,
            shape=(SIDE, SIDE, 1),
            licence="CC0",
            load=load,
            factors="row (8), column (8), width (4), brightness (3)",
        )
    },
    about="A small data set with ground-truth factors.",
)
