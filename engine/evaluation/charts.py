"""Data of the metrics charts: points and bars, the same for the window and for files."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from engine.evaluation.catalogue import Column
from engine.evaluation.costs import COSTS, evaluations, spent
from engine.evaluation.rows import DataKey, Row
from engine.evaluation.table import REPORT, Line, Table
from engine.methods.base import Supervision


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


def _ends(line: Line, metric: str, value: float, deviation: float | None) -> tuple[float | None, float | None]:
    if deviation is not None:
        return value - deviation, value + deviation
    interval = line.rows[0].metrics.get(metric, {}).get("interval") if len(line.rows) == 1 else None
    return (float(interval[0]), float(interval[1])) if interval else (None, None)
