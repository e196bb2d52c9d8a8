"""How a second instance talks to the first window: one line each way over a local socket or a named pipe."""

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
    """Ask the first window to come to the front; return whether it answered in time. Needs no QApplication."""
    end = time.monotonic() + seconds
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.user32.AllowSetForegroundWindow(-1)  # only the process with the focus may pass it on
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
    """Listens for later instances and brings the window to the front.

    Parameters
    ----------
    address
        Address of the lock (`single.InstanceLock`) that this process holds; an existing socket is left from a crash.
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
            log.warning("a second instance cannot reach this window: %s", self._server.errorString())

    def close(self) -> None:
        """Stop listening and remove the socket."""
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
            os.environ["XDG_ACTIVATION_TOKEN"] = token  # Wayland needs it to raise a window; Qt reads it from here
        bring_up(self._window)
        socket.write(ANSWER)
        socket.disconnectFromServer()


def bring_up(window: QWidget) -> None:
    """Bring a window to the front, at its previous size."""
    window.setWindowState(window.windowState() & ~Qt.WindowState.WindowMinimized)
    window.show()
    window.raise_()
    window.activateWindow()
