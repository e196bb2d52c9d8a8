"""Error of a categorical code as a classifier of labelled classes (Chen et al. 2016, section 7.2).

Since training uses no labels, categories are matched to classes on the evaluated images: by majority, where each
category stands for the most frequent class among its images and several may stand for the same class; or one to one, so
that as many images as possible agree (Kuhn 1955).
"""

import numpy as np
from numpy.typing import NDArray

MAJORITY = (
    "share of images whose class is not the one that their most likely category stands for; a category stands for the "
    "most frequent class among its images (Chen et al. 2016)"
)
ONE_TO_ONE = (
    "share of images whose class is not the one that their most likely category stands for; categories and classes are "
    "matched one to one so that as many images as possible agree (Kuhn 1955)"
)


def contingency(categories: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count images by category and class, (categories, classes), from those of n images, both (n,)."""
    found = np.zeros((categories.max() + 1, labels.max() + 1), np.int64)
    np.add.at(found, (categories, labels), 1)
    return found


def majority_error(counts: NDArray[np.int64]) -> float:
    """Return the share of images, 0..1, not in their category's most frequent class; `counts` as by `contingency`."""
    return 1 - float(counts.max(axis=1).sum() / counts.sum())


def one_to_one_error(counts: NDArray[np.int64]) -> float:
    """Return the share of images, 0..1, not in the class matched to their category; `counts` as by `contingency`."""
    from scipy.optimize import linear_sum_assignment

    matched = counts[linear_sum_assignment(counts, maximize=True)].sum()
    return 1 - float(matched / counts.sum())
