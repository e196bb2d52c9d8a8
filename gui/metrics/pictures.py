"""Reconstructions of several runs side by side, and sweeps of factors, computed outside the window's thread.

The engine's modules that load torch are imported on the first request.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from engine.errors import StudioError
from engine.runs.run import Run

if TYPE_CHECKING:
    from engine.evaluation.reconstructions import Reconstructions
    from engine.evaluation.sweeps import Sweeps
    from engine.runs.trained import TrainedModel

Made = TypeVar("Made")

IMAGES = 8
MOST_RUNS = 6
"""Maximum number of runs whose reconstructions are shown at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """The originals, and for each run its reconstructions or a sentence that says why there are none."""

    originals: "Reconstructions"
    runs: tuple[tuple[str, "Reconstructions | str"], ...]


class ByWeights(Generic[Made]):
    """Caches what was made of runs by their weights and data. Used from one thread only."""

    def __init__(self, make: "Callable[[TrainedModel], Made]") -> None:
        self._make = make
        self._kept: dict[Path, tuple[object, Made]] = {}

    def __call__(self, path: Path) -> Made:
        """Return what is made of a run, given its folder. Raises StudioError."""
        from engine.runs.trained import load_dataset_of, load_model

        run = Run.open(path)
        weights = run.checkpoint_folder / "model.safetensors"
        data = run.config.data_folder
        stamp = tuple(file.stat().st_mtime_ns if file and file.exists() else None for file in (weights, data))
        kept = self._kept.get(path)
        if kept is None or kept[0] != stamp:
            kept = stamp, self._make(load_model(run, load_dataset_of(run)))
            self._kept[path] = kept
        return kept[1]


class Comparer:
    """Reconstructs images. Used from one thread only."""

    def __init__(self) -> None:
        self._of = ByWeights(_reconstructed)

    def __call__(self, asked: Sequence[tuple[Path, str]]) -> Compared:
        """Reconstruct the same images with each run (folder, name), all on one data set. Raises StudioError."""
        found: list[tuple[str, Reconstructions | str]] = []
        first = None
        problem = "There is nothing to show."
        for path, name in asked:
            try:
                images, made = self._of(path)
            except StudioError as error:
                problem = str(error)
                found.append((name, problem))
            else:
                first = images if first is None else first
                found.append((name, made))
        if first is None:
            raise StudioError(problem)
        return Compared(first, tuple(found))


def _reconstructed(trained: "TrainedModel") -> "tuple[Reconstructions, Reconstructions]":
    from engine.evaluation.reconstructions import originals, reconstructions

    return originals(trained, IMAGES), reconstructions(trained, IMAGES)


class Sweeper:
    """Sweeps the factors of runs, until it is closed. Used from one thread only."""

    def __init__(self) -> None:
        self._of = ByWeights(self._swept)
        self._over = threading.Event()

    def __call__(self, path: Path) -> "Sweeps":
        """Return the sweeps of a run, given its folder. Raises StudioError."""
        return self._of(path)

    def close(self) -> None:
        """Give up what is being computed."""
        self._over.set()

    def _swept(self, trained: "TrainedModel") -> "Sweeps":
        from engine.evaluation.sweeps import find_sweeps

        job = find_sweeps(trained)
        while not self._over.is_set():
            try:
                next(job)
            except StopIteration as end:
                found: Sweeps = end.value
                return found
        job.close()
        raise StudioError("The window was closed.")
