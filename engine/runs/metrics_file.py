"""metrics.csv: the curves of a run, written a row at a time and followed while they grow."""

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
from engine.system.reading import LARGEST_WHOLE, is_there, open_regular

COLUMNS = ("step", "epoch", "seconds", "loss", "reconstruction", "kl", "capacity")
HELD_OUT_COLUMNS = ("step", "epoch", "seconds", "reconstruction", "kl")
PLACES = ("step", "epoch", "seconds")
"""Columns that say where a row is; the others are means over the steps since the last."""

KEEP = 131_072
"""Rows that a reader keeps: 18 MB with ten latents."""

CHUNK = 1_000_000
"""Bytes read at a time."""

LONGEST_LINE = 16_384
"""Bytes; a line with 256 latents has about 4,000."""

MOST_COLUMNS = 512

LARGEST = float(np.finfo(np.float32).max)
"""Training computes in float32; no curve has a larger value."""


def header(latents: int, own: Sequence[str] = ()) -> str:
    """Return the first line of metrics.csv, without its end; `own` are the curves that are the method's own.

    `latents` is the number of those with a KL: none for a method that has no KL.
    """
    return ",".join([*COLUMNS, *own, *(f"kl_{i}" for i in range(latents))])


def row(metrics: StepMetrics) -> str:
    """Return one line of metrics.csv, without its end: nine significant digits, nothing where there is no value."""
    shared = (metrics.epoch, metrics.seconds, metrics.loss, metrics.reconstruction, metrics.kl, metrics.capacity)
    own = (None if math.isnan(value) else value for value in metrics.own)
    values = (*shared, *own, *metrics.kl_per_latent)
    return ",".join([str(metrics.step), *("" if value is None else f"{value:.9g}" for value in values)])


class MetricsWriter:
    """Appends rows. Each row reaches the file in one write, so readers see whole lines or nothing.

    A file that lacks some of the method's own columns, as one of version 1.0.0 does, gets them, with empty cells.
    Raises OSError.
    """

    def __init__(self, path: Path, latents: int, own: Sequence[str] = ()) -> None:
        self._path = path
        begin_rows(path, header(latents, own))
        if own:
            _add_columns(path, header(latents, own).split(","))

    def append(self, metrics: StepMetrics) -> None:
        """Add a row. Raises OSError."""
        add_row(self._path, row(metrics))


def _add_columns(path: Path, wanted: Sequence[str]) -> None:
    """Put empty cells into a file whose first line lacks some of these columns, and has no others."""
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
    """Make a file with this first line, unless there is one. Raises OSError."""
    if not is_there(path):
        write_bytes(path, (first + "\n").encode())


def add_row(path: Path, line: str) -> None:
    """Append a line in one write. Raises OSError."""
    with path.open("ab") as file:  # buffered, since a file that is not says nothing where only a part fits on the disk
        file.write((line + "\n").encode())


def cut_back(path: Path, keep: Callable[[int], bool]) -> None:
    """Drop the rows whose step `keep` refuses, and a half-written last line. Raises OSError."""
    if not is_there(path):
        return
    first, *rows = _lines(path) or [b""]
    kept = [line for line in rows if (step := _step_of(line)) is not None and keep(step)]
    write_bytes(path, b"\n".join([first, *kept, b""]))


def whole_lines(path: Path, last_step: int | None = None) -> list[str]:
    """Return the header and the rows (up to a step) as they are, without a line that is being written.

    Empty when there is no file yet. Raises OSError.
    """
    try:
        lines = _lines(path)
    except FileNotFoundError:
        return []
    if last_step is not None:
        lines[1:] = [line for line in lines[1:] if (step := _step_of(line)) is not None and step <= last_step]
    return [line.decode("ascii", "replace") for line in lines]


def sound_lines(path: Path, first: str, last_step: int | None = None) -> list[str]:
    """Return `whole_lines` of a damaged file without those that are no rows; none where its first line is another.

    Empty also where it cannot be read.
    """
    try:
        header, *rows = whole_lines(path, last_step) or [""]
    except OSError:
        return []
    if header != first:
        return []
    columns = first.count(",") + 1
    return [first, *(row for row in rows if len(_sound(_parse(f"{row}\n".encode(), columns))))]


def _lines(path: Path) -> list[bytes]:
    """The lines of a file without their ends; not one that is being written, nor one too long to be a row."""
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
    """The step that a row begins with; None where it does not."""
    step = line.split(b",", 1)[0]
    return int(step) if step.isdigit() and len(step) <= len(str(LARGEST_WHOLE)) else None


