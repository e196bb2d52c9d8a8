"""A run folder on another machine: its changes, in pieces small enough to be sent while it trains.

A checkpoint is read as a whole before it is sent, and its weights last, so that what has arrived is always a state from
which the run can be resumed. Tables grow, and only what is new of them is sent.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zlib import crc32

from engine.errors import CheckpointError, RunError
from engine.runs.checkpoints import read_files
from engine.runs.heartbeat import HEARTBEAT
from engine.runs.kept_weights import WEIGHTS
from engine.system.files import is_link, write_bytes

PIECE = 4_000_000
"""Most bytes of a piece."""

TABLES = (".csv",)
"""Endings of files that grow."""

NOT_SENT = frozenset({"lock", HEARTBEAT})


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a file: `content` stands `at` this offset, and the file has `size` bytes in the end.

    `grows` says that the bytes before it are those that were sent earlier.
    """

    name: str
    content: bytes
    at: int
    size: int
    grows: bool = False


@dataclass(frozen=True, slots=True)
class _Sent:
    """What was sent of a file: its time and size when it was read, and the checksum of its content."""

    stamp: tuple[int, int]
    size: int
    checksum: int


class Changes:
    """What has changed in a run folder since it was last asked for. Begins with the files that are `known` there."""

    def __init__(self, folder: Path, known: Iterable[str] = ()) -> None:
        self._folder = folder
        self._sent: dict[str, _Sent] = {}
        self._waiting: deque[Piece] = deque()
        for name in known:
            with suppress(OSError):
                stamp, content = _stamp(folder / name), (folder / name).read_bytes()
                self._sent[name] = _Sent(stamp, len(content), crc32(content))

    def pieces(self, most: int = 2 * PIECE) -> list[Piece]:
        """Return the next pieces, of about `most` bytes together; an empty list if nothing has changed."""
        if not self._waiting:
            self._waiting.extend(self._changed())
        found: list[Piece] = []
        while self._waiting and sum(len(piece.content) for piece in found) < most:
            found.append(self._waiting.popleft())
        return found

    def _changed(self) -> Iterator[Piece]:
        yield from self._checkpoint()
        others = [name for name in file_names(self._folder) if not _of_checkpoint(name)]
        for name in sorted(others, key=lambda name: name == "state.json"):  # the state last: it refers to the others
            with suppress(OSError):  # replaced or removed meanwhile
                yield from self._file(name)

    def _checkpoint(self) -> Iterator[Piece]:
        """The pieces of a new checkpoint, the weights last: they are its commit point."""
        folder = self._folder / "checkpoint"
        path = folder / WEIGHTS
        with suppress(OSError, CheckpointError):
            if self._is_sent(f"checkpoint/{WEIGHTS}", path):
                return
            stamp = _stamp(path)  # taken first: weights that are replaced meanwhile are sent again
            found = read_files(folder)
            if found is None:
                return
            for name, content in sorted(found[1].items(), key=lambda item: item[0] == WEIGHTS):
                yield from _cut(f"checkpoint/{name}", content)
            self._sent[f"checkpoint/{WEIGHTS}"] = _Sent(stamp, 0, 0)

    def _file(self, name: str) -> Iterator[Piece]:
        path = self._folder / name
        if self._is_sent(name, path):
            return
        stamp, before = _stamp(path), self._sent.get(name)
        content = path.read_bytes()
        self._sent[name] = _Sent(stamp, len(content), crc32(content))
        tail = before is not None and name.endswith(TABLES) and 0 < before.size <= len(content)
        if tail and before is not None and crc32(content[: before.size]) == before.checksum:
            for piece in _cut(name, content[before.size :]):
                yield Piece(name, piece.content, before.size + piece.at, len(content), grows=True)
        else:
            yield from _cut(name, content)

    def _is_sent(self, name: str, path: Path) -> bool:
        before = self._sent.get(name)
        return before is not None and before.stamp == _stamp(path)


class Arriving:
    """Writes pieces into a run folder, each file atomically once it is complete."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: dict[str, bytearray] = {}

    def take(self, pieces: Iterable[Piece]) -> None:
        """Write what the pieces complete.

        Raises RunError if a name leads out of the folder, or if a piece does not follow the one before it; OSError if
        the folder cannot be written.
        """
        for piece in pieces:
            path = self._path(piece.name)
            if piece.grows:
                self._grow(path, piece)
                continue
            part = self._parts.setdefault(piece.name, bytearray())
            if piece.at == 0:
                part.clear()
            if piece.at != len(part):
                raise RunError(f"{piece.name} has not arrived completely.")
            part += piece.content
            if len(part) == piece.size:
                path.parent.mkdir(exist_ok=True)
                write_bytes(path, bytes(self._parts.pop(piece.name)))
                if path.name == WEIGHTS:
                    _remove_older(path.parent)

    def _grow(self, path: Path, piece: Piece) -> None:
        with path.open("r+b") as file:
            if file.seek(0, os.SEEK_END) < piece.at:
                raise RunError(f"{piece.name} has not arrived completely.")
            file.truncate(piece.at)
            file.seek(piece.at)
            file.write(piece.content)

    def _path(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        safe = 1 <= len(parts) <= 2 and not any(part in ("..", "/") or part.startswith(".") for part in parts)
        path = self._folder.joinpath(*parts)
        if not safe or "\\" in name or ":" in name or is_link(path) or is_link(path.parent):
            raise RunError(f"{name!r} is not a file of a run.")
        return path


def file_names(folder: Path) -> list[str]:
    """Return the names of a run's files, relative to its folder, without what belongs to the machine it is on."""
    found = []
    for path in sorted([*folder.glob("*"), *folder.glob("*/*")]):
        parts = path.relative_to(folder).parts
        if not any(part.startswith(".") for part in parts) and path.name not in NOT_SENT and not is_link(path):
            found += [PurePosixPath(*parts).as_posix()] if path.is_file() else []
    return found


def whole(folder: Path) -> list[Piece]:
    """Return a complete run folder in pieces."""
    changes, found = Changes(folder), []
    while pieces := changes.pieces():
        found += pieces
    return found


def _of_checkpoint(name: str) -> bool:
    """Whether a file is a part of the newest checkpoint, which is replaced as a whole."""
    path = PurePosixPath(name)
    newest = path.name == WEIGHTS or (path.stem.removeprefix("trainer-").isdecimal() and path.suffix == ".pt")
    return path.parent.name == "checkpoint" and newest


def _remove_older(folder: Path) -> None:
    """Remove trainer files that do not belong to the weights that have arrived; theirs came before them."""
    newest = max(folder.glob("trainer-*.pt"), key=lambda path: path.stat().st_mtime_ns, default=None)
    for old in folder.glob("trainer-*.pt"):
        if old != newest and old.stem.removeprefix("trainer-").isdecimal():
            old.unlink(missing_ok=True)


def _cut(name: str, content: bytes) -> Iterator[Piece]:
    for at in range(0, max(1, len(content)), PIECE):
        yield Piece(name, content[at : at + PIECE], at, len(content))


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size
