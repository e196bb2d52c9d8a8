"""The run that trains in this window: starting, pausing, stopping it, and how fast it goes."""

import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from engine.config import RunConfig
from engine.errors import StudioError
from engine.events import Finished, Job, Paused, Progress, TrainingStarted, Warned
from engine.runs import Run
from gui.bridge import JobThread


class TrainingSession(QObject):
    """At most one run at a time. `changed` whenever its state or progress did; `failed` with a sentence."""

    changed = Signal()
    failed = Signal(str)
    warned = Signal(str)
    ended = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._thread: JobThread | None = None
        self.run: Run | None = None
        self.progress: Progress | None = None
        self.paused = self.stopping = False
        self.images_per_second = 0.0
        self._batch = 0
        self._mark = (0.0, 0)

    @property
    def active(self) -> bool:
        """Whether a run is training, paused or stopping."""
        return self._thread is not None

    @property
    def seconds_left(self) -> float | None:
        """Time until the run's length is reached at the present speed; None while unknown."""
        if self.progress is None or not self._batch or not self.images_per_second:
            return None
        return (self.progress.total - self.progress.done) * self._batch / self.images_per_second

    def start(self, root: Path, config: RunConfig) -> Path | None:
        """Create a run and train it; return its folder, or None when `failed` said why not."""
        try:
            run = Run.create(root, config)
        except StudioError as error:
            self.failed.emit(str(error))
            return None
        return self.go_on_with(run)

    def go_on_with(self, run: Run) -> Path:
        """Train a run from its last checkpoint, or from the beginning."""
        self.run = run
        self.progress, self.paused, self.stopping, self.images_per_second = None, False, False, 0.0
        self._batch, self._mark = 0, (0.0, 0)
        self._thread = JobThread(_training_of(run), self)
        self._thread.events.connect(self._take)
        self._thread.failed.connect(self.failed)
        self._thread.finished.connect(self._finished)
        self._thread.start()
        self.changed.emit()
        return run.path

    def pause(self) -> None:
        """Save a checkpoint and wait."""
        if self._thread is not None:
            self._thread.control.pause()

    def resume(self) -> None:
        """Go on after a pause."""
        if self._thread is not None:
            self.paused = False
            self._mark = (0.0, 0)
            self._thread.control.resume()
            self.changed.emit()

    def stop(self) -> None:
        """End the run now and keep it."""
        if self._thread is not None:
            self.stopping = True
            self._thread.control.stop()
            self.changed.emit()

    @Slot(list)
    def _take(self, events: list[object]) -> None:
        for event in events:
            if isinstance(event, TrainingStarted):
                self._batch = event.images_per_step
                self._mark = (time.monotonic(), event.step)
                self.progress = None
            elif isinstance(event, Progress):
                self.progress = event
                self._measure(event.done)
            elif isinstance(event, Paused):
                self.paused = True
                if event.message:
                    self.failed.emit(f"{event.message} Training waits; press Resume to go on.")
            elif isinstance(event, Warned):
                self.warned.emit(event.message)
            elif isinstance(event, Finished):
                self.paused = False
        self.changed.emit()

    def _measure(self, step: int) -> None:
        """Keep a smoothed speed, measured over at least a second."""
        if not self._batch:
            return
        now, (since, first) = time.monotonic(), self._mark
        if not since:
            self._mark = (now, step)
        elif now - since >= 1 and step > first:
            speed = (step - first) * self._batch / (now - since)
            self.images_per_second = speed if not self.images_per_second else 0.7 * self.images_per_second + 0.3 * speed
            self._mark = (now, step)

    @Slot()
    def _finished(self) -> None:
        assert self._thread is not None
        self._thread.deleteLater()
        self._thread = None
        self.paused = self.stopping = False
        self.changed.emit()
        self.ended.emit()


def _training_of(run: Run) -> Callable[[], Job]:
    def make() -> Job:
        from engine.training import train

        return train(run)

    return make
