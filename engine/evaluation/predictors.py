"""Predictors of classes from latents: logistic regression and nearest neighbours."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.regression_inputs import regression_inputs

NEIGHBOURS = 5

_ON_OTHERS = "accuracy on images not used to fit it"
_SPLIT = "fitted to training images and tested on test images where the data set has such splits"
CLASS_PROBE = (
    f"linear probe: logistic regression (C = 1) predicts the class from standardised latents; {_ON_OTHERS}, {_SPLIT}"
)
CLASS_NEIGHBOURS = (
    f"nearest neighbours: the most frequent class of the {NEIGHBOURS} nearest images by Euclidean distance of latents; "
    f"{_ON_OTHERS}, {_SPLIT}"
)
FACTOR_PROBE = (
    "linear probe: logistic regression (C = 1) predicts each factor from standardised latents; "
    f"{_ON_OTHERS}, mean over factors"
)
FACTOR_NEIGHBOURS = (
    f"nearest neighbours: the most frequent value of a factor among the {NEIGHBOURS} nearest images by Euclidean "
    f"distance of latents; {_ON_OTHERS}, mean over factors"
)


def probe(
    codes: NDArray[np.floating],
    classes: NDArray[np.int64],
    test_codes: NDArray[np.floating],
    test_classes: NDArray[np.int64],
    quantised: Sequence[bool],
) -> float:
    """Return the accuracy of logistic regression on the test images, 0..1.

    Codes are (images, latents), classes (images,). Without varying latents, or with one class, it predicts the most
    frequent class.
    """
    from sklearn.linear_model import LogisticRegression

    inputs, test_inputs = regression_inputs(quantised, codes, test_codes)
    if not inputs.shape[1] or not np.ptp(classes):
        return float(np.mean(test_classes == np.bincount(classes).argmax()))
    return float(LogisticRegression(max_iter=1000).fit(inputs, classes).score(test_inputs, test_classes))


def nearest(
    codes: NDArray[np.floating],
    classes: NDArray[np.int64],
    test_codes: NDArray[np.floating],
    test_classes: NDArray[np.int64],
    quantised: Sequence[bool],
) -> float:
    """Return the accuracy of nearest neighbours on the test images, 0..1.

    Codes are (images, latents), classes (images,). The number of a category is no quantity: two categories are at a
    distance of the square root of 2, however far apart their numbers.
    """
    from sklearn.neighbors import KNeighborsClassifier

    plain = [j for j, apart in enumerate(quantised) if not apart]
    apart = [j for j, each in enumerate(quantised) if each]
    hot = regression_inputs((True,) * len(apart), codes[:, apart], test_codes[:, apart])
    inputs, test_inputs = (
        np.hstack([each[:, plain].astype(np.float64), one]) for each, one in zip((codes, test_codes), hot, strict=True)
    )
    if not inputs.shape[1]:
        return float(np.mean(test_classes == np.bincount(classes).argmax()))
    model = KNeighborsClassifier(min(NEIGHBOURS, len(inputs)))
    return float(model.fit(inputs, classes).score(test_inputs, test_classes))
