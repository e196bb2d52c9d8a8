"""InfoMEC: K. Hsu et al., "Disentanglement via Latent Quantization", NeurIPS 2023 (kylehkhsu/latent_quantization).

Three scores from the normalised mutual information (NMI) of each latent and factor and from a regression: whether each
latent follows one factor (InfoM, modularity), whether each factor is in one latent (InfoC, compactness), and whether a
linear classifier finds the factors (InfoE, explicitness). The information of a continuous latent is estimated from
nearest neighbours (Ross 2014; 10 neighbours), without bins, so that neither outliers nor the number of values of a
factor matter; that of a quantised latent is counted. A latent whose range is at most a twentieth of the largest is left
out of InfoM and InfoC, however much information it has.

There is no interval: each estimate takes seconds, and 20 further draws minutes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.correlation import vary
from engine.evaluation.mig import entropies
from engine.evaluation.regression_inputs import regression_inputs

NEIGHBOURS = 10
ACTIVE_SHARE = 1 / 20
"""A continuous latent with a smaller range, as a share of the largest one, is not active."""

_NMI = (
    f"mutual information of each latent and factor over the factor's entropy, from {NEIGHBOURS} nearest neighbours "
    "(Ross 2014), for quantised latents counted; latents with a range above a twentieth of the largest"
)
PROTOCOL_M = f"InfoM (Hsu et al. 2023): a latent's largest share of its information, adjusted for chance; {_NMI}"
PROTOCOL_C = f"InfoC (Hsu et al. 2023): a factor's largest share of information, adjusted for chance; {_NMI}"
PROTOCOL_E = (
    "InfoE (Hsu et al. 2023): 1 - cross-entropy of logistic regression (not regularised, balanced classes, 100 "
    "iterations) that predicts a factor from all latents, on the images it was fitted to, over that of a uniform "
    "guess; mean over factors"
)
PROTOCOL_NEAREST = (
    "mutual information gap (Chen et al. 2018) with mutual information estimated from "
    f"{NEIGHBOURS} nearest neighbours (Ross 2014) instead of bins, mean over factors"
)


def latent_information(code: NDArray[np.floating], classes: NDArray[np.int64], quantised: bool) -> NDArray[np.float64]:
    """Return the mutual information of a latent, (images,), and each factor, (images, factors), in nats, (factors,)."""
    if not vary(code[:, None])[0]:
        return np.zeros(classes.shape[1])
    if quantised:
        from sklearn.metrics import mutual_info_score

        numbers = np.unique(code, return_inverse=True)[1]
        return np.array([mutual_info_score(column, numbers) for column in classes.T])
    from sklearn.feature_selection import mutual_info_classif

    value = np.asarray(code, np.float64)[:, None]
    value = (value - value.mean()) / value.std()
    # A seed, since scikit-learn adds noise of 1e-10 to tell equal values apart.
    found = [
        mutual_info_classif(value, column, discrete_features=False, n_neighbors=NEIGHBOURS, random_state=0)[0]
        for column in classes.T
    ]
    return np.array(found)


def active(codes: NDArray[np.floating], quantised: Sequence[bool]) -> NDArray[np.bool_]:
    """Return which latents, (latents,), count, given codes (images, latents): all quantised ones that vary at all."""
    varying, apart = vary(codes), np.asarray(quantised, bool)
    spread = np.ptp(np.asarray(codes, np.float64), axis=0)
    largest = spread[varying & ~apart].max(initial=0.0)
    return np.asarray(varying & (apart | (spread > ACTIVE_SHARE * largest)))


def info_m(nmi: NDArray[np.float64]) -> float | str:
    """Return InfoM, at most 1, from (active latents, at least two factors), or why there is none."""
    return _largest_share(nmi) if len(nmi) else NO_LATENT


def info_c(nmi: NDArray[np.float64]) -> float | str:
    """Return InfoC, at most 1, from (active latents, factors), or why there is none."""
    return _largest_share(nmi.T) if len(nmi) > 1 else TOO_FEW if len(nmi) else NO_LATENT


NO_LATENT = "no latent varies over the images"
TOO_FEW = "only one latent is active, so factors cannot be spread over several"


def normalised(information: NDArray[np.float64], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return information (latents, factors) over the entropies of the factors, given their classes."""
    entropy = entropies(classes)
    return np.asarray(np.divide(information, entropy, out=np.zeros_like(information), where=entropy > 0))


def info_e(codes: NDArray[np.floating], classes: NDArray[np.int64], quantised: Sequence[bool]) -> float:
    """Return the share of a factor's uncertainty, 0..1, that regression removes, given one factor's classes (images,).

    Negative if the fit is worse than a uniform guess. A factor with one class has no uncertainty: NaN.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    number = len(np.unique(classes))
    if number < 2:
        return float("nan")
    [inputs] = regression_inputs(quantised, codes)
    if not inputs.shape[1]:
        return 0.0
    model = LogisticRegression(C=np.inf, class_weight="balanced", max_iter=100)
    with warnings.catch_warnings():  # it stops after 100 iterations, as published
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(inputs, classes)
    # With balanced classes and nothing to go by, the published null model gives all classes the same probability.
    return 1 - float(log_loss(classes, model.predict_proba(inputs))) / float(np.log(number))


def _largest_share(nmi: NDArray[np.float64]) -> float:
    """Largest share of each row, mean over rows, from 0 at chance to 1; an empty row is at chance."""
    total, chance = nmi.sum(axis=1), 1 / nmi.shape[1]
    share = np.divide(nmi.max(axis=1), total, out=np.full(len(nmi), chance), where=total > 0)
    return float((share.mean() - chance) / (1 - chance))
