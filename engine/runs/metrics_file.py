"""metrics.csv: the curves of a run, written row by row and followed while they grow."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from engine.jobs.events import StepMetrics
from engine.system.files import write_bytes
from engine.system.reading import LARGEST_INTEGER, open_regular, path_exists

COLUMNS = ("step", "epoch", "seconds", "loss", "reconstruction", "kl", "capacity")
HELD_OUT_COLUMNS = ("step", "epoch", "seconds", "reconstruction", "kl")
SCORES = ("factor_vae", "mig")
SCORE_COLUMNS = ("step", "epoch", "seconds", *SCORES)
POSITION_COLUMNS = ("step", "epoch", "seconds")
"""Columns that locate a row; the others are means over the steps since the previous row."""

KEPT_ROWS = 131_072
"""Rows that a reader keeps in memory: 18 MB with ten latents."""

CHUNK = 1_000_000
"""Bytes read at a time."""

LONGEST_LINE = 16_384
"""Largest length of a line in bytes; a line with 256 latents has about 4,000."""

MAX_COLUMNS = 512

MAX_VALUE = float(np.finfo(np.float32).max)
"""Largest value of a curve, since training computes in float32."""


def header(latents: int, own: Sequence[str] = ()) -> str:
    """Return the first line of metrics.csv, without its line end; `own` are the method's own curves.

    `latents` is the number of latents with a KL, 0 for a method without KL.
    """
    return ",".join([*COLUMNS, *own, *(f"kl_{i}" for i in range(latents))])


def row(metrics: StepMetrics) -> str:
    """Return a row of metrics.csv, without its line end: nine significant digits, empty where there is no value."""
    shared = (metrics.epoch, metrics.seconds, metrics.loss, metrics.reconstruction, metrics.kl, metrics.capacity)
    own = (None if math.isnan(value) else value for value in metrics.own)
    values = (*shared, *own, *metrics.kl_per_latent)
    return ",".join([str(metrics.step), *("" if value is None else f"{value:.9g}" for value in values)])


class MetricsWriter:
    """Appends rows, each in one write, so that readers see complete lines.

    Columns for a method's own curves, with empty cells, are added to a file that lacks some, as one of version 1.0.0.
    Raises OSError.
    """

    def __init__(self, path: Path, latents: int, own: Sequence[str] = ()) -> None:
        self._path = path
        begin_rows(path, header(latents, own))
        if own:
            _add_columns(path, header(latents, own).split(","))

    def append(self, metrics: StepMetrics) -> None:
        """Append a row. Raises OSError."""
        add_row(self._path, row(metrics))


def _add_columns(path: Path, wanted: Sequence[str]) -> None:
    """Insert empty cells into a file whose first line lacks some of these columns and has no others."""
    first, *rows = _lines(path)
    names = first.decode("ascii", "replace").split(",")
    if len(names) == len(wanted) or names != [name for name in wanted if name in names]:
        return
    write_bytes(path, b"\n".join([",".join(wanted).encode(), *(_widened(row, names, wanted) for row in rows), b""]))


def _widened(row: bytes, names: Sequence[str], wanted: Sequence[str]) -> bytes:
    """A row with an empty cell for each name that it lacks; a line that is no row stays as it is."""
    cells = row.split(b",")
    known = dict(zip(names, cells, strict=False))
    return b",".join(known.get(name, b"") for name in wanted) if len(cells) == len(names) else row


def begin_rows(path: Path, first: str) -> None:
    """Create a file with this first line, unless it exists. Raises OSError."""
    if not path_exists(path):
        write_bytes(path, (first + "\n").encode())


def add_row(path: Path, line: str) -> None:
    """Append a line in one write. Raises OSError."""
    with path.open("ab") as file:  # buffered: an unbuffered write reports no error if only a part fits on the disk
        file.write((line + "\n").encode())


def cut_back(path: Path, keep: Callable[[int], bool]) -> None:
    """Remove the rows for whose step `keep` is false, and an incomplete last line. Raises OSError."""
    if not path_exists(path):
        return
    first, *rows = _lines(path) or [b""]
    kept = [line for line in rows if (step := _step_of(line)) is not None and keep(step)]
    write_bytes(path, b"\n".join([first, *kept, b""]))


def complete_lines(path: Path, last_step: int | None = None) -> list[str]:
    """Return the header and the rows, optionally up to a step, without a line that is still being written.

    Empty if there is no file yet. Raises OSError.
    """
    try:
        lines = _lines(path)
    except FileNotFoundError:
        return []
    if last_step is not None:
        lines[1:] = [line for line in lines[1:] if (step := _step_of(line)) is not None and step <= last_step]
    return [line.decode("ascii", "replace") for line in lines]


def valid_lines(path: Path, first: str, last_step: int | None = None) -> list[str]:
    """Return the lines of a damaged file that are valid rows, after its header.

    Empty if its first line is not `first` or the file cannot be read.
    """
    try:
        header, *rows = complete_lines(path, last_step) or [""]
    except OSError:
        return []
    if header != first:
        return []
    columns = first.count(",") + 1
    return [first, *(row for row in rows if len(_sound(_parse(f"{row}\n".encode(), columns))))]


def _lines(path: Path) -> list[bytes]:
    """The lines of a file without line ends, except one still being written or too long for a row."""
    with open_regular(path) as file:
        return list(_short_lines(file))


def _short_lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(LONGEST_LINE):
        if line.endswith(b"\n"):
            yield line[:-1]
            continue
        while (line := file.readline(CHUNK)) and not line.endswith(b"\n"):
            pass


def _step_of(line: bytes) -> int | None:
    """The step at the start of a row; None if there is none."""
    step = line.split(b",", 1)[0]
    return int(step) if step.isdigit() and len(step) <= len(str(LARGEST_INTEGER)) else None


def newest_row(path: Path) -> dict[str, float]:
    """Return the newest complete row by column name; empty if there is none.

    Reads only the first and the last line, however long the file is.
    """
    try:
        with open_regular(path) as file:
            names = _names_in(file.readline(LONGEST_LINE).rstrip(b"\n"))
            if not names:
                return {}
            values = _sound(_parse(_tail(file, os.fstat(file.fileno()).st_size), len(names)))
    except OSError:
        return {}
    return dict(zip(names, map(float, values[-1]), strict=True)) if len(values) else {}


class MetricsReader:
    """Follows a metrics.csv: `refresh` reads the rows appended since the last call, by any process.

    Columns are float64 arrays; a value that is empty, not finite or not a number is NaN. A line that is not a row, or
    whose step, epoch or time is impossible, is left out, and `problem` says so. In a file with more than `keep` rows,
    every `stride` rows (a power of two) are merged into one, as if the file had been written that many times less
    often: their mean, at the step of the last. Rows after the last complete group wait for the rest of theirs.

    Parameters
    ----------
    path
        The file; it need not exist yet.
    keep
        Largest number of rows in memory, even; None for no limit.
    """

    def __init__(self, path: Path, keep: int | None = KEPT_ROWS) -> None:
        self._path = path
        self._keep = keep
        self.version = 0
        self._forget()

    def _forget(self) -> None:
        self._offset = 0
        self._identity = (0, 0)
        self._count = 0
        self.stride = 1
        self.behind = False
        self.version += 1
        self._left_out = 0
        self._foreign = self._within_line = False
        self._name((), 0)

    def _name(self, names: tuple[str, ...], rows: int) -> None:
        self.names = names
        self._values = np.empty((len(names), rows))
        self._waiting = np.empty((0, len(names)))
        self._newest = np.empty((0, len(names)))

    def __len__(self) -> int:
        return self._count

    @property
    def latents(self) -> int:
        """Number of latents with a KL, i.e. of columns kl_0, kl_1, ..."""
        return sum(name.startswith("kl_") for name in self.names)

    @property
    def own(self) -> tuple[str, ...]:
        """Names of the method's own curves: the columns between the common ones and kl_0."""
        return self.names[len(COLUMNS) : len(self.names) - self.latents]

    @property
    def problem(self) -> str:
        """The problem of the file as read so far, as a sentence; empty if there is none."""
        if self._foreign:
            return f"{self._path.name} is damaged: its first line does not name the curves. They are not shown."
        if self._left_out:
            lines = "1 line is not a row and" if self._left_out == 1 else f"{self._left_out:,} lines are not rows and"
            return f"{self._path.name} is damaged: {lines} left out."
        return ""

    def column(self, name: str) -> NDArray[np.float64]:
        """Return a view of a column's values so far. While `version` stays the same, values are only appended."""
        if name not in self.names:
            return np.empty(0)
        return self._values[self.names.index(name), : self._count]

    @property
    def kl_per_latent(self) -> NDArray[np.float64]:
        """KL of each latent, (rows, latents), a view."""
        return self._values[len(self.names) - self.latents :, : self._count].T

    def newest(self, name: str) -> float | None:
        """Return a column's value in the newest row of the file, also while reading is `behind`; None without rows."""
        if name not in self.names or not len(self._newest):
            return None
        return float(self._newest[-1, self.names.index(name)])

    def refresh(self, budget: int | None = None) -> bool:
        """Read new rows and return whether anything changed. A file that shrank or was replaced is read from its start.

        With a `budget`, about that many bytes are read at most, and `behind` says whether there are more.
        """
        changed = self._read_on(CHUNK if budget is None else budget)
        while budget is None and self.behind:
            self._read_on(CHUNK)
        return changed

    def _read_on(self, budget: int) -> bool:
        try:
            with open_regular(self._path) as file:
                status = os.fstat(file.fileno())
                identity = (status.st_dev, status.st_ino)
                changed = False
                if identity != self._identity or status.st_size < self._offset:
                    changed = self._count > 0
                    self._forget()
                    self._identity = identity
                if status.st_size == self._offset or self._foreign:
                    return changed
                file.seek(self._offset)
                text = file.read(budget) + file.readline(LONGEST_LINE)
                self.behind = file.tell() < status.st_size
                tail = _tail(file, status.st_size) if self.behind else b""
        except OSError:
            changed = self._count > 0
            self._forget()
            return changed
        text = self._complete(text)
        if text and not self.names:
            first, _, text = text.partition(b"\n")
            self._begin(first)
        if not self.names:
            self.behind = self.behind and not self._foreign
            return changed
        rows = _sound(_parse(text, len(self.names)))
        self._left_out += text.count(b"\n") - len(rows)
        self._append(rows)
        newest = _sound(_parse(tail, len(self.names))) if tail else rows
        if len(newest):
            self._newest = newest[-1:].copy()
        return bool(text) or changed

    def _complete(self, text: bytes) -> bytes:
        """The complete lines of what was read; reading continues after them, so that no line is read twice."""
        end = text.rfind(b"\n") + 1
        start = text.find(b"\n") + 1 if self._within_line else 0
        if not end and (self._within_line or len(text) > LONGEST_LINE):
            self._left_out += not self._within_line
            self._foreign = not self.names
            self._within_line, end, start = True, len(text), len(text)
        elif end:
            self._within_line = False
        self._offset += end
        return text[start:end]

    def _begin(self, first: bytes) -> None:
        """Take column names from the first line; a file with other columns is not read."""
        names = _names_in(first)
        if not names or self._left_out:
            self._foreign = True
        else:
            self._name(names, 256)

    def _append(self, rows: NDArray[np.float64]) -> None:
        """Keep rows, (n, columns), as many at a time as there is room for."""
        while len(rows):
            room = len(rows) if self._keep is None else (self._keep - self._count) * self.stride - len(self._waiting)
            rows, now = rows[room:], np.concatenate([self._waiting, rows[:room]])
            grouped = len(now) - len(now) % self.stride
            self._waiting = now[grouped:]
            groups = now[:grouped].reshape(-1, self.stride, len(self.names))
            self._put(_means(groups, self.names) if self.stride > 1 else now)
            if self._count == self._keep:
                self._halve()

    def _put(self, rows: NDArray[np.float64]) -> None:
        needed = self._count + len(rows)
        if needed > self._values.shape[1]:
            room = max(needed, 2 * self._values.shape[1])
            grown = np.empty((len(self.names), room if self._keep is None else min(room, self._keep)))
            grown[:, : self._count] = self._values[:, : self._count]
            self._values = grown
        self._values[:, self._count : needed] = rows.T
        self._count = needed

    def _halve(self) -> None:
        """Merge every two rows into one."""
        old = self._values[:, : self._count]
        self._count //= 2
        merged = _means(old.reshape(len(self.names), self._count, 2).transpose(1, 2, 0), self.names)
        self._values[:, : self._count] = merged.T
        self.stride *= 2
        self.version += 1


