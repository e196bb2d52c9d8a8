"""The evaluation that runs in this window."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Signal, Slot

from engine.errors import StudioError
from engine.events import Job, Progress
from engine.runs import Run
from gui.bridge import JobThread


class EvaluationSession(QObject):
    """At most one evaluation at a time, of one or several runs."""

    progressed = Signal(object)
    ended = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._thread: JobThread | None = None
        self._count = 0

    @property
    def active(self) -> bool:
        """Whether something is being evaluated."""
        return self._thread is not None

    def start(self, runs: Sequence[Run]) -> None:
        """Evaluate these runs, one after the other."""
        if self._thread is not None or not runs:
            return
        self._count = len(runs)
        self._thread = JobThread(_evaluation_of(runs), self)
        self._thread.events.connect(self._take)
        self._thread.finished.connect(self._finished)
        self._thread.start()

    def cancel(self) -> None:
        """End it at the next batch of images."""
        if self._thread is not None:
            self._thread.control.cancel()

    @Slot(list)
    def _take(self, events: list[object]) -> None:
        for event in events:
            if isinstance(event, Progress):
                self.progressed.emit(event)

    @Slot()
    def _finished(self) -> None:
        assert self._thread is not None
        thread, self._thread = self._thread, None
        runs = f"{self._count} run{'s' if self._count > 1 else ''}"
        words = "Cancelled." if thread.control.cancelled else f"Evaluated {runs}."
        self.ended.emit(thread.error or words)
        thread.deleteLater()


def _evaluation_of(runs: Sequence[Run]) -> Callable[[], Job]:
    """A job over several runs: one that fails does not keep the others from being evaluated."""

    def job() -> Job:
        from engine.evaluation.evaluate import evaluate

        failures = []
        for run in runs:
            try:
                yield from evaluate(run)
            except StudioError as error:
                failures.append(str(error))
        if failures:
            raise StudioError(" ".join(failures))

    return job
