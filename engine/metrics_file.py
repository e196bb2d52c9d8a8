"""metrics.csv: the curves of a run, written a row at a time and followed while they grow."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.events import StepMetrics
from engine.files import write_bytes

COLUMNS = ("step", "epoch", "seconds", "loss", "reconstruction", "kl", "capacity")


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
        if not path.exists():
            write_bytes(path, (header(latents) + "\n").encode())

    def append(self, metrics: StepMetrics) -> None:
        """Add a row. Raises OSError."""
        with self._path.open("ab", buffering=0) as file:
            file.write((row(metrics) + "\n").encode())


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


class MetricsReader:
    """Follows a metrics.csv: `refresh` reads what was appended since, whoever wrote it.

    Columns are float64 arrays that grow by doubling; a value that is empty or not a number is NaN.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._forget()

    def _forget(self) -> None:
        self._offset = 0
        self._identity = (0, 0)
        self._count = 0
        self.names: tuple[str, ...] = ()
        self._values = np.empty((256, 0))

    def __len__(self) -> int:
        return self._count

    @property
    def latents(self) -> int:
        """Number of latents, i.e. of columns kl_0, kl_1, ..."""
        return max(0, len(self.names) - len(COLUMNS))

    def column(self, name: str) -> NDArray[np.float64]:
        """Values of a column so far, a view."""
        if name not in self.names:
            return np.empty(0)
        return self._values[: self._count, self.names.index(name)]

    @property
    def kl_per_latent(self) -> NDArray[np.float64]:
        """KL of each latent, (rows, latents), a view."""
        return self._values[: self._count, len(COLUMNS) :]

    def refresh(self) -> bool:
        """Read new rows; True when something changed. A file that shrank or was replaced is read anew."""
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
                text = file.read()
        except OSError:
            changed = self._count > 0
            self._forget()
            return changed
        end = text.rfind(b"\n") + 1
        lines = text[:end].decode("ascii", "replace").split("\n")[:-1]
        self._offset += end
        if lines and not self.names:
            self.names = tuple(lines.pop(0).split(","))
            self._values = np.empty((256, len(self.names)))
        self._append(lines)
        return bool(lines) or changed

    def _append(self, lines: list[str]) -> None:
        needed = self._count + len(lines)
        if needed > len(self._values):
            grown = np.empty((max(needed, 2 * len(self._values)), self._values.shape[1]))
            grown[: self._count] = self._values[: self._count]
            self._values = grown
        for line in lines:
            values = line.split(",")
            if len(values) == len(self.names):
                self._values[self._count] = [_number(v) for v in values]
                self._count += 1


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
