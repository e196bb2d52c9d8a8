"""A notification when a run ends while the window is not active."""

import sys
from typing import Protocol

from PySide6.QtCore import QObject, QSettings, Slot
from PySide6.QtWidgets import QApplication, QWidget

from gui.desktop.listener import bring_up
from gui.desktop.tray import TrayMessenger
from gui.runs.store import RunItem

STATES = {"finished": "has finished", "stopped": "was stopped", "failed": "has failed"}


class Messenger(Protocol):
    """Shows notifications on one operating system."""

    def send(self, title: str, text: str) -> None:
        """Show a notification; returns at once."""

    def close(self) -> None:
        """Remove what is left on the screen."""


class Notifier(QObject):
    """Notifies the user of what ended while the window was not active, unless the setting `notifications` is off."""

    def __init__(self, window: QWidget, settings: QSettings, system: str = sys.platform) -> None:
        super().__init__(window)
        self._window, self._settings, self._system = window, settings, system
        self._messenger: Messenger | None = None

    def say(self, title: str, text: str) -> None:
        """Show a notification and highlight the task bar entry; clicking it brings the window to the front."""
        in_front = QApplication.activeWindow() is not None and not self._window.isMinimized()
        if in_front or not self._settings.value("notifications", True, type=bool):
            return
        QApplication.alert(self._window)
        if self._messenger is None:
            self._messenger = self._connect()
        self._messenger.send(title, text)

    def close(self) -> None:
        """Remove remaining notifications from the screen."""
        if self._messenger is not None:
            self._messenger.close()

    def _connect(self) -> Messenger:
        if self._system in ("win32", "darwin"):
            tray = TrayMessenger(self, self._window.windowIcon())
            tray.clicked.connect(self._come_up)
            return tray
        from gui.desktop.portal import PortalMessenger

        portal = PortalMessenger(self)
        portal.clicked.connect(self._come_up)
        return portal

    @Slot()
    def _come_up(self) -> None:
        bring_up(self._window)


def ending(item: RunItem) -> tuple[str, str]:
    """Return title and text for a run that ended: "abs · 1 has finished", "reconstruction 22.7, KL 9.0 nats"."""
    title = f"{item.name} {STATES.get(item.state.state, 'has ended')}"
    if item.state.state == "failed" and item.state.message:
        return title, item.state.message
    reconstruction, kl = item.last("reconstruction"), item.last("kl")
    if reconstruction is None or kl is None:
        return title, "It ended before its first values were recorded."
    return title, f"reconstruction {reconstruction:.1f}, KL {kl:.1f} nats"
