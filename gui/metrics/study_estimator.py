"""Estimates how long the rest of a study takes on this machine, before it is started."""

from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from engine.jobs.events import Job
from engine.studies import Study, StudyEstimated, estimate_study
from engine.studies.estimate import Paces
from gui.bridge import JobSession, JobThread

PATIENCE_MS = 300
"""Delay after the last change before steps are timed."""


class StudyEstimator(JobSession):
    """Answers `ask` with `estimated(StudyEstimate)`, first at once and again after timing steps, then `ended`."""

    estimated = Signal(object)
    ended = Signal()

    def __init__(self, root: Path, parent: QObject) -> None:
        super().__init__(parent, {StudyEstimated: self._estimated}, self._estimating_ended)
        self._root = root
        self._asked: tuple[Study, bool] | None = None
        self._measured: Paces = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PATIENCE_MS)
        self._timer.timeout.connect(self._begin)

    def ask(self, study: Study, *, measure: bool) -> None:
        """Estimate a study, replacing any earlier request; with `measure`, time a few steps where no pace is known."""
        self._asked = study, measure
        self._timer.start()
        self.cancel()

    def forget(self) -> None:
        """Cancel the estimate: timing steps beside a run would slow it down."""
        self._asked = None
        self._timer.stop()
        self.cancel()

    def close(self) -> None:
        """End the thread."""
        self.forget()
        self.wait()

    @Slot()
    def _begin(self) -> None:
        if self._asked is None or self.active:
            return
        (study, measure), self._asked = self._asked, None
        root, measured = self._root, self._measured

        def job() -> Job:
            return estimate_study(study, root, measure=measure, measured=measured)

        self.begin(job)

    def _estimated(self, event: StudyEstimated) -> None:
        if not self.abandoned:
            self.estimated.emit(event.needed)

    def _estimating_ended(self, thread: JobThread) -> None:
        if not thread.control.cancelled:
            self.ended.emit()
        if not self._timer.isActive():
            self._begin()
