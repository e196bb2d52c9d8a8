"""metrics.csv: the curves of a run, written a row at a time and followed while they grow."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from engine.events import StepMetrics
from engine.files import write_bytes

COLUMNS = ("step", "epoch", "seconds", "loss", "reconstruction", "kl", "capacity")
PLACES = ("step", "epoch", "seconds")
"""Columns that say where a row is; the others are means over the steps since the last."""

KEEP = 131_072
"""Rows that a reader keeps: 18 MB with ten latents."""

CHUNK = 1_000_000
"""Bytes read at a time."""

LONGEST_LINE = 16_384
"""Bytes; a line with 256 latents has about 4,000."""


def header(latents: int) -> str:
    """Return the first line of metrics.csv, without its end."""
    return ",".join([*COLUMNS, *(f"kl_{i}" for i in range(latents))])


def row(metrics: StepMetrics) -> str:
    """Return one line of metrics.csv, without its end. Values have nine significant digits."""
    values = [metrics.epoch, metrics.seconds, metrics.loss, metrics.reconstruction, metrics.kl]
    capacity = "" if metrics.capacity is None else f"{metrics.capacity:.9g}"
    return ",".join(
        [str(metrics.step), *(f"{v:.9g}" for v in values), capacity, *(f"{v:.9g}" for v in metrics.kl_per_latent)]
    )


class MetricsWriter:
    """Appends rows. Each row reaches the file in one write, so readers see whole lines or nothing."""

    def __init__(self, path: Path, latents: int) -> None:
        self._path = path
        begin_rows(path, header(latents))

    def append(self, metrics: StepMetrics) -> None:
        """Add a row. Raises OSError."""
        add_row(self._path, row(metrics))


def begin_rows(path: Path, first: str) -> None:
    """Make a file with this first line, unless there is one. Raises OSError."""
    if not path.exists():
        write_bytes(path, (first + "\n").encode())


def add_row(path: Path, line: str) -> None:
    """Append a line in one write. Raises OSError."""
    with path.open("ab", buffering=0) as file:
        file.write((line + "\n").encode())


def cut_back(path: Path, keep: Callable[[int], bool]) -> None:
    """Drop the rows whose step `keep` refuses, and a half-written last line. Raises OSError."""
    if not path.exists():
        return
    first, *rows = path.read_bytes().split(b"\n")
    kept = [line for line in rows[:-1] if (step := line.split(b",", 1)[0]).isdigit() and keep(int(step))]
    write_bytes(path, b"\n".join([first, *kept, b""]))


def whole_lines(path: Path, last_step: int | None = None) -> list[str]:
    """Return the header and the rows (up to a step) as they are, without a line that is being written.

    Empty when there is no file yet. Raises OSError.
    """
    try:
        lines = path.read_bytes().decode("ascii", "replace").split("\n")[:-1]
    except FileNotFoundError:
        return []
    if last_step is None:
        return lines
    steps = (line.split(",", 1)[0] for line in lines[1:])
    return lines[:1] + [
        line for line, step in zip(lines[1:], steps, strict=True) if step.isdigit() and int(step) <= last_step
    ]


def newest_row(path: Path) -> dict[str, float]:
    """Return the newest whole row by the names of its columns; empty without one.

    Reads the first line and the last alone, however long the file is.
    """
    try:
        with path.open("rb") as file:
            names = file.readline(LONGEST_LINE).decode("ascii", "replace").rstrip("\n").split(",")
            values = _parse(_tail(file, os.fstat(file.fileno()).st_size), len(names))
    except OSError:
        return {}
    return dict(zip(names, map(float, values[-1]), strict=True)) if len(values) else {}


class MetricsReader:
    """Follows a metrics.csv: `refresh` reads what was appended since, whoever wrote it.

    Columns are float64 arrays; a value that is empty or not a number is NaN. Of a file with more than `keep` rows,
    each `stride` rows (a power of two) are kept as one: what the file would hold had it been written that many times
    less often, i.e. the mean, at the step of the last. The fewer than `stride` rows after the last whole group wait.

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
        return max(0, len(self.names) - len(COLUMNS))

    def column(self, name: str) -> NDArray[np.float64]:
        """Values of a column so far, a view. While `version` stays the same they are only added to."""
        if name not in self.names:
            return np.empty(0)
        return self._values[self.names.index(name), : self._count]

    @property
    def kl_per_latent(self) -> NDArray[np.float64]:
        """KL of each latent, (rows, latents), a view."""
        return self._values[len(COLUMNS) :, : self._count].T

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
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                identity = (status.st_dev, status.st_ino)
                changed = False
                if identity != self._identity or status.st_size < self._offset:
                    changed = self._count > 0
                    self._forget()
                    self._identity = identity
                if status.st_size == self._offset:
                    return changed
                file.seek(self._offset)
                text = file.read(budget) + file.readline()
                self.behind = file.tell() < status.st_size
                tail = _tail(file, status.st_size) if self.behind else b""
        except OSError:
            changed = self._count > 0
            self._forget()
            return changed
        end = text.rfind(b"\n") + 1
        self._offset += end
        text = text[:end]
        if text and not self.names:
            first, _, text = text.partition(b"\n")
            self._name(tuple(first.decode("ascii", "replace").split(",")), 256)
        if not self.names:
            return changed
        rows = _parse(text, len(self.names))
        self._append(rows)
        newest = _parse(tail, len(self.names)) if tail else rows
        if len(newest):
            self._newest = newest[-1:].copy()
        return bool(text) or changed

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


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
