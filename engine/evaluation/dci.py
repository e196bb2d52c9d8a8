"""DCI: C. Eastwood & C. K. I. Williams, "A Framework for the Quantitative Evaluation of Disentangled Representations".

ICLR 2018, as in disentanglement_lib: gradient-boosted trees predict each factor from all latents, and their importances
say which latent is used for which factor. Trees split at thresholds, so neither the order nor the scale of latents
matters, except for ties. There is no interval: the importances come from a single fit, whose spread only more fits
would show, and informativeness is a mean of accuracies of different factors on the same images.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.jobs.processes import Report

TREES = 100
"""Boosting stages, each of one tree per class: scikit-learn's default, as are all other settings."""

PROTOCOL = "{} (Eastwood & Williams 2018): gradient-boosted trees predict each factor from all latents; {}"
DISENTANGLEMENT = PROTOCOL.format(
    "DCI disentanglement", "1 - entropy of a latent's importances over factors, weighted by the latent's importance"
)
COMPLETENESS = PROTOCOL.format(
    "DCI completeness", "1 - entropy of a factor's importances over latents, weighted by the factor's importance"
)
INFORMATIVENESS = PROTOCOL.format("DCI informativeness", "accuracy on other images, mean over factors")


class FactorFit(NamedTuple):
    """Fit of the trees of a factor: `importance`, (latents,), with sum 1 or 0, and `accuracy` on the test images."""

    importance: NDArray[np.float64]
    accuracy: float


def fit_factor(
    codes: NDArray[np.floating],
    classes: NDArray[np.int64],
    test_codes: NDArray[np.floating],
    test_classes: NDArray[np.int64],
    seed: int,
    report: Report = lambda units: None,
) -> FactorFit:
    """Fit the trees of a factor to `codes`, (images, latents), and `classes`, (images,), reporting the trees grown.

    A factor with only one class among the training images is predicted as that class and uses no latent.
    """
    from sklearn.ensemble import GradientBoostingClassifier

    if not np.ptp(classes):
        return FactorFit(np.zeros(codes.shape[1]), float(np.mean(test_classes == classes[0])))
    trees = trees_of(classes) // TREES

    def grown(stage: int, model: object, variables: object) -> bool:
        report((stage + 1) * trees)
        return False

    model = GradientBoostingClassifier(random_state=seed)
    model.fit(codes, classes, monitor=grown)
    return FactorFit(model.feature_importances_, float(model.score(test_codes, test_classes)))


def trees_of(classes: NDArray[np.int64]) -> int:
    """Return the number of trees for a factor: one per class and stage, or one per stage for two classes."""
    number = len(np.unique(classes))
    return TREES * (number if number > 2 else 1)


def disentanglement(importance: NDArray[np.float64]) -> float:
    """Return how far each latent is used for one factor only, 0..1; `importance` is (latents, at least two factors)."""
    return _concentration(importance)


def completeness(importance: NDArray[np.float64]) -> float:
    """Return how far each factor uses one latent only, 0..1; `importance` is (at least two latents, factors)."""
    return _concentration(importance.T)


def _concentration(importance: NDArray[np.float64]) -> float:
    """1 - entropy of each row, as a share of its maximum, averaged with the rows' sums as weights; 0 if all are 0."""
    weights = importance.sum(axis=1)
    used = importance[weights > 0] / weights[weights > 0, None]
    if not len(used):
        return 0.0
    entropy = -(used * np.log(used, out=np.zeros_like(used), where=used > 0)).sum(axis=1) / np.log(used.shape[1])
    return float(np.average(1 - entropy, weights=weights[weights > 0]))
