"""The posterior means of a data set's images, computed in the background and kept for the weights they belong to."""

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot

from engine.jobs.events import Progress
from gui.traversal.answering import Loaded
from gui.traversal.background import LatestJob, Working
from gui.traversal.requests import Weights

if TYPE_CHECKING:
    from engine.traversal import Codes

KEPT = 4
"""Number of weights whose codes are kept: 400 kB each for 10,000 images and ten latents."""


class Coder(QObject):
    """Emits `found(weights)` when `of(weights)` has codes, `failed(weights, sentence)` or `progressed(progress)`."""

    found = Signal(object)
    failed = Signal(object, str)
    progressed = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._known: dict[Weights, Codes] = {}
        self._job = LatestJob(self)
        self._job.found.connect(self._take)
        self._job.failed.connect(self._fail)
        self._job.progressed.connect(self._report)

    def of(self, weights: Weights) -> "Codes | None":
        """Return the codes of these weights; None until they are found."""
        return self._known.get(weights)

    @property
    def working(self) -> bool:
        """Whether codes are being computed."""
        return self._job.key is not None

    def ask(self, loaded: Loaded) -> None:
        """Find the codes of these weights, unless they are known or being computed; the gallery's come with it."""
        if loaded.weights in self._known:
            return

        def work() -> Working:
            from engine.traversal import codes_of, find_codes

            if loaded.means is not None:
                return codes_of(loaded.trained, np.arange(len(loaded.means)), loaded.means)
            return (yield from find_codes(loaded.trained))

        self._job.ask(loaded.weights, work)

    @Slot()
    def cancel(self) -> None:
        """Give up what is being computed."""
        self._job.cancel()

    def close(self) -> None:
        """End the thread."""
        self._job.close()

    @Slot(object, object)
    def _take(self, weights: Weights, codes: "Codes") -> None:
        self._known = dict(list(self._known.items())[-KEPT + 1 :]) | {weights: codes}
        self.found.emit(weights)

    @Slot(object, str)
    def _fail(self, weights: Weights, message: str) -> None:
        self.failed.emit(weights, message)

    @Slot(object, object)
    def _report(self, weights: Weights, progress: Progress) -> None:
        self.progressed.emit(progress)
