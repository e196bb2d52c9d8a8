"""Requests from the system to quit: a signal, or the end of the user's session."""

import signal
import socket
from collections.abc import Callable

from PySide6.QtCore import QObject, QSocketNotifier, Qt, Slot
from PySide6.QtGui import QGuiApplication

from engine.jobs.processes import termination_signals


class Leaving(QObject):
    """Calls `leave` when the system asks the application to quit, as if the user had, but without confirmation.

    Python runs a signal handler only when it next executes bytecode, which Qt's event loop may delay for long; the
    socket wakes the loop. At the end of a session the process may be killed as soon as the slot returns, so `wait` is
    called first.
    """

    def __init__(self, leave: Callable[[], None], wait: Callable[[], None], parent: QObject) -> None:
        super().__init__(parent)
        self._leave, self._wait = leave, wait
        self._ours, theirs = socket.socketpair()
        self._theirs = theirs
        for end in (self._ours, theirs):
            end.setblocking(False)
        self._notifier = QSocketNotifier(self._ours.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._signalled)
        self._before = {number: signal.signal(number, lambda *_: None) for number in termination_signals()}
        self._fd_before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        app = QGuiApplication.instance()
        assert isinstance(app, QGuiApplication)
        app.commitDataRequest.connect(self._session_ends, Qt.ConnectionType.DirectConnection)

    def close(self) -> None:
        """Restore the previous signal handlers."""
        self._notifier.setEnabled(False)
        signal.set_wakeup_fd(self._fd_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._ours.close()
        self._theirs.close()

    @Slot()
    def _signalled(self) -> None:
        numbers = set(self._ours.recv(64))
        if numbers & set(self._before):
            self._leave()

    @Slot()
    def _session_ends(self) -> None:
        self._leave()
        self._wait()
