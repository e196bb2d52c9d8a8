"""Everything the window reports to the desktop."""

from PySide6.QtCore import QObject, QSettings
from PySide6.QtWidgets import QWidget

from gui.desktop.awake import Awake
from gui.desktop.notify import Notifier
from gui.desktop.taskbar import TaskBar


class Desktop(QObject):
    """Shows progress on the task bar, prevents sleep while a run is training, notifies at its end. Never blocks."""

    def __init__(self, window: QWidget, settings: QSettings) -> None:
        super().__init__(window)
        self._awake = Awake(self)
        self._task_bar = TaskBar(self)
        self._notifier = Notifier(window, settings)

    def show_progress(self, fraction: float | None) -> None:
        """Show the progress of the current run, from 0 to 1; None when nothing is training."""
        self._task_bar.show(fraction)

    def training(self, active: bool) -> None:
        """Keep the computer awake while a run is training and not paused."""
        self._awake.set(active)

    def run_ended(self, title: str, text: str) -> None:
        """Notify the user that a run has ended (text from `notify.ending`) if the window is not active."""
        self._notifier.say(title, text)

    def close(self) -> None:
        """Let the computer sleep again, and remove the progress and the notifications."""
        self._awake.close()
        self._task_bar.show(None)
        self._notifier.close()
