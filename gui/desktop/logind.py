"""Linux: a lock of systemd-logind (or elogind), which holds sleep back for as long as a file descriptor is open."""

import logging
import os

from PySide6.QtCore import QObject, Slot
from PySide6.QtDBus import QDBusPendingCallWatcher, QDBusUnixFileDescriptor

from engine.system.paths import APP
from gui.desktop import bus

MANAGER = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")

log = logging.getLogger(__name__)


class LogindLock(QObject):
    """Blocks `sleep`, not `idle`: the screen may go dark. Closing the lid still sends a laptop to sleep.

    https://systemd.io/INHIBITOR_LOCKS. logind refuses to suspend meanwhile, whoever asks; Plasma reads its locks and
    does not ask. The lock ends with the process, however that ends.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._wanted = self._asked = False
        self._descriptor = -1

    def hold(self) -> None:
        """Ask for the lock, unless it is held or asked for."""
        self._wanted = True
        if self._asked or self._descriptor >= 0:
            return
        connection = bus.system()
        if connection is None:
            log.info("the computer may sleep while a run trains: there is no system bus")
            return
        self._asked = True
        bus.call(connection, MANAGER, "Inhibit", ["sleep", APP, "A run is training", "block"], self, self._answered)

    def release(self) -> None:
        """Let go, also of a lock whose answer is still to come."""
        self._wanted = False
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @Slot(QDBusPendingCallWatcher)
    def _answered(self, watcher: QDBusPendingCallWatcher) -> None:
        self._asked = False
        reply = watcher.reply().arguments()
        if watcher.isError() or not (reply and isinstance(reply[0], QDBusUnixFileDescriptor)):
            log.info("the computer may sleep while a run trains: %s", watcher.error().message() or "no lock was given")
            return
        self._descriptor = os.dup(reply[0].fileDescriptor())
        if not self._wanted:
            self.release()
