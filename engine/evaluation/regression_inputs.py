"""Latents as the inputs of a regression."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.correlation import vary


def regression_inputs(
    quantised: Sequence[bool], codes: NDArray[np.floating], *others: NDArray[np.floating]
) -> list[NDArray[np.float64]]:
    """Return latents, (images, inputs), standardised by the first codes; quantised ones one-hot, by the values there.

    `codes` and `others` are (images, latents), `quantised` says which latents are numbers of categories or codes.
    Latents that do not vary over the first codes are left out.
    """
    every = [np.asarray(each, np.float64) for each in (codes, *others)]
    parts: list[list[NDArray[np.float64]]] = [[np.empty((len(each), 0))] for each in every]
    for j in map(int, np.flatnonzero(vary(codes))):
        fitted = every[0][:, j]
        known, mean, deviation = np.unique(fitted), fitted.mean(), fitted.std()
        for found, each in zip(parts, every, strict=True):
            code = each[:, j, None]
            found.append((code == known).astype(np.float64) if quantised[j] else (code - mean) / deviation)
    return [np.concatenate(found, axis=1) for found in parts]
