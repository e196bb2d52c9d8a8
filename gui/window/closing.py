"""Closing the window while something runs: asks, ends it, keeps it, and closes when it has ended."""

import time

from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QWidget

from gui.metrics.session import EvaluationSession
from gui.metrics.study_session import StudySession
from gui.settings.asking import may
from gui.training.session import TrainingSession

PATIENCE = 5.0
"""Seconds; systems give an application about as long at the end of a session."""

STUDY = (
    "A study is running.",
    "Stop it and close? What its runs have learned is kept, and “Go on” continues from there.",
    "Stop and close",
    "Go on with it",
)
RUN = (
    "A run is training.",
    "Stop it and close? What it has learned is kept, and the next start offers to go on with it.",
    "Stop and close",
    "Go on training",
)


class Closing:
    """The jobs that must end before a window may go. `begun` once a person has asked for it."""

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

    @property
    def busy(self) -> bool:
        """Whether a job runs that has to end before the window can go."""
        return self._training.active or self._evaluation.active or self._studies.active

    def may_begin(self) -> bool:
        """Ask whether what trains may be stopped; an evaluation is ended without a question."""
        if self.begun:
            return False
        if self._studies.active:
            return may(self._window, self._settings, "ask_close", *STUDY)
        return not self._training.active or may(self._window, self._settings, "ask_close", *RUN)

    def begin(self) -> None:
        """Hide the window and end the jobs; what is left is a checkpoint to write, and nobody need watch it."""
        self.begun = True
        self._window.hide()
        self._training.close()
        self._evaluation.cancel()
        self._studies.stop()
        QTimer.singleShot(round(1000 * PATIENCE), self._window, self._end)
        self.go_on()

    def _end(self) -> None:
        """End what has not ended by itself: the code of a plug-in may never do."""
        for session in (self._training, self._evaluation, self._studies):
            session.end()

    def wait(self) -> None:
        """Wait until what was ended is on disk, for at most `PATIENCE` seconds."""
        end = time.monotonic() + PATIENCE
        for session in (self._training, self._studies):
            session.wait(max(0.0, end - time.monotonic()))

    def go_on(self) -> None:
        """Close the window if that was asked for and nothing runs any more."""
        if self.begun and not self.busy:
            QTimer.singleShot(0, self._window.close)
