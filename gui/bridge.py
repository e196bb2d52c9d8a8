"""The only file that knows both Qt and the engine's jobs.

A job is iterated in its own thread. Events that have a handler reach the window in batches, at most ten a second.
Pause, stop and cancel are `threading.Event`s that are read between two yields, since a queued signal would never reach
a busy thread.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from PySide6.QtCore import QDeadlineTimer, QObject, QThread, QTimer, Signal, Slot

from engine.errors import StudioError
from engine.jobs.control import Control, drive
from engine.jobs.events import Event, Finished, Job, Paused, Progress, Unanswered
from engine.system.user_code import explained

INTERVAL = 0.1
"""Seconds between two batches."""

CLOSING = 5.0
"""Seconds for a thread to finish its work when the window closes."""

REMIND_MS = 10_000
"""Milliseconds between two reminders that code does not answer."""

_stuck: list[QThread] = []
"""Threads whose code does not return."""

Handlers: TypeAlias = Mapping[type[Event], Callable[[Any], object]]
"""The function to call for each type of event."""

log = logging.getLogger(__name__)


def stuck() -> bool:
    """Return whether there is a thread that does not end, for which the process must not wait."""
    return any(thread.isRunning() for thread in _stuck)


def explain(error: BaseException) -> str:
    """Return an exception as a sentence. An unexpected one is also logged with its traceback."""
    error = explained(error)
    if isinstance(error, StudioError):
        return str(error)
    if isinstance(error, MemoryError):
        log.warning("out of memory", exc_info=error)
        return "Not enough memory. Close other programs, or use smaller batches."
    log.error("unexpected error in a job", exc_info=error)
    return f"Unexpected error ({type(error).__name__}: {error}). Everything saved so far is kept."


class JobThread(QThread):
    """Runs one job and emits its events of the given types in batches. `finished` always comes last."""

    events = Signal(list)

    def __init__(self, make_job: Callable[[], Job], parent: QObject, types: tuple[type[Event], ...]) -> None:
        super().__init__(parent)
        self._make_job = make_job
        self._types = types
        self.control = Control()
        self.error = ""
        self.exception: Exception | None = None

    def run(self) -> None:
        """Iterate the job and emit its events; called in the thread."""
        batch: list[Event] = []
        sent = 0.0
        try:
            for event in drive(self._make_job(), self.control):
                if isinstance(event, self._types):
                    _add(batch, event)
                now = time.monotonic()
                # After a pause no event may follow for hours, so the batch is sent at once.
                if batch and (now - sent >= INTERVAL or isinstance(event, Paused)):
                    self.events.emit(batch)
                    batch, sent = [], now
        except Exception as error:  # the edge between engine and window: every failure becomes a sentence
            self.error, self.exception = explain(error), error
        if batch:
            self.events.emit(batch)


def _add(batch: list[Event], event: Event) -> None:
    """Append an event; of several progress events in a batch only the latest is kept."""
    if isinstance(event, Progress):
        batch[:] = [kept for kept in batch if type(kept) is not type(event)]
    batch.append(event)


class JobSession(QObject):
    """Runs at most one job at a time, in its own thread, and forwards the user's requests to it.

    `handlers` maps event types to functions called in the window's thread; events of other types are dropped in the
    job's thread. `ended` is called once for each job with its thread, which knows how the job ended; `words` is the
    job's closing message. Emits `changed` after each batch of events and after every request that changes the state,
    `unanswered` with a message when a plug-in's code does not answer a request (`end` ends it), again and again until
    it does or has ended, and `resolved` with a message that no longer applies.
    """

    changed = Signal()
    unanswered = Signal(str)
    resolved = Signal(str)

    def __init__(self, parent: QObject | None, handlers: Handlers, ended: Callable[[JobThread], object]) -> None:
        super().__init__(parent)
        self._handlers: Handlers = {Finished: self._at_end, Unanswered: self._say_unanswered, **handlers}
        self._ended = ended
        self._thread: JobThread | None = None
        self.words = ""
        self._unanswered = ""
        self._reminder = QTimer(self)
        self._reminder.setInterval(REMIND_MS)
        self._reminder.timeout.connect(self._remind)
        self.paused = self.stopping = False

    @property
    def active(self) -> bool:
        """Whether a job is working, paused or stopping."""
        return self._thread is not None

    @property
    def abandoned(self) -> bool:
        """Whether a job was cancelled and has not ended yet."""
        return self._thread is not None and self._thread.control.cancelled

    def begin(self, make_job: Callable[[], Job]) -> None:
        """Start a job; none may be active."""
        self.paused = self.stopping = False
        self.words = ""
        self._thread = JobThread(make_job, self, tuple(self._handlers))
        self._thread.events.connect(self._take)
        self._thread.finished.connect(self._finished)
        self._thread.start()

    def pause(self) -> None:
        """Have the job save its state and wait."""
        if self._thread is not None:
            self._thread.control.pause()

    def resume(self) -> None:
        """Continue after a pause."""
        if self._thread is not None:
            self.paused = False
            self._thread.control.resume()
            self.changed.emit()

    def stop(self) -> None:
        """End the job early and keep its results."""
        if self._thread is not None:
            self.stopping = True
            self._thread.control.stop()
            self.changed.emit()

    def cancel(self) -> None:
        """Abandon the job at its next step, or at once while a child process is working."""
        if self._thread is not None:
            self._thread.control.cancel()

    def end(self) -> None:
        """Kill a child process that does not respond."""
        if self._thread is not None:
            self.paused = False
            self._thread.control.end()
            self.changed.emit()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until the job has ended, at most the given number of seconds."""
        if self._thread is not None:
            forever = QDeadlineTimer(QDeadlineTimer.ForeverConstant.Forever)
            self._thread.wait(forever if seconds is None else QDeadlineTimer(round(1000 * seconds)))

    @Slot(list)
    def _take(self, events: list[Event]) -> None:
        for event in events:
            for kind, handle in self._handlers.items():
                if isinstance(event, kind):
                    handle(event)
        self.changed.emit()

    def _at_end(self, event: Finished) -> None:
        self.words = event.message

    def _say_unanswered(self, event: Unanswered) -> None:
        before, self._unanswered = self._unanswered, event.message
        if before:
            self.resolved.emit(before)
        if event.message:
            self._reminder.start()
            self.unanswered.emit(event.message)
        else:
            self._reminder.stop()

    @Slot()
    def _remind(self) -> None:
        self.unanswered.emit(self._unanswered)

    @Slot()
    def _finished(self) -> None:
        assert self._thread is not None
        thread, self._thread = self._thread, None
        self.paused = self.stopping = False
        self._say_unanswered(Unanswered(""))
        thread.deleteLater()
        self._ended(thread)


