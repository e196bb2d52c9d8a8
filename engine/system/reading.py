"""Reading files that may hold anything: regular files only, no more than a limit, parsed into checked values.

What the application reads may be damaged, edited by hand or made to do harm. Every reader of JSON and TOML comes
through here, so that a file costs at most itself: a FIFO is not waited for, and no value is deeper, longer or larger
than a file of ours can need.
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

LARGEST_WHOLE = 2**53
"""The whole numbers up to here are exact as floats, and so in every program that reads JSON."""

MOST_STEPS = 10**12
DEEPEST = 32
"""Levels of lists and tables within each other."""

LONGEST_TOML = 256_000
"""Bytes of a preset or a study."""

_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_DOTTED = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{DEEPEST},}}")
"""A key of TOML with too many parts, a.b.c...: the time that tomllib takes for one grows with their square."""

Steps = Annotated[int, Field(strict=True, ge=0, le=MOST_STEPS)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Words = Annotated[str, Field(strict=True, max_length=10_000)]

T = TypeVar("T")


class DamagedError(ValueError):
    """A file does not hold what it should; the message says what is wrong, without the file's name."""


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading. Raises OSError, also for what is no regular file: reading a FIFO might never end."""
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
    """Return the content of a regular file. Raises OSError, or DamagedError when it has more than `most` bytes."""
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise DamagedError(f"it has more than {most:,} bytes")
    return content


def parse_json(content: bytes | str, paths: Collection[str] = ()) -> Any:
    """Parse JSON into values within the limits above; values of the keys `paths` are paths. Raises DamagedError."""
    try:
        text = content.decode("utf-8") if isinstance(content, bytes) else content
        values = json.loads(text, parse_int=_whole)
    except DamagedError:
        raise
    except ValueError as error:
        raise DamagedError(f"it is not valid JSON ({error})") from None
    except RecursionError:
        raise DamagedError(f"it is nested more than {DEEPEST} levels deep") from None
    _check(values, paths)
    return values


def read_json(path: Path, most: int = MB, paths: Collection[str] = ()) -> Any:
    """Read a JSON file; values of the keys `paths` are paths. Raises OSError or DamagedError."""
    return parse_json(read_limited(path, most), paths)


def read_object(path: Path, most: int = MB, paths: Collection[str] = ()) -> dict[str, Any]:
    """Read a JSON file that holds one object; values of the keys `paths` are paths. Raises OSError or DamagedError."""
    values = read_json(path, most, paths)
    if not isinstance(values, dict):
        raise DamagedError("it is not a JSON object")
    return values


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises OSError or DamagedError."""
    content = read_limited(path, LONGEST_TOML)
    try:
        text = content.decode("utf-8")
        if _DOTTED.search(text):
            raise DamagedError(f"it is nested more than {DEEPEST} levels deep")
        values = tomllib.loads(text)
    except DamagedError:
        raise
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DamagedError(f"it is not valid TOML ({error})") from None
    except ValueError:
        raise DamagedError("it holds a number that is too long") from None
    except RecursionError:
        raise DamagedError(f"it is nested more than {DEEPEST} levels deep") from None
    _check(values)
    return values


def checked(kind: TypeAdapter[T], values: Any) -> T:
    """Return values as a checked type. Raises DamagedError that names the first value that does not fit."""
    try:
        return kind.validate_python(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place, says = first["loc"], first["msg"]
        if place[-1:] == ("[key]",):
            place, says = place[:-2], f"{str(place[-2])[:20]!r} is no key that belongs there"
        where = " > ".join(str(part)[:40] for part in place)
        raise DamagedError(f"{where + ': ' if where else ''}{says}") from None


def reason_of(error: Exception) -> str:
    """Say why a file is not used, after its name: it "cannot be read" or "is damaged"."""
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    return f"is damaged: {error}"


def is_there(path: Path) -> bool:
    """Whether a path exists; a name that no file can have does not (`Path.exists` raises there)."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: Path) -> bool:
    """Whether a regular file is there; a name that no file can have is none (`Path.is_file` raises there)."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Whether a folder is there; a name that no file can have is none (`Path.is_dir` raises there)."""
    return os.path.isdir(path)  # noqa: PTH112


def _whole(digits: str) -> int:
    if len(digits) > 17:
        raise DamagedError(f"it holds a whole number of {len(digits):,} digits")
    return int(digits)


def _check(values: Any, paths: Collection[str] = ()) -> None:
    """Raise DamagedError for what is deeper or larger than a file of ours, not finite, or no text.

    Where file names are bytes, as on Linux, Python keeps those that are no UTF-8 as halves of surrogate pairs
    (PEP 383); they are let through below the keys `paths` alone.
    """
    waiting = [(values, 1, "", False)]
    while waiting:
        value, depth, where, is_path = waiting.pop()
        if isinstance(value, dict | list) and depth > DEEPEST:
            raise DamagedError(f"it is nested more than {DEEPEST} levels deep")
        if isinstance(value, dict):
            for key, inner in value.items():
                _check_text(key)
                waiting.append((inner, depth + 1, key, is_path or key in paths))
        elif isinstance(value, list):
            waiting += [(inner, depth + 1, where, is_path) for inner in value]
        elif isinstance(value, float) and not math.isfinite(value):
            raise DamagedError(f"{where[:40] or 'it'} is {value}, which is no number")
        elif isinstance(value, int) and abs(value) > LARGEST_WHOLE:
            raise DamagedError(f"{where[:40] or 'it'} is beyond {LARGEST_WHOLE:,}")
        elif isinstance(value, str):
            _check_text(value, "surrogateescape" if is_path else "strict")


def _check_text(text: str, errors: str = "strict") -> None:
    """Refuse half of a surrogate pair: it can neither be shown nor written."""
    try:
        text.encode(errors=errors)
    except UnicodeEncodeError:
        raise DamagedError("it holds text that is not Unicode") from None
