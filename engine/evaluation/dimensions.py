"""Settings, metrics and final terms of many runs as numbers on axes, to be drawn against each other."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.catalogue import METRICS
from engine.evaluation.grouping import setting_title, value_words
from engine.evaluation.rows import Row
from engine.methods.registry import METHODS
from engine.runs.differences import MACHINE, settings_in_use
from engine.settings.run_config import RunConfig
from engine.system.fields import choices_of
from engine.system.numbers import rounded_text
from engine.system.schedule import Schedule

SETTING, METRIC, TERM = "setting:", "metric:", "term:"
"""What the key of a dimension begins with."""

TERMS = {"reconstruction": "Final reconstruction", "kl": "Final KL", "loss": "Final loss"}
"""Titles of the terms that most methods have."""

WIDE = 100.0
"""Ratio of the largest to the smallest value from which an axis of positive values is logarithmic."""

FEW = 7
"""Largest number of distinct values that each have a tick of their own."""


@dataclass(frozen=True, slots=True)
class RunValues:
    """A run with its metrics, and the last values of its curves by name."""

    row: Row
    terms: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Dimension:
    """An axis and the place of each run on it.

    `places` are (runs,) from 0 to 1, NaN for a run that has no value; `texts` are the values in words. `ticks` are
    places with their names: of categories, every one, in the order of the form's choices, else in that of the alphabet.
    """

    key: str
    title: str
    places: NDArray[np.float64]
    texts: tuple[str, ...]
    ticks: tuple[tuple[float, str], ...]


def dimensions_of(runs: Sequence[RunValues]) -> list[Dimension]:
    """Return the settings in which runs differ, then their metrics, then the final values of their terms.

    A setting that follows a schedule counts with its end value. Dimensions that fewer than two runs have, or in which
    all are equal, are left out; so are the settings of the machine and the seed.
    """
    configs = [run.row.config for run in runs]
    used = [settings_in_use(config) for config in configs]
    names = dict.fromkeys(name for settings in used for name in settings if name not in MACHINE | {"seed"})
    pairs = list(zip(configs, used, strict=True))
    found = [
        _dimension(SETTING + name, setting_title(name), [_setting(config, own, name) for config, own in pairs])
        for name in names
    ]
    found += [
        _dimension(METRIC + column.metric, column.heading, [run.row.value(column.metric) for run in runs])
        for column in METRICS.values()
    ]
    titles = TERMS | {
        term.name: f"Final {term.title}" for config in configs for term in METHODS[config.objective].terms
    }
    found += [
        _dimension(TERM + name, title, [_finite(run.terms.get(name)) for run in runs]) for name, title in titles.items()
    ]
    return [dimension for dimension in found if dimension is not None]


def _setting(config: RunConfig, used: Mapping[str, object], name: str) -> float | str | None:
    """The value of a setting as a number, or as the name of a category; None if the run does not use it."""
    if name not in used:
        return None
    value = used[name]
    if isinstance(value, Schedule):
        return value.end
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return value_words(value, choices_of(config.field(name)))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _dimension(key: str, title: str, values: Sequence[float | str | None]) -> Dimension | None:
    """The axis of these values; None if fewer than two runs have one or all are equal."""
    known = [value for value in values if value is not None]
    if len(known) < 2 or len(set(known)) < 2:
        return None
    texts = tuple(_text(value) for value in values)
    if any(isinstance(value, str) for value in known):
        categories = sorted({_text(value) for value in known}, key=str.casefold)
        at = {name: number / (len(categories) - 1) for number, name in enumerate(categories)}
        places = np.array([math.nan if value is None else at[_text(value)] for value in values])
        return Dimension(key, title, places, texts, tuple((place, name) for name, place in at.items()))
    numbers = np.array([math.nan if value is None else float(value) for value in values])
    low, high = float(np.nanmin(numbers)), float(np.nanmax(numbers))
    logarithmic = low > 0 and high / low >= WIDE

    def place(value: NDArray[np.float64] | float) -> NDArray[np.float64]:
        if logarithmic:
            return np.asarray(np.log(value / low) / math.log(high / low))
        return np.asarray((value - low) / (high - low))

    distinct = sorted(set(numbers[np.isfinite(numbers)].tolist()))
    shown = distinct if len(distinct) <= FEW else [low, high]
    ticks = tuple((float(place(value)), rounded_text(value)) for value in shown)
    return Dimension(key, f"{title}, log" if logarithmic else title, place(numbers), texts, ticks)


def _text(value: float | str | None) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else rounded_text(value)


def within(dimensions: Sequence[Dimension], brushes: Mapping[str, tuple[float, float]]) -> NDArray[np.bool_]:
    """Return which runs, (runs,), lie within every brush: a range of places by the key of its dimension.

    A run that has no value in a brushed dimension does not.
    """
    inside = np.ones(len(dimensions[0].places) if dimensions else 0, dtype=bool)
    for dimension in dimensions:
        if dimension.key in brushes:
            low, high = brushes[dimension.key]
            with np.errstate(invalid="ignore"):
                inside &= (dimension.places >= low) & (dimension.places <= high)
    return inside
