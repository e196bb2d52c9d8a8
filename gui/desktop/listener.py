"""How a later start speaks to the first window: one line each way over a local socket, or a named pipe."""

import logging
import os
import sys
import time
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtNetwork import QLocalServer, QLocalSocket
from PySide6.QtWidgets import QWidget

ANSWER = b"shown\n"
LONGEST_LINE = 1000

log = logging.getLogger(__name__)


def ask(address: str, seconds: float) -> bool:
    """Ask the first window to come up; whether it answered within `seconds`. Needs no QApplication."""
    end = time.monotonic() + seconds
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.user32.AllowSetForegroundWindow(-1)  # who has the keyboard may hand it on
    socket = QLocalSocket()
    socket.connectToServer(address)
    if not socket.waitForConnected(_milliseconds(end)):
        return False
    token = os.environ.get("XDG_ACTIVATION_TOKEN", "")
    socket.write(f"show {token}\n".encode())
    while not socket.canReadLine():
        if not socket.waitForReadyRead(_milliseconds(end)):
            return False
    return bool(socket.readLine().data() == ANSWER)


def _milliseconds(end: float) -> int:
    return max(1, round(1000 * (end - time.monotonic())))


class Listener(QObject):
    """Listens for later starts, and brings the window up.

    Parameters
    ----------
    address
        Of the place (`single.Place`), which this process holds: a socket that is there already is a crash's.
    """

    def __init__(self, address: str, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._connected)
        QLocalServer.removeServer(address)
        if sys.platform != "win32":
            Path(address).parent.mkdir(parents=True, exist_ok=True)
        if not self._server.listen(address):
            log.warning("a second start cannot bring this window up: %s", self._server.errorString())

    def close(self) -> None:
        """Hear nothing more, and remove the socket."""
        self._server.close()

    @Slot()
    def _connected(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.setReadBufferSize(LONGEST_LINE)
            socket.disconnected.connect(socket.deleteLater)
            socket.readyRead.connect(self._read)
            if socket.canReadLine():
                self._answer(socket)

    @Slot()
    def _read(self) -> None:
        socket = self.sender()
        assert isinstance(socket, QLocalSocket)
        if socket.canReadLine():
            self._answer(socket)
        elif socket.bytesAvailable() >= LONGEST_LINE:
            socket.abort()

    def _answer(self, socket: QLocalSocket) -> None:
        word, _, token = bytes(socket.readLine().data()).decode(errors="replace").strip().partition(" ")
        if word != "show":
            socket.abort()
            return
        if token:
            os.environ["XDG_ACTIVATION_TOKEN"] = token  # Wayland raises only with one; Qt takes it from here
        bring_up(self._window)
        socket.write(ANSWER)
        socket.disconnectFromServer()


def bring_up(window: QWidget) -> None:
    """Show a window in front of the others, as large as it was."""
    window.setWindowState(window.windowState() & ~Qt.WindowState.WindowMinimized)
    window.show()
    window.raise_()
    window.activateWindow()
