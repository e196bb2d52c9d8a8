"""The table that gathers evaluated runs: one row a run or a group of runs, one column a metric.

What is shown in the window and what is written to a file are the same `Table`.
"""

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.evaluation.catalogue import Column
from engine.evaluation.grouping import RowGroup, differing, grouped, setting_title
from engine.evaluation.paper_tables import NOTE, SHARPNESS_NOTE, Published, published
from engine.evaluation.protocols import protocol_words
from engine.evaluation.rows import DataKey, Row, by_version, columns_of, told_apart

DASH = "–"
REPORT = "report:"
"""Begins the key of a column with the report's numbers; the metric follows."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A column: its key (a metric, "report:" and a metric, or what identifies a row), title, and metric if any."""

    key: str
    title: str
    column: Column | None = None
    numeric: bool = True

    @property
    def published(self) -> bool:
        """Whether the column holds the report's numbers."""
        return self.key.startswith(REPORT)


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell says; what it is sorted and drawn by; whether it is the best of its data set; how it came about."""

    text: str
    value: float | None = None
    deviation: float | None = None
    best: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table, and the runs it is of, all of one data set."""

    rows: tuple[Row, ...]
    cells: tuple[Cell, ...]

    @property
    def title(self) -> str:
        """What the row is called."""
        return self.cells[0].text

    @property
    def data(self) -> DataKey:
        """What tells its data set from others."""
        return self.rows[0].data


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and lines; each line has a cell for each heading."""

    headings: tuple[Heading, ...]
    lines: tuple[Line, ...]

    def index(self, key: str) -> int | None:
        """Place of a column; None where there is none of that key."""
        return next((number for number, heading in enumerate(self.headings) if heading.key == key), None)

    def sorted_by(self, key: str, *, descending: bool = False) -> "Table":
        """Return the table in the order of a column; rows without a value come last, equal ones stay in order."""
        place = self.index(key)
        if place is None:
            return self
        if not self.headings[place].numeric:
            lines = sorted(self.lines, key=lambda line: line.cells[place].text.casefold(), reverse=descending)
            return replace(self, lines=tuple(lines))
        with_value = [line for line in self.lines if line.cells[place].value is not None]
        ordered = sorted(with_value, key=lambda line: line.cells[place].value or 0.0, reverse=descending)
        return replace(self, lines=(*ordered, *(line for line in self.lines if line.cells[place].value is None)))

    def only(self, keys: Collection[str]) -> "Table":
        """Return the table with these columns alone."""
        kept = [number for number, heading in enumerate(self.headings) if heading.key in keys]
        return Table(
            tuple(self.headings[number] for number in kept),
            tuple(replace(line, cells=tuple(line.cells[number] for number in kept)) for line in self.lines),
        )

    def filled(self) -> "Table":
        """Return the table without the columns of metrics in which no row has a value."""
        return self.only(self.filled_keys())

    def filled_keys(self) -> set[str]:
        """Keys of the columns that identify rows, and of those in which a row has a value."""
        return {
            heading.key
            for number, heading in enumerate(self.headings)
            if heading.column is None or any(line.cells[number].value is not None for line in self.lines)
        }

    @property
    def datasets(self) -> dict[DataKey, str]:
        """What its data sets are called, in the order in which they come."""
        return told_apart(row for line in self.lines for row in line.rows)

    def notes(self) -> list[str]:
        """Sentences that belong below the table."""
        found = []
        if any(heading.published for heading in self.headings):
            found.append(NOTE)
        if self.index(f"{REPORT}sharpness") is not None:
            found.append(SHARPNESS_NOTE)
        titles = self.datasets
        for line in self.lines:
            names = differing(line.rows)
            if names:
                settings = ", ".join(setting_title(name) for name in names)
                found.append(f"{line.title} ({titles[line.data]}): the runs also differ in {settings}.")
        of_data: dict[str, list[str]] = {}
        for row in (row for line in self.lines for row in line.rows if row.data_note):
            of_data.setdefault(row.data_note, []).append(row.name)
        found += [f"{', '.join(names)}: {note}." for note, names in of_data.items()]
        return found


def table_of(rows: Sequence[Row], by: Sequence[str] | None = None, *, report: bool = False) -> Table:
    """Return the table of these runs: one row a run, or, with `by`, a group as `grouped` makes them.

    A group has mean, standard deviation (n - 1) and number of evaluated runs. With `report` the report's numbers stand
    beside ours where it has some for the data set and method of a row.
    """
    rows = by_version(rows)
    titles = told_apart(rows)
    if by is None:
        lines: list[tuple[tuple[Row, ...], list[Cell]]] = [((row,), _run_cells(row, titles[row.data])) for row in rows]
        lead = [Heading("name", "Run", numeric=False), Heading("method", "Method", numeric=False),
                Heading("dataset", "Data set", numeric=False), Heading("seed", "Seed"),
                Heading("step", "Step")]  # fmt: skip
    else:
        groups = grouped(rows, by)
        lines = [(group.rows, _group_cells(group, titles)) for group in groups]
        lead = [Heading("name", "Method" if "method" in by else "Runs", numeric=False),
                Heading("dataset", "Data set", numeric=False), Heading("n", "n")]  # fmt: skip
    printed = [_printed(members) if report else {} for members, _ in lines]
    headings = list(lead)
    columns = [list(column) for column in zip(*(cells for _, cells in lines), strict=True)] or [[] for _ in lead]
    for column in columns_of(rows):
        headings.append(Heading(column.metric, column.heading, column))
        cells = [_value_cell(members, column, single=by is None) for members, _ in lines]
        columns.append(_with_best(cells, [members for members, _ in lines], column))
        if any(column.metric in numbers for numbers in printed):
            headings.append(Heading(REPORT + column.metric, f"{column.title} (report)", column))
            columns.append([_printed_cell(numbers.get(column.metric), column) for numbers in printed])
    return Table(
        tuple(headings),
        tuple(Line(members, tuple(column[n] for column in columns)) for n, (members, _) in enumerate(lines)),
    )


def spread_of(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Mean and standard deviation (n - 1); None where there are too few values."""
    return (
        statistics.mean(values) if values else None,
        statistics.stdev(values) if len(values) > 1 else None,
    )


