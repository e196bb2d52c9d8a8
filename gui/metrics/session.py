"""The evaluation that runs in this window."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

from PySide6.QtCore import QObject, Signal, Slot

from engine.errors import StudioError
from engine.jobs.events import Finished, Job, Progress, Warned
from engine.runs.run import Run
from gui.bridge import JobThread
from gui.widgets.words import count


class EvaluationSession(QObject):
    """At most one evaluation at a time, of one or several runs."""

    progressed = Signal(object)
    warned = Signal(str)
    ended = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._thread: JobThread | None = None
        self._words = ""

    @property
    def active(self) -> bool:
        """Whether something is being evaluated."""
        return self._thread is not None

    def start(self, runs: Sequence[Run], metrics: Sequence[str] | None = None) -> None:
        """Evaluate these runs by these metrics (all by default), one run after the other."""
        if self._thread is not None or not runs:
            return
        self._words = ""
        self._thread = JobThread(_evaluation_of(runs, metrics), self)
        self._thread.events.connect(self._take)
        self._thread.finished.connect(self._finished)
        self._thread.start()

    def cancel(self) -> None:
        """End it at the next batch of images, or at once while a child process fits; what is computed is kept."""
        if self._thread is not None:
            self._thread.control.cancel()

    @Slot(list)
    def _take(self, events: list[object]) -> None:
        for event in events:
            if isinstance(event, Progress):
                self.progressed.emit(event)
            elif isinstance(event, Warned):
                self.warned.emit(event.message)
            elif isinstance(event, Finished):
                self._words = event.message

    @Slot()
    def _finished(self) -> None:
        assert self._thread is not None
        thread, self._thread = self._thread, None
        words = "Cancelled. What was computed is kept." if thread.control.cancelled else self._words
        self.ended.emit(thread.error or words)
        thread.deleteLater()


def _evaluation_of(runs: Sequence[Run], metrics: Sequence[str] | None) -> Callable[[], Job]:
    """A job over several runs: one that fails does not keep the others from being evaluated."""

    def job() -> Job:
        from engine.evaluation.evaluate import evaluate

        failures = []
        for number, run in enumerate(runs):
            name, place = run.name, f"Run {number + 1} of {len(runs)}. " if len(runs) > 1 else ""
            try:
                with closing(evaluate(run, metrics)) as events:
                    for event in events:
                        yield replace(event, what=place + event.what) if isinstance(event, Progress) else event
            except StudioError as error:
                failures.append(str(error) if run.path.is_dir() else gone(name))
        yield Finished(message=_ending(len(runs), failures))

    return job


def gone(name: str) -> str:
    """What is said of a run that was moved or deleted meanwhile."""
    return f"{name} was moved or deleted while it was evaluated; its metrics could not be kept."


def _ending(runs: int, failures: Sequence[str]) -> str:
    if not failures:
        return f"Evaluated {count(runs, 'run')}."
    done = f"Evaluated {runs - len(failures)} of {count(runs, 'run')}. " if runs > 1 else ""
    return done + " ".join(dict.fromkeys(failures))
