"""UDR, unsupervised disentanglement ranking: S. Duan et al., ICLR 2020, as in disentanglement_lib (all to all).

Disentangled models of the same data agree up to the order, sign and scale of their latents; entangled ones each mix
factors in their own way. So a model is the better the more its latents correspond one to one to those of the others. No
factors are needed. Latents whose mean KL is at most 0.01 nats are left out; without a KL, those that do not vary.

The value is a median over the other runs, so it depends on which these are: there is no interval, since another
selection of runs is another question.
"""

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.1
"""Weight of Lasso's penalty, for standardised latents."""

INFORMATIVE_NATS = 0.01

_HOW = (
    "of the latents of one run and those of another, both standardised; half the sum of the means over both runs' "
    "latents of the squared largest over the sum; median over all other runs"
)
LASSO = f"UDR (Duan et al. 2020, all to all): absolute coefficients of a Lasso (α = {ALPHA}) {_HOW}"
SPEARMAN = f"UDR (Duan et al. 2020, all to all): absolute rank correlations {_HOW}"


def lasso(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the absolute coefficients with which standardised latents (n, a) predict others (n, b), (a, b)."""
    from sklearn.linear_model import Lasso

    found = Lasso(alpha=ALPHA).fit(source, target).coef_.reshape(target.shape[1], source.shape[1])
    return np.asarray(np.abs(found.T))


def spearman(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the absolute rank correlations of latents (n, a) and others (n, b), (a, b)."""
    first, second = (_ranks(codes) for codes in (source, target))
    return np.asarray(np.abs(first.T @ second) / len(first))


def correspondence(strengths: NDArray[np.float64]) -> float:
    """Return how far latents correspond one to one, given the strengths of their relations, (a, b); 0 without any."""
    if not strengths.size:
        return 0.0
    return float((_concentrated(strengths) + _concentrated(strengths.T)) / 2)


def scores(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the score of each run, (runs,), from the correspondence of run i's latents to j's, (runs, runs)."""
    return np.array([np.median(np.delete(column, i)) for i, column in enumerate(pairs.T)])


def standardised(codes: NDArray[np.floating], informative: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return informative latents, (n, informative latents), with mean 0 and variance 1."""
    kept = np.asarray(codes, np.float64)[:, informative]
    return np.asarray((kept - kept.mean(axis=0)) / kept.std(axis=0))


def _concentrated(strengths: NDArray[np.float64]) -> float:
    """Mean over rows of the squared largest over the sum; 0 for rows without any."""
    total = strengths.sum(axis=1)
    squares = strengths.max(axis=1) ** 2
    return float(np.mean(np.divide(squares, total, out=np.zeros_like(total), where=total > 0)))


def _ranks(codes: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    ranks = rankdata(codes, axis=0)
    return np.asarray((ranks - ranks.mean(axis=0)) / ranks.std(axis=0))


STRENGTHS = {"udr_lasso": lasso, "udr_spearman": spearman}
"""How latents are related, by metric."""
