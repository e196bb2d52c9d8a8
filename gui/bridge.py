"""The only file that knows both Qt and the engine's jobs.

A job is iterated in a thread of its own. What it tells reaches the window as batches, at most ten a second;
pause, stop and cancel are `threading.Event`s read between two of its yields, since a queued signal would never
reach a thread that is busy.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QThread, Signal

from engine.errors import StudioError
from engine.jobs.control import Control, drive
from engine.jobs.events import Event, Job, Paused, Preview, Progress

INTERVAL = 0.1
"""Seconds between two batches."""

log = logging.getLogger(__name__)


def explain(error: BaseException) -> str:
    """Return an exception as a sentence. One that nobody expected goes to the log with its traceback."""
    if isinstance(error, StudioError):
        return str(error)
    if isinstance(error, MemoryError):
        log.warning("out of memory", exc_info=error)
        return "There is not enough memory for this. Close other programs, or take smaller batches."
    log.error("unexpected error in a job", exc_info=error)
    return f"Something unexpected happened ({type(error).__name__}: {error}). Saved runs are kept."


class JobThread(QThread):
    """Runs one job. Connect its signals to `@Slot` methods of QObjects; `finished` comes last, always."""

    events = Signal(list)
    failed = Signal(str)

    def __init__(self, make_job: Callable[[], Job], parent: QObject) -> None:
        super().__init__(parent)
        self._make_job = make_job
        self.control = Control()
        self.error = ""
        self.exception: Exception | None = None

    def run(self) -> None:
        """Iterate the job and pass its events on; called in the thread."""
        batch: list[Event] = []
        sent = 0.0
        try:
            for event in drive(self._make_job(), self.control):
                _add(batch, event)
                now = time.monotonic()
                # After a pause nothing more may come for hours: what is there is told at once.
                if now - sent >= INTERVAL or isinstance(event, Paused):
                    self.events.emit(batch)
                    batch, sent = [], now
        except Exception as error:  # the edge between engine and window: every failure becomes a sentence
            self.error, self.exception = explain(error), error
        if batch:
            self.events.emit(batch)
        if self.error:
            self.failed.emit(self.error)


def _add(batch: list[Event], event: Event) -> None:
    """Append an event; only the newest progress and pictures of a batch matter."""
    if isinstance(event, Progress | Preview):
        batch[:] = [kept for kept in batch if type(kept) is not type(event)]
    batch.append(event)


class LatestWorker(QThread):
    """Answers requests one at a time in a thread of its own; of those that wait, only the newest counts.

    Used for what follows a person's hand: decoding, loading weights, drawing samples.
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

    def close(self) -> None:
        """End the thread after what it is doing now."""
        with self._changed:
            self._over = True
            self._request = None
            self._changed.notify()
        self.wait()

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
            except Exception as error:  # as above: the edge
                self.failed.emit(key, explain(error))
            else:
                self.answered.emit(key, result)
