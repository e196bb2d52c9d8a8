"""Categories as a classifier, by hand and with two categories for the same class."""

import itertools

import numpy as np
import pytest

from engine.evaluation.category_error import contingency, majority_error, one_to_one_error
from engine.evaluation.intervals import wilson
from engine.evaluation.summaries import category_results

# Ten images; categories 0 and 2 are both mostly class 1, category 1 mostly class 0; class 2 has no category.
CATEGORIES = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
LABELS = np.array([1, 1, 1, 0, 0, 0, 2, 1, 1, 2])


def test_by_hand():
    counts = contingency(CATEGORIES, LABELS)
    assert counts.tolist() == [[1, 3, 0], [2, 0, 1], [0, 2, 1]]
    assert majority_error(counts) == pytest.approx(3 / 10)  # one wrong in each category
    # One to one: 0 is class 1 (3 right), 1 is class 0 (2), 2 is class 2 (1).
    assert one_to_one_error(counts) == pytest.approx(4 / 10)


def test_a_perfect_code_has_no_error_in_any_order():
    labels = np.random.default_rng(0).integers(0, 10, 300)
    counts = contingency((labels + 3) % 10, labels)
    assert majority_error(counts) == one_to_one_error(counts) == 0


def test_the_matching_is_optimal():
    counts = np.random.default_rng(4).integers(0, 50, (4, 4))
    best = max(
        sum(counts[row, column] for row, column in enumerate(order)) for order in itertools.permutations(range(4))
    )
    assert one_to_one_error(counts) == pytest.approx(1 - best / counts.sum())


def test_more_classes_than_categories_and_vice_versa():
    assert one_to_one_error(np.array([[5, 0, 3]])) == pytest.approx(3 / 8)
    assert one_to_one_error(np.array([[5], [3]])) == pytest.approx(3 / 8)


def test_results_are_per_cent_with_wilsons_interval_and_a_protocol():
    found = category_results(CATEGORIES, LABELS, "test", 10)
    error = found["category_error"]
    assert (error["value"], error["unit"]) == (pytest.approx(30), "%")
    assert error["interval"] == pytest.approx([100 * end for end in wilson(0.3, 10)])
    assert error["protocol"]["name"].startswith("share of images whose class is not")
    assert (error["protocol"]["n"], error["protocol"]["split"]) == (10, "test")
    assert found["category_error_matched"]["value"] == pytest.approx(40)
