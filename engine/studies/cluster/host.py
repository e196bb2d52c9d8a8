"""The host of a study's cells on a cluster: it has the surface of `engine.studies.workers.WorkerPool`.

The scheduler places the cells on the slots of its workers; a thread here asks the workers twice a second what has
happened. Whatever breaks, the state of the study is in its run folders, which this process writes or sees.
"""

import contextlib
import logging
import queue
import secrets
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from engine.errors import DataError, RunError, StudioError
from engine.jobs.events import Paused
from engine.jobs.workers import Command, Outcome
from engine.runs.run import Run
from engine.studies.cluster import remote
from engine.studies.cluster.files import Arriving, whole
from engine.studies.cluster.remote import Order, Report
from engine.studies.workers import Reports, Task
from engine.system.program import COMMAND
from engine.system.versions import library_versions

if TYPE_CHECKING:
    from distributed import Client, Future
    from distributed.security import Security

POLL_SECONDS = 0.5
"""Interval at which workers are asked; with many workers, five times what asking takes."""

CONNECT_SECONDS = 10
"""Time limit for connecting to the scheduler."""

LOST_SECONDS = 30.0
"""Seconds without an answer from the scheduler after which it counts as lost."""

ANSWER_SECONDS = 8.0
"""Time limit for cells to save a checkpoint on a request to pause or stop, including the way there and back."""

ATTEMPTS = 3
"""How often a cell is given to the cluster again after it ended there without an outcome."""

log = logging.getLogger(__name__)


