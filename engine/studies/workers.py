"""Worker processes that train and evaluate the cells of a study, and obey pause and stop.

A worker is spawned, imports torch once, and works on one cell after another. However it ends, no more than the steps
since the last checkpoint are lost.
"""

import contextlib
import multiprocessing
import queue
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Literal, TypeAlias

from engine.errors import RunError, StudioError
from engine.jobs.control import Control, drive
from engine.jobs.events import Paused, Progress, Request, Warned
from engine.jobs.processes import leave_termination_to_parent
from engine.runs.run import Run

STOP_TIMEOUT = 1.5
"""Seconds for workers to save a checkpoint before they are killed."""

REPORT_INTERVAL = 0.2
"""Seconds between reports of a worker's progress."""

Command: TypeAlias = Literal["pause", "resume", "stop"]


@dataclass(frozen=True, slots=True)
class Task:
    """A run to train to its end and evaluate; `data_folder` replaces the run's own unless None."""

    run: Path
    metrics: tuple[str, ...]
    data_folder: Path | None


@dataclass(frozen=True, slots=True)
class Report:
    """A worker's report on its task: progress (`done` of `total`), a warning, or how it ended.

    `text` is a sentence, `trace` the traceback of an unexpected error.
    """

    kind: Literal["training", "evaluating", "warned", "paused", "done", "failed"]
    done: int = 0
    total: int = 0
    text: str = ""
    trace: str = ""

    @property
    def last(self) -> bool:
        """Whether this is the last report on the task."""
        return self.kind in ("done", "failed")


Reporter: TypeAlias = Callable[[Report], None]


class WorkerPool:
    """Up to `count` workers with `threads` each. Leaving the `with` block stops them within two seconds."""

    def __init__(self, count: int, threads: int) -> None:
        self._count, self._threads = count, threads
        self._idle: list[_Worker] = []
        self._busy: dict[_Worker, int] = {}

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
        worker = self._idle.pop() if self._idle else _Worker(self._threads)
        self._busy[worker] = number
        worker.ask(task)

    def receive(self, timeout: float) -> list[tuple[int, Report]]:
        """Return the reports received within `timeout` seconds, by task number. A dead worker's task has failed."""
        ready = wait([worker.connection for worker in self._busy], timeout)
        reports = []
        for worker, number in list(self._busy.items()):
            while worker.connection in ready and worker in self._busy:
                report = worker.receive()
                reports.append((number, report or Report("failed", text=ENDED)))
                if report is None:
                    worker.end()
                    del self._busy[worker]
                elif report.last:
                    del self._busy[worker]
                    self._idle.append(worker)
                elif not worker.connection.poll():
                    break
        return reports

    def pause(self) -> list[tuple[int, Report]]:
        """Ask all workers to save a checkpoint and wait; return the reports until they do, or until a timeout."""
        self._ask("pause")
        reports: list[tuple[int, Report]] = []
        end = time.monotonic() + STOP_TIMEOUT
        while (left := end - time.monotonic()) > 0:
            reports += self.receive(left)
            waiting = {number for number, report in reports if report.kind == "paused"}
            if set(self._busy.values()) <= waiting:
                break
        return reports

    def resume(self) -> None:
        """Let all workers continue."""
        self._ask("resume")

    def stop(self) -> None:
        """Ask all workers to save a checkpoint and end; kill those that take too long."""
        self._ask("stop")
        end = time.monotonic() + STOP_TIMEOUT
        while self._busy and (left := end - time.monotonic()) > 0:
            self.receive(left)
        for worker in [*self._busy, *self._idle]:
            worker.end()
        self._busy, self._idle = {}, []

    def _ask(self, command: Command) -> None:
        for worker in self._busy:
            worker.ask(command)


ENDED = "It was ended by the system, most likely for lack of memory."


class _Worker:
    """The parent's side of a child process."""

    def __init__(self, threads: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.connection, theirs = spawn.Pipe()
        # Not a daemon: daemons cannot have child processes, which an evaluation needs.
        self._process = spawn.Process(target=_serve, args=(theirs, threads), daemon=False)
        self._process.start()
        theirs.close()

    def ask(self, what: Task | Command) -> None:
        with contextlib.suppress(OSError):  # a dead worker is noticed when a report is received
            self.connection.send(what)

    def receive(self) -> Report | None:
        try:
            report: Report = self.connection.recv()
        except (EOFError, OSError):
            return None
        return report

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(connection: Connection, threads: int) -> None:
    """Work through tasks, in a child process, until the parent is gone."""
    from engine.system.memory import keep_freed_memory

    leave_termination_to_parent()  # which asks for a checkpoint
    keep_freed_memory()
    control = Control()
    tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, control, tasks), daemon=True).start()

    import torch

    if threads:
        torch.set_num_threads(threads)
    while (task := tasks.get()) is not None:
        connection.send(_do(task, control, connection.send))


def _listen(connection: Connection, control: Control, tasks: "queue.SimpleQueue[Task | None]") -> None:
    while True:
        try:
            received: Task | Command = connection.recv()
        except (EOFError, OSError):
            tasks.put(None)
            return
        if isinstance(received, Task):
            tasks.put(received)
        else:
            getattr(control, received)()


def _do(task: Task, control: Control, send: Reporter) -> Report:
    try:
        run = Run.open(task.run)
        if task.data_folder is not None:
            run.config = run.config.changed(data_folder=task.data_folder)
        if run.state().state != "finished":
            _train(run, control, send)
        if run.state().state == "finished" and control.request is not Request.STOP:
            _evaluate(run, task.metrics, control, send)
    except StudioError as error:
        return Report("failed", text=str(error))
    except MemoryError:
        return Report("failed", text="There is not enough memory for it.")
    except Exception as error:  # at the boundary between processes: other cells continue
        words = f"An unexpected error occurred ({type(error).__name__}: {error})."
        return Report("failed", text=words, trace=traceback.format_exc())
    return Report("done")


def _train(run: Run, control: Control, send: Reporter) -> None:
    from engine.training.trainer import train

    last = 0.0
    for event in drive(train(run), control):
        if isinstance(event, Paused):
            if event.message:  # it cannot continue, but the other cells can
                control.resume()
                raise RunError(event.message)
            send(Report("paused"))
        elif isinstance(event, Warned):
            send(Report("warned", text=event.message))
        elif isinstance(event, Progress) and time.monotonic() - last > REPORT_INTERVAL:
            last = time.monotonic()
            send(Report("training", event.done, event.total))


def _evaluate(run: Run, metrics: tuple[str, ...], control: Control, send: Reporter) -> None:
    from engine.evaluation.evaluate import evaluate

    last = 0.0
    with contextlib.closing(evaluate(run, metrics)) as job:
        for event in job:
            if control.request is Request.PAUSE:
                send(Report("paused"))
                control.wait()
            if control.request is Request.STOP:
                return
            if isinstance(event, Warned):
                send(Report("warned", text=event.message))
            if isinstance(event, Progress) and time.monotonic() - last > REPORT_INTERVAL:
                last = time.monotonic()
                send(Report("evaluating", event.done, event.total, event.what))
