"""The study that runs in this window: starting, pausing, stopping, and how far it is."""

from pathlib import Path

from PySide6.QtCore import QDeadlineTimer, QObject, Signal, Slot

from engine.jobs.events import Finished, Job, Paused, Progress, Warned
from engine.studies import CellFinished, CellStarted, CellState, Study, run_study
from gui.bridge import JobThread


class StudySession(QObject):
    """At most one study at a time.

    `changed` whenever its state or progress did, `moved` when a cell began or ended, `failed` and `warned` with a
    sentence, `ended(study, sentence)` at its end, with what was reached.
    """

    changed = Signal()
    moved = Signal()
    failed = Signal(str)
    warned = Signal(str)
    ended = Signal(object, str)

    def __init__(self, root: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.root = root
        self._thread: JobThread | None = None
        self._words = ""
        self.study: Study | None = None
        self.progress: Progress | None = None
        self.paused = self.stopping = False
        self.failures: list[CellState] = []
        """Cells that failed when they were last tried, with the reason, which not every run folder has."""
        self.working: list[str] = []
        """Titles of the cells that are being trained or evaluated."""
        self.hindrance = ""
        """Why no study can be started now, as a sentence; empty when one can."""

    @property
    def active(self) -> bool:
        """Whether a study is running, paused or stopping."""
        return self._thread is not None

    def hinder(self, sentence: str) -> None:
        """Say why no study can be started now; empty: one can."""
        if sentence != self.hindrance:
            self.hindrance = sentence
            self.changed.emit()

    def start(self, study: Study) -> None:
        """Do what is left of a study."""
        if self.active or self.hindrance:
            return
        self.study, self.progress, self._words = study, None, ""
        self.paused = self.stopping = False
        self.failures, self.working = [], []
        root = self.root

        def job() -> Job:
            return run_study(study, root)

        self._thread = JobThread(job, self)
        self._thread.events.connect(self._take)
        self._thread.finished.connect(self._finished)
        self._thread.start()
        self.changed.emit()

    def pause(self) -> None:
        """Save checkpoints and wait."""
        if self._thread is not None:
            self._thread.control.pause()
            self.paused = True
            self.changed.emit()

    def resume(self) -> None:
        """Go on after a pause."""
        if self._thread is not None:
            self._thread.control.resume()
            self.paused = False
            self.changed.emit()

    def stop(self) -> None:
        """Save checkpoints and end; starting the same study goes on from them."""
        if self._thread is not None:
            self._thread.control.stop()
            self.stopping = True
            self.changed.emit()

    def wait(self, seconds: float) -> None:
        """Wait until the study that was stopped is on disk."""
        if self._thread is not None:
            self._thread.wait(QDeadlineTimer(round(1000 * seconds)))

    @Slot(list)
    def _take(self, events: list[object]) -> None:
        for event in events:
            if isinstance(event, Progress):
                self.progress = event
            elif isinstance(event, Warned):
                self.warned.emit(event.message)
            elif isinstance(event, Finished):
                self._words = event.message
            elif isinstance(event, CellStarted):
                self.working.append(event.state.cell.title)
            elif isinstance(event, CellFinished):
                self._end_cell(event.state)
        if any(isinstance(event, CellStarted | CellFinished | Paused) for event in events):
            self.moved.emit()
        self.changed.emit()

    def _end_cell(self, state: CellState) -> None:
        self.working = [title for title in self.working if title != state.cell.title]
        if state.state == "failed":
            self.failures.append(state)

    @Slot()
    def _finished(self) -> None:
        assert self._thread is not None
        thread, self._thread = self._thread, None
        thread.deleteLater()
        self.paused = self.stopping = False
        self.working = []
        if thread.error:
            self.failed.emit(thread.error)
        self.changed.emit()
        self.ended.emit(self.study, thread.error or self._words)
