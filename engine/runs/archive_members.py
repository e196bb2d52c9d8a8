"""Members of an archive before any is unpacked: assigned to runs, or rejected if the archive is not safe."""

import os
import shutil
import stat
import struct
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from engine.errors import RunError
from engine.runs.archive_limits import MB, limit

MAX_FILES = 100_000
DIRECTORY_ENTRY = 200
"""Bytes of an entry in an archive's directory, including the file name."""

MAX_END_BYTES = 66_000
"""Largest size in bytes of the record at the end of an archive, whose comment has at most 65,535."""

MAX_BYTES = 20_000 * MB
MAX_RATIO, ALWAYS = 20, 100 * MB
"""An archive may unpack to `ALWAYS` bytes, or to `MAX_RATIO` times its size: weights and pictures hardly shrink."""

Files = dict[str, ZipInfo]
"""Members of an archive by their names in their run's folder."""


def open_archive(path: Path) -> ZipFile:
    """Open an archive. Raises RunError if the file is not an archive or lists too many files."""
    if path.exists() and not path.is_file():  # reading a pipe or device might never end
        raise RunError(f"{path} is not a file, so no runs can be imported from it.")
    try:
        if _directory_size(path) > MAX_FILES * DIRECTORY_ENTRY:  # ZipFile reads all of it first
            raise RunError(f"{path.name} holds more than {MAX_FILES:,} files. It is not read.")
        return ZipFile(path)
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (BadZipFile, NotImplementedError, ValueError, struct.error, IndexError):
        raise RunError(f"{path} is not a .zip file, or it is damaged.") from None


def _directory_size(path: Path) -> int:
    """Bytes of an archive's directory according to the record at its end (APPNOTE 4.3.14, 4.3.16); 0 without one."""
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - MAX_END_BYTES))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    large = tail[max(0, at - 76) : at - 20]  # the ZIP64 record, then its locator of 20 bytes
    size = large[40:48] if large.startswith(b"PK\x06\x06") else tail[at + 12 : at + 16]
    claimed = int.from_bytes(size, "little") if at >= 0 else 0
    return claimed if claimed <= length else 0  # longer than the file: damaged, as ZipFile will report


def runs_in(archive: ZipFile, path: Path) -> dict[str, Files]:
    """Return the members of each run, by the run's prefix ("" or "folder/") and the name in its folder.

    Members that belong to no run are left out. Raises RunError if the archive is not safe.
    """
    members = archive.infolist()
    if len(members) > MAX_FILES:
        raise RunError(f"{path.name} holds more than {MAX_FILES:,} files. It is not read.")
    names: set[str] = set()
    found: dict[str, Files] = {}
    for info in members:
        problem = _problem(info)
        if not problem and info.filename in names:
            problem = "several files of one name"
        if problem:
            member = repr(info.orig_filename[:80])
            raise RunError(f"{path.name} is not safe: it holds {problem} ({member}). It is not read.")
        names.add(info.filename)
        for prefix in {"", info.filename[: info.filename.find("/") + 1]}:
            name = info.filename.removeprefix(prefix)
            most = limit(name)
            if most:
                found.setdefault(prefix, {})[name] = info
            if most and info.file_size > most and f"{prefix}config.json" in archive.NameToInfo:
                size = f"{info.file_size / MB:,.0f} MB"
                raise RunError(f"{name} in {path.name} is too large for a run: {size}. The archive is not read.")
    found = {prefix: files for prefix, files in found.items() if "config.json" in files}
    if not found:
        raise RunError(f"{path.name} holds no run: it has no config.json.")
    return found


def _problem(info: ZipInfo) -> str:
    """The problem of a member's name or kind; empty if there is none."""
    name = info.orig_filename
    if name.startswith("/") or ":" in name or "\\" in name or "\0" in name:
        return "a path to another folder"
    if ".." in name.split("/"):
        return "a path that leads out of it"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link or device"
    if info.flag_bits & 1:
        return "an encrypted file"
    return "" if info.compress_type in (ZIP_STORED, ZIP_DEFLATED) else "a file of unknown compression"


def require_room(found: dict[str, Files], path: Path, root: Path) -> None:
    """Check that an archive unpacks to a plausible size that fits on the disk. Raises RunError."""
    needed = sum(info.file_size for files in found.values() for info in files.values())
    most = min(MAX_BYTES, max(MAX_RATIO * path.stat().st_size, ALWAYS))
    if needed > most:
        raise RunError(
            f"{path.name} unpacks to {needed / MB:,.0f} MB, more than is plausible for its size ({most / MB:,.0f} MB). "
            "It is not read."
        )
    if needed > shutil.disk_usage(root).free:
        raise RunError(f"{path.name} needs {needed / MB:,.0f} MB, more than is free on the disk of {root}.")
