"""Work with progress beside the Traversal page, of which only the latest request counts."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeAlias

from PySide6.QtCore import QObject, Signal

from engine.jobs.events import Event, Job, Progress, Request
from gui.bridge import CLOSING, JobSession, JobThread

Working: TypeAlias = Generator[Event, Request | None, Any]
"""A job that returns its result."""


@dataclass(frozen=True, slots=True, eq=False)
class _Found(Event):
    """The result of the work."""

    value: object


class LatestJob(QObject):
    """Runs a job in its own thread; a new request cancels the one before.

    Emits `found(key, result)` or `failed(key, sentence)`, and `progressed(key, progress)` until then; nothing more for
    a request that was cancelled.
    """

    found = Signal(object, object)
    failed = Signal(object, str)
    progressed = Signal(object, object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._session = JobSession(self, {Progress: self._report, _Found: self._take}, self._ended)
        self._running: object = None
        self._next: tuple[object, Callable[[], Working]] | None = None
        self._over = False

    @property
    def key(self) -> object:
        """The key of the request that is being worked on or waits; None without."""
        return self._next[0] if self._next is not None else self._running

    def ask(self, key: object, work: Callable[[], Working]) -> None:
        """Work on a request, unless it is the one being worked on."""
        if self._over or key == self.key:
            return
        self.cancel()
        self._next = key, work
        if not self._session.active:
            self._begin()

    def cancel(self) -> None:
        """Give up the current request, at its next step."""
        self._next = self._running = None
        self._session.cancel()

    def close(self) -> None:
        """End the thread."""
        self._over = True
        self.cancel()
        self._session.wait(CLOSING)

    def _begin(self) -> None:
        assert self._next is not None
        (self._running, work), self._next = self._next, None
        self._session.begin(lambda: _job(work))

    def _report(self, progress: Progress) -> None:
        if self._running is not None and not self._session.abandoned:
            self.progressed.emit(self._running, progress)

    def _take(self, event: _Found) -> None:
        if self._running is not None and not self._session.abandoned:
            key, self._running = self._running, None
            self.found.emit(key, event.value)

    def _ended(self, thread: JobThread) -> None:
        key = self._running
        if thread.error and key is not None and not thread.control.cancelled:
            self._running = None
            self.failed.emit(key, thread.error)
        if self._next is not None:
            self._begin()


def _job(work: Callable[[], Working]) -> Job:
    value = yield from work()
    yield _Found(value)
