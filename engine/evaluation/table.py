"""The metrics table: a row for each run or group of runs, a column for each metric.

The same `Table` is shown in the window and written to files.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from engine.evaluation.catalogue import Column
from engine.evaluation.explanations import explanation
from engine.evaluation.grouping import RowGroup, differing, grouped, setting_title
from engine.evaluation.over_runs import OverRuns
from engine.evaluation.paper_tables import NOTE, SHARPNESS_NOTE, Published, published
from engine.evaluation.protocols import protocol_text
from engine.evaluation.rows import DataKey, Row, by_version, columns_of, distinct_titles
from engine.methods.base import Supervision
from engine.methods.registry import METHODS

DASH = "–"
REPORT = "report:"
"""Prefix of the key of a column with the report's values; the metric follows."""

UNTRAINED = "It was not trained here."

COMPARISON_NOTE = "{}: values are of different selections of runs, and only those of the same are ranked."

SUPERVISION_NOTE = (
    "Methods of different supervision are not ranked against each other: the best value is marked within each label."
)


@dataclass(frozen=True, slots=True)
class Heading:
    """Heading of a column: key (a metric, "report:" and a metric, or a column that identifies rows), title, metric."""

    key: str
    title: str
    column: Column | None = None
    numeric: bool = True

    @property
    def published(self) -> bool:
        """Whether the column holds the report's values."""
        return self.key.startswith(REPORT)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its text, the value for sorting and charts, whether it is the best of its data set and supervision, its
    protocol, and the statistics of several runs."""

    text: str
    value: float | None = None
    deviation: float | None = None
    best: bool = False
    note: str = ""
    over_runs: OverRuns | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table and its runs, all of the same data set and supervision.

    `member` says that it is one of the runs of the row of several above it, which is opened.
    """

    rows: tuple[Row, ...]
    cells: tuple[Cell, ...]
    member: bool = False

    @property
    def title(self) -> str:
        """Title of the row."""
        return self.cells[0].text

    @property
    def data(self) -> DataKey:
        """Key of its data set."""
        return self.rows[0].data

    @property
    def supervision(self) -> Supervision:
        """What its runs learned from in addition to images."""
        return self.rows[0].supervision


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and lines, with a cell for each heading in each line."""

    headings: tuple[Heading, ...]
    lines: tuple[Line, ...]

    def index(self, key: str) -> int | None:
        """Return the position of a column; None if there is none with that key."""
        return next((number for number, heading in enumerate(self.headings) if heading.key == key), None)

    def sorted_by(self, key: str, *, descending: bool = False) -> "Table":
        """Return the table sorted by a column; rows without a value come last, equal ones keep their order.

        By a metric, rows are sorted within their supervision, the least supervision first.
        """
        place = self.index(key)
        if place is None:
            return self
        heading = self.headings[place]
        if not heading.numeric:
            lines = sorted(self.lines, key=lambda line: line.cells[place].text.casefold(), reverse=descending)
            return replace(self, lines=tuple(lines))
        with_value = [line for line in self.lines if line.cells[place].value is not None]
        ordered = sorted(with_value, key=lambda line: line.cells[place].value or 0.0, reverse=descending)
        ordered += [line for line in self.lines if line.cells[place].value is None]
        if heading.column is not None:
            ordered.sort(key=lambda line: line.supervision.rank)
        return replace(self, lines=tuple(ordered))

    def opened(self, is_open: Callable[[Line], bool]) -> "Table":
        """Return the table with a row for each run below those rows of several for which `is_open` is true."""
        lines: list[Line] = []
        for line in self.lines:
            lines.append(line)
            if len(line.rows) > 1 and is_open(line):
                lines += [_member(row, line, self.headings) for row in line.rows]
        return replace(self, lines=tuple(lines))

    @property
    def group_ends(self) -> frozenset[int]:
        """Numbers of the rows that are followed by those of another supervision; none unless rows are grouped by it."""
        labels = [line.supervision for line in self.lines]
        ends = frozenset(n for n, (label, after) in enumerate(pairwise(labels)) if label != after)
        return ends if len(ends) < len(set(labels)) else frozenset()

    def only(self, keys: Collection[str]) -> "Table":
        """Return the table with only these columns."""
        kept = [number for number, heading in enumerate(self.headings) if heading.key in keys]
        return Table(
            tuple(self.headings[number] for number in kept),
            tuple(replace(line, cells=tuple(line.cells[number] for number in kept)) for line in self.lines),
        )

    def filled(self) -> "Table":
        """Return the table without columns of metrics for which no row has a value."""
        return self.only(self.filled_keys())

    def filled_keys(self) -> set[str]:
        """Return the keys of the columns that identify rows, and of those in which any row has a value."""
        return {
            heading.key
            for number, heading in enumerate(self.headings)
            if heading.column is None or any(line.cells[number].value is not None for line in self.lines)
        }

    @property
    def datasets(self) -> dict[DataKey, str]:
        """Distinct titles of its data sets, in order of occurrence."""
        return distinct_titles(row for line in self.lines for row in line.rows)

    def notes(self) -> list[str]:
        """Return the sentences to show below the table."""
        found = []
        if any(heading.published for heading in self.headings):
            found.append(NOTE)
        if self.index(f"{REPORT}sharpness") is not None:
            found.append(SHARPNESS_NOTE)
        if len({line.supervision for line in self.lines}) > 1:
            found.append(SUPERVISION_NOTE)
        for column in (heading.column for heading in self.headings if heading.column and not heading.published):
            if len({each for line in self.lines for each in _comparisons(line.rows, column)}) > 1:
                found.append(COMPARISON_NOTE.format(column.title))
        if len(self.lines) == 1 and len(self.lines[0].rows) == 1:
            shown = [heading.column for heading in self.headings if heading.column and not heading.published]
            whys = {column.title: explanation(self.lines[0].rows[0], column.metric) for column in shown}
            found += [f"{title}: {why}" for title, why in whys.items() if why]
        titles = self.datasets
        for line in self.lines:
            names = differing(line.rows)
            if names:
                settings = ", ".join(setting_title(name) for name in names)
                found.append(f"{line.title} ({titles[line.data]}): the runs also differ in {settings}.")
            versions = dict.fromkeys(" and ".join(row.plugins) or "none" for row in line.rows if row.metrics)
            if len(versions) > 1:
                found.append(f"{line.title} ({titles[line.data]}): the plug-ins differ: {' / '.join(versions)}.")
        noted: dict[str, list[str]] = {}
        for row in (row for line in self.lines for row in line.rows):
            for note in filter(None, (row.data_note, row.code_note)):
                noted.setdefault(note, []).append(row.name)
        found += [f"{', '.join(names)}: {note}." for note, names in noted.items()]
        return found


def table_of(
    rows: Sequence[Row], by: Sequence[str] | None = None, *, report: bool = False, spread: str = "std"
) -> Table:
    """Return the table of these runs: a row for each run or, with `by`, for each group of `grouped`.

    A group has the number of evaluated runs, and for each metric what `spread` of `SPREADS` says. Values of different
    protocols are not averaged. With `report`, the report's values are shown beside ours where it has some for the data
    set and method of a row.
    """
    rows = by_version(rows)
    titles = distinct_titles(rows)
    if by is None:
        lines: list[tuple[tuple[Row, ...], list[Cell]]] = [((row,), _run_cells(row, titles[row.data])) for row in rows]
        lead = [Heading("name", "Run", numeric=False), Heading("method", "Method", numeric=False),
                Heading("supervision", "Supervision", numeric=False), Heading("dataset", "Data set", numeric=False),
                Heading("seed", "Seed"), Heading("step", "Step")]  # fmt: skip
    else:
        groups = grouped(rows, by)
        lines = [(group.rows, _group_cells(group, titles)) for group in groups]
        lead = [Heading("name", "Method" if "method" in by else "Runs", numeric=False),
                Heading("supervision", "Supervision", numeric=False), Heading("dataset", "Data set", numeric=False),
                Heading("n", "n")]  # fmt: skip
    printed = [_printed(members) if report else {} for members, _ in lines]
    headings = list(lead)
    columns = [list(column) for column in zip(*(cells for _, cells in lines), strict=True)] or [[] for _ in lead]
    for column in columns_of(rows):
        headings.append(Heading(column.metric, column.heading, column))
        cells = [_value_cell(members, column, single=by is None, spread=spread) for members, _ in lines]
        columns.append(_with_best(cells, [members for members, _ in lines], column))
        if any(column.metric in numbers for numbers in printed):
            headings.append(Heading(REPORT + column.metric, f"{column.title} (report)", column))
            columns.append([_printed_cell(numbers.get(column.metric), column) for numbers in printed])
    return Table(
        tuple(headings),
        tuple(Line(members, tuple(column[n] for column in columns)) for n, (members, _) in enumerate(lines)),
    )


def _run_cells(row: Row, dataset: str) -> list[Cell]:
    about = row.elsewhere or f"seed {row.seed}"
    note = f"{row.method}, {about}" + (f": {row.note}" if row.note else "")
    seed = Cell(DASH, note=UNTRAINED) if row.elsewhere else Cell(str(row.seed), row.seed)
    return [
        Cell(row.name, note=note),
        Cell(row.method),
        _supervision_cell(row),
        _dataset_cell(row, dataset),
        seed,
        _step_cell(row),
    ]


def _supervision_cell(row: Row) -> Cell:
    """What a run learned from in addition to images; with the reason if it is not its method's supervision."""
    own = METHODS[row.config.objective].supervision
    given = "" if row.supervision == own else " Its decoder was given the class labels."
    return Cell(str(row.supervision), note=row.supervision.about + given)


