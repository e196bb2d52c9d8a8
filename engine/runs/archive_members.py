"""What an archive of runs holds, before any of it is unpacked: sorted to runs, or refused as no honest one."""

import os
import shutil
import stat
import struct
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from engine.errors import RunError
from engine.runs.archive_limits import MB, limit

MOST_FILES = 100_000
DIRECTORY_ENTRY = 200
"""Bytes that a file takes in an archive's list of files, with its name."""

LONGEST_END = 66_000
"""Bytes: the record at the end of an archive has a comment of at most 65,535."""

MOST_BYTES = 20_000 * MB
MOST_TIMES, ALWAYS = 20, 100 * MB
"""A run unpacks to at most so many times its archive, or to so many bytes: weights and pictures hardly shrink."""

Files = dict[str, ZipInfo]
"""Members of an archive by their names in the folder of their run."""


def open_archive(path: Path) -> ZipFile:
    """Open an archive. Raises RunError for what is none, or lists more files than are read."""
    if path.exists() and not path.is_file():  # a pipe or device would be read for ever
        raise RunError(f"{path} is no file, so no runs can be imported from it.")
    try:
        if _directory_size(path) > MOST_FILES * DIRECTORY_ENTRY:  # read whole by ZipFile, before anything else
            raise RunError(f"{path.name} holds more than {MOST_FILES:,} files; it is not read.")
        return ZipFile(path)
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (BadZipFile, NotImplementedError, ValueError, struct.error, IndexError):
        raise RunError(f"{path} is not a .zip file, or it is damaged.") from None


def _directory_size(path: Path) -> int:
    """Bytes of an archive's list of files, as the record at its end says (APPNOTE 4.3.14, 4.3.16); 0 without one."""
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - LONGEST_END))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    large = tail[max(0, at - 76) : at - 20]  # the record of ZIP64, then its locator of 20 bytes
    size = large[40:48] if large.startswith(b"PK\x06\x06") else tail[at + 12 : at + 16]
    claimed = int.from_bytes(size, "little") if at >= 0 else 0
    return claimed if claimed <= length else 0  # longer than the file: damaged, as ZipFile will say


def runs_in(archive: ZipFile, path: Path) -> dict[str, Files]:
    """The members that make up each run, by the run's prefix ("" or "folder/") and the name in its folder.

    Members that belong to no run are left out. Raises RunError for what no honest archive holds.
    """
    members = archive.infolist()
    if len(members) > MOST_FILES:
        raise RunError(f"{path.name} holds more than {MOST_FILES:,} files; it is not read.")
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
                raise RunError(f"{name} in {path.name} is too large to be a run's: {size}. It is not read.")
    found = {prefix: files for prefix, files in found.items() if "config.json" in files}
    if not found:
        raise RunError(f"{path.name} holds no run: there is no config.json in it.")
    return found


def _problem(info: ZipInfo) -> str:
    """What is wrong with a member's name or kind; empty when nothing is."""
    name = info.orig_filename
    if name.startswith("/") or ":" in name or "\\" in name or "\0" in name:
        return "a path of another folder"
    if ".." in name.split("/"):
        return "a path that leads outside"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link or device"
    if info.flag_bits & 1:
        return "an encrypted file"
    return "" if info.compress_type in (ZIP_STORED, ZIP_DEFLATED) else "a file of unknown compression"


def require_room(found: dict[str, Files], path: Path, root: Path) -> None:
    """See that what an archive unpacks to is in proportion to it, and fits on the disk. Raises RunError."""
    needed = sum(info.file_size for files in found.values() for info in files.values())
    most = min(MOST_BYTES, max(MOST_TIMES * path.stat().st_size, ALWAYS))
    if needed > most:
        raise RunError(
            f"{path.name} unpacks to {needed / MB:,.0f} MB, more than runs of its size do ({most / MB:,.0f} MB); it is "
            "not read."
        )
    if needed > shutil.disk_usage(root).free:
        raise RunError(f"{path.name} needs {needed / MB:,.0f} MB, and the disk of {root} has less free.")
