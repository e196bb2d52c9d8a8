"""Which factor each latent encodes, computed in the background for each checkpoint viewed."""

import threading
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from gui.bridge import LatestWorker
from gui.traversal.answering import Loaded
from gui.traversal.requests import Weights

if TYPE_CHECKING:
    from engine.evaluation.factor_links import Link

LEAST = 0.05
"""Share of a factor's entropy below which no factor is shown for a latent."""


class Linker(QObject):
    """Emits `found(weights)` when `texts_of(weights)` has new results."""

    found = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._known: dict[Weights, list[Link]] = {}
        self._asked: Weights | None = None
        self._over = threading.Event()
        self._worker = LatestWorker(self)
        self._worker.answered.connect(self._answered)
        self._worker.failed.connect(self._failed)

    def ask(self, loaded: Loaded) -> None:
        """Find the factors for these weights, unless known or in progress."""
        dataset = loaded.dataset
        if dataset is None or dataset.factors is None or loaded.weights in (self._asked, *self._known):
            return
        self._asked = loaded.weights
        self._worker.ask(loaded.weights, lambda: _find(loaded, self._over))

    def texts_of(self, weights: Weights) -> dict[int, tuple[str, str]]:
        """Return, for each latent that encodes a factor, "x position, 0.81" and a sentence that explains it."""
        return {
            link.latent: (
                f"{link.factor}, {link.share:.2f}",
                f"z{link.latent} carries {link.share:.0%} of the information about {link.factor}: their mutual "
                "information as a share of the factor's entropy, over up to 10,000 images.",
            )
            for link in self._known.get(weights, ())
            if link.share >= LEAST
        }

    def close(self) -> None:
        """End the thread at its next batch of images."""
        self._over.set()
        self._worker.close()

    @Slot(object, object)
    def _answered(self, weights: Weights, links: "list[Link]") -> None:
        self._known = dict(list(self._known.items())[-7:]) | {weights: links}
        self.found.emit(weights)

    @Slot(object, str)
    def _failed(self, weights: Weights, message: str) -> None:
        self._known[weights] = []  # not requested again; the page does without


def _find(loaded: Loaded, over: threading.Event) -> "list[Link]":
    from engine.evaluation.factor_links import find_links

    job = find_links(loaded.trained, loaded.kl)
    while not over.is_set():
        try:
            next(job)
        except StopIteration as end:
            links: list[Link] = end.value
            return links
    job.close()
    return []
