"""All that the window tells the desktop around it."""

from PySide6.QtCore import QObject, QSettings
from PySide6.QtWidgets import QWidget

from gui.desktop.awake import Awake
from gui.desktop.notify import Notifier
from gui.desktop.taskbar import TaskBar


class Desktop(QObject):
    """Progress on the task bar, no sleep while a run trains, a notification when it ends. No method waits."""

    def __init__(self, window: QWidget, settings: QSettings) -> None:
        super().__init__(window)
        self._awake = Awake(self)
        self._task_bar = TaskBar(self)
        self._notifier = Notifier(window, settings)

    def show_progress(self, fraction: float | None) -> None:
        """Show how far the run that trains is, from 0 to 1; None when none does."""
        self._task_bar.show(fraction)

    def training(self, active: bool) -> None:
        """Keep the computer awake while a run trains; a paused run need not."""
        self._awake.set(active)

    def run_ended(self, title: str, text: str) -> None:
        """Tell of the end of a run (`notify.ending` words it) when the window is not in front."""
        self._notifier.say(title, text)

    def close(self) -> None:
        """Let the computer sleep, and leave nothing on the screen."""
        self._awake.close()
        self._task_bar.show(None)
        self._notifier.close()
