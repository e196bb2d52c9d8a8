"""Child processes that train and evaluate the cells of a study, and obey pause and stop.

A worker is spawned, imports torch once, and does one cell after the other. Whatever ends it, it loses no more of a run
than the steps since the last checkpoint.
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

STOP_PATIENCE = 1.5
"""Seconds that workers get to save a checkpoint before they are killed."""

TELL_EVERY = 0.2
"""Seconds between two reports of how far a worker is."""

Wish: TypeAlias = Literal["pause", "resume", "stop"]


@dataclass(frozen=True, slots=True)
class Task:
    """A run to be trained to its end and evaluated; `data_folder` is where its data set is now, None: as it says."""

    run: Path
    metrics: tuple[str, ...]
    data_folder: Path | None


@dataclass(frozen=True, slots=True)
class Told:
    """What a worker says of its task: how far it is (`done` of `total`), a warning, or how it ended.

    `text` is a sentence; `trace` a traceback where the error is not one that the application explains.
    """

    kind: Literal["training", "evaluating", "warned", "paused", "done", "failed"]
    done: int = 0
    total: int = 0
    text: str = ""
    trace: str = ""

    @property
    def last(self) -> bool:
        """Whether the worker is free again."""
        return self.kind in ("done", "failed")


Tell: TypeAlias = Callable[[Told], None]


class Crew:
    """Up to `count` workers with so many `threads` each. Leaving the `with` block stops them, within two seconds."""

    def __init__(self, count: int, threads: int) -> None:
        self._count, self._threads = count, threads
        self._idle: list[_Worker] = []
        self._busy: dict[_Worker, int] = {}

    def __enter__(self) -> "Crew":
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
        """Let a free worker, or a new one, do a task; `number` tells its reports from others'."""
        worker = self._idle.pop() if self._idle else _Worker(self._threads)
        self._busy[worker] = number
        worker.ask(task)

    def listen(self, patience: float) -> list[tuple[int, Told]]:
        """What was told within so many seconds, with the numbers of the tasks. A dead worker's task has failed."""
        ready = wait([worker.connection for worker in self._busy], patience)
        heard = []
        for worker, number in list(self._busy.items()):
            while worker.connection in ready and worker in self._busy:
                told = worker.receive()
                heard.append((number, told or Told("failed", text=ENDED)))
                if told is None:
                    worker.end()
                    del self._busy[worker]
                elif told.last:
                    del self._busy[worker]
                    self._idle.append(worker)
                elif not worker.connection.poll():
                    break
        return heard

    def pause(self) -> list[tuple[int, Told]]:
        """Ask all to save a checkpoint and wait. Returns when they do, or after a while, what was told meanwhile."""
        self._ask("pause")
        heard: list[tuple[int, Told]] = []
        end = time.monotonic() + STOP_PATIENCE
        while (left := end - time.monotonic()) > 0:
            heard += self.listen(left)
            waiting = {number for number, told in heard if told.kind == "paused"}
            if set(self._busy.values()) <= waiting:
                break
        return heard

    def resume(self) -> None:
        """Let all go on."""
        self._ask("resume")

    def stop(self) -> None:
        """Ask all to save a checkpoint and end; kill those that take too long."""
        self._ask("stop")
        end = time.monotonic() + STOP_PATIENCE
        while self._busy and (left := end - time.monotonic()) > 0:
            self.listen(left)
        for worker in [*self._busy, *self._idle]:
            worker.end()
        self._busy, self._idle = {}, []

    def _ask(self, wish: Wish) -> None:
        for worker in self._busy:
            worker.ask(wish)


ENDED = "It was ended by the system, most likely because there was not enough memory."


class _Worker:
    """The parent's side of a child process."""

    def __init__(self, threads: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.connection, theirs = spawn.Pipe()
        # Not a daemon: those may have no children, and an evaluation has.
        self._process = spawn.Process(target=_serve, args=(theirs, threads), daemon=False)
        self._process.start()
        theirs.close()

    def ask(self, what: Task | Wish) -> None:
        with contextlib.suppress(OSError):  # one that died is noticed when it is listened to
            self.connection.send(what)

    def receive(self) -> Told | None:
        try:
            told: Told = self.connection.recv()
        except (EOFError, OSError):
            return None
        return told

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(connection: Connection, threads: int) -> None:
    """Do one task after the other, in a child, until the parent is gone."""
    from engine.system.memory import keep_freed_memory

    leave_termination_to_parent()  # it asks for a checkpoint
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
            heard: Task | Wish = connection.recv()
        except (EOFError, OSError):
            tasks.put(None)
            return
        if isinstance(heard, Task):
            tasks.put(heard)
        else:
            getattr(control, heard)()


def _do(task: Task, control: Control, tell: Tell) -> Told:
    try:
        run = Run.open(task.run)
        if task.data_folder is not None:
            run.config = run.config.changed(data_folder=task.data_folder)
        if run.state().state != "finished":
            _train(run, control, tell)
        if run.state().state == "finished" and control.request is not Request.STOP:
            _evaluate(run, task.metrics, control, tell)
    except StudioError as error:
        return Told("failed", text=str(error))
    except MemoryError:
        return Told("failed", text="There is not enough memory for it.")
    except Exception as error:  # the edge between processes: the other cells go on
        words = f"Something unexpected happened ({type(error).__name__}: {error})."
        return Told("failed", text=words, trace=traceback.format_exc())
    return Told("done")


def _train(run: Run, control: Control, tell: Tell) -> None:
    from engine.training.trainer import train

    last = 0.0
    for event in drive(train(run), control):
        if isinstance(event, Paused):
            if event.message:  # it cannot go on: the other cells do
                control.resume()
                raise RunError(event.message)
            tell(Told("paused"))
        elif isinstance(event, Warned):
            tell(Told("warned", text=event.message))
        elif isinstance(event, Progress) and time.monotonic() - last > TELL_EVERY:
            last = time.monotonic()
            tell(Told("training", event.done, event.total))


def _evaluate(run: Run, metrics: tuple[str, ...], control: Control, tell: Tell) -> None:
    from engine.evaluation.evaluate import evaluate

    last = 0.0
    with contextlib.closing(evaluate(run, metrics)) as job:
        for event in job:
            if control.request is Request.PAUSE:
                tell(Told("paused"))
                control.wait()
            if control.request is Request.STOP:
                return
            if isinstance(event, Warned):
                tell(Told("warned", text=event.message))
            if isinstance(event, Progress) and time.monotonic() - last > TELL_EVERY:
                last = time.monotonic()
                tell(Told("evaluating", event.done, event.total, event.what))
