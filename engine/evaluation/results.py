"""Entries of evaluation.json: a value with its unit, interval and protocol, or the reason why there is none."""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.catalogue import METRICS, Column, kept_column
from engine.evaluation.intervals import OVER_IMAGES, around_mean
from engine.system.plain_text import one_line
from engine.system.registry import Origin

Results: TypeAlias = dict[str, dict[str, Any]]
SEED = 0
NARROW = ("mig", "factor_vae", "total_correlation", "mean_correlation")
"""Metrics whose intervals in version 1.0.0 came from resampling or accounted only for the test points."""


def entry(
    value: float,
    unit: str,
    name: str,
    split: str,
    n: int,
    of: int,
    *,
    z: str | None = None,
    interval: Sequence[float] | None = None,
    interval_of: str = OVER_IMAGES,
    factors: Sequence[str] | None = None,
    **counts: int,
) -> dict[str, Any]:
    """Return the entry of a value with its protocol: name, split, `n` images or points, other counts, seed, libraries.

    `of` is the number of images in the split, `interval` a 95 % interval, `interval_of` a description of what it
    covers. A value that is not finite becomes a missing one.
    """
    if not math.isfinite(value):
        return missing(f"its result is {value}, which is not a finite number")
    if interval is not None and not all(map(math.isfinite, interval)):
        interval = None
    protocol: dict[str, Any] = {"name": name, "split": split, "n": n, "of": of, **counts, "seed": SEED}
    if z:
        protocol["z"] = z
    if factors:
        protocol["factors"] = list(factors)
    if interval is not None:
        protocol["interval"] = interval_of
    protocol["versions"] = dict(versions())
    result: dict[str, Any] = {"value": value, "unit": unit, "protocol": protocol}
    return result if interval is None else result | {"interval": [float(end) for end in interval]}


def mean_entry(
    values: NDArray[np.float64], unit: str, name: str, split: str, of: int, z: str | None = None
) -> dict[str, Any]:
    """Return the entry of a mean over images, drawn from a split of `of` images, with its 95 % interval."""
    return entry(float(values.mean()), unit, name, split, len(values), of, z=z, interval=around_mean(values))


def too_narrow(metric: str, entry: Mapping[str, Any]) -> bool:
    """Return whether an entry has an interval of version 1.0.0 that is too narrow; its value is right."""
    return metric in NARROW and "interval" in entry and "interval" not in entry.get("protocol", {})


def of_plugin(column: Column, entry: Mapping[str, Any], origin: Origin) -> dict[str, Any]:
    """Return the entry of a plug-in's metric, which names the plug-in and describes its column in tables."""
    plugin = {"name": origin.plugin, "version": origin.version, "fingerprint": origin.fingerprint}
    protocol = dict(entry.get("protocol", {})) | {"plugin": plugin}
    return dict(entry) | {"protocol": protocol, "column": kept_column(column)}


def plugin_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return "name", "version" and "fingerprint" of the plug-in whose metric an entry is; empty for other metrics."""
    protocol = entry.get("protocol")
    plugin = protocol.get("plugin") if isinstance(protocol, dict) else None
    return {key: one_line(str(value), 80) for key, value in plugin.items()} if isinstance(plugin, dict) else {}


def of_other_code(metric: str, entry: Mapping[str, Any]) -> bool:
    """Return whether an entry was computed by another version of the metric's plug-in than the loaded one."""
    origin = METRICS.origin(metric)
    return metric in METRICS and plugin_of(entry).get("fingerprint", "") != (origin.fingerprint if origin else "")


def missing(reason: str) -> dict[str, Any]:
    """Return the entry of a metric without a value."""
    return {"value": None, "reason": reason}


@cache
def versions() -> dict[str, str]:
    """Return the versions of the libraries that metrics depend on."""
    import cv2
    import sklearn
    import torch

    libraries = {"numpy": np, "opencv": cv2, "scikit-learn": sklearn, "torch": torch}
    return {name: str(library.__version__) for name, library in libraries.items()}