def decimals_of(column: Column, *, several: bool) -> int:
    """Decimals that are shown: a mean over several runs needs one where each run has a whole number."""
    return max(column.decimals, 1) if several else column.decimals


def shown_spread(values: Sequence[float], column: Column) -> str:
    """Return "mean ± standard deviation", the mean alone of one value, a dash of none."""
    mean, deviation = spread_of(values)
    decimals = decimals_of(column, several=len(values) > 1)
    if mean is None:
        return DASH
    return f"{mean:.{decimals}f}" + ("" if deviation is None else f" ± {deviation:.{decimals}f}")


def _run_cells(row: Row, dataset: str) -> list[Cell]:
    note = f"{row.method}, seed {row.seed}" + (f": {row.note}" if row.note else "")
    return [
        Cell(row.name, note=note),
        Cell(row.method),
        _dataset_cell(row, dataset),
        Cell(str(row.seed), row.seed),
        _step_cell(row),
    ]


def _dataset_cell(row: Row, dataset: str) -> Cell:
    """The data set, marked where the numbers are not of the data that the run was trained on."""
    if not row.data_note:
        return Cell(dataset)
    mark = "not recorded" if row.fingerprint is None else "other data"
    return Cell(f"{dataset} ({mark})", note=f"{row.data_note[:1].upper()}{row.data_note[1:]}.")


def _step_cell(row: Row) -> Cell:
    """The step that a row's metrics are of, and the step of the run's weights where they moved on."""
    if not row.metrics:
        return Cell(DASH, note=row.note)
    if not row.older:
        return Cell(str(row.step), row.step, note=row.note)
    note = f"The run was trained on to step {row.newest}; these numbers are of step {row.step}. Evaluate it again."
    return Cell(f"{row.step} (now {row.newest})", row.step, note=note)


def _group_cells(group: RowGroup, titles: Mapping[DataKey, str]) -> list[Cell]:
    names = ", ".join(row.name for row in group.rows)
    evaluated = sum(bool(row.metrics) for row in group.rows)
    dataset = titles[group.rows[0].data]
    return [Cell(group.title, note=names), Cell(dataset), Cell(str(evaluated), evaluated, note=names)]


def _value_cell(rows: Sequence[Row], column: Column, *, single: bool) -> Cell:
    values = [value for row in rows if (value := row.value(column.metric)) is not None]
    if not values:
        reasons = dict.fromkeys(row.reason(column.metric) for row in rows)
        return Cell(DASH, note="; ".join(reasons))
    mean, deviation = spread_of(values)
    notes = dict.fromkeys(
        protocol_words(row.metrics[column.metric], column, interval=single)
        for row in rows
        if row.value(column.metric) is not None
    )
    if not single:
        each = ", ".join(f"{row.value(column.metric):.{column.decimals}f}" for row in rows
                         if row.value(column.metric) is not None)  # fmt: skip
        lacking = {f"{row.name}: {row.reason(column.metric)}": None for row in rows if row.value(column.metric) is None}
        notes = {f"Mean ± standard deviation of {len(values)} of {len(rows)} runs: {each}": None, **notes, **lacking}
    return Cell(shown_spread(values, column), mean, deviation, note="\n".join(notes))


def _with_best(cells: list[Cell], rows: Sequence[Sequence[Row]], column: Column) -> list[Cell]:
    """Mark the best of each data set, as far as the decimals tell; nothing where all are alike."""
    if not column.better:
        return cells
    of_data: dict[DataKey, dict[int, float]] = {}
    for number, (cell, members) in enumerate(zip(cells, rows, strict=True)):
        if cell.value is not None:
            of_data.setdefault(members[0].data, {})[number] = round(cell.value, column.decimals)
    found = list(cells)
    for values in of_data.values():
        if len(set(values.values())) < 2:
            continue
        able = {number: value for number, value in values.items() if _within(rows[number], value, column)}
        best = (min if column.better == "↓" else max)(able.values(), default=None)
        for number in able:
            if able[number] == best:
                found[number] = replace(found[number], best=True)
    return found


def _within(rows: Sequence[Row], value: float, column: Column) -> bool:
    """Whether a value may be the best: one that is to come near a limit from below may not lie above it."""
    if not isinstance(column.limit, str):
        return column.limit is None or value <= column.limit
    limit, _ = spread_of([own for row in rows if (own := row.value(column.limit)) is not None])
    return limit is not None and value <= round(limit, column.decimals)


def _printed(rows: Sequence[Row]) -> dict[str, Published]:
    """The report's numbers for these runs, if it has them for every one."""
    each = [published(row.config) for row in rows]
    return each[0] if all(numbers == each[0] for numbers in each) else {}


def _printed_cell(number: Published | None, column: Column) -> Cell:
    if number is None:
        return Cell(DASH, note="the report has no number for this data set and method")
    scale = f" {SHARPNESS_NOTE}" if column.metric == "sharpness" else ""
    return Cell(number.text, number.value, note=f"Printed in {number.table} of the report.{scale}")