def _names_in(first: bytes) -> tuple[str, ...]:
    """Column names in a first line; empty if it is not that of a run's curves."""
    names = tuple(first.decode("ascii", "replace").split(","))
    known = names[: len(COLUMNS)] == COLUMNS or names in (HELD_OUT_COLUMNS, SCORE_COLUMNS)
    return names if known and len(set(names)) == len(names) <= MAX_COLUMNS else ()


def _means(groups: NDArray[np.float64], names: tuple[str, ...]) -> NDArray[np.float64]:
    """Each group of rows, (groups, size, columns), as one: the mean, at the step, epoch and time of the last row."""
    means = groups.mean(axis=1)
    places = [number for number, name in enumerate(names) if name in POSITION_COLUMNS]
    means[:, places] = groups[:, -1, places]
    return np.asarray(means)


def _tail(file: BinaryIO, size: int) -> bytes:
    """Return the last complete line of a file, or nothing if it is too long for a row."""
    file.seek(max(0, size - LONGEST_LINE))
    lines = file.read().split(b"\n")
    return lines[-2] + b"\n" if len(lines) > 2 else b""


def _parse(text: bytes, columns: int) -> NDArray[np.float64]:
    """Numbers in complete lines, (rows, columns). Lines with more or fewer are left out; other text becomes NaN."""
    characters = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(characters == ord("\n"))
    commas = np.cumsum(characters == ord(","))[ends]
    if np.array_equal(commas, (columns - 1) * np.arange(1, len(ends) + 1)):
        line = text.replace(b"\n", b",").replace(b",,", b",nan,").replace(b",,", b",nan,")
        with suppress(ValueError, DeprecationWarning):
            values = np.fromstring(line, sep=",")
            if len(values) == columns * len(ends):
                return values.reshape(-1, columns)
    fields = (line.split(",") for line in text.decode("ascii", "replace").split("\n")[:-1])
    rows = [[_number(value) for value in values] for values in fields if len(values) == columns]
    return np.array(rows, dtype=np.float64).reshape(-1, columns)


def _sound(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows with a possible step, epoch and time, (n, columns); impossible values become NaN."""
    places = rows[:, : len(POSITION_COLUMNS)]
    with np.errstate(invalid="ignore"):  # a signalling NaN compares like any other
        possible = ((places >= 0) & (places <= LARGEST_INTEGER)).all(axis=1)
        rows = rows[possible]
        rows[~(np.abs(rows) <= max(MAX_VALUE, LARGEST_INTEGER))] = np.nan
    return rows


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
