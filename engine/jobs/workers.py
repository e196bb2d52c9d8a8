"""Jobs in child processes: code that hangs or crashes there costs no more than its job.

A worker runs one job after another and obeys pause, stop and cancel like `drive`. If its code does not answer or
crashes, the current line is written to a file: on request by a thread that reads the stack; if the code does not
release the interpreter, by the handler of a signal; in a crash by `faulthandler`.
"""

import contextlib
import faulthandler
import multiprocessing
import os
import pickle
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, TypeAlias

from engine.errors import PluginError, StudioError
from engine.jobs.control import Control, drive
from engine.jobs.events import Event, Idle, Job, Paused, Progress, Request, Unanswered
from engine.jobs.processes import Preparation, cause_of, leave_termination_to_parent, preparation, prepare_child
from engine.system.files import temporary_file
from engine.system.user_code import Place, error_words, explained, place_in_dump

SILENCE = 4.0
"""Seconds without a message after which a request counts as unanswered."""

CLOSING = 3.0
"""Seconds for an abandoned job to save its state."""

POLL_SECONDS = 0.1
"""Interval at which a job in a child process yields, so that requests reach it."""

SEND_EVERY = 0.1
"""Seconds between two reports of progress."""

LOOK_SECONDS = 0.5
"""Seconds for a process that receives messages to write down where its code is."""

SIGNAL_SECONDS = 3.0
"""Seconds for one that is stuck in its code, and writes it down when signalled; a busy machine may take long."""

