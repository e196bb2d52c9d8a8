"""Linux: notifications through the desktop portal, or through notify-send where there is none."""

import html
import logging
import os
import shutil
from typing import Any

from PySide6.QtCore import SLOT, QObject, QProcess, Signal, Slot
from PySide6.QtDBus import QDBusMessage, QDBusPendingCallWatcher

from engine.system.paths import APP, RESOURCES
from gui.desktop import bus

PATH = "/org/freedesktop/portal/desktop"
INTERFACE = "org.freedesktop.portal.Notification"
TARGET = ("org.freedesktop.portal.Desktop", PATH, INTERFACE)

log = logging.getLogger(__name__)


class PortalMessenger(QObject):
    """Shows notifications; `clicked` when the user clicks one.

    org.freedesktop.Notifications itself takes an unsigned integer, which PySide6 cannot send.
    """

    clicked = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._prefix = f"run-{os.getpid()}-"
        self._count = 0
        self._bus = bus.session()
        if self._bus is not None:
            slot: Any = SLOT("_chosen(QDBusMessage)")  # PySide6's own types say bytes, and it takes none
            self._bus.connect("", PATH, INTERFACE, "ActionInvoked", self, slot)

    def send(self, title: str, text: str) -> None:
        """Show a notification; the reply is handled later."""
        if self._bus is None:
            log.info("no notification: there is no session bus")
            return
        self._count += 1
        content = {"title": title, "body": text, "default-action": "show"}
        arguments: list[object] = [f"{self._prefix}{self._count}", content]
        watcher = bus.call(self._bus, TARGET, "AddNotification", arguments, self, self._answered)
        watcher.setProperty("words", [title, text])

    def close(self) -> None:
        """Withdraw the notifications, since clicks can no longer be handled."""
        for number in range(1, self._count + 1):
            message = QDBusMessage.createMethodCall(*TARGET, "RemoveNotification")
            message.setArguments([f"{self._prefix}{number}"])
            if self._bus is not None:
                self._bus.send(message)
        self._count = 0

    @Slot(QDBusPendingCallWatcher)
    def _answered(self, watcher: QDBusPendingCallWatcher) -> None:
        if watcher.isError():
            title, text = watcher.property("words")
            _notify_send(title, text)

    @Slot(QDBusMessage)
    def _chosen(self, message: QDBusMessage) -> None:
        if str(message.arguments()[0]).startswith(self._prefix):
            self.clicked.emit()


def _notify_send(title: str, text: str) -> None:
    program = shutil.which("notify-send")
    if program is None:
        log.info("no notification: there is neither a portal nor notify-send")
        return
    icon = RESOURCES / "icons" / "icon.svg"
    body = html.escape(text, quote=False)  # read as markup, unlike the title
    QProcess.startDetached(program, [f"--app-name={APP}", f"--icon={icon}", "--", title, body])
