"""Worker processes that train and evaluate the cells of a study, and obey pause and stop.

A worker imports torch once and works on one cell after another; one in which a plug-in's code ran, which may have
changed anything there, ends with its cell. However it ends, no more than the steps since the last checkpoint are lost.
"""

import time
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from engine.errors import RunError, StudioError
from engine.evaluation.catalogue import METRICS
from engine.jobs.events import Event, Job, Paused, Progress, Request, Warned
from engine.jobs.workers import Command, Outcome, Worker
from engine.runs.plugins_used import names_of
from engine.runs.run import Run
from engine.training.apart import note_end

STOP_TIMEOUT = 1.5
"""Seconds for workers to save a checkpoint before they are killed."""

Reports: TypeAlias = list[tuple[int, Event | Outcome]]
"""Events and outcomes received from workers, by task number."""


@dataclass(frozen=True, slots=True)
class Task:
    """A run to train to its end and evaluate.

    `data_folder` replaces the run's own unless None; `threads` is the number of CPU threads, 0: as PyTorch chooses.
    """

    run: Path
    metrics: tuple[str, ...]
    data_folder: Path | None
    threads: int


@dataclass(frozen=True, slots=True)
class Evaluating(Progress):
    """Progress of the evaluation that follows the training."""


class WorkerPool:
    """Up to `count` workers. Leaving the `with` block stops them within two seconds."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._idle: list[Worker] = []
        self._busy: dict[Worker, int] = {}
        self._tasks: dict[int, Task] = {}

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def busy(self) -> bool:
        """Whether any worker has a task."""
        return bool(self._busy)

    @property
    def has_room(self) -> bool:
        """Whether another task can be assigned."""
        return len(self._busy) < self._count

    def assign(self, number: int, task: Task) -> None:
        """Assign a task to a free or new worker; `number` identifies the task in reports."""
        worker = self._idle.pop() if self._idle else Worker()
        worker.who = _who(task)
        self._busy[worker], self._tasks[number] = number, task
        worker.begin(work_on, task)

    def receive(self, timeout: float) -> Reports:
        """Return the reports received within `timeout` seconds. A dead worker's task has failed."""
        ready = wait([worker.connection for worker in self._busy], timeout)
        reports: Reports = []
        for worker, number in list(self._busy.items()):
            while (worker.connection in ready or worker.dead) and worker in self._busy:
                message = worker.receive()
                if isinstance(message, Outcome):
                    message = self._over(worker, message)
                reports.append((number, message))
                if worker in self._busy and not worker.connection.poll():
                    break
        return reports

    def pause(self) -> Reports:
        """Ask all workers to save a checkpoint and wait; return the reports until they do, or until a timeout."""
        self._ask("pause")
        reports: Reports = []
        end = time.monotonic() + STOP_TIMEOUT
        while any(worker.asked for worker in self._busy) and (left := end - time.monotonic()) > 0:
            reports += self.receive(left)
        return reports

    def resume(self) -> None:
        """Let all workers continue."""
        self._ask("resume")

    def unanswered(self) -> list[str]:
        """Return a sentence for each plug-in whose code does not answer a request, with its file and line."""
        return [worker.unanswered() for worker in self._stuck()]

    def give_up(self) -> Reports:
        """Kill the workers whose plug-in code does not answer; their tasks have failed."""
        return [(self._busy[worker], self._end(worker)) for worker in self._stuck()]

    def stop(self) -> list[str]:
        """Ask all workers to save a checkpoint and end; kill those that take too long.

        Returns a sentence for each plug-in whose code did not answer; those runs have failed.
        """
        self._ask("stop")
        end = time.monotonic() + STOP_TIMEOUT
        while self._busy and (left := end - time.monotonic()) > 0:
            self.receive(left)
        sentences = [str(outcome.error) for _, outcome in self.give_up() if isinstance(outcome, Outcome)]
        for worker in [*self._busy, *self._idle]:
            worker.end()
        self._busy, self._idle = {}, []
        return sentences

    def _stuck(self) -> list[Worker]:
        """Workers that have not answered a request and run plug-in code."""
        return [worker for worker in self._busy if worker.asked and worker.who != IT]

    def _over(self, worker: Worker, outcome: Outcome) -> Outcome:
        """Release a worker whose task has ended; the run of a dead one stays as it is on disk."""
        number = self._busy.pop(worker)
        if not worker.gone and worker.who == IT:
            self._idle.append(worker)
            return outcome
        worker.end()
        return self._noted(worker, number, outcome) if worker.gone else outcome

    def _end(self, worker: Worker) -> Outcome:
        number = self._busy.pop(worker)
        outcome = Outcome(StudioError(worker.given_up()))
        worker.end()
        return self._noted(worker, number, outcome)

    def _noted(self, worker: Worker, number: int, outcome: Outcome) -> Outcome:
        """Record in the run that plug-in code did not return; a run without plug-ins can simply be resumed."""
        if worker.who == IT:
            return outcome
        with suppress(StudioError):
            return Outcome(StudioError(note_end(Run.open(self._tasks[number].run), str(outcome.error))))
        return outcome

    def _ask(self, command: Command) -> None:
        for worker in self._busy:
            worker.ask(command)


IT = "It"


def _who(task: Task) -> str:
    """Subject of sentences about a run's process: the names of its plug-ins, else of its metrics', or "It"."""
    of_metrics = dict.fromkeys(origin.plugin for name in task.metrics if (origin := METRICS.origin(name)))
    with suppress(StudioError):
        return names_of(Run.open(task.run).config) or " or ".join(of_metrics) or IT
    return IT


def failure_words(error: Exception) -> str:
    """Return why a task failed as a sentence."""
    if isinstance(error, StudioError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory for it."
    return f"An unexpected error occurred ({type(error).__name__}: {error})."


def work_on(task: Task) -> Job:
    """Train or resume a run to its end and evaluate it. Yields the events of training, Evaluating and Warned.

    Raises StudioError.
    """
    import torch

    if task.threads:
        torch.set_num_threads(task.threads)
    run = Run.open(task.run)
    if task.data_folder is not None:
        run.config = run.config.changed(data_folder=task.data_folder)
    if run.state().state != "finished":
        yield from _train(run)
    if run.state().state == "finished":
        yield from _evaluate(run, task.metrics)


def _train(run: Run) -> Job:
    from engine.training.trainer import train

    request: Request | None = None
    with closing(train(run)) as job, suppress(StopIteration):
        while True:
            event = job.send(request)
            if isinstance(event, Paused) and event.message:
                raise RunError(event.message)  # it cannot continue, but the other cells can
            request = None
            if isinstance(event, Progress | Paused | Warned):
                request = yield event


def _evaluate(run: Run, metrics: Iterable[str]) -> Job:
    from engine.evaluation.evaluate import evaluate

    with closing(evaluate(run, tuple(metrics))) as job:
        for event in job:
            request = None
            if isinstance(event, Progress):
                request = yield Evaluating(event.done, event.total, event.what, event.unit)
            elif isinstance(event, Warned):
                request = yield event
            if request is Request.PAUSE:
                request = yield Paused(0)
            if request is Request.STOP:
                return
