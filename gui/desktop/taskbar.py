"""Progress on the window's entry in the dock or task bar, in addition to the percentage in its title.

Linux: the signal that Ubuntu's dock, Dash to Dock, Plasma and Plank listen to; they look up the menu entry it names.
Not available elsewhere: Windows would need a COM interface, macOS a custom-drawn icon.
"""

import sys

from PySide6.QtCore import QObject

from gui.desktop import APP_ID

PATH = "/io/disentangle_studio/window"
INTERFACE = "com.canonical.Unity.LauncherEntry"


class TaskBar(QObject):
    """Shows a fraction as a bar on the window's entry."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._shown: int | None = None

    def show(self, fraction: float | None) -> None:
        """Show progress from 0 to 1, or none; sent only when the rounded percentage changes."""
        percent = None if fraction is None else round(100 * min(1.0, max(0.0, fraction)))
        if percent == self._shown:
            return
        self._shown = percent
        if sys.platform == "linux":
            _send(percent)


def _send(percent: int | None) -> None:
    from PySide6.QtDBus import QDBusMessage

    from gui.desktop import bus

    connection = bus.session()
    if connection is not None:
        message = QDBusMessage.createSignal(PATH, INTERFACE, "Update")
        progress = {"progress": (percent or 0) / 100, "progress-visible": percent is not None}
        message.setArguments([f"application://{APP_ID}.desktop", progress])
        connection.send(message)
