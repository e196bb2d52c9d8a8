"""Explicitness: K. Ridgeway & M. C. Mozer, "Learning Deep Disentangled Embeddings with the F-Statistic Loss", 2018.

Whether a linear classifier that sees all latents can tell each value of a factor from its others: the area under the
ROC curve, 0.5 by chance, as in disentanglement_lib (logistic regression, C = 1, on standardised latents). There is no
interval: the areas of different values are computed from the same images.
"""

import numpy as np
from numpy.typing import NDArray

PROTOCOL = (
    "explicitness (Ridgeway & Mozer 2018): logistic regression (C = 1) predicts each factor from all latents, "
    "standardised; area under the ROC curve of each value against the others, on other images, mean over values, then "
    "over factors"
)


def explicitness(
    inputs: NDArray[np.float64],
    classes: NDArray[np.int64],
    test_inputs: NDArray[np.float64],
    test_classes: NDArray[np.int64],
) -> float:
    """Return the mean area under the ROC curves of a factor's values, 0..1.

    `inputs` are (images, inputs), `classes` (images,). Values that are missing among the training or the test images
    are left out; 0.5 if fewer than two are left.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    known = np.unique(classes)
    if len(known) < 2 or not inputs.shape[1]:
        return 0.5
    probability = LogisticRegression(max_iter=1000).fit(inputs, classes).predict_proba(test_inputs)
    areas = [
        roc_auc_score(test_classes == value, probability[:, number])
        for number, value in enumerate(known)
        if 0 < np.sum(test_classes == value) < len(test_classes)
    ]
    return float(np.mean(areas)) if areas else 0.5
