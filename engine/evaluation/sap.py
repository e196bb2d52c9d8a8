"""SAP, separated attribute predictability.

A. Kumar et al., "Variational Inference of Disentangled Latent Concepts from Unlabeled Observations", ICLR 2018, as in
disentanglement_lib for discrete factors: a linear SVM on one latent at a time. It cannot find 32 positions from one
number, so the score is low by construction, also for representations that are the factors. Reordering latents does not
matter; scale does a little, since the SVM's weight and intercept are regularised. No interval: a gap between maxima of
accuracies on the same images has no simple one.
"""

import numpy as np
from numpy.typing import NDArray

PROTOCOL = (
    "SAP (Kumar et al. 2018): a linear SVM (C = 0.01, balanced classes) tells each factor from one latent; "
    "gap between the two best accuracies on other images, mean over factors"
)


def latent_accuracies(
    code: NDArray[np.floating],
    classes: NDArray[np.int64],
    test_code: NDArray[np.floating],
    test_classes: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Accuracy on the test images for each factor from one latent, (factors,).

    `code` is (images,), `classes` (images, factors). A factor with one class among the training images is predicted as
    that class.
    """
    from sklearn.svm import LinearSVC

    result = np.empty(classes.shape[1])
    feature, test_feature = code[:, None].astype(np.float64), test_code[:, None].astype(np.float64)
    for k, (column, test_column) in enumerate(zip(classes.T, test_classes.T, strict=True)):
        if not np.ptp(column):
            result[k] = np.mean(test_column == column[0])
            continue
        # The primal form of the same problem, which converges where the dual does not.
        model = LinearSVC(C=0.01, class_weight="balanced", dual=False, max_iter=10_000)
        result[k] = model.fit(feature, column).score(test_feature, test_column)
    return result


def sap(accuracies: NDArray[np.float64]) -> float:
    """Score, 0..1, from the accuracies (latents, factors) of at least two latents."""
    best = np.sort(accuracies, axis=0)[::-1]
    return float(np.mean(best[0] - best[1]))