def _dataset_cell(row: Row, dataset: str) -> Cell:
    """The data set, marked if the values are not known to be of the data that the run was trained on."""
    if not row.data_note:
        return Cell(dataset)
    mark = "not recorded" if row.fingerprint is None else "other data"
    return Cell(f"{dataset} ({mark})", note=f"{row.data_note[:1].upper()}{row.data_note[1:]}.")


def _step_cell(row: Row) -> Cell:
    """The step of a row's metrics, and the step of the current weights if that is later."""
    if not row.metrics:
        return Cell(DASH, note=row.note)
    if row.elsewhere:
        return Cell(DASH, note=UNTRAINED)
    if not row.older:
        return Cell(str(row.step), row.step, note=row.note)
    note = f"The run has been trained to step {row.newest}; these values are of step {row.step}. Evaluate it again."
    return Cell(f"{row.step} (now {row.newest})", row.step, note=note)


def _group_cells(group: RowGroup, titles: Mapping[DataKey, str]) -> list[Cell]:
    names = ", ".join(row.name for row in group.rows)
    evaluated = sum(bool(row.metrics) for row in group.rows)
    dataset = titles[group.rows[0].data]
    count = Cell(str(evaluated), evaluated, note=names)
    return [Cell(group.title, note=names), _supervision_cell(group.rows[0]), Cell(dataset), count]


