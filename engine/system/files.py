"""Atomic writing: a crash, a kill or a full disk never leaves half a file."""

import json
import os
import platform
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32


def is_link(path: Path) -> bool:
    """Return whether a path is a symbolic link, broken or not, or on Windows a junction."""
    try:
        status = path.lstat()
    except OSError:
        return False
    junction = getattr(status, "st_reparse_tag", 0) == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)
    return stat.S_ISLNK(status.st_mode) or junction


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """Yield an unused path beside `path`; the file written there is removed when the block ends."""
    temporary = _beside(path)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, and atomically replace `path` with it when the block ends without an error.

    Raises OSError when writing fails; `path` is then unchanged.
    """
    with scratch(path) as temporary:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    _flush_folder(path.parent)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`; whatever is left of it is removed when the block ends."""
    temporary = _beside(path)
    temporary.mkdir()
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _beside(path: Path) -> Path:
    """A hidden path beside `path` whose name identifies the writing process; leftovers.py removes abandoned ones."""
    return path.with_name(f".{path.name}.{machine()}-{os.getpid()}-{secrets.token_hex(4)}.part")


def temporary_file(name: str) -> Path:
    """Create an empty file in the system's temporary folder; leftovers.py removes those of killed processes."""
    path = _beside(Path(tempfile.gettempdir()) / name)
    path.touch(mode=0o600, exist_ok=False)
    return path


@cache
def machine() -> str:
    """Return a short name of this machine or container: the scope within which a process id is unique."""
    space = ""
    with suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return f"{crc32(f'{platform.node()} {space}'.encode(errors='replace')):08x}"


def place_folder(temporary: Path, path: Path) -> None:
    """Move a finished folder into place atomically. Raises OSError if `path` is anything but an empty folder."""
    if os.name == "nt" and path.is_dir():
        path.rmdir()
    temporary.replace(path)
    _flush_folder(path.parent)


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write bytes atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def json_bytes(value: Any) -> bytes:
    """Return a value as indented UTF-8 JSON; bytes of file names that are not UTF-8 become JSON escapes."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented UTF-8 JSON, atomically."""
    write_bytes(path, json_bytes(value))


def _flush_folder(folder: Path) -> None:
    """Make the new name itself survive a power failure, where the system allows it (not on Windows)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
