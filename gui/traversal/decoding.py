"""What the traversal page asks of the engine, away from the window's thread.

The engine's modules that load torch are imported when the first request comes, so that the window is there
at once.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.runs import Run

if TYPE_CHECKING:
    from engine.traversal import Traversal


@dataclass(frozen=True, slots=True)
class Request:
    """A traversal to draw: of which run, from which image (None: any), over which range."""

    run: Path
    image: int | None
    low: float
    high: float
    steps: int
    label: int | None = None
    checkpoint: int | None = None
    """Step of weights that were kept; None: the newest."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A traversal, with what the page says about it."""

    image: int
    images: int
    traversal: "Traversal"
    label_names: tuple[str, ...]
    caption: str


class Decoder:
    """Keeps the model of the run that was asked for last. Used from one thread only."""

    def __init__(self) -> None:
        self._key: object = None
        self._trained: Any = None
        self._kl: Any = None

    def __call__(self, request: Request) -> Answer:
        """Draw a traversal. Raises StudioError."""
        from engine.data import load_dataset
        from engine.evaluation.evaluate import sample_of
        from engine.models.loading import load_model
        from engine.report import caption_of
        from engine.traversal import choose_latents, mean_kl, traverse

        run = Run.open(request.run)
        weights = run.checkpoint_folder / "model.safetensors"
        key = (request.run, request.checkpoint or (weights.stat().st_mtime_ns if weights.exists() else None))
        if key != self._key or self._trained is None:
            self._trained = None
            trained = load_model(run, load_dataset(*run.config.data), request.checkpoint)
            self._kl = mean_kl(trained)
            self._trained, self._key = trained, key
        dataset = self._trained.dataset
        image = request.image
        if image is None:
            image = int(sample_of(dataset, dataset.headline_split, 1)[0])
        image = min(max(image, 0), len(dataset) - 1)
        traversal = traverse(
            self._trained,
            image,
            choose_latents(self._kl),
            self._kl,
            (request.low, request.high),
            request.steps,
            request.label if self._trained.model.classes else None,
        )
        return Answer(
            image,
            len(dataset),
            traversal,
            dataset.label_names if self._trained.model.classes else (),
            caption_of(run, image, traversal.step),
        )