def _member(row: Row, line: Line, headings: Sequence[Heading]) -> Line:
    """A run of a row of several, in the columns of that row."""
    shared = dict(zip((heading.key for heading in headings), line.cells, strict=True))
    given = {
        "name": Cell(row.name, note=f"{row.method}, {row.elsewhere or f'seed {row.seed}'}"),
        "supervision": shared.get("supervision", Cell("")),
        "dataset": shared.get("dataset", Cell("")),
        "n": Cell(""),
    }
    cells = (
        given[heading.key]
        if heading.column is None
        else Cell("")
        if heading.published
        else _value_cell((row,), heading.column, single=True)
        for heading in headings
    )
    return Line((row,), tuple(cells), member=True)


def _value_cell(rows: Sequence[Row], column: Column, *, single: bool, spread: str = "std") -> Cell:
    values = [value for row in rows if (value := row.value(column.metric)) is not None]
    if not values:
        reasons = dict.fromkeys(row.reason(column.metric) for row in rows)
        return Cell(DASH, note="; ".join(reasons))
    found = OverRuns.of(values)
    assert found is not None
    by_protocol = _by_protocol(rows, column)
    if len(by_protocol) > 1:
        each = "; ".join(f"{', '.join(names)}: {protocol}" for protocol, names in by_protocol.items())
        return Cell(DASH, note=f"The runs were evaluated with different protocols, so they have no mean. {each}")
    notes = dict.fromkeys(
        protocol_text(row.metrics[column.metric], column, interval=single)
        for row in rows
        if row.value(column.metric) is not None
    )
    if single and len(rows) == 1 and (why := explanation(rows[0], column.metric)):
        notes[why] = None
    if not single:
        each = ", ".join(f"{row.value(column.metric):.{column.decimals}f}" for row in rows
                         if row.value(column.metric) is not None)  # fmt: skip
        lacking = {f"{row.name}: {row.reason(column.metric)}": None for row in rows if row.value(column.metric) is None}
        notes = {f"{found.in_full(column, len(rows))}. Each: {each}": None, **notes, **lacking}
    text, deviation = found.text(column, spread), found.deviation
    return Cell(text, found.centre(spread), deviation, note="\n".join(notes), over_runs=None if single else found)


