"""What is left of a study on this machine, told before it is started."""

from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from engine.jobs.events import Job
from engine.studies import Study, StudyEstimated, estimate_study
from engine.studies.estimate import Paces
from gui.bridge import JobThread

PATIENCE_MS = 300
"""Time after the last change before anything is tried."""


class StudyEstimator(QObject):
    """Answers `ask` with `told(StudyEstimate)`, at once and again when paces were measured, then `ended`."""

    told = Signal(object)
    ended = Signal()

    def __init__(self, root: Path, parent: QObject) -> None:
        super().__init__(parent)
        self._root = root
        self._asked: tuple[Study, bool] | None = None
        self._thread: JobThread | None = None
        self._measured: Paces = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PATIENCE_MS)
        self._timer.timeout.connect(self._begin)

    def ask(self, study: Study, *, measure: bool) -> None:
        """Estimate a study instead of what was asked before; with `measure`, try steps where no pace is known."""
        self._asked = study, measure
        self._timer.start()
        self._abandon()

    def forget(self) -> None:
        """Estimate nothing now: steps tried beside a run would slow it."""
        self._asked = None
        self._timer.stop()
        self._abandon()

    def close(self) -> None:
        """End the thread."""
        self.forget()
        if self._thread is not None:
            self._thread.wait()

    @Slot()
    def _begin(self) -> None:
        if self._asked is None or self._thread is not None:
            return
        (study, measure), self._asked = self._asked, None
        root, measured = self._root, self._measured

        def job() -> Job:
            return estimate_study(study, root, measure=measure, measured=measured)

        self._thread = JobThread(job, self)
        self._thread.events.connect(self._take)
        self._thread.finished.connect(self._finished)
        self._thread.start()

    def _abandon(self) -> None:
        if self._thread is not None:
            self._thread.control.cancel()

    @Slot(list)
    def _take(self, events: list[object]) -> None:
        if self._thread is None or self._thread.control.cancelled:
            return
        for event in events:
            if isinstance(event, StudyEstimated):
                self.told.emit(event.needed)

    @Slot()
    def _finished(self) -> None:
        assert self._thread is not None
        thread, self._thread = self._thread, None
        thread.deleteLater()
        if not thread.control.cancelled:
            self.ended.emit()
        if not self._timer.isActive():
            self._begin()
