"""Digits: 1,797 handwritten digits that come with scikit-learn, enlarged to 32 x 32; small enough for quick trials.

E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998.
"""

import numpy as np
from PIL import Image

from engine.data.cache import split_90_10
from engine.data.dataset import ArrayStore, Dataset

SIDE = 32
COUNT = 1797


def load() -> Dataset:
    """Load the 8 x 8 digits, enlarged bilinearly to 32 x 32, with grey values scaled from 0..16 to 0..255."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    resample = Image.Resampling.BILINEAR
    grown = [
        np.asarray(Image.fromarray(image.astype(np.float32)).resize((SIDE, SIDE), resample)) for image in digits.images
    ]
    pixels = np.clip(np.round(np.stack(grown) * (255 / 16)), 0, 255).astype(np.uint8)
    return Dataset(
        name="digits",
        title="Digits",
        store=ArrayStore(pixels[..., None]),
        image_shape=(SIDE, SIDE, 1),
        splits=split_90_10(len(pixels)),
        source="comes with scikit-learn",
        labels=digits.target.astype(np.int64),
        label_names=tuple("0123456789"),
    )
