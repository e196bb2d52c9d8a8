"""Linux: an inhibitor lock of systemd-logind (or elogind), held for as long as a file descriptor is open."""

import logging
import os

from PySide6.QtCore import QObject, Slot
from PySide6.QtDBus import QDBusPendingCallWatcher, QDBusUnixFileDescriptor

from engine.system.paths import APP
from gui.desktop import bus

MANAGER = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")

log = logging.getLogger(__name__)


class LogindLock(QObject):
    """Blocks `sleep`, not `idle`: the screen may turn off. Closing the lid still suspends a laptop.

    See https://systemd.io/INHIBITOR_LOCKS. While the lock is held logind refuses every request to suspend; Plasma reads
    the locks and does not ask. The lock ends with the process, even after a crash.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._wanted = self._asked = False
        self._descriptor = -1

    def hold(self) -> None:
        """Request the lock unless it is held or already requested."""
        self._wanted = True
        if self._asked or self._descriptor >= 0:
            return
        connection = bus.system()
        if connection is None:
            log.info("the computer may sleep while a run is training: there is no system bus")
            return
        self._asked = True
        bus.call(connection, MANAGER, "Inhibit", ["sleep", APP, "A run is training", "block"], self, self._answered)

    def release(self) -> None:
        """Release the lock, even if the reply to its request is still outstanding."""
        self._wanted = False
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @Slot(QDBusPendingCallWatcher)
    def _answered(self, watcher: QDBusPendingCallWatcher) -> None:
        self._asked = False
        reply = watcher.reply().arguments()
        if watcher.isError() or not (reply and isinstance(reply[0], QDBusUnixFileDescriptor)):
            reason = watcher.error().message() or "the lock was not granted"
            log.info("the computer may sleep while a run is training: %s", reason)
            return
        self._descriptor = os.dup(reply[0].fileDescriptor())
        if not self._wanted:
            self.release()
