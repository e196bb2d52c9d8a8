"""The status bar: the current job with its progress, speed and time left, other jobs, and what the machine does."""

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from engine.jobs.events import Progress
from engine.studies import StudyProgress
from gui.metrics.study_session import StudySession
from gui.training.session import TrainingSession
from gui.widgets.layouts import job_bar, label
from gui.widgets.machine_meter import MachineMeter
from gui.widgets.theme import px
from gui.widgets.words import duration


class StatusBar(QFrame):
    """Shows the run in training, else the running study, else any other job; other jobs beside it, and the machine.

    `folder` is on the disk whose room is shown.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.setObjectName("footer")
        self.setFixedHeight(px(32))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 0, 14, 0)
        layout.setSpacing(10)
        self.task = label("Ready", "title")
        self.name = label("", "muted")
        self.bar = job_bar()
        self.words = label("", "muted")
        self.speed = label("", "muted")
        self.beside = label("", "muted")
        self.machine = MachineMeter(folder)
        for widget in (self.task, self.name, self.bar, self.words):
            layout.addWidget(widget)
        layout.addWidget(self.speed)
        layout.addWidget(self.beside)
        layout.addStretch(1)
        layout.addWidget(self.machine)
        self.bar.hide()
        self._trains = False
        self._others: dict[str, Progress] = {}

    def show_job(self, task: str, progress: Progress | None) -> None:
        """Show the progress of another job, e.g. "Evaluating"; None when it has ended."""
        if progress is None:
            self._others.pop(task, None)
        else:
            self._others[task] = progress
        if self._trains:
            self._show_beside(self._others)
        else:
            self._show_others()

    def _show_beside(self, jobs: Mapping[str, Progress]) -> None:
        """Show jobs in a few words, beside the one that has the bar."""
        words = [f"{task} {100 * done.done / max(1, done.total):.0f} %" for task, done in jobs.items()]
        self.beside.setText(" · ".join(words))

    def _show_others(self) -> None:
        task, progress = next(iter(self._others.items()), ("Ready", None))
        self._show_beside({name: each for name, each in self._others.items() if name != task})
        self.task.setText(task)
        for text in (self.name, self.words, self.speed):
            text.setText("")
        self.bar.setVisible(progress is not None)
        if progress is not None:
            self.bar.setMaximum(max(1, progress.total))
            self.bar.setValue(progress.done)
            self.words.setText(progress.what.removeprefix(task).strip())

    def show_session(self, session: TrainingSession) -> None:
        """Show the progress of the run training in this window."""
        progress = session.progress
        self._trains = session.active and session.run is not None
        if not session.active or session.run is None:
            self._show_others()
            return
        self._show_beside(self._others)
        self.bar.setVisible(progress is not None)
        self.name.setText(session.run.name)
        preparing = progress is not None and progress.what != "Training"
        if session.stopping:
            self.task.setText("Stopping")
        elif session.paused:
            self.task.setText("Paused")
        else:
            self.task.setText(progress.what if progress and preparing else "Training" if progress else "Starting")
        if progress is None:
            self.words.setText("loading the data set and the network")
            return
        self.bar.setMaximum(progress.total)
        self.bar.setValue(progress.done)
        done = f"{100 * progress.done / max(1, progress.total):.0f} %"
        left = session.seconds_left
        waiting = preparing or session.paused or left is None
        self.words.setText(done if waiting or left is None else f"{done} · {duration(left)} left")
        speed = 0.0 if waiting else session.images_per_second
        self.speed.setText(f"{speed:,.0f} images/s" if speed else "")

    def show_study(self, session: StudySession) -> None:
        """Show the progress of the study running in this window."""
        progress = session.progress
        self._trains = True
        self._show_beside(self._others)
        self.bar.setVisible(progress is not None)
        self.task.setText("Stopping" if session.stopping else "Paused" if session.paused else "Study")
        self.name.setText(session.study.title if session.study else "")
        self.speed.setText("")
        if progress is None:
            self.words.setText("starting")
            return
        self.bar.setMaximum(max(1, progress.total))
        self.bar.setValue(progress.done)
        done = f"{100 * progress.done / max(1, progress.total):.0f} %"
        left = progress.seconds_left if isinstance(progress, StudyProgress) else None
        known = left is not None and not session.paused and not session.stopping
        self.words.setText(f"{done} · about {duration(left)} left" if left is not None and known else done)


def status_of(widget: QWidget) -> StatusBar | None:
    """Return the status bar of a widget's window, or None if there is none."""
    found = widget.window().findChild(StatusBar)
    return found if isinstance(found, StatusBar) else None
