"""Reading untrusted files: only regular files, only up to a limit, parsed into validated values.

Files may be damaged, edited by hand or malicious. All JSON and TOML is read through this module, so that a bad file
costs no more than itself: a FIFO is not waited for, and no value is nested deeper, longer or larger than the
application's own files need.
"""

import errno
import json
import math
import os
import re
import stat
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, BinaryIO, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

MB = 1_000_000

LARGEST_INTEGER = 2**53
"""Integers up to this are exact as floats, and so in every program that reads JSON."""

MAX_STEPS = 10**12
MAX_DEPTH = 32
"""Levels of nested lists and tables."""

MAX_TOML_BYTES = 256_000
"""Largest size of a preset or study, in bytes."""

_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_DOTTED = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MAX_DEPTH},}}")
"""A dotted TOML key, a.b.c..., with too many parts: the time tomllib needs grows with the square of their number."""

Steps = Annotated[int, Field(strict=True, ge=0, le=MAX_STEPS)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Text = Annotated[str, Field(strict=True, max_length=10_000)]

T = TypeVar("T")


class DamagedError(ValueError):
    """A file has invalid content; the message says what is wrong, without naming the file."""


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading. Raises OSError, also for other kinds: reading a FIFO might never end."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except ValueError:
        raise OSError(errno.EINVAL, "no file can have this name", str(path)[:80]) from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return os.fdopen(handle, "rb")


def read_limited(path: Path, most: int) -> bytes:
    """Return the content of a regular file. Raises OSError, and DamagedError if it has more than `most` bytes."""
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise DamagedError(f"it has more than {most:,} bytes")
    return content


def parse_json(content: bytes | str, paths: Collection[str] = ()) -> Any:
    """Parse JSON within the limits above; the values of the keys `paths` are paths. Raises DamagedError."""
    try:
        text = content.decode("utf-8") if isinstance(content, bytes) else content
        values = json.loads(text, parse_int=_integer)
    except DamagedError:
        raise
    except ValueError as error:
        raise DamagedError(f"it is not valid JSON ({error})") from None
    except RecursionError:
        raise DamagedError(f"it is nested more than {MAX_DEPTH} levels deep") from None
    _check(values, paths)
    return values


def read_json(path: Path, most: int = MB, paths: Collection[str] = ()) -> Any:
    """Read a JSON file; the values of the keys `paths` are paths. Raises OSError or DamagedError."""
    return parse_json(read_limited(path, most), paths)


def read_object(path: Path, most: int = MB, paths: Collection[str] = ()) -> dict[str, Any]:
    """Read a JSON file that holds an object; values of the keys `paths` are paths. Raises OSError or DamagedError."""
    values = read_json(path, most, paths)
    if not isinstance(values, dict):
        raise DamagedError("it is not a JSON object")
    return values


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises OSError or DamagedError."""
    content = read_limited(path, MAX_TOML_BYTES)
    try:
        text = content.decode("utf-8")
        if _DOTTED.search(text):
            raise DamagedError(f"it is nested more than {MAX_DEPTH} levels deep")
        values = tomllib.loads(text)
    except DamagedError:
        raise
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DamagedError(f"it is not valid TOML ({error})") from None
    except ValueError:
        raise DamagedError("it holds a number that is too long") from None
    except RecursionError:
        raise DamagedError(f"it is nested more than {MAX_DEPTH} levels deep") from None
    _check(values)
    return values


def checked(kind: TypeAdapter[T], values: Any) -> T:
    """Validate values against a type. Raises DamagedError, which names the first invalid value."""
    try:
        return kind.validate_python(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place, says = first["loc"], first["msg"]
        if place[-1:] == ("[key]",):
            place, says = place[:-2], f"{str(place[-2])[:20]!r} is not a valid key"
        where = " > ".join(str(part)[:40] for part in place)
        raise DamagedError(f"{where + ': ' if where else ''}{says}") from None


def reason_of(error: Exception) -> str:
    """Return why a file is not used, to follow its name: "cannot be read: ..." or "is damaged: ..."."""
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    return f"is damaged: {error}"


def path_exists(path: Path) -> bool:
    """Return whether a path exists; False for an invalid name, where `Path.exists` raises."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: Path) -> bool:
    """Return whether a path is a regular file; False for an invalid name, where `Path.is_file` raises."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder; False for an invalid name, where `Path.is_dir` raises."""
    return os.path.isdir(path)  # noqa: PTH112


def _integer(digits: str) -> int:
    if len(digits) > 17:
        raise DamagedError(f"it holds a whole number of {len(digits):,} digits")
    return int(digits)


def _check(values: Any, paths: Collection[str] = ()) -> None:
    """Raise DamagedError for values that are nested too deep, too large, not finite or not Unicode.

    Where file names are bytes, as on Linux, Python represents bytes that are not UTF-8 as lone surrogates (PEP 383);
    these are accepted only below the keys `paths`.
    """
    waiting = [(values, 1, "", False)]
    while waiting:
        value, depth, where, is_path = waiting.pop()
        if isinstance(value, dict | list) and depth > MAX_DEPTH:
            raise DamagedError(f"it is nested more than {MAX_DEPTH} levels deep")
        if isinstance(value, dict):
            for key, inner in value.items():
                _check_text(key)
                waiting.append((inner, depth + 1, key, is_path or key in paths))
        elif isinstance(value, list):
            waiting += [(inner, depth + 1, where, is_path) for inner in value]
        elif isinstance(value, float) and not math.isfinite(value):
            raise DamagedError(f"{where[:40] or 'it'} is {value}, which is not a number")
        elif isinstance(value, int) and abs(value) > LARGEST_INTEGER:
            raise DamagedError(f"{where[:40] or 'it'} is beyond {LARGEST_INTEGER:,}")
        elif isinstance(value, str):
            _check_text(value, "surrogateescape" if is_path else "strict")


def _check_text(text: str, errors: str = "strict") -> None:
    """Reject lone surrogates, which can neither be shown nor written."""
    try:
        text.encode(errors=errors)
    except UnicodeEncodeError:
        raise DamagedError("it holds text that is not Unicode") from None
