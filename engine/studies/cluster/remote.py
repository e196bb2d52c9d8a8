"""What runs on the workers of a cluster: cells of a study, each in a child process, and the functions the host calls.

A cell is a task of `distributed` that holds one of a worker's slots while a child process trains. The task waits until
the host has sent what it is to do, and ends once the host has fetched its outcome, or is not heard of for a while.
"""

import contextlib
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.errors import DataError, StudioError
from engine.jobs.events import Event, Progress
from engine.jobs.workers import Command, Outcome, Worker
from engine.runs.plugins_used import names_of
from engine.runs.run import Run
from engine.settings.folders import remembered_data
from engine.studies.cluster.files import Arriving, Changes, Piece, file_names
from engine.studies.workers import IT, Task, work_on
from engine.system.files import scratch_folder
from engine.system.versions import library_versions
from engine.training.apart import note_end

PATIENCE = 60.0
"""Seconds without a word from the host after which a cell saves a checkpoint and ends."""

SAVING = 10.0
"""Seconds for a cell to save a checkpoint before it is killed."""

LOCKED = 120.0
"""Seconds to wait for a run that another process holds: longer than its heartbeat lasts after its end."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a cell is to do. `pieces` are the run's files if the worker does not see the host's folder."""

    task: Task
    pieces: tuple[Piece, ...] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What has happened in a cell since the host last asked.

    `waiting`: it has no order yet. `silent`: what does not answer a request, as a sentence. `outcome`: it is over, and
    all of its files are among the `pieces` up to now.
    """

    number: int
    waiting: bool = False
    events: tuple[Event, ...] = ()
    pieces: tuple[Piece, ...] = ()
    silent: str = ""
    outcome: Outcome | None = None


@dataclass
class _Cell:
    """A cell on the worker with the address `where`, and its mail.

    The mail is between the thread that works and the one that answers the host.
    """

    number: int
    where: str = ""
    order: Order | None = None
    events: list[Event] = field(default_factory=list)
    commands: deque[str] = field(default_factory=deque)
    changes: Changes | None = None
    silent: str = ""
    outcome: Outcome | None = None
    heard: float = field(default_factory=time.monotonic)
    begun: threading.Event = field(default_factory=threading.Event)
    fetched: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


_cells: dict[tuple[str, int], _Cell] = {}
_idle: list[Worker] = []
"""Child processes for the next cells: loading torch takes seconds."""

_lock = threading.Lock()


def run_cell(token: str, number: int) -> None:
    """Wait for the order of a cell of the study `token`, carry it out, and wait until its outcome has been fetched."""
    cell = _Cell(number, _here())
    with _lock:
        _cells[token, number] = cell
    try:
        while not cell.begun.wait(1):
            if _forgotten(cell) or "stop" in cell.commands:
                return
        outcome = _carry_out(cell)
        with _lock:
            cell.outcome = outcome
        while not cell.fetched.wait(1) and not _forgotten(cell):
            pass
    finally:
        cell.over.set()
        with _lock:
            _cells.pop((token, number), None)


def _here() -> str:
    """Address of the worker whose task this is; a process may have several."""
    from distributed import get_worker

    try:
        return get_worker().address
    except ValueError:
        return ""


def _carry_out(cell: _Cell) -> Outcome:
    """Do what the order of a cell says, in a scratch folder if the worker does not see the host's."""
    assert cell.order is not None
    task, pieces = cell.order.task, cell.order.pieces
    cell.order = None  # its files are soon on the disk
    try:
        if pieces is None:
            return _work(cell, _with_data(task))
        with scratch_folder(Path(tempfile.gettempdir()) / "studio-cell") as scratch:
            folder = scratch / task.run.name
            folder.mkdir()
            Arriving(folder).take(pieces)
            cell.changes = Changes(folder, file_names(folder))
            outcome = _work(cell, _with_data(replace(task, run=folder)))
            with _lock:
                cell.outcome = outcome
            while not cell.fetched.wait(1) and not _forgotten(cell):  # the folder stays until its files are fetched
                pass
            return outcome
    except StudioError as error:
        return Outcome(error)
    except OSError as error:
        return Outcome(StudioError(f"It could not be trained on its worker: {error.strerror or error}."))


def _with_data(task: Task) -> Task:
    """The task with this machine's folder of the data set where the host's does not exist here."""
    if task.data_folder is None or task.data_folder.exists():
        return task
    return replace(task, data_folder=remembered_data(Run.open(task.run).config.dataset))


