"""The job of a study: trains, resumes and evaluates its remaining cells in parallel processes.

The state of a study is in its run folders, so that the job can be killed at any moment and started again.
"""

import logging
import time
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from filelock import FileLock, Timeout

from engine.data import check_data, load_prepared, prepare
from engine.errors import DataError, RunError, RunLockedError, StudioError
from engine.jobs.events import Event, Finished, Job, Paused, Progress, Request, Unanswered, Warned
from engine.jobs.workers import Outcome
from engine.runs.run import LOCK_TIMEOUT, Run, colours_used, rarest_colour
from engine.runs.study_of import STUDY
from engine.studies.cell_states import CellReader, CellState, State, cell_states, expected_steps
from engine.studies.data import DataOnDisk, source_of
from engine.studies.estimate import Cost, Key, cell_config, cost_of, key_of, known_paces, seconds_left
from engine.studies.events import CellFinished, CellStarted, StudyProgress
from engine.studies.machine import Plan, plan_for
from engine.studies.study import Study
from engine.studies.workers import Evaluating, Reports, Task, WorkerPool, failure_words

if TYPE_CHECKING:
    from distributed.security import Security

    from engine.studies.cluster.host import ClusterHost

POLL_SECONDS = 0.1
"""Interval at which the job yields, to receive requests to pause or stop."""

log = logging.getLogger(__name__)

Host: TypeAlias = "WorkerPool | ClusterHost"
"""What trains the cells: processes of this machine, or a cluster."""

Events: TypeAlias = Generator[Event, Request | None, None]
Data: TypeAlias = tuple[str, Path | None, int]


def run_study(
    study: Study,
    runs_folder: Path,
    workers: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    scheduler: str | None = None,
    security: "Security | None" = None,
) -> Job:
    """Train, resume and evaluate the remaining cells of a study; a cell that fails does not affect the others.

    `workers` runs are trained in parallel, with `threads` each; by default, both are chosen for this machine. With the
    address of a `scheduler` of `distributed`, they are trained on its workers instead, on all of their slots with one
    thread each, and with `security` over TLS. Yields StudyProgress, CellStarted, CellFinished and Warned, and finally
    Finished. On a request to pause or stop, or when closed, it saves checkpoints, on this machine within two seconds.
    Cells that failed before are tried again.

    Raises
    ------
    ConfigError
        Workers or threads are out of range.
    RunLockedError
        The study is running in this folder in another window or process.
    DataError
        The data of all remaining cells cannot be used, or are missing on a worker of the cluster.
    RunError
        The folder cannot be written to, there is no scheduler at the address, or the cluster is lost.
    """
    if scheduler is None:
        plan = plan_for(len(study.cells), device, workers, threads)
        with _alone(study, runs_folder):
            yield from _StudyJob(study, runs_folder, plan, WorkerPool(plan.workers)).events()
        return
    from engine.studies.cluster.host import ClusterHost

    with _alone(study, runs_folder), ClusterHost(scheduler, runs_folder, workers, security) as host:
        plan = Plan(max(1, host.slots), 1 if threads is None else threads, device, "cpu")
        yield from _StudyJob(study, runs_folder, plan, host).events()


def check_cells(states: Iterable[CellState]) -> None:
    """Raise DataError if no remaining cell can continue because images are missing; reads no images."""
    wanted = dict.fromkeys(data_of(state)[:2] for state in states if state.state != "evaluated")
    missing: list[DataError] = []
    for name, folder in wanted:
        try:
            check_data(name, folder)
        except DataError as error:
            missing.append(error)
    if missing and len(missing) == len(wanted):
        raise missing[0]


def data_of(state: CellState) -> Data:
    """Return the data of a cell: the study's, else those of its run."""
    return (state.cell.config if state.run is None else source_of(state.cell, Run.open(state.run))).data


@contextmanager
def _alone(study: Study, runs_folder: Path) -> Iterator[None]:
    """Lock a study in a runs folder, so that no other process trains the same cells."""
    lock = FileLock(runs_folder / f".study-{study.name}.lock")
    try:
        runs_folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=LOCK_TIMEOUT, poll_interval=0.05)
    except Timeout:
        raise RunLockedError(
            f"{study.title} is running in {runs_folder} in another window or process. Stop it there, or view it "
            "meanwhile."
        ) from None
    except OSError as error:
        raise RunError(f"{runs_folder} cannot be written: {error.strerror or error}.") from None
    try:
        yield
    finally:
        lock.release()


