"""The log file: versions, system and errors, at most 4 MB in the user's log folder."""

import faulthandler
import logging
import platform
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from engine.system.plain_text import without_invisible
from engine.system.versions import library_versions

SIZE = 1_000_000
BACKUPS = 3
"""Older log files that are kept, each of at most `SIZE` bytes."""

FORMAT = "%(asctime)s %(levelname)s %(process)d %(threadName)s %(name)s: %(message)s"

log = logging.getLogger(__name__)


def start_log(path: Path) -> "LogFile | None":
    """Start logging to a file; if the process crashes, its stack is written to `crash.txt` beside it.

    Returns the handler to pass to `end_log`, or None if the folder cannot be written to: nothing depends on the log.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = LogFile(path)
    except OSError:
        return None
    logging.getLogger().addHandler(handler)
    for package in ("engine", "gui"):
        logging.getLogger(package).setLevel(logging.INFO)
    faulthandler.enable(handler.crash)
    log.info("started: %s", about())
    return handler


def end_log(handler: "LogFile | None") -> None:
    """Stop logging to the file."""
    if handler is None:
        return
    log.info("ended")
    faulthandler.disable()
    logging.getLogger().removeHandler(handler)
    handler.close()


def about() -> str:
    """Return the versions of the application, Python, the libraries and the system in one line."""
    versions = ", ".join(f"{name} {number}" for name, number in library_versions().items())
    kind = "standalone" if getattr(sys, "frozen", False) else "from source"
    return f"{versions}; Python {platform.python_version()}; {platform.platform()}; {kind}"


def error_location(error: BaseException) -> str:
    """Return what identifies an error: its type and the line that raised it."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    line = f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at is not None else ""
    return f"{type(error).__name__} {line}"


class SafeFormatter(logging.Formatter):
    """Strips control characters from records: names come from files, and a terminal showing the log would obey them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as text."""
        return without_invisible(super().format(record))


class LogFile(RotatingFileHandler):
    """A log that holds each error's traceback once; of repeats, only the 10th, 100th, ... are logged, without it.

    An error in drawing recurs many times a second and would push everything else out of the log. Raises OSError when
    the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=SIZE, backupCount=BACKUPS, encoding="utf-8", errors="replace")
        self.setFormatter(SafeFormatter(FORMAT))
        self._counts: dict[str, int] = {}
        self.crash = path.with_name("crash.txt").open("a", encoding="utf-8")
        """File for the stack of a crashing process, which can no longer write to the log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; called with the handler's lock held."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            place = error_location(error)
            count = self._counts[place] = self._counts.get(place, 0) + 1
            if count > 1 and str(count).strip("0") != "1":
                return
            if count > 1:
                record = logging.makeLogRecord(record.__dict__)
                record.exc_info = record.exc_text = None
                record.msg, record.args = f"{record.getMessage()}, {count} times so far: {place}", ()
        super().emit(record)

    def close(self) -> None:
        """Close both files."""
        super().close()
        self.crash.close()