def _work(cell: _Cell, task: Task) -> Outcome:
    """Train and evaluate in a child process, passing events and commands on."""
    run = Run.open(task.run)
    who = names_of(run.config) or IT
    end = time.monotonic() + LOCKED
    while run.is_locked() and time.monotonic() < end:  # by a worker that was lost a moment ago
        time.sleep(1)
        if _forgotten(cell) or "stop" in cell.commands:
            return Outcome()
    with _lock:
        worker = _idle.pop() if _idle and who == IT else Worker(who)
    done = False
    try:
        worker.begin(work_on, task)
        stopped: float | None = None
        while True:
            message = worker.receive() if worker.connection.poll(0.1) or worker.dead else None
            if isinstance(message, Outcome):
                done = not worker.gone
                return _noted(run, who, message) if worker.gone else message
            if message is not None:
                _add(cell, message)
            cell.silent = (cell.silent or worker.unanswered()) if worker.silent and who != IT else ""
            if _forgotten(cell):
                cell.commands.append("stop")
                cell.heard = time.monotonic()
            while cell.commands:
                command = cell.commands.popleft()
                if command == "end":
                    return _noted(run, who, Outcome(StudioError(worker.given_up())))
                worker.ask(_command(command))
                stopped = time.monotonic() if command == "stop" else stopped
            if stopped is not None and time.monotonic() - stopped > SAVING:
                return Outcome()
    finally:
        if done and who == IT:  # a plug-in's code may have changed anything in its process
            with _lock:
                _idle.append(worker)
        else:
            worker.end()


def _command(name: str) -> Command:
    assert name in ("pause", "resume", "stop", "cancel")
    return name  # type: ignore[return-value]


def _noted(run: Run, who: str, outcome: Outcome) -> Outcome:
    """Record in the run that a plug-in's code crashed or did not return; a run without plug-ins can be resumed."""
    if who == IT:
        return outcome
    with contextlib.suppress(StudioError):
        return Outcome(StudioError(note_end(run, str(outcome.error))))
    return outcome


def _add(cell: _Cell, event: Event) -> None:
    """Keep an event for the host; of progress of one kind only the latest."""
    with _lock:
        if isinstance(event, Progress) and cell.events and type(cell.events[-1]) is type(event):
            cell.events[-1] = event
        else:
            cell.events.append(event)


def _forgotten(cell: _Cell) -> bool:
    return time.monotonic() - cell.heard > PATIENCE


# Called by the host, in the thread of the worker's event loop: each returns at once.


def collect(token: str, dask_worker: Any = None) -> list[Report]:
    """Return what has happened in the cells of a study on this worker, which `distributed` passes."""
    with _lock:
        cells = [cell for (owner, _), cell in _cells.items() if owner == token and _is_of(cell, dask_worker)]
    return [_report(cell) for cell in cells]


def _report(cell: _Cell) -> Report:
    cell.heard = time.monotonic()
    with _lock:
        outcome = cell.outcome  # read before the files, which are complete then
        events, cell.events = tuple(cell.events), []
    pieces = tuple(cell.changes.pieces()) if cell.changes is not None else ()
    over = outcome if outcome is not None and not pieces else None
    if over is not None:
        cell.fetched.set()
    return Report(cell.number, not cell.begun.is_set(), events, pieces, cell.silent, over)


def begin(token: str, number: int, order: Order) -> bool:
    """Give a waiting cell its order; return whether it is here and was waiting."""
    with _lock:
        cell = _cells.get((token, number))
        if cell is None or cell.begun.is_set():
            return False
        cell.order, cell.heard = order, time.monotonic()
        cell.begun.set()
    return True


def _is_of(cell: _Cell, worker: Any) -> bool:
    return worker is None or cell.where == worker.address


def command(token: str, name: str, number: int | None = None, dask_worker: Any = None) -> None:
    """Send "pause", "resume", "stop" or "end" to the cells of a study on this worker, or to one of them."""
    with _lock:
        for (owner, own), cell in _cells.items():
            if owner == token and number in (None, own) and _is_of(cell, dask_worker):
                cell.commands.append(name)
                cell.heard = time.monotonic()


def stop_all(seconds: float = SAVING) -> None:
    """Save checkpoints of all cells and end them, because this worker ends."""
    with _lock:
        cells = list(_cells.values())
    for cell in cells:
        cell.commands.append("stop")
        cell.fetched.set()
    end = time.monotonic() + seconds
    for cell in cells:
        cell.over.wait(max(0.0, end - time.monotonic()))
    with _lock:
        idle, _idle[:] = _idle[:], []
    for worker in idle:
        worker.end()


def sees(path: str, content: str) -> bool:
    """Whether this worker sees the host's runs folder: it can read the file that the host has just written there."""
    try:
        return Path(path).read_text(encoding="utf-8") == content
    except OSError:
        return False


def versions() -> dict[str, str]:
    """Return the versions of the application and its libraries on this worker."""
    return library_versions()


def lacking_data(wanted: list[tuple[str, Path | None]]) -> list[str]:
    """Return a sentence for each data set that this worker has not got and cannot draw."""
    from engine.data import check_data

    found = []
    for name, folder in wanted:
        place = folder if folder is not None and folder.exists() else remembered_data(name)
        try:
            check_data(name, place)
        except DataError as error:
            found.append(str(error))
    return found
