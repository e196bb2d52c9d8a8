"""A sign of life beside a run's lock, for file systems across which locks do not reach (many network folders).

While a run is locked, its file `heartbeat` names the machine and is touched every few seconds. On another machine the
run counts as locked until the file has not been touched for a minute, by the clock of the file system: the clocks of
two machines may differ. On the same machine the lock itself decides.
"""

import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.system.files import machine, write_bytes

HEARTBEAT = "heartbeat"
"""Name of the file."""

BEAT_SECONDS = 10.0
"""Interval at which the file is touched."""

LIFE_SECONDS = 60.0
"""Age from which on the machine that wrote it counts as gone."""


@contextmanager
def beating(path: Path) -> Iterator[None]:
    """Keep a heartbeat in a file for the duration of the block; a folder that cannot be written has none."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_SECONDS):
            with suppress(OSError):
                os.utime(path)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    with suppress(OSError):
        write_bytes(path, f"{machine()} {os.getpid()}\n".encode())
        thread.start()
    try:
        yield
    finally:
        over.set()
        with suppress(OSError):
            path.unlink(missing_ok=True)


def beats_elsewhere(path: Path) -> bool:
    """Return whether the heartbeat of another machine in a file is recent."""
    try:
        who = path.read_text(encoding="ascii", errors="replace").split()
        changed = path.stat().st_mtime
    except OSError:
        return False
    return bool(who) and who[0] != machine() and _now(path.parent) - changed < LIFE_SECONDS


def _now(folder: Path) -> float:
    """The time by the clock of a folder's file system, or of this machine if the folder cannot be written."""
    probe = folder / f".clock-{secrets.token_hex(4)}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