@dataclass
class _Placed:
    """A cell on the cluster: its task there, how often it was placed, and what holds its run folder here."""

    task: Task
    future: "Future[Any]"
    attempt: int = 1
    arriving: Arriving | None = None
    held: ExitStack = field(default_factory=ExitStack)
    begun: bool = False
    asked: bool = False
    silent: str = ""


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the workers answered to one question; `lost` says why there is no answer."""

    reports: tuple[tuple[str, Report], ...] = ()
    ended: tuple[int, ...] = ()
    lost: str = ""


class ClusterHost:
    """The cells of a study on the workers of a scheduler. Leaving the `with` block stops them.

    Raises RunError if there is no scheduler at the address or it has another version of `distributed`.
    """

    def __init__(
        self, address: str, runs_folder: Path, most: int | None = None, security: "Security | None" = None
    ) -> None:
        self.address = address
        self._most = most
        self._folder = runs_folder
        self._token = secrets.token_hex(8)
        self._placed: dict[int, _Placed] = {}
        self._answers: queue.SimpleQueue[_Answers] = queue.SimpleQueue()
        self._over = threading.Event()
        self._wake = threading.Event()
        self._slots = 0
        self._client = _connected(address, security)
        try:
            self._count_slots()
            self._sees: dict[str, bool] = {}
            """Whether each worker sees the runs folder of this machine, by its address."""
            self._look()
        except BaseException:
            self._client.close()
            raise
        self._thread = threading.Thread(target=self._ask_on, name="cluster", daemon=True)
        self._thread.start()

    def __enter__(self) -> "ClusterHost":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    # Before anything is placed

    @property
    def slots(self) -> int:
        """Number of cells that can train at the same time."""
        return self._slots if self._most is None else min(self._most, self._slots or self._most)

    def notes(self) -> list[str]:
        """Return sentences about the cluster: versions that differ from those here."""
        found = []
        here = library_versions()
        differing: Counter[str] = Counter()
        for versions in self._run(remote.versions).values():
            for name in sorted({*here, *versions}):
                if here.get(name) != versions.get(name):
                    differing[f"{name} {versions.get(name, 'missing')} (here {here.get(name, 'missing')})"] += 1
        if differing:
            listed = ", ".join(f"{words} on {_workers(number)}" for words, number in sorted(differing.items()))
            found.append(f"Versions on the cluster differ: {listed}. Numbers may differ in their last digits.")
        return found

    def check_data(self, wanted: list[tuple[str, Path | None]]) -> None:
        """Raise DataError if a worker has not got a data set that it cannot draw itself."""
        lacking: dict[str, list[str]] = {}
        for address, sentences in self._run(remote.lacking_data, wanted).items():
            for sentence in sentences:
                lacking.setdefault(sentence, []).append(address)
        if lacking:
            words = [f"{sentence} ({', '.join(sorted(where)[:3])})" for sentence, where in lacking.items()]
            raise DataError(f"Data are missing on workers of the cluster: {' '.join(words)}")

    def _look(self, *workers: str) -> None:
        """Find out which of some workers see the runs folder of this machine; by default all. Raises RunError."""
        mark = self._folder / f".{self._token}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            mark.write_text(self._token, encoding="utf-8")
            self._sees |= self._run(remote.sees, str(mark), self._token, workers=list(workers) or None)
        except OSError as error:
            raise RunError(f"{self._folder} cannot be written: {error.strerror or error}.") from None
        finally:
            mark.unlink(missing_ok=True)

    def _run(self, function: Any, *arguments: Any, workers: list[str] | None = None) -> dict[str, Any]:
        """Call a function of `remote` on some workers, or on all. Raises RunError if the application is not there."""
        try:
            answers = self._call(function, *arguments, workers=workers)
        except ConnectionError as error:
            raise RunError(self._lost(str(error))) from None
        for where, answer in answers.items():
            if isinstance(answer, ImportError | AttributeError):
                raise RunError(
                    f"The worker {where} does not have this version of Disentangle Studio ({answer}). Start workers "
                    f"with: {COMMAND} worker {self.address}"
                )
            if isinstance(answer, Exception):
                raise RunError(f"The worker {where} answered with an error ({type(answer).__name__}: {answer}).")
        return answers

    def _call(self, function: Any, *arguments: Any, workers: list[str] | None = None) -> dict[str, Any]:
        """Call a function of `remote` on workers; errors there are among the answers.

        Raises ConnectionError if the scheduler is lost, of which the library says so in many ways.
        """
        try:
            found: dict[str, Any] = self._client.run(function, *arguments, workers=workers, on_error="return")
        except Exception as error:
            raise ConnectionError(_lost_words(error)) from error
        return found

    def _lost(self, cause: str) -> str:
        return (
            f"The cluster at {self.address} is lost ({cause}). Every run of the study can be resumed from its last "
            "checkpoint: start the study again."
        )

    # As a WorkerPool

    @property
    def busy(self) -> bool:
        """Whether any cell is on the cluster."""
        return bool(self._placed)

    @property
    def has_room(self) -> bool:
        """Whether another cell can be placed; without workers one waits for the first."""
        return len(self._placed) < max(1, self.slots)

    def assign(self, number: int, task: Task) -> None:
        """Place a cell on the cluster."""
        self._placed[number] = _Placed(task, self._submit(number, 1))

    def receive(self, timeout: float) -> Reports:
        """Return what was reported within `timeout` seconds. Raises RunError if the cluster is lost."""
        try:
            answers = self._answers.get(timeout=timeout)
        except queue.Empty:
            return []
        if answers.lost:
            raise RunError(self._lost(answers.lost))
        reports: Reports = []
        for where, report in answers.reports:
            reports += self._take(where, report)
        for number in answers.ended:
            reports += self._end_without_outcome(number)
        return reports

    def pause(self) -> Reports:
        """Ask all cells to save a checkpoint and wait; return the reports until they do, or until a timeout."""
        self._ask("pause")
        reports: Reports = []
        end = time.monotonic() + ANSWER_SECONDS
        while any(placed.asked for placed in self._placed.values()) and (left := end - time.monotonic()) > 0:
            reports += self.receive(min(left, POLL_SECONDS))
        return reports

    def resume(self) -> None:
        """Let all cells continue."""
        self._ask("resume")

    def unanswered(self) -> list[str]:
        """Return a sentence for each plug-in whose code does not answer a request, with its file and line."""
        return [placed.silent for placed in self._placed.values() if placed.silent]

    def give_up(self) -> Reports:
        """End the cells whose plug-in code does not answer; their tasks fail."""
        stuck = [number for number, placed in self._placed.items() if placed.silent]
        for number in stuck:
            self._command("end", number)
        reports: Reports = []
        end = time.monotonic() + ANSWER_SECONDS
        while any(number in self._placed for number in stuck) and time.monotonic() < end:
            reports += self.receive(POLL_SECONDS)
        return reports

    def stop(self) -> list[str]:
        """Ask all cells to save a checkpoint and end; cancel those that take too long, and leave the cluster."""
        sentences: list[str] = []
        with contextlib.suppress(RunError, OSError):
            if self._placed:
                self._ask("stop")
            end = time.monotonic() + ANSWER_SECONDS
            while self._placed and time.monotonic() < end:
                self.receive(POLL_SECONDS / 5)
            sentences = self.unanswered()
        self._over.set()
        self._wake.set()
        self._thread.join(CONNECT_SECONDS)
        for placed in self._placed.values():
            placed.held.close()
        with contextlib.suppress(Exception):  # whatever the connection is like, it is given up
            self._client.cancel([placed.future for placed in self._placed.values()])
        self._placed.clear()
        with contextlib.suppress(Exception):
            self._client.close(timeout=2)
        return sentences

    # In this thread

    def _submit(self, number: int, attempt: int) -> "Future[Any]":
        key = f"{self._token}-{number}-{attempt}"
        return self._client.submit(remote.run_cell, self._token, number, key=key, pure=False)

    def _take(self, where: str, report: Report) -> Reports:
        """Process a cell's report: send its order, write its files, pass its events on."""
        number, placed = report.number, self._placed.get(report.number)
        if placed is None:
            return []
        placed.begun = not report.waiting
        if report.waiting:
            with contextlib.suppress(OSError, StudioError):  # it is asked again
                self._begin(where, number, placed)
        placed.silent = report.silent
        if placed.arriving is not None:
            try:
                placed.arriving.take(report.pieces)
            except (OSError, StudioError) as error:
                self._command("stop", number)
                return [(number, self._released(number, Outcome(_failure(error))))]
        reports: Reports = [(number, event) for event in report.events]
        if any(isinstance(event, Paused) for event in report.events):
            placed.asked = False
        if report.outcome is not None:
            reports.append((number, self._released(number, report.outcome)))
        return reports

    def _begin(self, where: str, number: int, placed: _Placed) -> None:
        """Send a waiting cell its order, with the files of its run if the worker does not see them.

        Raises RunLockedError while a worker holds the run that was lost a moment ago.
        """
        if where not in self._sees:  # it has come later
            self._look(where)
        placed.held.close()
        placed.held, placed.arriving = ExitStack(), None
        pieces = None
        if not self._sees[where]:
            placed.held.enter_context(Run.open(placed.task.run).locked())  # so that it counts as in training here, too
            placed.arriving = Arriving(placed.task.run)
            pieces = tuple(whole(placed.task.run))
        order = Order(placed.task, pieces)
        self._call(remote.begin, self._token, number, order, workers=[where])

    def _end_without_outcome(self, number: int) -> Reports:
        """Place a cell again whose task ended without an outcome, unless the scheduler has given it up.

        The scheduler itself places a task again whose worker is lost, up to its limit (`allowed-failures`).
        """
        placed = self._placed.get(number)
        if placed is None:
            return []
        if placed.future.status == "error":
            reason = placed.future.exception()
            words = f"The cluster gave it up{f' ({_cause(reason)})' if reason else ''}. It can be resumed."
        elif placed.attempt < ATTEMPTS:
            placed.attempt += 1
            placed.future = self._submit(number, placed.attempt)
            return []
        else:
            words = f"It ended {ATTEMPTS} times on the cluster without a result. It can be resumed."
        return [(number, self._released(number, Outcome(StudioError(words))))]

    def _released(self, number: int, outcome: Outcome) -> Outcome:
        self._placed.pop(number).held.close()
        return outcome

    def _ask(self, command: Command) -> None:
        for placed in self._placed.values():
            placed.asked = command != "resume" and placed.begun
        self._command(command)

    def _command(self, name: str, number: int | None = None) -> None:
        with contextlib.suppress(OSError):
            self._call(remote.command, self._token, name, number)
        self._wake.set()

    # In the thread that asks

    def _ask_on(self) -> None:
        """Ask the workers again and again, until it is over or the scheduler is lost."""
        heard = time.monotonic()
        while not self._over.is_set():
            began = time.monotonic()
            try:
                answers = self._ask_once()
                heard = time.monotonic()
                if answers.reports or answers.ended:
                    self._answers.put(answers)
            except Exception as error:  # of any layer of the connection
                log.info("no answer from the cluster", exc_info=True)
                if time.monotonic() - heard > LOST_SECONDS or self._client.status == "closed":
                    self._answers.put(_Answers(lost=_lost_words(error)))
                    return
            self._wake.wait(max(POLL_SECONDS, 5 * (time.monotonic() - began)))
            self._wake.clear()

    def _ask_once(self) -> _Answers:
        self._count_slots()
        ended = tuple(n for n, placed in list(self._placed.items()) if placed.future.status not in ("pending",))
        reports = []
        for where, answer in self._call(remote.collect, self._token).items():
            if isinstance(answer, list):
                reports += [(where, report) for report in answer]
        here = {report.number for _, report in reports}
        return _Answers(tuple(reports), tuple(number for number in ended if number not in here))

    def _count_slots(self) -> None:
        self._slots = sum(self._client.nthreads().values())


