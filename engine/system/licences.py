"""Licences of everything the application consists of, read from what is installed; none is typed by hand.

From source, they are those of the installed packages. A standalone build has those of the files it contains, written
when it was built (`build.spec`).
"""

import json
import platform
import re
import subprocess
import sys
import sysconfig
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement

from engine.system.files import write_json
from engine.system.paths import RESOURCES

BUILT = RESOURCES / "licences.json"
"""Notices of a standalone build."""

TEXTS = RESOURCES / "licences"
APPLICATION = "disentangle-studio"
_FILE = re.compile(r"(licen[cs]e|copying|notice|authors)[^/]*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Notice:
    """A part of the application: its name, version, short name of the licence, and full licence texts."""

    name: str
    version: str
    licence: str
    text: str


def notices() -> list[Notice]:
    """Return the notices of all parts, sorted by name."""
    if BUILT.is_file():
        return [Notice(**values) for values in json.loads(BUILT.read_text(encoding="utf-8"))]
    return _sorted([python_notice(), *(notice_of(found) for found in needed(APPLICATION).values())])


def write_notices(files: Iterable[Path], path: Path) -> None:
    """Write the notices of the packages and system libraries that these files come from."""
    files = {file.resolve() for file in files}
    found = {_normal(dist.metadata["Name"]): notice_of(dist) for dist in distributions() if _owns(dist, files)}
    own = {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve(), RESOURCES.parent}
    system = [file for file in files if not any(folder in file.parents for folder in own)]
    everything = [python_notice(), *found.values(), *_system_notices(system)]
    write_json(path, [asdict(notice) for notice in _sorted(everything)])


def needed(name: str, extras: Collection[str] = ()) -> dict[str, Distribution]:
    """Return the installed packages that a package requires, itself included, by normalised name."""
    found: dict[str, Distribution] = {}
    waiting = [(name, frozenset(extras))]
    done = set()
    while waiting:
        asked = waiting.pop()
        key = (_normal(asked[0]), asked[1])
        if key in done:
            continue
        done.add(key)
        try:
            dist = distribution(asked[0])
        except PackageNotFoundError:
            continue  # required on other systems only
        found[key[0]] = dist
        for line in dist.requires or ():
            requirement = Requirement(line)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in asked[1] | {""}):
                waiting.append((requirement.name, frozenset(requirement.extras)))
    return found


def notice_of(dist: Distribution) -> Notice:
    """Read the notice of an installed package; the text of the (L)GPL is added where a package only names it."""
    metadata = dist.metadata
    classes = [c.rsplit(" :: ", 1)[-1] for c in metadata.get_all("Classifier") or () if c.startswith("License")]
    given = next((said[0] for key in ("License-Expression", "License") if (said := metadata.get_all(key))), "")
    short = given if given and "\n" not in given and len(given) < 200 else ", ".join(classes) or given.split("\n")[0]
    texts = [
        f"{file}\n\n{_read(Path(str(dist.locate_file(file))))}"
        for file in sorted(dist.files or (), key=str)
        if _FILE.search(file.name) and file.suffix.lower() in ("", ".txt", ".md", ".rst", ".apache", ".bsd")
    ]
    if not texts and "GPL" in short:
        texts = [_read(TEXTS / name) for name in ("LGPL-3.0.txt", "GPL-3.0.txt")]
    text = ("\n\n" + "_" * 60 + "\n\n").join(texts)
    return Notice(metadata["Name"], dist.version, short or ("see the text" if text else "not stated"), text)


def python_notice() -> Notice:
    """Return the notice of Python and its standard library."""
    text = _read(Path(sysconfig.get_path("stdlib")) / "LICENSE.txt")
    return Notice("Python", platform.python_version(), "PSF-2.0", text)


def _owns(dist: Distribution, files: set[Path]) -> bool:
    here = Path(str(dist.locate_file(""))).resolve()
    return any(here / file in files for file in dist.files or ())


def _system_notices(files: Iterable[Path]) -> list[Notice]:
    """Notices of system libraries: per package on Debian, per file elsewhere."""
    left = {file.name: file for file in files}
    found: dict[str, Notice] = {}
    for file in left.values():
        package = _debian_package(file)
        if package is None:
            found[file.name] = Notice(file.name, "", "part of the system it was built on", "")
        elif package not in found:
            version = _ask("dpkg-query", "-W", "-f=${Version}", package)
            text = _read(Path("/usr/share/doc") / package.split(":")[0] / "copyright")
            named = dict.fromkeys(re.findall(r"^License: (\S.*)$", text, re.MULTILINE))
            found[package] = Notice(package.split(":")[0], version, ", ".join(list(named)[:4]) or "see the text", text)
    return list(found.values())


def _debian_package(file: Path) -> str | None:
    for path in (file, Path("/", *file.parts[2:]) if file.parts[:2] == ("/", "usr") else file):
        owner = _ask("dpkg-query", "-S", str(path)).partition(": ")[0]
        if owner:
            return owner.split(",")[0]
    return None


def _ask(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _sorted(found: Iterable[Notice]) -> list[Notice]:
    return sorted(found, key=lambda notice: notice.name.casefold())
