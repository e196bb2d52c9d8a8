"""The study running in this window: starting, pausing, stopping, and its progress."""

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from engine.jobs.events import Event, Job, Paused, Progress, Warned
from engine.studies import CellFinished, CellStarted, CellState, Study, run_study
from gui.bridge import Handlers, JobSession, JobThread


class StudySession(JobSession):
    """Runs at most one study at a time.

    Emits `changed` when its state or progress changes, `moved` when a cell starts or ends, `failed` and `warned` with a
    message, and `ended(study, message)` with its outcome.
    """

    moved = Signal()
    failed = Signal(str)
    warned = Signal(str)
    ended = Signal(object, str)

    def __init__(self, root: Path, parent: QObject | None = None) -> None:
        handlers: Handlers = {
            Progress: self._progressed,
            Warned: lambda event: self.warned.emit(event.message),
            CellStarted: lambda event: self.working.append(event.state.cell.title),
            CellFinished: lambda event: self._end_cell(event.state),
            Paused: lambda event: None,
        }
        super().__init__(parent, handlers, self._study_ended)
        self.root = root
        self.study: Study | None = None
        self.progress: Progress | None = None
        self.failures: list[CellState] = []
        """Cells that failed in this session, with the reason, which not every run folder records."""
        self.working: list[str] = []
        """Titles of the cells being trained or evaluated."""
        self.blocked_by = ""
        """Why no study can be started now, as a sentence; empty if one can."""

    def block(self, reason: str) -> None:
        """Prevent studies from being started, for this reason; an empty reason allows them again."""
        if reason != self.blocked_by:
            self.blocked_by = reason
            self.changed.emit()

    def start(self, study: Study, scheduler: str | None = None) -> None:
        """Train and evaluate the remaining runs of a study, here or on the cluster of a scheduler."""
        if self.active or self.blocked_by:
            return
        self.study, self.progress = study, None
        self.failures, self.working = [], []
        root = self.root

        def job() -> Job:
            return run_study(study, root, scheduler=scheduler)

        self.begin(job)
        self.changed.emit()

    def pause(self) -> None:
        """Save checkpoints and wait."""
        if self.active:
            super().pause()
            self.paused = True
            self.changed.emit()

    @Slot(list)
    def _take(self, events: list[Event]) -> None:
        super()._take(events)
        if any(isinstance(event, CellStarted | CellFinished | Paused) for event in events):
            self.moved.emit()

    def _progressed(self, event: Progress) -> None:
        self.progress = event

    def _end_cell(self, state: CellState) -> None:
        self.working = [title for title in self.working if title != state.cell.title]
        if state.state == "failed":
            self.failures.append(state)

    def _study_ended(self, thread: JobThread) -> None:
        self.working = []
        if thread.error:
            self.failed.emit(thread.error)
        self.changed.emit()
        self.ended.emit(self.study, thread.error or self.words)
