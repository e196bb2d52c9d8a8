"""Driving a job: the one place that turns pause, stop and cancel into requests to a generator."""

import threading
from collections.abc import Iterator
from typing import TypeVar

from engine.jobs.events import Event, Job, Paused, Request

Kind = TypeVar("Kind", bound=Event)


class Control:
    """Pause, stop and cancel for a running job. Set from any thread, read between two yields."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._cancel = threading.Event()
        self._end = threading.Event()
        self._go = threading.Event()
        self._go.set()
        self.unattended = False
        """Whether there is nobody to end what does not answer: the process was asked to end, or lost its terminal."""

    def pause(self) -> None:
        """Ask the job to save its state and wait."""
        self._go.clear()

    def resume(self) -> None:
        """Let a paused job continue."""
        self._go.set()

    def stop(self) -> None:
        """Ask the job to end early and keep its result."""
        self._stop.set()
        self._go.set()

    def cancel(self) -> None:
        """Abandon the job at its next yield."""
        self._cancel.set()
        self._go.set()

    def end(self) -> None:
        """End code in a child process that does not answer; a job in this process ignores it."""
        self._end.set()
        self._go.set()

    @property
    def cancelled(self) -> bool:
        """Whether the job was abandoned."""
        return self._cancel.is_set()

    @property
    def request(self) -> Request | None:
        """The request to send to the job now, if any."""
        if self._stop.is_set():
            return Request.STOP
        return None if self._go.is_set() else Request.PAUSE

    def take_request(self) -> Request | None:
        """Return the request to send to the job now; `Request.END` is sent once."""
        if self._end.is_set():
            self._end.clear()
            return Request.END
        return self.request

    def wait(self) -> None:
        """Block while paused."""
        self._go.wait()


def drive(job: Job, control: Control) -> Iterator[Event]:
    """Iterate over a job's events and send it the requests of `control`.

    A pause blocks here, after the job has yielded `Paused`; a job that cannot continue pauses itself. Cancelling closes
    the job and ends the iteration; closing this iterator closes the job, too.
    """
    request: Request | None = None
    try:
        while not control.cancelled:
            try:
                event = job.send(request)
            except StopIteration:
                return
            if isinstance(event, Paused) and event.message:
                control.pause()
            yield event
            if isinstance(event, Paused):
                control.wait()
            request = control.take_request()
    finally:
        job.close()


def last_event(job: Job, kind: type[Kind]) -> Kind:
    """Run a job to its end and return its last event of a kind. Raises IndexError if there is none."""
    return [event for event in job if isinstance(event, kind)][-1]
