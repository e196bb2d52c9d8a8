"""Digits: 1,797 handwritten digits that come with scikit-learn, enlarged to 32 x 32; small enough for quick trials.

E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998.
"""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from engine.data.cache import split_90_10
from engine.data.dataset import ArrayStore, Dataset

SIDE = 32
COUNT = 1797


def load() -> Dataset:
    """Load the 8 x 8 digits, enlarged bilinearly to 32 x 32, with grey values scaled from 0..16 to 0..255.

    The file is read directly, since `sklearn.datasets` takes more than a second to load in each process that trains.
    """
    package = find_spec("sklearn")
    assert package is not None
    assert package.submodule_search_locations
    with gzip.open(Path(package.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")) as file:
        rows = np.loadtxt(file, np.uint8, delimiter=",")
    images, labels = rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(np.int64)
    resample = Image.Resampling.BILINEAR
    grown = [np.asarray(Image.fromarray(image.astype(np.float32)).resize((SIDE, SIDE), resample)) for image in images]
    pixels = np.clip(np.round(np.stack(grown) * (255 / 16)), 0, 255).astype(np.uint8)
    return Dataset(
        name="digits",
        title="Digits",
        store=ArrayStore(pixels[..., None]),
        image_shape=(SIDE, SIDE, 1),
        splits=split_90_10(len(pixels)),
        source="comes with scikit-learn",
        labels=labels,
        label_names=tuple("0123456789"),
    )
