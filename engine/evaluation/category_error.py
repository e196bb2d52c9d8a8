"""A categorical code as a classifier: does each category stand for a class? (Chen et al. 2016, section 7.2.)

No class was seen in training, so that which category stands for which class is read off the same images: by majority,
each category stands for the class that most of its images have, and several may stand for one; or one to one, each
class for one category at most, so that as many images as possible agree (Kuhn 1955).
"""

import numpy as np
from numpy.typing import NDArray

MAJORITY = (
    "share of images whose class is not the one that their most likely category stands for; a category stands for the "
    "most frequent class among its images (Chen et al. 2016)"
)
ONE_TO_ONE = (
    "share of images whose class is not the one that their most likely category stands for; categories and classes "
    "matched one to one so that most images agree (Kuhn 1955)"
)


def contingency(categories: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many images have each category and class, (categories, classes), from those of n images, (n,)."""
    found = np.zeros((categories.max() + 1, labels.max() + 1), np.int64)
    np.add.at(found, (categories, labels), 1)
    return found


def majority_error(counts: NDArray[np.int64]) -> float:
    """Share of images, 0..1, not of the most frequent class of their category; of counts (categories, classes)."""
    return 1 - float(counts.max(axis=1).sum() / counts.sum())


def one_to_one_error(counts: NDArray[np.int64]) -> float:
    """Share of images, 0..1, not of the class that their category is matched to; of counts (categories, classes)."""
    from scipy.optimize import linear_sum_assignment

    matched = counts[linear_sum_assignment(counts, maximize=True)].sum()
    return 1 - float(matched / counts.sum())
