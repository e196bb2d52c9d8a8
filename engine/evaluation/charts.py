"""Data of the metrics charts: points, bars and matrices, the same for the window and for files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.catalogue import Column
from engine.evaluation.costs import COSTS, evaluations, spent
from engine.evaluation.rows import DataKey, Row
from engine.evaluation.table import REPORT, Line, Table
from engine.jobs.events import Link
from engine.methods.base import Supervision
from engine.runs.divergence import is_active
from engine.runs.latent_names import latent_title, link_text


@dataclass(frozen=True, slots=True)
class Point:
    """A run by two of its metrics, or by a metric and its cost; `line` is the number of its row in the table."""

    row: Row
    line: int
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A metric of a row of the table: its value, the ends of its error bar, and the report's value if comparable.

    `supervision` is that of the row.

    The error bar is the mean ± the standard deviation over runs, or the 95 % interval of a single run.
    """

    title: str
    line: int
    value: float
    low: float | None = None
    high: float | None = None
    printed: float | None = None
    supervision: Supervision = Supervision.NONE


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """Values by latent and factor, (latents, factors), float64.

    Latents are ordered by KL, largest first, or by number if `by_kl` is False because their KL is not known.

    `idle` marks latents that are inactive by their mean KL: their means hardly vary, but scale-invariant methods (bins
    over each latent's own range, trees) may still find factors in them.
    """

    title: str
    unit: str
    latents: tuple[str, ...]
    factors: tuple[str, ...]
    values: NDArray[np.float64]
    idle: tuple[bool, ...]
    by_kl: bool


MATRICES = {
    "mutual_information": ("mig", "Mutual information", "nats"),
    "accuracies": ("sap", "Accuracy of each latent (SAP)", ""),
    "importance": ("dci_disentanglement", "Importance (DCI)", ""),
}
"""Matrices behind scores, by name in evaluation.json: the metric they are stored with, title and unit."""


def points(table: Table, x: str, y: str, data: DataKey) -> list[Point]:
    """Return a point for each run of a data set that has both metrics.

    `x` may be one of `COSTS`: then a run has a point for each of its evaluations, in order of steps.
    """
    found = []
    for number, line in enumerate(table.lines):
        for row in line.rows if line.data == data else ():
            pairs: list[tuple[float | None, float | None]] = [(row.value(x), row.value(y))]
            if x in COSTS:
                pairs = [(spent(row, each, x), each.value) for each in evaluations(row, y)]
            found += [Point(row, number, a, b) for a, b in pairs if a is not None and b is not None]
    return found


def courses(points: Sequence[Point]) -> list[list[Point]]:
    """Return the points of each run that has several, to be joined by lines."""
    each = [list(own) for _, own in groupby(points, lambda point: id(point.row))]
    return [own for own in each if len(own) > 1]


def places(bars: Sequence[Bar]) -> tuple[list[float], dict[float, str]]:
    """Return the place of each bar from the top, and between them those of the headings: their supervision."""
    found: list[float] = []
    headings: dict[float, str] = {}
    for number, bar in enumerate(bars):
        if number == 0 or bar.supervision != bars[number - 1].supervision:
            headings[float(number + len(headings))] = str(bar.supervision)
        found.append(float(number + len(headings)))
    return found, headings


def bars(table: Table, column: Column, data: DataKey) -> list[Bar]:
    """Return a bar for each row of a data set that has a value, in the table's order."""
    place, printed = table.index(column.metric), table.index(REPORT + column.metric)
    if place is None:
        return []
    found = []
    for number, line in enumerate(table.lines):
        cell = line.cells[place]
        if cell.value is not None and line.data == data:
            low, high = _ends(line, column.metric, cell.value, cell.deviation)
            # The report's sharpness is on another scale.
            beside = line.cells[printed].value if printed is not None and column.metric != "sharpness" else None
            found.append(Bar(line.title, number, cell.value, low, high, beside, line.supervision))
    return found


def matrix(
    row: Row, name: str, names: Mapping[int, str] | None = None, links: Mapping[int, Link] | None = None
) -> Matrix | None:
    """Return a matrix of `MATRICES`; None if the run has none or it is damaged.

    `names` are the user's names of latents, by number, and `links` what those without a name follow at the row's step.
    """
    metric, title, unit = MATRICES[name]
    kept = row.metrics.get(metric, {}).get(name)
    if not isinstance(kept, dict) or "latents" not in kept or "factors" not in kept:
        return None
    try:
        values = np.array(kept["latents"], dtype=np.float64)
    except (TypeError, ValueError):
        return None
    factors = tuple(map(str, kept["factors"])) if isinstance(kept["factors"], list) else ()
    if values.ndim != 2 or values.shape[1] != len(factors) or not values.size or not np.isfinite(values).all():
        return None
    by_kl = len(row.kl_per_latent) == len(values)
    kl = row.kl_per_latent if by_kl else (float("inf"),) * len(values)
    order = sorted(range(len(values)), key=lambda latent: -kl[latent])
    idle = tuple(not is_active(kl[latent]) for latent in order)
    titles = tuple(_title(latent, names or {}, links or {}) for latent in order)
    return Matrix(title, unit, titles, factors, values[order], idle, by_kl)


def _title(latent: int, names: Mapping[int, str], links: Mapping[int, Link]) -> str:
    title = latent_title(latent, names)
    return title if latent in names or latent not in links else f"{title} {link_text(links[latent])}"


def _ends(line: Line, metric: str, value: float, deviation: float | None) -> tuple[float | None, float | None]:
    if deviation is not None:
        return value - deviation, value + deviation
    interval = line.rows[0].metrics.get(metric, {}).get("interval") if len(line.rows) == 1 else None
    return (float(interval[0]), float(interval[1])) if interval else (None, None)
