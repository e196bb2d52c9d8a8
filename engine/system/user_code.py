"""Files of plug-ins, and the lines in them at which an error, a crash or a hang occurred.

Loading a plug-in registers its file; code that reports errors asks this module whether a plug-in raised them.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.errors import PluginError, StudioError
from engine.system.plain_text import one_line

LONGEST_REASON = 300
"""Characters of a plug-in's own error message that are shown."""

_FRAME = re.compile(r'^ *File "(?P<file>.+)", line (?P<line>\d+)', re.MULTILINE)
"""A line of what `faulthandler` writes; the innermost call of a thread comes first."""

_owners: dict[str, str] = {}
"""Names of plug-ins by their file, or by the folder of their package."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a plug-in's code."""

    plugin: str
    file: str
    line: int

    @property
    def words(self) -> str:
        """The place in a sentence, e.g. "sparse_vae.py, line 12"."""
        return f"{one_line(Path(self.file).name)}, line {self.line}"


def register_code(path: str, plugin: str) -> None:
    """Register a file, or everything below a folder, as code of a plug-in."""
    _owners[path] = plugin


def forget_code(path: str) -> None:
    """Remove the registration of a file or folder."""
    _owners.pop(path, None)


def place_of_error(error: BaseException) -> Place | None:
    """Return the innermost line of a plug-in's code that an error passed through; None if there is none."""
    found, at = None, error.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        # A syntax error has no frame in the file that it is in.
        found = _place(code.co_filename, at.tb_lineno) or found
        at = at.tb_next
    if isinstance(error, SyntaxError) and error.filename:
        found = _place(error.filename, error.lineno or 1) or found
    return found


def place_in_dump(dump: str) -> Place | None:
    """Return the innermost line of a plug-in's code in the output of `faulthandler`; None if there is none."""
    places = (_place(frame["file"], int(frame["line"])) for frame in _FRAME.finditer(dump))
    return next((place for place in places if place is not None), None)


def explained(error: BaseException) -> BaseException:
    """Return an error raised by a plug-in's code as a PluginError that names plug-in, file and line.

    Other errors are returned unchanged, and so is a StudioError, which is a message already.
    """
    place = None if isinstance(error, StudioError) else place_of_error(error)
    if place is None:
        return error
    return PluginError(f"{place.plugin} raised {error_words(error)} ({place.words}).")


def raised_words(error: BaseException, plugin: str, function: Callable[..., object] | None = None) -> str:
    """Return what a plug-in raised and where, as a sentence without a full stop.

    If the error is about the return value of its `function`, the line is that of the definition.
    """
    place = place_of_error(error)
    where = place.words if place else definition_words(function) if function else ""
    return f"{plugin} raised {error_words(error)}{f' ({where})' if where else ''}"


def definition_words(function: Callable[..., object]) -> str:
    """Return where a plug-in defines a function, e.g. "sparse_vae.py, line 12"; empty if it inherits it from us."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    place = None if code is None else _place(code.co_filename, code.co_firstlineno)
    return place.words if place else ""


def error_words(error: BaseException) -> str:
    """Return an error's type and message in one line without a full stop, e.g. "ValueError: no such thing"."""
    said = one_line(str(error.msg if isinstance(error, SyntaxError) else error), LONGEST_REASON).rstrip(".")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _place(file: str, line: int) -> Place | None:
    """The line of a plug-in's file; None for other files. `faulthandler` escapes characters that are not ASCII."""
    for path, plugin in _owners.items():
        for spelt in {path, path.encode("ascii", "backslashreplace").decode()}:
            if file == spelt or file.startswith((f"{spelt}/", f"{spelt}\\")):
                return Place(plugin, file, line)
    return None