Command: TypeAlias = Literal["pause", "resume", "stop", "cancel"]
_LOOK = "look"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: successfully, or with an error, whose traceback in the child is `trace`."""

    error: Exception | None = None
    trace: str = ""


class RemoteError(Exception):
    """The traceback of an error in a child process, as the cause of the error raised in the parent."""


class Worker:
    """A child process that runs jobs. `connection` is ready when there is something to receive.

    `who` is the subject of messages about it ("sparse-vae does not answer"), unless a plug-in is found whose code hangs
    or has crashed. A worker that is not `prepared` leaves out what `prepare_children` asks for.
    """

    def __init__(self, who: str = "It", *, prepared: bool = True) -> None:
        self.who = who
        self._dump = temporary_file("studio-dump")
        self._watched = False
        self.gone = False
        """Whether the process was found to have ended."""
        spawn = multiprocessing.get_context("spawn")
        self.connection, theirs = spawn.Pipe()
        # Not a daemon: those may have no children, and an evaluation has.
        first = preparation() if prepared else None
        self._process = spawn.Process(target=_serve, args=(theirs, str(self._dump), first), daemon=False)
        try:
            self._process.start()
        except BaseException:
            self.connection.close()
            self._dump.unlink(missing_ok=True)
            raise
        finally:
            theirs.close()
        self._asked: float | None = None
        self._heard = time.monotonic()

    def begin(self, make: Callable[..., Job], *arguments: Any) -> None:
        """Start the job `make(*arguments)`; `make` is a module's function, and everything can be pickled."""
        self._asked = None
        self._send((make, arguments))

    def ask(self, command: Command) -> None:
        """Send a command to the job."""
        self._asked = None if command == "resume" else time.monotonic()
        self._send(command)

    def receive(self) -> Event | Outcome:
        """Return the next event, or the outcome of the job: a PluginError if the process is gone."""
        try:
            if self.dead:
                raise EOFError
            message: Event | Outcome = self.connection.recv()
        except (EOFError, OSError):
            self.gone = True
            message = Outcome(PluginError(self._ended()))
        self._heard = time.monotonic()
        if isinstance(message, Paused | Outcome):
            self._asked = None
        return message

    @property
    def dead(self) -> bool:
        """Whether the process has ended and there is nothing to receive.

        The connection does not tell where processes that the code has started hold it open.
        """
        return not self._process.is_alive() and not self.connection.poll()

    @property
    def silent(self) -> bool:
        """Whether a request has had no answer for `SILENCE` seconds."""
        return self._asked is not None and time.monotonic() - max(self._asked, self._heard) > SILENCE

    @property
    def asked(self) -> bool:
        """Whether a request has had no answer yet."""
        return self._asked is not None

    def look(self) -> Place | None:
        """Return the line of a plug-in's code where the process is or crashed; None if it cannot be determined."""
        if self._process.is_alive():
            self._watched |= bool(self._dumped())  # until it is, the signal would end the process
            self._dump.write_bytes(b"")
            self._send(_LOOK)
            if not self._is_dumped(LOOK_SECONDS) and self._watched and hasattr(signal, "SIGUSR1") and self._process.pid:
                os.kill(self._process.pid, signal.SIGUSR1)
                self._is_dumped(SIGNAL_SECONDS)
        return place_in_dump(self._dumped())

    def _is_dumped(self, seconds: float) -> bool:
        """Wait until the process has written down where its code is, at most some seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.02)
            if self._dumped().endswith("\n"):
                return True
        return False

    def unanswered(self) -> str:
        """Return the message that it does not answer, with the line of its code."""
        return self._about("does not answer{where}")

    def given_up(self) -> str:
        """Return the message that it did not answer and was ended."""
        return self._about("did not answer{where} and was ended")

    def end(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.join()
        self.connection.close()
        self._dump.unlink(missing_ok=True)

    def _send(self, message: object) -> None:
        with contextlib.suppress(OSError):  # a dead process is noticed when its outcome is received
            self.connection.send(message)

    def _about(self, words: str) -> str:
        place = self.look()
        where = f" ({place.words})" if place else ""
        return f"{place.plugin if place else self.who} {words.format(where=where)}."

    def _dumped(self) -> str:
        try:
            return self._dump.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def _ended(self) -> str:
        """The message that the process has ended, with the cause."""
        self._process.join(CLOSING)
        code, dump = self._process.exitcode, self._dumped()
        crashed = "Fatal Python error" in dump or "Windows fatal exception" in dump
        if code is not None and code >= 0 and not crashed:
            words = f"ended its process with exit status {code}"
            return self._about(f"{words}{{where}}") if dump.startswith(_EXITS) else f"{self.who} {words}."
        if not crashed and code in (None, -getattr(signal, "SIGKILL", 9)):
            return f"{self.who} was ended by the system, most likely for lack of memory."
        return self._about(f"crashed{_signal_words(code)}{{where}}")


def _signal_words(code: int | None) -> str:
    if code is None or code >= 0:
        return ""
    try:
        return f" with {signal.Signals(-code).name}"
    except ValueError:
        return f" with signal {-code}"


def apart(
    who: str, make: Callable[..., Job], *arguments: Any, saves: bool = True, beside: Sequence[tuple[Any, ...]] = ()
) -> Job:
    """Run the job `make(*arguments)` in a child process; events and requests pass through.

    Jobs `beside` it, each a function with its arguments, run in child processes of their own. Their events are dropped;
    an error or the end of one of these processes ends all.

    `make` is a module's function; it, the arguments and the events can be pickled. Yields Idle while nothing happens,
    and Unanswered if a request is not answered; `Request.END` then ends the process. Closing cancels the job; if it
    `saves` its state, it has some seconds for that, and closing raises PluginError if it needs more.

    Raises what the job raises, and PluginError if the process crashes, exits or is ended.
    """
    worker, others = Worker(who), []
    try:
        worker.begin(make, *arguments)
        for job, *given in beside:
            others.append(Worker(who))
            others[-1].begin(job, *given)
        outcome = yield from _pass_through(worker, others)
    except GeneratorExit:
        if saves:
            worker.ask("cancel")
            if not _answers(worker):
                raise PluginError(worker.given_up()) from None
        raise
    except KeyboardInterrupt:
        raise PluginError(worker.given_up()) from None
    finally:
        for each in (*others, worker):
            each.end()
    raise_outcome(outcome)


def raise_outcome(outcome: Outcome) -> None:
    """Raise the error with which a job ended, if any."""
    if isinstance(outcome.error, StudioError):
        raise outcome.error
    if outcome.error is not None:
        raise outcome.error from RemoteError(f"\n{outcome.trace}")


def _pass_through(worker: Worker, others: Sequence[Worker]) -> Generator[Event, Request | None, Outcome]:
    asked: Request | None = None
    unanswered = False
    while True:
        if failed := _failure_of(others):
            return failed
        ready = worker.connection.poll(POLL_SECONDS) or worker.dead
        message: Event | Outcome = worker.receive() if ready else Idle()
        if isinstance(message, Outcome):
            return (_failure_of(others) or message) if message.error is not None else message
        events = [message]
        if worker.silent is not unanswered:
            unanswered = not unanswered
            events.insert(0, Unanswered(worker.unanswered() if unanswered else ""))
        for event in events:
            request = yield event
            if request is Request.END:
                raise PluginError(worker.given_up())
        if isinstance(message, Paused) or (asked is Request.PAUSE and request is None):
            worker.ask("resume")
            asked = None
        if request is not None and asked not in (request, Request.STOP):
            worker.ask("stop" if request is Request.STOP else "pause")
            asked = request


def _failure_of(others: Sequence[Worker]) -> Outcome | None:
    """The error with which one of several workers has ended, if any has."""
    for other in others:
        while not other.gone and (other.connection.poll() or other.dead):
            message = other.receive()
            if isinstance(message, Outcome) and message.error is not None:
                return message
    return None


def _answers(worker: Worker) -> bool:
    """Whether a cancelled job ends within some seconds."""
    end = time.monotonic() + CLOSING
    while (left := end - time.monotonic()) > 0 and worker.connection.poll(left):
        if isinstance(worker.receive(), Outcome):
            return True
    return False


# In the child


_EXITS = "exits\n"


class _Watch:
    """Writes the stack of the main thread to a file that the parent reads."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 (open as long as the process lives)
        faulthandler.enable(self._file)
        if hasattr(signal, "SIGUSR1"):
            faulthandler.register(signal.SIGUSR1, self._file, all_threads=False)
        self._write("started\n")
        self._process, self._leave = os.getpid(), os._exit
        os._exit = self._exit  # type: ignore[assignment]

    def _exit(self, status: int) -> None:
        """Write down who calls `os._exit`, which says nothing itself."""
        if os.getpid() == self._process:  # not a fork of it
            self._file.truncate(0)
            self._write(_EXITS)
            self.look()
        self._leave(status)

    def look(self) -> None:
        """Write the stack as `faulthandler` does, the innermost call first; called in another thread."""
        lines = []
        frame = sys._current_frames().get(threading.main_thread().ident or 0)
        while frame is not None:
            lines.append(f'  File "{frame.f_code.co_filename}", line {frame.f_lineno} in {frame.f_code.co_name}\n')
            frame = frame.f_back
        self._write("".join(lines))

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()


