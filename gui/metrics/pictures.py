"""Reconstructions of several runs side by side, computed outside the window's thread.

The engine's modules that load torch are imported on the first request.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import StudioError
from engine.runs.run import Run

if TYPE_CHECKING:
    from engine.evaluation.reconstructions import Reconstructions

IMAGES = 8
MOST_RUNS = 6
"""Maximum number of runs whose reconstructions are shown at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """The originals, and for each run its reconstructions or a sentence that says why there are none."""

    originals: "Reconstructions"
    runs: tuple[tuple[str, "Reconstructions | str"], ...]


class Comparer:
    """Reconstructs images and caches the results by a run's weights. Used from one thread only."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[object, Reconstructions, Reconstructions]] = {}

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

    def _of(self, path: Path) -> "tuple[Reconstructions, Reconstructions]":
        from engine.data import load_dataset
        from engine.evaluation.reconstructions import originals, reconstructions
        from engine.runs.trained import load_model

        run = Run.open(path)
        weights = run.checkpoint_folder / "model.safetensors"
        data = run.config.data_folder
        stamp = tuple(file.stat().st_mtime_ns if file and file.exists() else None for file in (weights, data))
        kept = self._kept.get(path)
        if kept is None or kept[0] != stamp:
            trained = load_model(run, load_dataset(*run.data))
            kept = stamp, originals(trained, IMAGES), reconstructions(trained, IMAGES)
            self._kept[path] = kept
        return kept[1:]
