"""Entries of evaluation.json: a value with its unit, interval and protocol, or the reason why there is none."""

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.intervals import Z95

Results: TypeAlias = dict[str, dict[str, Any]]
SEED = 0


def entry(
    value: float,
    unit: str,
    name: str,
    split: str,
    n: int,
    *,
    z: str | None = None,
    interval: Sequence[float] | None = None,
    factors: Sequence[str] | None = None,
    **counts: int,
) -> dict[str, Any]:
    """A value with its protocol: its name, the split, `n` images or points and other counts, seed, libraries."""
    protocol: dict[str, Any] = {"name": name, "split": split, "n": n, **counts, "seed": SEED}
    if z:
        protocol["z"] = z
    if factors:
        protocol["factors"] = list(factors)
    protocol["versions"] = dict(versions())
    result: dict[str, Any] = {"value": value, "unit": unit, "protocol": protocol}
    return result if interval is None else result | {"interval": [float(end) for end in interval]}


def mean_entry(values: NDArray[np.float64], unit: str, name: str, split: str, z: str | None = None) -> dict[str, Any]:
    """A mean over images with its 95 % interval (normal approximation of the mean)."""
    mean = float(values.mean())
    half = Z95 * float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return entry(mean, unit, name, split, len(values), z=z, interval=(mean - half, mean + half))


def missing(reason: str) -> dict[str, Any]:
    """No value, and why."""
    return {"value": None, "reason": reason}


@cache
def versions() -> dict[str, str]:
    """Versions of the libraries that numbers depend on."""
    import cv2
    import sklearn
    import torch

    libraries = {"numpy": np, "opencv": cv2, "scikit-learn": sklearn, "torch": torch}
    return {name: str(library.__version__) for name, library in libraries.items()}