def newest_row(path: Path) -> dict[str, float]:
    """Return the newest whole row by the names of its columns; empty without one.

    Reads the first line and the last alone, however long the file is.
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
    """Follows a metrics.csv: `refresh` reads what was appended since, whoever wrote it.

    Columns are float64 arrays; a value that is empty, not finite or not a number is NaN. A line that is no row, or
    whose step, epoch or time cannot be, is left out, and `problem` says so. Of a file with more than `keep` rows, each
    `stride` rows (a power of two) are kept as one: what the file would hold had it been written that many times less
    often, i.e. the mean, at the step of the last. The fewer than `stride` rows after the last whole group wait.

    Parameters
    ----------
    path
        The file; it need not be there yet.
    keep
        Largest number of rows in memory, even; None for all there are.
    """

    def __init__(self, path: Path, keep: int | None = KEEP) -> None:
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
        """Number of latents, i.e. of columns kl_0, kl_1, ..."""
        return sum(name.startswith("kl_") for name in self.names)

    @property
    def own(self) -> tuple[str, ...]:
        """Names of the curves that are the method's own, the columns between those of all runs and kl_0."""
        return self.names[len(COLUMNS) : len(self.names) - self.latents]

    @property
    def problem(self) -> str:
        """What is wrong with what was read so far, as a sentence; empty when nothing is."""
        if self._foreign:
            return f"{self._path.name} is damaged: its first line does not name the curves. They are not shown."
        if self._left_out:
            lines = "a line that is no row is" if self._left_out == 1 else f"{self._left_out:,} lines are no rows and"
            return f"{self._path.name} is damaged: {lines} left out."
        return ""

    def column(self, name: str) -> NDArray[np.float64]:
        """Values of a column so far, a view. While `version` stays the same they are only added to."""
        if name not in self.names:
            return np.empty(0)
        return self._values[self.names.index(name), : self._count]

    @property
    def kl_per_latent(self) -> NDArray[np.float64]:
        """KL of each latent, (rows, latents), a view."""
        return self._values[len(self.names) - self.latents :, : self._count].T

    def newest(self, name: str) -> float | None:
        """Value of a column in the newest row of the file, also while reading is `behind`; None without rows."""
        if name not in self.names or not len(self._newest):
            return None
        return float(self._newest[-1, self.names.index(name)])

    def refresh(self, budget: int | None = None) -> bool:
        """Read new rows; True when something changed. A file that shrank or was replaced is read anew.

        With a `budget`, at most about that many bytes are read, and `behind` says whether there is more.
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
        text = self._whole(text)
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

    def _whole(self, text: bytes) -> bytes:
        """The whole lines of what was read, and go on behind them: a line is never read twice, however long it is."""
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
        """Take the first line's names; a file with others is not read."""
        names = _names_in(first)
        if not names or self._left_out:
            self._foreign = True
        else:
            self._name(names, 256)

    def _append(self, rows: NDArray[np.float64]) -> None:
        """Keep rows, (n, columns), as many as there is room for at a time."""
        while len(rows):
            room = len(rows) if self._keep is None else (self._keep - self._count) * self.stride - len(self._waiting)
            rows, now = rows[room:], np.concatenate([self._waiting, rows[:room]])
            whole = len(now) - len(now) % self.stride
            self._waiting = now[whole:]
            groups = now[:whole].reshape(-1, self.stride, len(self.names))
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
        """Keep each two rows as one."""
        old = self._values[:, : self._count]
        self._count //= 2
        merged = _means(old.reshape(len(self.names), self._count, 2).transpose(1, 2, 0), self.names)
        self._values[:, : self._count] = merged.T
        self.stride *= 2
        self.version += 1


def _names_in(first: bytes) -> tuple[str, ...]:
    """The columns that a first line names; empty when it is not that of a run's curves."""
    names = tuple(first.decode("ascii", "replace").split(","))
    known = names[: len(COLUMNS)] == COLUMNS or names == HELD_OUT_COLUMNS
    return names if known and len(set(names)) == len(names) <= MOST_COLUMNS else ()


def _means(groups: NDArray[np.float64], names: tuple[str, ...]) -> NDArray[np.float64]:
    """Groups of rows, (groups, size, columns), each as one row: the mean, but where and when the last of them was."""
    means = groups.mean(axis=1)
    places = [number for number, name in enumerate(names) if name in PLACES]
    means[:, places] = groups[:, -1, places]
    return np.asarray(means)


def _tail(file: BinaryIO, size: int) -> bytes:
    """Return the last whole line of a file, or nothing when it is longer than a line can be."""
    file.seek(max(0, size - LONGEST_LINE))
    lines = file.read().split(b"\n")
    return lines[-2] + b"\n" if len(lines) > 2 else b""


def _parse(text: bytes, columns: int) -> NDArray[np.float64]:
    """Numbers of whole lines, (rows, columns). Lines of another length are left out; what is no number is NaN."""
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
    """Rows whose place can be one, (n, columns); a value that no training has is NaN."""
    places = rows[:, : len(PLACES)]
    with np.errstate(invalid="ignore"):  # a signalling NaN compares as any other
        possible = ((places >= 0) & (places <= LARGEST_WHOLE)).all(axis=1)
        rows = rows[possible]
        rows[~(np.abs(rows) <= max(LARGEST, LARGEST_WHOLE))] = np.nan
    return rows


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
