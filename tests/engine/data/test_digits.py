"""scikit-learn's digits, enlarged, each with its own label."""

import numpy as np
import torch
from sklearn.datasets import load_digits

from engine.data import load_dataset


def test_each_image_is_scikit_learns_enlarged_with_its_own_label():
    dataset, digits = load_dataset("digits"), load_digits()
    images = dataset.images(np.arange(1797))
    assert (images.shape, images.dtype) == ((1797, 32, 32, 1), np.uint8)
    grown = torch.nn.functional.interpolate(torch.tensor(digits.images)[:, None], size=(32, 32), mode="bilinear")[:, 0]
    assert np.abs(images[..., 0] - (grown * 255 / 16).numpy()).max() < 0.51
    np.testing.assert_array_equal(dataset.labels, digits.target)
    assert dataset.label_names == tuple("0123456789")
    # The counts that the UCI repository publishes for this part of its data.
    assert np.bincount(dataset.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_a_tenth_is_for_testing():
    splits = load_dataset("digits").splits
    assert {name: len(where) for name, where in splits.items()} == {"train": 1618, "test": 179}
    assert sorted(np.concatenate(list(splits.values())).tolist()) == list(range(1797))