class LatestWorker(QThread):
    """Answers requests one at a time in its own thread; a new request replaces the one that is waiting.

    Used for interactive work: decoding, loading weights, drawing samples.
    """

    answered = Signal(object, object)
    failed = Signal(object, str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._changed = threading.Condition()
        self._request: tuple[object, Callable[[], Any]] | None = None
        self._over = False

    def ask(self, key: object, work: Callable[[], Any]) -> None:
        """Replace the waiting request. `answered(key, result)` or `failed(key, sentence)` follows."""
        with self._changed:
            self._request = (key, work)
            self._changed.notify()
        if not self.isRunning() and not self._over:
            self.start(QThread.Priority.InheritPriority)

    @property
    def overtaken(self) -> bool:
        """Whether the result of the current work is no longer wanted. May be called in the worker thread."""
        return self._over or self._request is not None

    def close(self) -> None:
        """End the thread after the current request; code of a plug-in that does not return is left to itself."""
        with self._changed:
            self._over = True
            self._request = None
            self._changed.notify()
        if not self.wait(QDeadlineTimer(round(1000 * CLOSING))):
            self.setParent(None)
            _stuck.append(self)

    def run(self) -> None:
        """Work until closed; called in the thread."""
        while True:
            with self._changed:
                while self._request is None and not self._over:
                    self._changed.wait()
                if self._over or self._request is None:
                    return
                key, work = self._request
                self._request = None
            try:
                result = work()
            except Exception as error:  # as above: the edge between engine and window
                self.failed.emit(key, explain(error))
            else:
                self.answered.emit(key, result)