class _Reports:
    """Sends events to the parent; of progress only the latest, ten times per second."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: Progress | None = None
        self._sent = 0.0

    def send(self, event: Event) -> None:
        if not isinstance(event, Progress):
            self.flush()
            self._connection.send(event)
        elif time.monotonic() - self._sent < SEND_EVERY:
            self._waiting = event
        else:
            self._waiting, self._sent = None, time.monotonic()
            self._connection.send(event)

    def flush(self) -> None:
        if self._waiting is not None:
            self._connection.send(self._waiting)
            self._waiting = None


@dataclass(frozen=True, slots=True)
class _Task:
    make: Callable[..., Job]
    arguments: tuple[Any, ...]
    control: Control


def _serve(connection: Connection, dump: str, first: Preparation | None) -> None:
    """Run one job after another, in a child, until the parent is gone."""
    from engine.system.memory import keep_freed_memory

    leave_termination_to_parent()  # it asks the job to stop
    keep_freed_memory()
    watch = _Watch(dump)
    problem = prepare_child(first)
    tasks: queue.SimpleQueue[_Task | Exception | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, tasks, watch), daemon=True).start()
    while (task := tasks.get()) is not None:
        if isinstance(task, Exception):
            outcome = Outcome(_portable(task, problem), "".join(traceback.format_exception(task)))
        else:
            outcome = _do(task, connection, problem)
        try:
            connection.send(outcome)
        except OSError:  # the parent is gone
            return


def _listen(connection: Connection, tasks: "queue.SimpleQueue[_Task | Exception | None]", watch: _Watch) -> None:
    control = Control()
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            control.cancel()
            tasks.put(None)
            return
        except Exception as error:  # a job whose arguments cannot be read here
            tasks.put(error)
            continue
        if message == _LOOK:
            watch.look()
        elif isinstance(message, str):
            getattr(control, message)()
        else:
            control = Control()
            make, arguments = message
            tasks.put(_Task(make, arguments, control))


def _do(task: _Task, connection: Connection, problem: str) -> Outcome:
    reports = _Reports(connection)
    try:
        for event in drive(task.make(*task.arguments), task.control):
            reports.send(event)
        reports.flush()
    except BaseException as error:  # the edge between processes: the parent raises it
        return Outcome(_portable(error, problem), traceback.format_exc())
    return Outcome()


def _portable(error: BaseException, problem: str = "") -> Exception:
    """Return an error that any process can read: a plug-in's error names the plug-in, our own are unchanged.

    `problem` is why a plug-in could not be loaded in this process, if so.
    """
    found = cause_of(explained(error), problem)
    if type(found).__module__ in ("builtins", "engine.errors") and isinstance(found, Exception):
        with contextlib.suppress(Exception):
            copy = pickle.loads(pickle.dumps(found))
            if type(copy) is type(found):
                return found
    return RuntimeError(error_words(found))
