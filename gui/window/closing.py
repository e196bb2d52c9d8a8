"""Closes the window while jobs are running: asks, stops them, and closes once they have ended."""

import time

from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QWidget

from gui.metrics.session import EvaluationSession
from gui.metrics.study_session import StudySession
from gui.settings.asking import may
from gui.training.session import TrainingSession

PATIENCE = 5.0
"""Seconds to wait; systems give an application about this long at the end of a session."""

STUDY = (
    "A study is running.",
    "Stop it and close the window? All progress is kept, and “Resume” continues from there.",
    "Stop and close",
    "Keep running",
)
RUN = (
    "A run is training.",
    "Stop it and close the window? All progress is kept, and the next start offers to resume the run.",
    "Stop and close",
    "Keep training",
)


class Closing:
    """Ends the jobs that must end before the window can close. `begun` is true once closing has been requested."""

    def __init__(
        self,
        window: QWidget,
        training: TrainingSession,
        evaluation: EvaluationSession,
        studies: StudySession,
        settings: QSettings,
    ) -> None:
        self._window, self._settings = window, settings
        self._training, self._evaluation, self._studies = training, evaluation, studies
        self.begun = False
        self._limit = QTimer(window, singleShot=True, interval=round(1000 * PATIENCE))
        self._limit.timeout.connect(self._end)

    @property
    def busy(self) -> bool:
        """Whether a job is running that has to end before the window can close."""
        return self._training.active or self._evaluation.active or self._studies.active

    def may_begin(self) -> bool:
        """Ask whether training may be stopped; an evaluation is ended without asking."""
        if self.begun:
            return False
        if self._studies.active:
            return may(self._window, self._settings, "ask_close", *STUDY)
        return not self._training.active or may(self._window, self._settings, "ask_close", *RUN)

    def begin(self) -> None:
        """Hide the window and end the jobs, which only have to write a checkpoint."""
        self.begun = True
        self._window.hide()
        self._training.close()
        self._evaluation.cancel()
        self._studies.stop()
        self._limit.start()
        self.finish()

    def _end(self) -> None:
        """Kill jobs that have not ended on their own, as the code of a plug-in may never return."""
        for session in (self._training, self._evaluation, self._studies):
            session.end()

    def wait(self) -> None:
        """Wait until the jobs have saved their state, at most `PATIENCE` seconds."""
        end = time.monotonic() + PATIENCE
        for session in (self._training, self._studies):
            session.wait(max(0.0, end - time.monotonic()))

    def finish(self) -> None:
        """Close the window if that was requested and no job is running."""
        if self.begun and not self.busy:
            self._limit.stop()
            QTimer.singleShot(0, self._window.close)
