"""Downloading a file with progress, cancelling, resuming and a checksum."""

import hashlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from engine.data.cache import require_space
from engine.errors import DataError
from engine.jobs.events import Event, Progress, Request

CHUNK = 2**18
TIMEOUT = 30
LARGEST = 2**34
"""Largest size of a file in bytes; a server that sends more is sending something else."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A file to download: its addresses, in order of preference, its md5 and its size in bytes, 0 if unknown."""

    urls: tuple[str, ...]
    md5: str = ""
    size: int = 0


def download(remote: Remote, path: Path) -> Generator[Event, Request | None, None]:
    """Download a file to `path` unless it exists, resuming a cancelled or interrupted download.

    Yields Progress in bytes. Raises DataError if no address provides the expected file.
    """
    if path.exists():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{path.parent} cannot be created: {error.strerror or error}.") from None
    problem = "it has no address"
    for url in remote.urls:
        try:
            yield from _fetch(url, remote, path)
        except DataError as error:
            problem = str(error)
        else:
            return
    raise DataError(f"{path.name} could not be downloaded: {problem}.")


def _fetch(url: str, remote: Remote, path: Path) -> Generator[Event, Request | None, None]:
    import http.client  # imported late: they load TLS, which would slow down every start
    import urllib.error
    import urllib.parse
    import urllib.request

    part = path.with_name(path.name + ".part")
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    host = urllib.parse.urlsplit(url).hostname
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            if answer.headers.get_content_type() == "text/html":
                raise DataError(f"{host} answered with a web page instead of the file")
            if answer.status != 206:
                have = 0
            total = have + int(answer.headers.get("Content-Length") or 0)
            if total > LARGEST or (remote.size and total > have and total != remote.size):
                raise DataError(f"{host} offers {total:,} bytes, not the {remote.size:,} expected")
            require_space(part.parent, total - have, f"Downloading {path.name}")
            with part.open("ab" if have else "wb") as file:
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
                    have += len(chunk)
                    if have > LARGEST:
                        raise DataError(f"{host} sends more bytes than such a file can have")
                    yield Progress(have, max(total, have), f"Downloading {path.name}", "bytes")
    except urllib.error.HTTPError as error:
        if error.code == 416:  # the partial file is not the beginning of this file
            part.unlink(missing_ok=True)
        raise DataError(f"{host} answered {error.code} {error.reason}") from None
    except (urllib.error.URLError, TimeoutError, http.client.HTTPException, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"{host} cannot be reached or closed the connection ({reason})") from None
    except OSError as error:
        raise DataError(f"{part} cannot be written ({error.strerror or error})") from None
    _check(part, remote, total)
    part.replace(path)


def _check(part: Path, remote: Remote, total: int) -> None:
    """Raise DataError unless the download is complete and correct; an incorrect file is removed."""
    size = part.stat().st_size
    expected = remote.size or total
    if expected and size < expected:
        raise DataError(f"the download was interrupted after {size:,} of {expected:,} bytes; try again to resume it")
    wrong = bool(expected) and size != expected
    if not wrong and remote.md5:
        with part.open("rb") as file:
            wrong = hashlib.file_digest(file, "md5").hexdigest() != remote.md5
    if wrong:
        part.unlink()
        raise DataError("the download is not the expected file (size or checksum differs) and was removed")
