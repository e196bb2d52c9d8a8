"""The log file: which versions ran where, and what went wrong, at most 4 MB in a folder of the user's."""

import faulthandler
import logging
import platform
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from engine.system.plain_text import without_unseen
from engine.system.versions import library_versions

SIZE = 1_000_000
OLDER = 3
"""Older files that are kept, each of at most `SIZE` bytes."""

FORMAT = "%(asctime)s %(levelname)s %(process)d %(threadName)s %(name)s: %(message)s"

log = logging.getLogger(__name__)


def start_log(path: Path) -> "LogFile | None":
    """Write what is logged from now on to a file; a crash of the process leaves its stack in `crash.txt` beside it.

    Returns the handler, to be given to `end_log`; None where the folder cannot be written: nothing depends on the log.
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
    """Write no more to the file."""
    if handler is None:
        return
    log.info("ended")
    faulthandler.disable()
    logging.getLogger().removeHandler(handler)
    handler.close()


def about() -> str:
    """Versions of the application, of Python, of the libraries and of the system, in one line."""
    versions = ", ".join(f"{name} {number}" for name, number in library_versions().items())
    kind = "standalone" if getattr(sys, "frozen", False) else "from source"
    return f"{versions}; Python {platform.python_version()}; {platform.platform()}; {kind}"


def place_of(error: BaseException) -> str:
    """What an error is told apart by: its type, and the line that raised it."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    line = f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at is not None else ""
    return f"{type(error).__name__} {line}"


class PlainFormatter(logging.Formatter):
    """Writes records without what a terminal would obey when the file is looked at: names in them come from files."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as lines of text."""
        return without_unseen(super().format(record))


class LogFile(RotatingFileHandler):
    """Writes an error's traceback once. Of repeats only the 10th, 100th, ... are told, without it.

    What is drawn wrongly is drawn wrongly many times a second; the log would forget how it began. Raises OSError when
    the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=SIZE, backupCount=OLDER, encoding="utf-8", errors="replace")
        self.setFormatter(PlainFormatter(FORMAT))
        self._counts: dict[str, int] = {}
        self.crash = path.with_name("crash.txt").open("a", encoding="utf-8")
        """Where the stack of a process that crashes goes: it cannot write a log any more."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; called with the handler's lock held."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            place = place_of(error)
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
