"""What killed processes left half written: removed at the next start, unless somebody may still be writing it.

The names come from `engine.system.files`: machine, process and a random number. On this machine a file is left over
when its process is gone. Of files of other machines that share the folder, and of version 1.0.0, which did not name
the machine, that cannot be known: they are left over when nobody has written to them for a day. A process number that
was given out again keeps a file until a later start.
"""

import ctypes
import os
import re
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from engine.system.files import machine

NAME = re.compile(r"\..+\.(?:(?P<machine>[0-9a-f]{8})-)?(?P<process>[0-9]{1,10})-[0-9a-f]{8}\.part")
QUIET = 24 * 3600
"""Seconds without a change after which nobody writes a file any more."""


def clear_leftovers(folders: Iterable[Path]) -> list[Path]:
    """Remove what nobody writes any more from these folders, not from those below; return what was removed.

    What cannot be removed stays, without a word: it is in nobody's way.
    """
    removed = []
    for folder in folders:
        for path in _leftovers(folder):
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
                removed.append(path)
    return removed


def places(cache: Path, runs: Path) -> list[Path]:
    """The folders in which something may be left over: the cache's and that of the runs, but not each run's own."""
    return [cache, cache / "prepared", *_folders_below(cache / "downloads"), runs]


def places_in_runs(runs: Path) -> list[Path]:
    """The folders of each run in which something may be left over."""
    return [place for run in _folders_below(runs) for place in places_in_run(run)]


def places_in_run(run: Path) -> list[Path]:
    """The folders of a run in which something may be left over."""
    return [run, run / "checkpoint", run / "previews"]


def _folders_below(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [folder / entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _leftovers(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.endswith(".part")]
    except OSError:
        return
    for name in names:
        found = NAME.fullmatch(name)
        if found and _is_left_over(folder / name, found["machine"], int(found["process"])):
            yield folder / name


def _is_left_over(path: Path, writer: str | None, process: int) -> bool:
    if writer == machine():
        return not _is_alive(process)
    try:
        return time.time() - _last_change(path) > QUIET
    except OSError:
        return False


def _last_change(path: Path) -> float:
    """When a file was written to last; of a folder, anything in it. Raises OSError."""
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        return status.st_mtime
    below = (Path(root) / name for root, folders, files in os.walk(path) for name in (*folders, *files))
    return max([status.st_mtime, *(inner.lstat().st_mtime for inner in below)])


def _is_alive(process: int) -> bool:
    """Whether there is a process of this number; in doubt there is."""
    if os.name == "nt":
        return _is_alive_on_windows(process)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _is_alive_on_windows(process: int) -> bool:
    # os.kill would end it. 0x100000 is SYNCHRONIZE, 0 the state of a handle whose process has ended, 87 the error
    # for a number that no process has.
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    handle = kernel.OpenProcess(0x100000, False, process)
    if not handle:
        return bool(ctypes.get_last_error() != 87)  # type: ignore[attr-defined]
    ended = kernel.WaitForSingleObject(handle, 0) == 0
    kernel.CloseHandle(handle)
    return not ended
