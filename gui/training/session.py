"""The run training in this window and the queue: starting, pausing, stopping, and speed."""

import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from engine.data import check_data
from engine.errors import DataChangedError, DataError, StudioError
from engine.jobs.events import Job, Paused, Progress, TrainingStarted, Unanswered, Warned
from engine.runs.queue import QueuedRun, RunQueue
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from gui.bridge import Handlers, JobSession, JobThread


class TrainingSession(JobSession):
    """Trains at most one run at a time; when it ends, for whatever reason, the next run in the queue starts.

    Emits `changed` when its state or progress changes, `queue_changed` when the queue changes, `failed` and `warned`
    with a message, `unanswered` with one that says which code does not answer (`end` ends it), `resolved` with one that
    no longer applies, `no_data(data set, message)` instead of starting a run whose data are missing, `began(path)` and
    `ended(path)` with a run's folder, `cancelled(path)` when the run is to be discarded, and `data_changed(waiting,
    message)` when a run was refused because its data have changed, so that the user can be asked.
    """

    queue_changed = Signal()
    failed = Signal(str)
    resolved = Signal(str)
    no_data = Signal(str, str)
    warned = Signal(str)
    unanswered = Signal(str)
    began = Signal(object)
    ended = Signal(object)
    cancelled = Signal(object)
    data_changed = Signal(object, str)

    def __init__(self, root: Path, parent: QObject) -> None:
        handlers: Handlers = {
            TrainingStarted: self._training_started,
            Progress: self._progressed,
            Paused: self._paused,
            Warned: lambda event: self.warned.emit(event.message),
            Unanswered: self._unanswered,
        }
        super().__init__(parent, handlers, self._run_ended)
        self.root = root
        self.queue = RunQueue(root)
        self.held = len(self.queue) > 0
        """Whether the queue waits for the user to start it, as one from an earlier session does."""
        self.blocked = False
        """Whether another job uses the processor: new runs wait in the queue until it ends."""
        self.run: Run | None = None
        self._waiting = QueuedRun("")
        self.progress: Progress | None = None
        self.cancelling = False
        self.images_per_second = 0.0
        self._pause_reason = ""
        self._silence = ""
        self._batch = 0
        self._mark = (0.0, 0)

    @property
    def seconds_left(self) -> float | None:
        """Remaining time at the current speed; None while unknown."""
        if self.progress is None or not self._batch or not self.images_per_second:
            return None
        return (self.progress.total - self.progress.done) * self._batch / self.images_per_second

    # Starting, and the queue

    def start(self, config: RunConfig) -> Path | None:
        """Create a run and train it, or append it to the queue while another run is training.

        Returns its folder, or None after emitting `failed` or `no_data`.
        """
        if not self._has_data(config):
            return None
        try:
            run = Run.create(self.root, config)
        except StudioError as error:
            self.failed.emit(str(error))
            return None
        self._train_or_queue(run.path, fresh=True)
        return run.path

    def train_or_queue(self, path: Path, *, more: int = 0, accept_changed_data: bool = False) -> None:
        """Train a run from its last checkpoint, now or when the queue reaches it; `more` first extends its length.

        With `accept_changed_data` it resumes even if its data have changed since it was trained.
        """
        try:
            config = Run.open(path).config
        except StudioError as error:
            self.failed.emit(str(error))
            return
        if self._has_data(config):
            self._train_or_queue(path, more, accept_changed_data=accept_changed_data)

    def _has_data(self, config: RunConfig) -> bool:
        """Return whether the data seem to be there, by a quick check; if not, emit `no_data`."""
        try:
            check_data(config.dataset, config.data_folder)
        except DataError as error:
            self.no_data.emit(config.dataset, f"The run was not started. {error}")
            return False
        return True

    def _train_or_queue(
        self, path: Path, more: int = 0, *, fresh: bool = False, accept_changed_data: bool = False
    ) -> None:
        """Train or queue a run whose data have passed the quick check.

        A `fresh` run that cannot start leaves no folder, unless it was queued: then its folder records the reason.
        """
        if not self.active and not self.blocked:
            self._begin(QueuedRun(path.name, more, accept_changed_data), path, fresh=fresh)
            return
        if self.active and self.run is not None and path == self.run.path:
            return
        self.held = False
        self._change_queue(lambda: self.queue.add(path, more=more, accept_changed_data=accept_changed_data))

    def unqueue(self, path: Path) -> None:
        """Remove a run from the queue; its folder stays."""
        self._change_queue(lambda: self.queue.remove(path))

    def move(self, path: Path, by: int) -> None:
        """Move a run towards the front of the queue (negative) or towards its end."""
        self._change_queue(lambda: self.queue.move(path, by))

    def order(self, names: list[str]) -> None:
        """Set the order of the queue."""
        self._change_queue(lambda: self.queue.order(names))

    def hold(self, held: bool) -> None:
        """Hold the queue after the current run, or start it (at once if nothing is training)."""
        self.held = held
        self.queue_changed.emit()
        if not held and not self.active:
            self._next()

    @property
    def queue_state(self) -> tuple[tuple[QueuedRun, ...], bool]:
        """The queued runs, and whether the queue is held."""
        return self.queue.waiting, self.held

    def apply_queue_change(
        self, before: tuple[tuple[QueuedRun, ...], bool], after: tuple[tuple[QueuedRun, ...], bool]
    ) -> None:
        """Undo or redo a change from one state of the queue to another, without starting a run."""
        training = self.run.path.name if self.active and self.run is not None else ""
        waiting = tuple(entry for entry in after[0] if entry.run != training)
        if before[1] != after[1]:
            self.held = after[1]
        if not self.active and not self.blocked:
            self.held = True
        self._change_queue(lambda: self.queue.apply_change(before[0], waiting))

    def block(self, blocked: bool) -> None:
        """Keep runs waiting while another job uses the processor; when it ends, the queue continues."""
        self.blocked = blocked
        if not blocked and not self.held and not self.active:
            self._next()

    def _change_queue(self, change: Callable[[], object]) -> None:
        try:
            change()
        except StudioError as error:
            self.failed.emit(str(error))
        self.queue_changed.emit()

    def _next(self) -> None:
        """Start the next run in the queue that can be opened."""
        while not self.active and not self.blocked:
            try:
                waiting = self.queue.take()
            except StudioError as error:
                self.failed.emit(str(error))
                self.held = True
                break
            if waiting is None:
                break
            self._begin(waiting, self.queue.path(waiting))
        self.queue_changed.emit()

    def _begin(self, waiting: QueuedRun, path: Path, *, fresh: bool = False) -> None:
        """Train a run in a separate thread."""
        try:
            run = Run.open(path)
        except StudioError as error:
            self.failed.emit(str(error))
            return
        if self.queue.position(path) is not None:
            self._change_queue(lambda: self.queue.remove(path))
        self.run, self._waiting = run, waiting
        self.progress, self.images_per_second = None, 0.0
        self.cancelling = False
        self._batch, self._mark = 0, (0.0, 0)
        self.begin(_training_of(run, waiting, fresh=fresh))
        self.began.emit(path)
        self.changed.emit()

    # While a run is training

    def resume(self) -> None:
        """Continue after a pause."""
        if self.active:
            self._resolve_pause()
            self._mark = (0.0, 0)
            super().resume()

    def _resolve_pause(self) -> None:
        """Withdraw the message about a pause that the user did not request."""
        reason, self._pause_reason = self._pause_reason, ""
        if reason:
            self.resolved.emit(reason)

    def cancel(self) -> None:
        """Stop the run; `cancelled` is emitted when it can be discarded."""
        self.cancelling = self.active
        self.stop()

    def close(self) -> None:
        """Stop the run and put it first in the queue, so that the next session can offer to resume it."""
        if self.active and self.run is not None and not self.stopping:
            run = self.run
            self._change_queue(lambda: self.queue.add(run.path, first=True))
        self.held = True
        self.stop()

    def _training_started(self, event: TrainingStarted) -> None:
        self._batch = event.images_per_step
        self._mark = (time.monotonic(), event.step)
        self.progress = None

    def _progressed(self, event: Progress) -> None:
        self.progress = event
        self._measure(event.done)

    def _paused(self, event: Paused) -> None:
        self.paused = True
        if event.message:
            self._pause_reason = f"{event.message} Until then it is paused."
            self.failed.emit(self._pause_reason)

    def _unanswered(self, event: Unanswered) -> None:
        said, self._silence = self._silence, event.message
        if said:
            self.resolved.emit(said)
        if event.message:
            self.unanswered.emit(event.message)

    def _measure(self, step: int) -> None:
        """Update the smoothed speed, measured over at least a second."""
        if not self._batch:
            return
        now, (since, first) = time.monotonic(), self._mark
        if not since:
            self._mark = (now, step)
        elif now - since >= 1 and step > first:
            speed = (step - first) * self._batch / (now - since)
            self.images_per_second = speed if not self.images_per_second else 0.7 * self.images_per_second + 0.3 * speed
            self._mark = (now, step)

    def _run_ended(self, thread: JobThread) -> None:
        assert self.run is not None
        path, cancelled = self.run.path, self.cancelling
        refused = isinstance(thread.exception, DataChangedError)
        self._unanswered(Unanswered(""))
        if thread.error and not refused:
            waits = " Starting the next run in the queue." if len(self.queue) and not self.held else ""
            self.failed.emit(f"{self.run.name}: {thread.error}{waits}")
        self._pause_reason = ""
        self.cancelling = False
        self.changed.emit()
        self.ended.emit(path)
        if cancelled:
            self.cancelled.emit(path)
        elif refused:
            self.data_changed.emit(self._waiting, thread.error)
        if not self.held:
            self._next()


def _training_of(run: Run, waiting: QueuedRun, *, fresh: bool) -> Callable[[], Job]:
    def make() -> Job:
        from engine.training.apart import training

        return training(run, fresh=fresh, more=waiting.more, accept_changed_data=waiting.accept_changed_data)

    return make
