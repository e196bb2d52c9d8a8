"""Samples from the prior, and the training image nearest to a picture."""

import numpy as np
import pytest

from engine.data import Dataset
from engine.data.dataset import ArrayStore
from engine.errors import ConfigError, DataError
from engine.traversal import decode, draw_samples, find_nearest, nearest


def finished(job):
    """Return the result of a job."""
    while True:
        try:
            next(job)
        except StopIteration as end:
            return end.value


def toy(images, training):
    shape = images.shape[1:]
    splits = {"train": np.array(training, np.int64), "test": np.arange(len(images))}
    return Dataset("toy", "Toy", ArrayStore(images), shape, splits, "")


def test_a_seed_gives_the_same_samples_however_many_are_drawn(trained):
    few, many, others = draw_samples(trained, 4, 3), draw_samples(trained, 9, 3), draw_samples(trained, 4, 4)
    np.testing.assert_array_equal(many.z[:4], few.z)
    np.testing.assert_array_equal(many.images[:4], few.images)
    assert not np.isclose(few.z, others.z).any()
    np.testing.assert_array_equal(few.images, decode(trained, few.z))
    assert few.labels is None


def test_samples_of_the_prior_are_standard_normal(trained):
    z = draw_samples(trained, 400, 0).z  # 4,000 numbers
    assert abs(z.mean()) < 4 / np.sqrt(z.size)
    assert abs(z.std() - 1) < 4 / np.sqrt(2 * z.size)


def test_classes_are_drawn_for_each_sample_or_given_for_all(conditional):
    any_class, threes = draw_samples(conditional, 100, 1), draw_samples(conditional, 100, 1, label=3)
    assert len(set(any_class.labels.tolist())) == 10
    assert set(threes.labels.tolist()) == {3}
    np.testing.assert_array_equal(any_class.z, threes.z)
    np.testing.assert_array_equal(threes.images[:2], decode(conditional, threes.z[:2], np.array([3, 3])))
    with pytest.raises(ConfigError, match="There is no label 10"):
        draw_samples(conditional, 1, 1, label=10)


def test_the_nearest_training_image_is_that_of_a_search_over_all_of_them(trained, monkeypatch):
    monkeypatch.setattr(nearest, "PIXELS", 100 * 784)  # several parts
    for image in draw_samples(trained, 5, 0).images:
        found = finished(find_nearest(trained.dataset, image))
        pixels = trained.dataset.images(trained.dataset.splits["train"]).astype(float)
        distances = np.sqrt((((pixels - image) / 255) ** 2).sum(axis=(1, 2, 3)))
        place = int(distances.argmin())
        assert found.index == trained.dataset.splits["train"][place]
        assert found.distance == pytest.approx(distances[place], rel=1e-12)
        assert found.of == 1500
        np.testing.assert_array_equal(found.image, pixels[place].astype(np.uint8))


def test_an_image_that_is_in_the_training_data_is_its_own_nearest_and_test_images_do_not_count():
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 3), np.uint8)
    found = finished(find_nearest(toy(images, range(10, 50)), images[30]))
    assert (found.index, found.distance) == (30, 0)
    other = finished(find_nearest(toy(images, range(10, 50)), images[3]))
    assert other.index >= 10
    assert other.distance > 0
    with pytest.raises(DataError, match="no training images"):
        finished(find_nearest(toy(images, []), images[0]))


def test_distances_of_large_images_do_not_overflow():
    images = np.stack([np.zeros((128, 128, 3), np.uint8), np.full((128, 128, 3), 60, np.uint8)])
    white = np.full((128, 128, 3), 255, np.uint8)
    found = finished(find_nearest(toy(images, [0, 1]), white))
    assert found.index == 1
    assert found.distance == pytest.approx(195 / 255 * 128 * np.sqrt(3))
    assert finished(find_nearest(toy(images, [0]), white)).distance == pytest.approx(128 * np.sqrt(3))
