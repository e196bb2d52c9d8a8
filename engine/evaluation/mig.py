"""The mutual information gap: R. T. Q. Chen et al., "Isolating Sources of Disentanglement in VAEs", NeurIPS 2018.

Estimated as in disentanglement_lib, from 20 bins of equal width per latent. Bins follow the range of each latent, so
neither the order, the sign (except for values on an edge) nor the scale of latents matters, but a single far outlier
widens all bins. A latent that is constant to single precision carries no information.

Published values follow several conventions. Chen et al. leave out the shape of dSprites, whose values are not
quantities, and sample z from the posterior; disentanglement_lib counts every factor and takes posterior means.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.correlation import vary

BINS = 20
PROTOCOL = (
    f"mutual information gap (Chen et al. 2018): {BINS} bins of equal width per latent, gap between the two "
    "most informative latents over the factor's entropy, mean over factors"
)

_CONVENTIONS = f"mutual information gap (Chen et al. 2018), {BINS} bins of equal width per latent"
ORDERED = f"{_CONVENTIONS}; factors whose values have names, such as shape, are left out, mean over the others"
SAMPLED = f"{_CONVENTIONS}; z sampled from the posterior, mean over factors"
SAMPLED_ORDERED = (
    f"{_CONVENTIONS}; as Chen et al. report it, z sampled from the posterior, and factors whose values have names, "
    "such as shape, left out (but with bins instead of the densities of posteriors), mean over the others"
)
NO_NAMES = "no factor has values with names: the same as MIG"
ONLY_NAMES = "every factor has values with names: none is left"


def mutual_information(codes: NDArray[np.floating], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mutual information of each binned latent and factor in nats, (latents, factors).

    `codes` is (images, latents), `classes` (images, factors), integers from 0.
    """
    of_factors = entropies(classes)
    result = np.empty((codes.shape[1], classes.shape[1]))
    for j, code in enumerate(_bins(codes)):
        of_code = _entropy(np.bincount(code))
        for k, column in enumerate(classes.T):
            joint = np.bincount(column * BINS + code)
            result[j, k] = max(0.0, of_code + of_factors[k] - _entropy(joint))
    return result


def entropies(classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the entropy of each factor in nats, (factors,)."""
    return np.array([_entropy(np.bincount(column)) for column in classes.T])


def gap(information: NDArray[np.float64], entropy: NDArray[np.float64]) -> float:
    """Return MIG, 0..1, from (at least two latents, factors) and (factors,); factors without entropy are left out."""
    best = np.sort(information, axis=0)[::-1]
    varying = entropy > 0
    if not varying.any():
        return 0.0
    return float(np.mean((best[0] - best[1])[varying] / entropy[varying]))


def ordered_gap(
    information: NDArray[np.float64], entropy: NDArray[np.float64], named: NDArray[np.bool_]
) -> float | str:
    """Return MIG without the factors whose values have names, (factors,), or why that is no other number."""
    if not named.any():
        return NO_NAMES
    return ONLY_NAMES if named.all() else gap(information[:, ~named], entropy[~named])


def mig(codes: NDArray[np.floating], classes: NDArray[np.int64]) -> float:
    """Return the mutual information gap, 0..1, of (images, latents) and (images, factors)."""
    return gap(mutual_information(codes, classes), entropies(classes))


def _bins(codes: NDArray[np.floating]) -> Sequence[NDArray[np.int64]]:
    # In double precision, since a range of a few neighbouring single-precision floats cannot hold 20 bin edges.
    values = np.where(vary(codes), np.asarray(codes, np.float64), 0.0)
    return [np.digitize(code, np.histogram_bin_edges(code, BINS)[:-1]) - 1 for code in values.T]


def _entropy(counts: NDArray[np.signedinteger]) -> float:
    share = counts[counts > 0] / counts.sum()
    return max(0.0, float(-(share * np.log(share)).sum()))
