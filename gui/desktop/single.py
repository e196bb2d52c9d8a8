"""One window over a folder of runs: a second start brings the first one up and ends.

Whoever holds the lock of the place is the first; the system lets go of it when that process ends, however it ends, so
that a crash leaves nothing in the way. Imports no Qt: a second start decides at once, and on Windows torch must be
loaded before Qt.
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
"""Seconds that a second start waits for the first window to answer."""

POLL = 0.05
"""Seconds between two attempts, while the first window is not listening yet, or is closing."""

LONGEST_ADDRESS = 100
"""Bytes of a socket's path: systems allow 104 to 108."""


class Place:
    """The place of the one window over a folder of runs: per user, computer and screen.

    Parameters
    ----------
    runs
        The folder of runs; the same folder by another path is the same place.
    """

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        name = f"{APP_ID}-{_digest(runs)}"
        folder = _folder()
        self._lock = FileLock(folder / f"{name}.lock")
        self.address = _address(folder, name)

    def enter(self, patience: float = PATIENCE) -> bool:
        """Return whether this start is the first, whose window may open; otherwise the first window came up.

        Raises
        ------
        StudioError
            The first window did not answer within `patience` seconds. A second one beside a window that hangs, or is
            only slow to start, is what nobody asked for.
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
            f"{APP} is open over {self._runs} already, but its window does not answer. "
            "Try again in a moment, or end that program first."
        )

    def leave(self) -> None:
        """Let another window have the place."""
        self._lock.release()

    def _take(self) -> bool:
        """Whether this process has the place now. Where nothing can be locked, every start has it."""
        try:
            Path(self._lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        except (OSError, NotImplementedError):
            return True
        return True


def _digest(runs: Path) -> str:
    """Tell places apart. Another screen (a remote session) is another place: its user would see nothing come up."""
    screen = [os.environ.get(name, "") for name in ("WAYLAND_DISPLAY", "DISPLAY")] if sys.platform == "linux" else []
    parts = [getpass.getuser(), platform.node(), *screen, os.path.normcase(runs.expanduser().resolve())]
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:16]


def _folder() -> Path:
    """Return a folder of this user's alone: others could otherwise take the name first."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(runtime) if runtime and os.access(runtime, os.W_OK) else cache_folder()


def _address(folder: Path, name: str) -> str:
    """Return the name of the pipe (Windows), or the path of the socket."""
    if sys.platform == "win32":
        return name
    path = folder / f"{name}.socket"
    return str(path if len(os.fsencode(path)) <= LONGEST_ADDRESS else Path(tempfile.gettempdir()) / path.name)
