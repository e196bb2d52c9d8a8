"""The evaluation running in this window."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from engine.errors import StudioError
from engine.jobs.events import Finished, Job, Progress, Warned
from engine.runs.run import Run
from engine.system.reading import is_file
from gui.bridge import Handlers, JobSession, JobThread
from gui.widgets.words import count


class EvaluationSession(JobSession):
    """Runs at most one evaluation at a time, of one or several runs. On cancel, finished metrics are kept."""

    progressed = Signal(object)
    warned = Signal(str)
    ended = Signal(str)

    def __init__(self, parent: QObject) -> None:
        handlers: Handlers = {
            Progress: lambda event: self.progressed.emit(event),
            Warned: lambda event: self.warned.emit(event.message),
        }
        super().__init__(parent, handlers, self._evaluation_ended)
        self.runs: Sequence[Run] = ()
        """The runs that are evaluated, or were last."""
        self._waiting: list[tuple[Run, Sequence[str]]] = []
        """Runs to evaluate after the current evaluation."""

    def start(self, runs: Sequence[Run], metrics: Sequence[str] | None = None) -> None:
        """Compute these metrics (default: all) for these runs, one run after another."""
        if not self.active and runs:
            self.runs = tuple(runs)
            self.begin(_evaluation_of(runs, metrics))

    def start_later(self, run: Run, metrics: Sequence[str]) -> None:
        """Compute these metrics for a run, after the current evaluation if there is one."""
        if self.active:
            self._waiting.append((run, metrics))
        else:
            self.start([run], metrics)

    def cancel(self) -> None:
        """Cancel the evaluation, and forget the runs that wait for its end."""
        self._waiting.clear()
        super().cancel()

    def _evaluation_ended(self, thread: JobThread) -> None:
        words = "Cancelled. Metrics computed so far are kept." if thread.control.cancelled else self.words
        self.ended.emit(thread.error or words)
        if self._waiting and not self.active:
            run, metrics = self._waiting.pop(0)
            self.start([run], metrics)


def _evaluation_of(runs: Sequence[Run], metrics: Sequence[str] | None) -> Callable[[], Job]:
    """Return a job that evaluates several runs; if one fails, the others are still evaluated."""

    def job() -> Job:
        from engine.evaluation.apart import evaluations

        failures = []
        for number, (run, each) in enumerate(evaluations(runs, metrics)):
            name = "" if run is None else run.name
            place = f"Run {number + 1} of {len(runs)}: " if len(runs) > 1 and run is not None else ""
            try:
                with closing(each) as events:
                    for event in events:
                        yield replace(event, what=place + event.what) if isinstance(event, Progress) else event
            except StudioError as error:
                here = run is None or is_file(run.path / "config.json")
                failures.append(str(error) if here else gone(name))
        yield Finished(message=_ending(len(runs), failures))

    return job


def gone(name: str) -> str:
    """Return the message for a run that has been moved or deleted meanwhile."""
    return f"{name} was moved or deleted while it was being evaluated; its metrics could not be saved."


def _ending(runs: int, failures: Sequence[str]) -> str:
    if not failures:
        return f"Evaluated {count(runs, 'run')}."
    done = f"Evaluated {runs - len(failures)} of {count(runs, 'run')}. " if runs > 1 else ""
    return done + " ".join(dict.fromkeys(failures))
