"""Standard streams that survive a closed terminal or a full disk, so that a command is not aborted."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from engine.errors import OutputError


class Messages:
    """A stream of messages, i.e. stderr: messages that cannot be written are dropped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, if possible."""
        with suppress(OSError, ValueError):  # ValueError: it is closed
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if possible."""
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Results:
    """A stream of results, i.e. stdout. Raises OutputError if they cannot be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write. Raises OutputError."""
        with _explained():
            return self._stream.write(text)

    def flush(self) -> None:
        """Flush. Raises OutputError."""
        with _explained():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"Standard output cannot be written: {error.strerror or error}. "
            "Everything computed and saved so far is kept.",
            error.errno or 0,
        ) from None


@contextmanager
def lasting_streams() -> Iterator[None]:
    """Replace stdout and stderr by `Results` and `Messages` within the block."""
    _open_closed()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Results(before[0]), Messages(before[1])
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in before:
            try:
                stream.flush()
            except (OSError, ValueError):
                _drop(stream)


def _open_closed() -> None:
    """Open missing standard streams on the null device, since the next file opened would get their number.

    Output of a library to stderr would then go to that file.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open("r" if name == "stdin" else "w", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, stream)


def _drop(stream: TextIO) -> None:
    """Discard a stream's buffered output, so that Python does not report an error on exit."""
    with suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)
