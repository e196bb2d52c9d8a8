"""The study that runs in this window: starting, pausing, stopping, and how far it is."""

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from engine.jobs.events import Event, Job, Paused, Progress, Warned
from engine.studies import CellFinished, CellStarted, CellState, Study, run_study
from gui.bridge import Handlers, JobSession, JobThread


class StudySession(JobSession):
    """At most one study at a time.

    `changed` whenever its state or progress did, `moved` when a cell began or ended, `failed` and `warned` with a
    sentence, `ended(study, sentence)` at its end, with what was reached.
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
        """Cells that failed when they were last tried, with the reason, which not every run folder has."""
        self.working: list[str] = []
        """Titles of the cells that are being trained or evaluated."""
        self.hindrance = ""
        """Why no study can be started now, as a sentence; empty when one can."""

    def hinder(self, sentence: str) -> None:
        """Say why no study can be started now; empty: one can."""
        if sentence != self.hindrance:
            self.hindrance = sentence
            self.changed.emit()

    def start(self, study: Study) -> None:
        """Do what is left of a study."""
        if self.active or self.hindrance:
            return
        self.study, self.progress = study, None
        self.failures, self.working = [], []
        root = self.root

        def job() -> Job:
            return run_study(study, root)

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
