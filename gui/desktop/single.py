"""One window per runs folder: a second instance brings the first window to the front and exits.

The process that holds the lock is the first; the system releases the lock when that process ends, even after a crash.
Imports no Qt, so that a second instance decides at once, and because on Windows torch must be loaded before Qt.
"""

import getpass
import hashlib
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from filelock import FileLock, Timeout

from engine.errors import StudioError
from engine.system.paths import APP, cache_folder
from gui.desktop import APP_ID

PATIENCE = 2.0
"""Seconds that a second instance waits for the first window to answer."""

POLL = 0.05
"""Seconds between two attempts while the first window is not listening yet or is closing."""

LONGEST_ADDRESS = 100
"""Longest path of a socket, in bytes: systems allow 104 to 108."""


class InstanceLock:
    """The lock for the only window on a runs folder: one for each user, computer and screen.

    Parameters
    ----------
    runs
        The runs folder; another path to the same folder gives the same lock.
    """

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        name = f"{APP_ID}-{_digest(runs)}"
        folder = _folder()
        self._lock = FileLock(folder / f"{name}.lock")
        self.address = _address(folder, name)

    def acquire(self, patience: float = PATIENCE) -> bool:
        """Return whether this is the first instance and may open a window; if not, the first window has been raised.

        Raises
        ------
        StudioError
            The first window did not answer within `patience` seconds. Opening a second one beside a window that hangs,
            or is merely slow to start, would be wrong.
        """
        if self._take():
            return True
        from gui.desktop.listener import ask

        end = time.monotonic() + patience
        while (left := end - time.monotonic()) > 0:
            if ask(self.address, left):
                return False
            if sys.platform != "win32" and self._take():
                return True  # the first one was closing
            time.sleep(POLL)
        raise StudioError(
            f"{APP} is already open on {self._runs}, but its window does not respond. "
            "Try again in a moment, or end that process first."
        )

    def release(self) -> None:
        """Release the lock to another window."""
        self._lock.release()

    def _take(self) -> bool:
        """Return whether this process now holds the lock. Where locking is not possible, every instance does."""
        try:
            Path(self._lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        except (OSError, NotImplementedError):
            return True
        return True


def _digest(runs: Path) -> str:
    """Identify user, computer, screen and folder. The user of another screen (a remote session) gets a new window."""
    screen = [os.environ.get(name, "") for name in ("WAYLAND_DISPLAY", "DISPLAY")] if sys.platform == "linux" else []
    parts = [getpass.getuser(), platform.node(), *screen, os.path.normcase(runs.expanduser().resolve())]
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:16]


def _folder() -> Path:
    """Return a folder private to this user; elsewhere another user could take the name first."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(runtime) if runtime and os.access(runtime, os.W_OK) else cache_folder()


def _address(folder: Path, name: str) -> str:
    """Return the name of the pipe (Windows) or the path of the socket."""
    if sys.platform == "win32":
        return name
    path = folder / f"{name}.socket"
    return str(path if len(os.fsencode(path)) <= LONGEST_ADDRESS else Path(tempfile.gettempdir()) / path.name)
