"""The line below a study's table: its progress, and the buttons that start, pause and stop it."""

from PySide6.QtWidgets import QPushButton

from engine.studies import StudyProgress
from gui.metrics.study_session import StudySession
from gui.widgets.combo import Combo
from gui.widgets.layouts import JobFoot
from gui.widgets.words import duration

HERE, CLUSTER = "here", "cluster"
HERE_TITLE = "On this machine"


class StudyFoot(JobFoot):
    """Shows the state of the session; the owner connects the buttons."""

    def __init__(self) -> None:
        self.pause = QPushButton("Pause")
        self.stop = QPushButton("Stop")
        self.stop.setToolTip("Save a checkpoint of each run and stop; Resume continues from there (Ctrl+.)")
        self.stop.setShortcut("Ctrl+.")
        self.start = QPushButton("Start")
        self.start.setObjectName("primary")
        self.where = Combo()
        self.where.setAccessibleName("Where the study is trained")
        self.where.setToolTip(
            "Train on the processors of this machine, or on the workers of a cluster; choose the cluster again to "
            "change its address"
        )
        for title, key in ((HERE_TITLE, HERE), ("On a cluster…", CLUSTER)):
            self.where.addItem(title, key)
        super().__init__(self.pause, self.stop, self.where, self.start)

    @property
    def on_cluster(self) -> bool:
        """Whether the study is to be trained on a cluster."""
        return bool(self.where.currentData() == CLUSTER)

    def show_running(self, session: StudySession) -> None:
        """Show a running study."""
        progress = session.progress
        self.bar.show()
        self.bar.setMaximum(max(1, progress.total) if progress else 1)
        self.bar.setValue(progress.done if progress else 0)
        self.words.setText(progress_text(session))
        self.pause.setText("Resume" if session.paused else "Pause")
        self.pause.setToolTip("Continue the study" if session.paused else "Save a checkpoint of each run and wait")
        for button in (self.pause, self.stop):
            button.show()
            button.setEnabled(not session.stopping)
        if self.window().focusWidget() is self.start:
            self.stop.setFocus()  # or the focus would move to the next widget on the page
        self.start.hide()
        self.where.hide()

    def show_idle(self, words: str, start: str, *, enabled: bool) -> None:
        """Show that no study is running, and what `start` would do."""
        self.words.setText(words)
        self.start.setText(start)
        self.start.setEnabled(enabled)
        self.start.show()
        self.where.show()
        if self.window().focusWidget() in (self.pause, self.stop):
            self.start.setFocus()
        for widget in (self.bar, self.pause, self.stop):
            widget.hide()


def progress_text(session: StudySession) -> str:
    """Return the progress of the study as text."""
    progress = session.progress
    if session.stopping:
        return "Stopping: saving checkpoints…"
    if not isinstance(progress, StudyProgress):
        return f"{progress.what}…" if progress and progress.what else "Starting…"
    done = f"{progress.cells_done} of {progress.cells} runs · {100 * progress.done / max(1, progress.total):.0f} %"
    if session.paused:
        return f"Paused · {done}"
    left = progress.seconds_left
    return f"{done} · {'estimating time left…' if left is None else f'about {duration(left)} left'}"