def _connected(address: str, security: "Security | None") -> "Client":
    """Connect to a scheduler. Raises RunError."""
    from distributed import Client

    for name in ("distributed", "distributed.client", "distributed.core"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is said by this class
    try:
        return Client(address, timeout=CONNECT_SECONDS, security=security, set_as_default=False)
    except (OSError, TimeoutError):
        raise RunError(f"There is no scheduler at {address}. Start one with: {COMMAND} scheduler") from None
    except Exception as error:  # another protocol or version at the other end, a wrong address, TLS
        raise RunError(f"The scheduler at {address} cannot be used: {_cause(error)}.") from None


def _failure(error: Exception) -> StudioError:
    if isinstance(error, StudioError):
        return error
    words = getattr(error, "strerror", None) or error
    return RunError(f"Its files could not be written: {words}. It can be resumed.")


def _lost_words(error: BaseException) -> str:
    """Why the scheduler is lost; in a client that is closed, the library finds None where it expects an object."""
    return "the connection is closed" if isinstance(error, AttributeError) else _cause(error)


def _cause(error: BaseException) -> str:
    words = str(error).strip().splitlines()
    return words[0].rstrip(".") if words else type(error).__name__


def _workers(number: int) -> str:
    return f"{number} worker{'s' if number > 1 else ''}"
