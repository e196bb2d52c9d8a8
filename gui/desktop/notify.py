"""A notification when a run ends while the window is not in front."""

import sys
from typing import Protocol

from PySide6.QtCore import QObject, QSettings, Signal, Slot
from PySide6.QtWidgets import QApplication, QSystemTrayIcon, QWidget

from gui.desktop.listener import bring_up
from gui.run_store import RunItem

STATES = {"finished": "has finished", "stopped": "was stopped", "failed": "has failed", "paused": "is paused"}


class Messenger(Protocol):
    """One system's way to show a notification."""

    def send(self, title: str, text: str) -> None:
        """Show it; returns at once."""


class Notifier(QObject):
    """Tells of what ended while the window was not in front, unless the setting `notifications` is off."""

    def __init__(self, window: QWidget, settings: QSettings) -> None:
        super().__init__(window)
        self._window, self._settings = window, settings
        self._messenger: Messenger | None = None

    def say(self, title: str, text: str) -> None:
        """Show a notification and mark the window's button; a click on it brings the window up."""
        in_front = QApplication.activeWindow() is not None and not self._window.isMinimized()
        if in_front or not self._settings.value("notifications", True, type=bool):
            return
        QApplication.alert(self._window)
        if self._messenger is None:
            self._messenger = self._connect()
        self._messenger.send(title, text)

    def close(self) -> None:
        """Take away what a notification left on the screen."""
        if isinstance(self._messenger, TrayMessenger):
            self._messenger.hide()

    def _connect(self) -> Messenger:
        messenger: TrayMessenger | PortalMessenger
        if sys.platform == "linux":
            from gui.desktop.portal import PortalMessenger

            messenger = PortalMessenger(self)
        else:
            messenger = TrayMessenger(self, self._window)
        messenger.clicked.connect(self._come_up)
        return messenger

    @Slot()
    def _come_up(self) -> None:
        bring_up(self._window)


class TrayMessenger(QObject):
    """Windows and macOS: a message of an icon in the tray, which is there from the first message on."""

    clicked = Signal()

    def __init__(self, parent: QObject, window: QWidget) -> None:
        super().__init__(parent)
        self._tray = QSystemTrayIcon(window.windowIcon(), self)
        self._tray.messageClicked.connect(self.clicked)
        self._tray.activated.connect(self._activated)

    def send(self, title: str, text: str) -> None:
        """Show a message."""
        self._tray.show()
        self._tray.showMessage(title, text, self._tray.icon())

    def hide(self) -> None:
        """Take the icon away."""
        self._tray.hide()

    @Slot()
    def _activated(self) -> None:
        self.clicked.emit()


def ending(item: RunItem) -> tuple[str, str]:
    """Return title and text for a run that ended, as "annealed abs · 1 has finished", "reconstruction 22.7 nats, ..."."""
    title = f"{item.name} {STATES.get(item.state.state, 'has ended')}"
    if item.state.state == "failed" and item.state.message:
        return title, item.state.message
    values = [(name, item.last(column)) for name, column in (("reconstruction", "reconstruction"), ("KL", "kl"))]
    return title, ", ".join(f"{name} {value:.1f} nats" for name, value in values if value is not None)
