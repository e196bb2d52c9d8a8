"""SAP, separated attribute predictability.

A. Kumar et al., "Variational Inference of Disentangled Latent Concepts from Unlabeled Observations", ICLR 2018, as in
disentanglement_lib for discrete factors: a linear SVM on one latent at a time. It cannot separate 32 positions on a
line, so the score is low by construction, even for representations that equal the factors. The order of latents does
not matter; their scale does slightly, since the SVM's weight and intercept are regularised. There is no interval, since
there is no simple one for a gap between maxima of accuracies on the same images.

SAP with continuous factors, as the authors and InfoGAN-CR compute it, replaces the accuracy for a factor whose values
are quantities by the R^2 of a line. It is five to ten times larger on dSprites.
"""

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.correlation import vary

PROTOCOL = (
    "SAP (Kumar et al. 2018): a linear SVM (C = 0.01, balanced classes) predicts each factor from one latent; "
    "gap between the two best accuracies on other images, mean over factors"
)
CONTINUOUS = (
    "SAP with continuous factors (Kumar et al. 2018; as in InfoGAN-CR): R^2 of a line through each latent and factor, "
    "or for factors whose values have names the accuracy of a linear SVM (C = 0.01, balanced classes); gap between the "
    "two best, mean over factors"
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


def determined(codes: NDArray[np.floating], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return R^2 of a line through each latent and factor, (latents, factors), 0..1; 0 for what does not vary.

    `codes` is (images, latents), `values` (images, factors).
    """
    latents, factors = (
        np.where(vary(each), each - each.mean(axis=0), 0.0)
        for each in (np.asarray(codes, np.float64), np.asarray(values, np.float64))
    )
    scale = np.outer((latents**2).sum(axis=0), (factors**2).sum(axis=0))
    found = np.divide((latents.T @ factors) ** 2, scale, out=np.zeros_like(scale), where=scale > 0)
    return np.asarray(found.clip(0, 1))


def sap(accuracies: NDArray[np.float64]) -> float:
    """Return the score, 0..1, from accuracies (at least two latents, factors)."""
    best = np.sort(accuracies, axis=0)[::-1]
    return float(np.mean(best[0] - best[1]))
