"""Temporary files that killed processes left behind: removed at the next start, unless still being written.

Their names come from `engine.system.files`: machine, process id and a random number. A file of this machine is left
over when its process is gone. For files of other machines that share the folder, and of version 1.0.0, which did not
name the machine, that cannot be known: they count as left over when they have not changed for a day. If the process id
has been reused, the file stays until a later start.
"""

import ctypes
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from engine.system.files import machine

NAME = re.compile(r"\..+\.(?:(?P<machine>[0-9a-f]{8})-)?(?P<process>[0-9]{1,10})-[0-9a-f]{8}\.part")
ABANDONED_AFTER = 24 * 3600
"""Seconds without a change after which a file of unknown origin counts as left over."""


def clear_leftovers(folders: Iterable[Path]) -> list[Path]:
    """Remove left-over files from these folders, but not from their subfolders, and return their paths.

    Files that cannot be removed stay, silently: they do no harm.
    """
    removed = []
    for folder in folders:
        for path in _leftovers(folder):
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
                removed.append(path)
    return removed


def folders_to_clear(cache: Path, runs: Path) -> list[Path]:
    """Return the folders that may hold left-over files: the cache's, the system's for temporary files, and `runs`.

    Those of the runs are not among them.
    """
    return [cache, cache / "prepared", *_folders_below(cache / "downloads"), Path(tempfile.gettempdir()), runs]


def run_folders_to_clear(runs: Path) -> list[Path]:
    """Return the folders of all runs that may hold left-over files."""
    return [folder for run in _folders_below(runs) for folder in folders_of_run(run)]


def folders_of_run(run: Path) -> list[Path]:
    """Return the folders of a run that may hold left-over files."""
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
        return time.time() - _last_change(path) > ABANDONED_AFTER
    except OSError:
        return False


def _last_change(path: Path) -> float:
    """When a file, or anything in a folder, was last written to. Raises OSError."""
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode):
        return status.st_mtime
    below = (Path(root) / name for root, folders, files in os.walk(path) for name in (*folders, *files))
    return max([status.st_mtime, *(inner.lstat().st_mtime for inner in below)])


def _is_alive(process: int) -> bool:
    """Whether a process with this id exists; if in doubt, it does."""
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
    # os.kill would end the process. 0x100000 is SYNCHRONIZE, 0 the state of a handle whose process has ended, 87 the
    # error for an id without a process.
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    handle = kernel.OpenProcess(0x100000, False, process)
    if not handle:
        return bool(ctypes.get_last_error() != 87)  # type: ignore[attr-defined]
    ended = kernel.WaitForSingleObject(handle, 0) == 0
    kernel.CloseHandle(handle)
    return not ended
