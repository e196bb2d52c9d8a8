"""Shows samples from the prior, and looks for the training image nearest to one of them in the background."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from engine.jobs.events import Progress
from engine.methods.latents import draws_words
from gui.traversal.answering import Answer
from gui.traversal.background import LatestJob, Working
from gui.traversal.requests import Request
from gui.traversal.samples_view import HINT, SamplesView

if TYPE_CHECKING:
    from engine.traversal import Nearest, Samples


class SamplesDesk(QObject):
    """Fills the gallery. Emits `code_picked(z, label)` for a sample and `image_picked(index)` for a training image."""

    code_picked = Signal(object, object)
    image_picked = Signal(int)

    def __init__(self, parent: QObject, view: SamplesView) -> None:
        super().__init__(parent)
        self.view = view
        self._answer: Answer | None = None
        self._samples: Samples | None = None
        self._key: object = None
        self._number = 0
        self.nearest: Nearest | None = None
        self._search = LatestJob(self)
        self._search.found.connect(self._found)
        self._search.failed.connect(self._failed)
        self._search.progressed.connect(self._progressed)
        view.picked.connect(self._pick)
        view.nearest_picked.connect(self._choose_nearest)

    def begin_run(self) -> None:
        """Forget the previous run."""
        self._search.cancel()
        self._answer = self._samples = self._key = self.nearest = None
        self.view.begin_run()

    def close(self) -> None:
        """End the search."""
        self._search.close()

    def show(self, answer: Answer, request: Request, samples: "Samples") -> None:
        """Show samples; those that are shown already keep the nearest image that was found."""
        self._answer, self._samples = answer, samples
        key = request.weights, request.wanted
        loaded = answer.loaded
        self.view.list_classes(loaded.class_names)
        words = [draws_words(loaded.kinds), loaded.trained.model.decoding]
        self.view.show_samples(samples, " ".join(part for part in words if part))
        if key != self._key:
            self._key, self.nearest = key, None
            self._search.cancel()
            self.view.show_nearest(None, None, HINT)

    @Slot(int)
    def _pick(self, number: int) -> None:
        """Set the sliders to a sample, and look for the nearest training image."""
        answer, samples = self._answer, self._samples
        if answer is None or samples is None or number >= len(samples.images):
            return
        image, dataset = samples.images[number], answer.loaded.dataset
        self._number, self.nearest = number, None
        self.code_picked.emit(samples.z[number], None if samples.labels is None else int(samples.labels[number]))
        if dataset is None:
            gone = answer.loaded.gone
            self.view.show_nearest(image, None, f"Without the data set there is no nearest training image. {gone}")
            return
        self.view.show_nearest(image, None, "Looking for the nearest image…")

        def work() -> Working:
            from engine.traversal import find_nearest

            return (yield from find_nearest(dataset, image))

        self._search.ask((self._key, number), work)

    @Slot(object, object)
    def _found(self, key: object, nearest: "Nearest") -> None:
        if self._samples is not None and key == (self._key, self._number):
            self.nearest = nearest
            self.view.show_nearest(
                self._samples.images[self._number],
                nearest,
                f"Nearest of {nearest.of:,} training images: image {nearest.index:,}, at an L2 distance of "
                f"{nearest.distance:.2f} between pixels from 0 to 1. It is nearest in pixels, not in what it shows.",
            )

    @Slot(object, str)
    def _failed(self, key: object, message: str) -> None:
        if self._samples is not None:
            self.view.show_nearest(self._samples.images[self._number], None, message)

    @Slot(object, object)
    def _progressed(self, key: object, progress: Progress) -> None:
        self.view.show_progress(progress)

    @Slot()
    def _choose_nearest(self) -> None:
        if self.nearest is not None:
            self.image_picked.emit(self.nearest.index)