class _StudyJob:
    """An execution of a study: remaining cells, their workers, and their costs."""

    def __init__(self, study: Study, runs_folder: Path, plan: Plan, host: "Host") -> None:
        self._study, self._folder, self._plan, self._host = study, runs_folder, plan, host
        self._data = DataOnDisk()
        self._reader = CellReader(study, runs_folder, self._data)
        self._states: list[CellState] = []
        self._todo: deque[int] = deque()
        self._held: list[int] = []
        self._read: set[Data] = set()
        self._unusable: dict[Data, str] = {}
        self._warned: set[str] = set()
        self._keys: list[Key] = []
        self._costs: list[Cost] = []
        self._step_seconds: dict[Key, float] = {}
        self._evaluation_seconds: dict[str, float] = {}
        self._colours: Counter[Any] | None = None
        self._latest: StudyProgress | None = None
        self._next_progress = 0.0
        self._since: dict[int, tuple[float, int]] = {}
        self._evaluating: dict[int, float] = {}

    def _begin(self) -> None:
        """Find the remaining cells and their costs."""
        study, runs_folder, plan = self._study, self._folder, self._plan
        self._states = list(cell_states(study, runs_folder, self._data))
        self._todo = deque(n for n, state in enumerate(self._states) if state.state != "evaluated")
        for number in self._todo:
            if self._states[number].state == "failed":  # tried again
                self._states[number] = replace(self._states[number], state="paused")
        paces = known_paces(self._states, runs_folder, plan)
        self._keys = [key_of(state, plan) for state in self._states]
        self._costs = [
            cost_of(study, state, paces.get(key)) for state, key in zip(self._states, self._keys, strict=True)
        ]

    def events(self) -> Events:
        """Work until no cell remains, yielding events and obeying pause and stop."""
        for warning in self._study.warnings():
            yield from self._warn(warning)
        if (yield from self._read_files()) is Request.STOP:
            self._begin()
            yield self._end(stopped=True)
            return
        self._begin()
        if (yield from self._prepare()) is Request.STOP:
            yield self._end(stopped=True)
            return
        stopped = False
        with self._host as pool:
            while not stopped and (self._todo or pool.busy or self._release_held()):
                yield from self._assign(pool)
                yield from self._receive(pool.receive(POLL_SECONDS) if pool.busy else [])
                stopped = (yield from self._obey(pool, (yield self._progress()))) is Request.STOP
            if stopped:
                for sentence in pool.stop():
                    yield from self._warn(sentence)
        yield self._end(stopped)

    def _read_files(self) -> Generator[Event, Request | None, Request | None]:
        """Read the user's files first, with progress, since they determine which cells are done."""
        for data in {cell.config.data for cell in self._study.cells if cell.config.data_folder is not None}:
            with suppress(StudioError):  # reported when a cell needs the data
                for event in prepare(*data):
                    if isinstance(event, Progress) and (yield event) is Request.STOP:
                        return Request.STOP
                self._read.add(data)
        return None

    def _prepare(self) -> Generator[Event, Request | None, Request | None]:
        """Prepare the data sets once for all workers. Raises StudioError if no cell can continue."""
        wanted = {data_of(self._states[number]) for number in self._todo}
        if not isinstance(self._host, WorkerPool):
            for note in self._host.notes():
                yield from self._warn(note)
            self._host.check_data(sorted({data[:2] for data in wanted}, key=str))
            return None
        failed: StudioError | None = None
        for data in wanted:
            try:
                for event in () if data in self._read else prepare(*data):
                    if isinstance(event, Progress) and (yield event) is Request.STOP:
                        return Request.STOP
                load_prepared(*data)  # check that they can be loaded
            except StudioError as error:
                self._unusable[data], failed = str(error), error
        if failed is not None and len(self._unusable) == len(wanted):
            raise failed
        return None

    def _assign(self, pool: "Host") -> Events:
        """Give each free worker a cell."""
        while self._todo and pool.has_room:
            number = self._todo.popleft()
            state = self._refresh(number)
            reason = self._unusable.get(data_of(state))
            if state.state == "evaluated":
                yield CellFinished(state)
            elif reason is not None:
                yield self._fail(number, reason)
            elif state.busy:
                self._held.append(number)
            else:
                if state.run is None and state.message:
                    yield from self._warn(f"{state.message}: {state.cell.title} is trained again.")
                run = state.run or self._new_run(state)
                now: State = "trained" if state.state == "trained" else "training"
                self._states[number] = state = replace(state, run=run, state=now, message="", busy=True)
                task = Task(run, self._study.metrics, state.cell.config.data_folder, self._plan.threads)
                pool.assign(number, task)
                yield CellStarted(state)

    def _new_run(self, state: CellState) -> Path:
        if self._colours is None:
            self._colours = colours_used(self._folder)
        colour = rarest_colour(self._colours)
        self._colours[colour] += 1
        config, name = cell_config(state, self._plan), self._study.run_name(state.cell)
        return Run.create(self._folder, config, name, colour=colour, marks={STUDY: self._study.title}).path

    def _receive(self, reports: Reports) -> Events:
        """Process what workers reported."""
        now = time.monotonic()
        for number, message in reports:
            state = self._states[number]
            if isinstance(message, Evaluating):
                self._states[number] = replace(state, state="trained", step=state.total)
                self._costs[number] = replace(self._costs[number], steps=0)
                self._evaluating.setdefault(number, now)
            elif isinstance(message, Progress):
                self._states[number] = replace(state, state="training", step=message.done, total=message.total)
                self._trained(number, message, now)
            elif isinstance(message, Warned):
                yield from self._warn(message.message)
            elif isinstance(message, Paused):
                self._since.pop(number, None)
            elif isinstance(message, Outcome) and message.error is None:
                yield from self._done(number, now)
            elif isinstance(message, Outcome) and message.error is not None:
                if not isinstance(message.error, StudioError | MemoryError):
                    log.error("unexpected error in a worker of %s: %s", self._study.name, message.trace)
                yield self._fail(number, failure_words(message.error))

    def _done(self, number: int, now: float) -> Events:
        state = self._refresh(number)
        if state.state == "evaluated":
            started = self._evaluating.get(number)
            if started is not None:
                self._evaluated(number, now - started)
            yield CellFinished(state)

    def _fail(self, number: int, reason: str) -> CellFinished:
        self._states[number] = replace(self._refresh(number), state="failed", message=reason, busy=False)
        return CellFinished(self._states[number])

    def _obey(self, pool: "Host", request: Request | None) -> Generator[Event, Request | None, Request | None]:
        """Pause on request, and end workers that do not answer if the host requests that."""
        if request is not Request.PAUSE:
            return request
        yield from self._receive(pool.pause())
        silent = " ".join(pool.unanswered())
        request = (yield Unanswered(silent)) if silent else None
        if request is not Request.END:
            request = yield Paused(self._done_count())
        if request is Request.END:
            yield from self._receive(pool.give_up())
        if silent:
            yield Unanswered("")
        if request is Request.STOP:
            return Request.STOP
        pool.resume()
        return None

    def _release_held(self) -> bool:
        """Queue cells again once another window or process no longer holds them."""
        free = [number for number in self._held if not self._refresh(number).busy]
        self._held = [number for number in self._held if number not in free]
        self._todo.extend(free)
        return bool(free)

    def _refresh(self, number: int) -> CellState:
        """Read the state of a cell."""
        self._states[number] = self._reader.read(self._states[number])
        return self._states[number]

    def _warn(self, message: str) -> Iterator[Event]:
        if message not in self._warned:
            self._warned.add(message)
            yield Warned(message)

    def _end(self, stopped: bool) -> Finished:
        done, cells = self._done_count(), len(self._states)
        words = f"{done} of {cells} runs are trained and evaluated"
        for number in self._held:
            words += f"; {self._states[number].cell.title} is being trained by another window or process"
        return Finished(stopped=stopped, message=f"{words}.")

    # Time

    def _trained(self, number: int, reached: Progress, now: float) -> None:
        """Correct the pace by a cell that trains."""
        left = reached.total - reached.done
        self._costs[number] = replace(self._costs[number], steps=left)
        began, first = self._since.setdefault(number, (now, reached.done))
        if now - began < 1 or reached.done <= first:
            return
        self._step_seconds[self._keys[number]] = (now - began) / (reached.done - first)

    def _evaluated(self, number: int, seconds: float) -> None:
        """Correct the time of evaluations from a finished one."""
        self._evaluation_seconds[self._states[number].cell.config.dataset] = seconds

    def _progress(self) -> StudyProgress:
        """The progress now; of a study so large that it takes long to compute, a little earlier."""
        began = time.monotonic()
        if self._latest is None or began >= self._next_progress:
            self._latest = self._progress_at(began)
            self._next_progress = began + 20 * (time.monotonic() - began)
        return self._latest

    def _progress_at(self, now: float) -> StudyProgress:
        left = []
        for number, (state, cost) in enumerate(zip(self._states, self._costs, strict=True)):
            if state.state in ("evaluated", "failed"):
                continue
            pace = self._step_seconds.get(self._keys[number], cost.step_seconds)
            evaluation = self._evaluation_seconds.get(state.cell.config.dataset, cost.evaluation_seconds)
            cost = replace(cost, step_seconds=pace, evaluation_seconds=evaluation)
            started = self._evaluating.get(number)
            if started is not None and cost.evaluation is not None:
                cost = replace(cost, evaluation_seconds=max(0.0, cost.evaluation - (now - started)) or 1e-9)
            left.append(cost)
        done = sum(self._share(state) for state in self._states)
        cells = len(self._states)
        return StudyProgress(
            int(1000 * done), 1000 * cells, self._study.title, "", self._done_count(), cells,
            seconds_left(left, self._plan.workers),
        )  # fmt: skip

    def _share(self, state: CellState) -> float:
        """Share of a cell's work that is done; the evaluation counts as a tenth."""
        if state.state in ("evaluated", "failed"):
            return 1.0
        total = state.total or expected_steps(state.cell.config)
        return 0.9 * min(1.0, state.step / total) if total else 0.0

    def _done_count(self) -> int:
        return sum(state.state == "evaluated" for state in self._states)
