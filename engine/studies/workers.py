"""Child processes that train and evaluate the cells of a study, and obey pause and stop.

A worker imports torch once, and does one cell after the other. Whatever ends it, it loses no more of a run than the
steps since the last checkpoint.
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
from engine.jobs.events import Event, Job, Paused, Progress, Request, Warned
from engine.jobs.workers import Outcome, Wish, Worker
from engine.runs.plugins_used import names_of
from engine.runs.run import Run
from engine.training.apart import note_end

STOP_PATIENCE = 1.5
"""Seconds that workers get to save a checkpoint before they are killed."""

Heard: TypeAlias = list[tuple[int, Event | Outcome]]
"""What came from workers, with the numbers of their tasks."""


@dataclass(frozen=True, slots=True)
class Task:
    """A run to be trained to its end and evaluated.

    `data_folder` is where its data set is now, None: as it says; `threads` are those to compute with, 0: as PyTorch
    chooses.
    """

    run: Path
    metrics: tuple[str, ...]
    data_folder: Path | None
    threads: int


@dataclass(frozen=True, slots=True)
class Evaluating(Progress):
    """Progress of the evaluation that follows the training."""


class WorkerPool:
    """Up to `count` workers. Leaving the `with` block stops them, within two seconds."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._idle: list[Worker] = []
        self._busy: dict[Worker, int] = {}
        self._runs: dict[int, Path] = {}

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def busy(self) -> bool:
        """Whether anybody works."""
        return bool(self._busy)

    @property
    def has_room(self) -> bool:
        """Whether another task can be given."""
        return len(self._busy) < self._count

    def give(self, number: int, task: Task) -> None:
        """Let a free worker, or a new one, do a task; `number` tells its events from others'."""
        worker = self._idle.pop() if self._idle else Worker()
        worker.who = _who(task.run)
        self._busy[worker], self._runs[number] = number, task.run
        worker.begin(work_on, task)

    def listen(self, patience: float) -> Heard:
        """Return what comes within so many seconds. The task of a worker that is gone has failed."""
        ready = wait([worker.connection for worker in self._busy], patience)
        heard: Heard = []
        for worker, number in list(self._busy.items()):
            while worker.connection in ready and worker in self._busy:
                message = worker.receive()
                if isinstance(message, Outcome):
                    message = self._over(worker, message)
                heard.append((number, message))
                if worker in self._busy and not worker.connection.poll():
                    break
        return heard

    def pause(self) -> Heard:
        """Ask all to save a checkpoint and wait. Returns when they do, or after a while, what came meanwhile."""
        self._ask("pause")
        heard: Heard = []
        end = time.monotonic() + STOP_PATIENCE
        while any(worker.asked for worker in self._busy) and (left := end - time.monotonic()) > 0:
            heard += self.listen(left)
        return heard

    def resume(self) -> None:
        """Let all continue."""
        self._ask("resume")

    def unanswered(self) -> list[str]:
        """Say which plug-ins' code does not answer a request, and where it is, a sentence each."""
        return [worker.unanswered() for worker in self._stuck()]

    def give_up(self) -> Heard:
        """End the workers whose plug-in's code does not answer; their tasks have failed."""
        return [(self._busy[worker], self._end(worker)) for worker in self._stuck()]

    def stop(self) -> list[str]:
        """Ask all to save a checkpoint and end; kill those that take too long.

        Returns which plug-ins' code did not answer, a sentence each; those runs have failed.
        """
        self._ask("stop")
        end = time.monotonic() + STOP_PATIENCE
        while self._busy and (left := end - time.monotonic()) > 0:
            self.listen(left)
        sentences = [str(outcome.error) for _, outcome in self.give_up() if isinstance(outcome, Outcome)]
        for worker in [*self._busy, *self._idle]:
            worker.end()
        self._busy, self._idle = {}, []
        return sentences

    def _stuck(self) -> list[Worker]:
        """Workers that owe an answer, and run a plug-in's code."""
        return [worker for worker, number in self._busy.items() if worker.asked and _who(self._runs[number]) != IT]

    def _over(self, worker: Worker, outcome: Outcome) -> Outcome:
        """Take back a worker whose task is over; one that is gone leaves its run as it is on disk."""
        number = self._busy.pop(worker)
        if not worker.gone:
            self._idle.append(worker)
            return outcome
        worker.end()
        return self._noted(worker, number, outcome)

    def _end(self, worker: Worker) -> Outcome:
        number = self._busy.pop(worker)
        outcome = Outcome(StudioError(worker.given_up()))
        worker.end()
        return self._noted(worker, number, outcome)

    def _noted(self, worker: Worker, number: int, outcome: Outcome) -> Outcome:
        """Note with a run that its plug-in's code did not come back; a run of ours can simply be resumed."""
        if worker.who == IT:
            return outcome
        with suppress(StudioError):
            return Outcome(StudioError(note_end(Run.open(self._runs[number]), str(outcome.error))))
        return outcome

    def _ask(self, wish: Wish) -> None:
        for worker in self._busy:
            worker.ask(wish)


IT = "It"


def _who(path: Path) -> str:
    """What sentences about a run's process begin with: the names of its plug-ins."""
    with suppress(StudioError):
        return names_of(Run.open(path).config) or IT
    return IT


def failure_words(error: Exception) -> str:
    """Return why a task failed as a sentence."""
    if isinstance(error, StudioError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory for it."
    return f"Something unexpected happened ({type(error).__name__}: {error})."


def work_on(task: Task) -> Job:
    """Train a run to its end, or resume it, and evaluate it. Yields what training does, Evaluating and Warned.

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
                raise RunError(event.message)  # it cannot go on: the other cells do
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
