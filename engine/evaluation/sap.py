"""SAP, separated attribute predictability.

A. Kumar et al., "Variational Inference of Disentangled Latent Concepts from Unlabeled Observations", ICLR 2018, as in
disentanglement_lib for discrete factors: a linear SVM on one latent at a time. It cannot separate 32 positions on a
line, so the score is low by construction, even for representations that equal the factors. The order of latents does
not matter; their scale does slightly, since the SVM's weight and intercept are regularised. There is no interval, since
there is no simple one for a gap between maxima of accuracies on the same images.
"""

import numpy as np
from numpy.typing import NDArray

PROTOCOL = (
    "SAP (Kumar et al. 2018): a linear SVM (C = 0.01, balanced classes) predicts each factor from one latent; "
    "gap between the two best accuracies on other images, mean over factors"
)


def latent_accuracies(
    code: NDArray[np.floating],
    classes: NDArray[np.int64],
    test_code: NDArray[np.floating],
    test_classes: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the accuracy on the test images of each factor predicted from one latent, (factors,).

    `code` is (images,), `classes` (images, factors). A factor with only one class among the training images is
    predicted as that class.
    """
    from sklearn.svm import LinearSVC

    result = np.empty(classes.shape[1])
    feature, test_feature = code[:, None].astype(np.float64), test_code[:, None].astype(np.float64)
    for k, (column, test_column) in enumerate(zip(classes.T, test_classes.T, strict=True)):
        if not np.ptp(column):
            result[k] = np.mean(test_column == column[0])
            continue
        # The primal form of the problem, which converges where the dual does not.
        model = LinearSVC(C=0.01, class_weight="balanced", dual=False, max_iter=10_000)
        result[k] = model.fit(feature, column).score(test_feature, test_column)
    return result


def sap(accuracies: NDArray[np.float64]) -> float:
    """Return the score, 0..1, from accuracies (at least two latents, factors)."""
    best = np.sort(accuracies, axis=0)[::-1]
    return float(np.mean(best[0] - best[1]))
