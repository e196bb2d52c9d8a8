"""Keeps the computer awake while a run is training; the screen may still turn off."""

import logging
import os
import shutil
import subprocess
import sys
from typing import Protocol

from PySide6.QtCore import QObject

ES_CONTINUOUS, ES_SYSTEM_REQUIRED = 0x80000000, 0x00000001

log = logging.getLogger(__name__)


class Inhibitor(Protocol):
    """Prevents sleep on one operating system. Both methods return at once and may be called repeatedly."""

    def hold(self) -> None:
        """Keep the computer awake."""

    def release(self) -> None:
        """Let it sleep again."""


class Awake(QObject):
    """Asks the system not to sleep after `set(True)`, until `set(False)`. If it cannot, one line in the log says so."""

    def __init__(self, parent: QObject, system: str = sys.platform) -> None:
        super().__init__(parent)
        self._active = False
        self._inhibitor = _inhibitor(system, self)

    def set(self, active: bool) -> None:
        """Keep the computer awake, or let it sleep again."""
        if active == self._active:
            return
        self._active = active
        if active:
            self._inhibitor.hold()
        else:
            self._inhibitor.release()

    def close(self) -> None:
        """Let the computer sleep again."""
        self.set(False)


def _inhibitor(system: str, parent: QObject) -> Inhibitor:
    if system == "win32":
        return ExecutionState()
    if system == "darwin":
        return Caffeinate()
    from gui.desktop.logind import LogindLock

    return LogindLock(parent)


class ExecutionState:
    """Windows: a flag on the calling thread, cleared when the process ends."""

    def hold(self) -> None:
        """Keep the computer awake."""
        self._set(ES_CONTINUOUS | ES_SYSTEM_REQUIRED)

    def release(self) -> None:
        """Let it sleep again."""
        self._set(ES_CONTINUOUS)

    def _set(self, flags: int) -> None:
        if sys.platform == "win32":
            import ctypes

            if not ctypes.windll.kernel32.SetThreadExecutionState(ctypes.c_uint32(flags)):
                log.info("the computer may sleep while a run is training: Windows refused the request")


class Caffeinate:
    """macOS: the system's caffeinate program, which ends with this process (`-w`)."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def hold(self) -> None:
        """Keep the computer awake."""
        program = shutil.which("caffeinate")
        if program is None:
            log.info("the computer may sleep while a run is training: caffeinate is missing")
        elif self._process is None:
            self._process = subprocess.Popen([program, "-i", "-w", str(os.getpid())], stdin=subprocess.DEVNULL)

    def release(self) -> None:
        """Let it sleep again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
