"""Child processes for work that cannot yield for long; they end at once when the job waiting for them is closed.

They are spawned, which works on every system and in a standalone build. A child imports only what its work needs.
"""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, TypeAlias

from engine.errors import PluginError, PluginMissingError, StudioError
from engine.jobs.events import Event, Progress, Request
from engine.system.user_code import explained

POLL_SECONDS = 0.1
"""Interval at which a waiting job yields, so that it can be cancelled."""

PR_SET_PDEATHSIG = 1
"""Option of Linux's prctl: the signal that a process gets when the thread ends that started it."""

TERMINATION = ("SIGINT", "SIGTERM", "SIGHUP")

Report: TypeAlias = Callable[[int], None]
"""Called by work with the number of its units done so far."""


def termination_signals() -> list[signal.Signals]:
    """Return the signals that ask a process to end; a terminal sends them to all of its processes.

    SIGHUP is left out where the process was started to outlive its terminal (nohup).
    """
    found = [signal.Signals(number) for name in TERMINATION if (number := getattr(signal, name, None)) is not None]
    return [number for number in found if number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN]


def leave_termination_to_parent() -> None:
    """Make a child process ignore termination signals and end when its parent does.

    What it prints goes to stderr: stdout is for the results of a command.
    """
    sys.stdout = sys.stderr
    for number in termination_signals():
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        # The thread below cannot end a process whose code does not release the interpreter.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    threading.Thread(target=exit_with_parent, daemon=True).start()


Preparation: TypeAlias = tuple[Callable[..., str], tuple[Any, ...]]

_preparation: list[Preparation] = []


def prepare_children(work: Callable[..., str], *arguments: Any) -> None:
    """Have every child started from now on, and its children, call `work(*arguments)` before anything else.

    This replaces the previous call. `work` is a module's function whose arguments can be pickled; it returns what went
    wrong, as sentences, which a child reports if something is missing afterwards.
    """
    _preparation[:] = [(work, arguments)]


def preparation() -> Preparation | None:
    """Return the call that children make first."""
    return _preparation[0] if _preparation else None


def prepare_child(first: Preparation | None) -> str:
    """Make that call, in a child, and return what went wrong."""
    if first is None:
        return ""
    prepare_children(first[0], *first[1])
    return first[0](*first[1])


def cause_of(error: BaseException, problem: str) -> BaseException:
    """Return the problem of the preparation as the cause of an error which says that something is missing."""
    lacking = isinstance(error, LookupError | ImportError | AttributeError | PluginMissingError)
    return PluginError(problem) if problem and lacking else error


class Children:
    """Up to `count` child processes, started when first needed and killed when the `with` block ends."""

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
        """Call `work(*task)` for every task, largest first, and return the results in the order of the tasks.

        Yields Progress in `unit`s: tasks, or, where `sizes` gives the number of units of each task, the units that
        `work` reports through its argument `report`. `work` must be a module-level function whose arguments and result
        can be pickled. Raises StudioError when a child dies, PluginError when a plug-in's code raises, and RuntimeError
        with the child's traceback when `work` raises anything else.
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
                with contextlib.suppress(OSError):  # a dead child is noticed when its result is received
                    connection.send((work, tasks[number], sizes is not None))
            ready = wait(list(busy), POLL_SECONDS)
            for connection in [c for c in busy if c in ready]:
                number = busy[connection]
                kind, value = _receive(connection, what)
                if kind == "progress":
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
            f"{what} was ended by the system, most likely for lack of memory. "
            "Close other programs and evaluate again; the values computed so far are kept."
        ) from None
    return kind, value


def _serve(connection: Connection, first: Preparation | None) -> None:
    """Work through tasks, in a child process, until the parent is gone."""
    leave_termination_to_parent()
    problem = prepare_child(first)
    while True:
        try:
            work, task, reporting = connection.recv()
        except (EOFError, OSError):
            return
        except Exception as error:  # a task that cannot be read here
            connection.send(_failure(error, problem))
            continue
        try:
            extra = {"report": lambda units: connection.send(("progress", units))} if reporting else {}
            connection.send(("done", work(*task, **extra)))
        except Exception as error:  # whatever it is, the parent raises it
            connection.send(_failure(error, problem))


def _failure(error: Exception, problem: str) -> tuple[str, str]:
    """The error as a child sends it; `problem` is why a plug-in could not be loaded there, if so."""
    found = cause_of(explained(error), problem)
    if isinstance(found, PluginError):
        return "refused", str(found)
    return "failed", "".join(traceback.format_exception(error))


def exit_with_parent() -> None:
    """Wait, in a child process, until the parent is gone, then exit at once. Runs in a thread of its own."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