def _by_protocol(rows: Sequence[Row], column: Column) -> dict[str, list[str]]:
    """The names of the runs that have a metric, by its protocol in words."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.value(column.metric) is not None:
            words = protocol_text(row.metrics[column.metric], column, interval=False)
            found.setdefault(words, []).append(row.name)
    return found


def _with_best(cells: list[Cell], rows: Sequence[Sequence[Row]], column: Column) -> list[Cell]:
    """Mark the best cell of each data set and supervision, compared as rounded; none if all are equal."""
    if not column.better:
        return cells
    comparable: dict[tuple[DataKey, Supervision, frozenset[str]], dict[int, float]] = {}
    for number, (cell, members) in enumerate(zip(cells, rows, strict=True)):
        if cell.value is not None:
            key = members[0].data, members[0].supervision, _comparisons(members, column)
            comparable.setdefault(key, {})[number] = round(cell.value, column.decimals)
    found = list(cells)
    for values in comparable.values():
        if len(set(values.values())) < 2:
            continue
        eligible = {number: value for number, value in values.items() if _within(rows[number], value, column)}
        best = (min if column.better == "↓" else max)(eligible.values(), default=None)
        for number in eligible:
            if eligible[number] == best:
                found[number] = replace(found[number], best=True)
    return found


def _comparisons(rows: Sequence[Row], column: Column) -> frozenset[str]:
    """The selections of runs among which values hold, for metrics that compare runs; empty for others."""
    kept = (row.metrics.get(column.metric, {}).get("protocol", {}).get("comparison") for row in rows)
    return frozenset(str(each) for each in kept if each)


def _within(rows: Sequence[Row], value: float, column: Column) -> bool:
    """Whether a value may be the best: where a limit should be approached from below, it must not exceed it."""
    if not isinstance(column.limit, str):
        return column.limit is None or value <= column.limit
    limit = OverRuns.of([own for row in rows if (own := row.value(column.limit)) is not None])
    return limit is not None and value <= round(limit.mean, column.decimals)


def _printed(rows: Sequence[Row]) -> dict[str, Published]:
    """The report's values for these runs, if it has the same for all of them."""
    each = [published(row.config) for row in rows]
    return each[0] if all(numbers == each[0] for numbers in each) else {}


def _printed_cell(number: Published | None, column: Column) -> Cell:
    if number is None:
        return Cell(DASH, note="the report has no value for this data set and method")
    scale = f" {SHARPNESS_NOTE}" if column.metric == "sharpness" else ""
    return Cell(number.text, number.value, note=f"Printed in {number.table} of the report.{scale}")
