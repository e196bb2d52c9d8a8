"""Directions between the mean codes of two groups."""

import numpy as np
import pytest

from engine.errors import ConfigError
from engine.methods.latents import Latent
from engine.traversal import Grouping, find_direction

KINDS = (Latent.gaussian(),) * 3


def grouped(numbers):
    return Grouping("size", ("small", "medium", "large"), np.asarray(numbers), np.array([0.5, 0.75, 1.0]))


def test_in_a_linear_encoder_it_is_the_factors_column_times_its_difference():
    rng = np.random.default_rng(0)
    numbers = np.repeat([0, 1, 2], 40)
    angle = np.tile(np.linspace(-1, 1, 40), 3)  # the same in all groups
    column, other = rng.normal(size=3), rng.normal(size=3)
    sizes = np.array([0.5, 0.75, 1.0])[numbers]
    means = np.outer(sizes, column) + np.outer(angle, other) + 7
    np.testing.assert_allclose(find_direction(means, grouped(numbers), 0, 2, KINDS), 0.5 * column)
    np.testing.assert_allclose(find_direction(means, grouped(numbers), 2, 1, KINDS), -0.25 * column)


def test_a_category_has_no_direction():
    means = np.column_stack([np.repeat([1.0, 9.0], 5), np.repeat([0.0, 2.0], 5)])
    kinds = (Latent.categorical(10), Latent.gaussian())
    assert find_direction(means, grouped(np.repeat([0, 1], 5)), 0, 1, kinds).tolist() == [0, 2]


def test_too_few_images_or_a_single_group_are_refused():
    means = np.zeros((9, 3))
    numbers = [0] * 4 + [1] * 5
    with pytest.raises(ConfigError, match="4 of the 9 images have size small: too few"):
        find_direction(means, grouped(numbers), 0, 1, KINDS)
    with pytest.raises(ConfigError, match="two different groups"):
        find_direction(means, grouped(numbers), 1, 1, KINDS)
