"""Work that cannot yield for long, in child processes that end at once when the job waiting for them is closed.

The children are spawned, which every system can do and which works in a standalone build; a child imports only what
its work needs.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Generator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, TypeAlias

from engine.errors import PluginError, StudioError
from engine.jobs.events import Event, Progress, Request
from engine.system.user_code import explained

PATIENCE = 0.1
"""Seconds between two looks at whether the job was cancelled."""

ENDING = ("SIGINT", "SIGTERM", "SIGHUP")

Tell: TypeAlias = Callable[[int], None]
"""Called by work with how many of its units are done."""


def ending_signals() -> list[signal.Signals]:
    """Signals that ask a process to end; from a terminal they reach all of its processes.

    Without that of a terminal that closes where the process was told to outlive it (nohup).
    """
    found = [signal.Signals(number) for name in ENDING if (number := getattr(signal, name, None)) is not None]
    return [number for number in found if number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN]


def leave_ending_to_parent() -> None:
    """Let a child, too, end when the parent does and not before."""
    for number in ending_signals():
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()


Preparation: TypeAlias = tuple[Callable[..., object], tuple[Any, ...]]

_preparation: list[Preparation] = []


def prepare_children(work: Callable[..., object], *arguments: Any) -> None:
    """Let every child that is started from now on, and its children, call `work(*arguments)` before anything else.

    In place of what was asked for before. `work` is a function of a module, its arguments can be pickled.
    """
    _preparation[:] = [(work, arguments)]


def preparation() -> Preparation | None:
    """Return what children are to do first."""
    return _preparation[0] if _preparation else None


def prepare_child(first: Preparation | None) -> None:
    """Do that, in a child."""
    if first is not None:
        prepare_children(first[0], *first[1])
        first[0](*first[1])


class Children:
    """Up to `count` child processes, started when first needed, killed when the `with` block is left."""

    def __init__(self, count: int) -> None:
        self._count = max(1, count)
        self._idle: list[Connection] = []
        self._processes: list[BaseProcess] = []

    def __enter__(self) -> "Children":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()

    def run(
        self,
        work: Callable[..., Any],
        tasks: Sequence[tuple[Any, ...]],
        what: str,
        unit: str,
        sizes: Sequence[int] | None = None,
    ) -> Generator[Event, Request | None, list[Any]]:
        """Call `work(*task)` for every task, the largest first; return the results in the order of the tasks.

        Yields Progress in `unit`s: tasks, or, where `sizes` says how many units each task has, those that `work`
        tells of by its argument `tell`. `work` is a function of a module, its arguments and result can be pickled.
        Raises StudioError when a child dies, RuntimeError with its traceback when `work` raises,
        PluginError when a plug-in's code does.
        """
        units = list(sizes or [1] * len(tasks))
        waiting = sorted(range(len(tasks)), key=lambda number: units[number])
        done, results = [0] * len(tasks), [None] * len(tasks)
        busy: dict[Connection, int] = {}
        yield Progress(0, sum(units), what, unit)
        while waiting or busy:
            while waiting and (self._idle or len(self._processes) < self._count):
                number = waiting.pop()
                connection = self._idle.pop() if self._idle else self._start()
                busy[connection] = number
                with contextlib.suppress(OSError):  # a child that died is noticed when it is listened to
                    connection.send((work, tasks[number], sizes is not None))
            ready = wait(list(busy), PATIENCE)
            for connection in [c for c in busy if c in ready]:
                number = busy[connection]
                kind, value = _receive(connection, what)
                if kind == "told":
                    done[number] = min(value, units[number])
                elif kind == "failed":
                    raise RuntimeError(f"{what}:\n{value}")
                elif kind == "refused":
                    raise PluginError(value)
                else:
                    done[number], results[number] = units[number], value
                    del busy[connection]
                    self._idle.append(connection)
            yield Progress(sum(done), sum(units), what, unit)
        return results

    def _start(self) -> Connection:
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=_serve, args=(theirs, preparation()), daemon=True)
        process.start()
        theirs.close()
        self._processes.append(process)
        return ours


def _receive(connection: Connection, what: str) -> tuple[str, Any]:
    try:
        kind, value = connection.recv()
    except (EOFError, OSError):
        raise StudioError(
            f"{what} was ended by the system, most likely because there was not enough memory. "
            "Close other programs and evaluate again; what was computed before is kept."
        ) from None
    return kind, value


def _serve(connection: Connection, first: Preparation | None) -> None:
    """Do one task after the other, in a child, until the parent is gone."""
    leave_ending_to_parent()
    prepare_child(first)
    while True:
        try:
            work, task, telling = connection.recv()
        except (EOFError, OSError):
            return
        try:
            extra = {"tell": lambda units: connection.send(("told", units))} if telling else {}
            connection.send(("done", work(*task, **extra)))
        except Exception as error:  # whatever it is, the parent raises it
            found = explained(error)
            refused = isinstance(found, PluginError)
            connection.send(("refused", str(found)) if refused else ("failed", traceback.format_exc()))


def end_with_parent() -> None:
    """Wait, in a child, until the parent is gone; then end at once. For a thread of its own."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
