"""Where plug-ins come from: files in the plug-in folder, and entry points of installed packages.

A file is read once: the bytes whose fingerprint was allowed are those that are executed.
"""

import contextlib
import hashlib
import importlib
import importlib.metadata
import importlib.util
import linecache
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from zlib import crc32

from engine.errors import PluginError
from engine.system.plain_text import one_line
from engine.system.reading import DamagedError, read_limited, reason_of
from engine.system.user_code import error_words, forget_code, place_of_error, register_code

GROUP = "disentangle_studio.plugins"
"""The group of entry points in which an installed package names its plug-ins."""

LARGEST = 1_000_000
"""Bytes of a plug-in's file."""

MOST_FILES = 200
"""Files in the plug-in folder that are looked at."""

NO_PLUGIN = "defines no PLUGIN. A plug-in ends with PLUGIN = Plugin(name=..., version=..., interface=1, ...)"


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file of the plug-in folder, as it was read."""

    path: Path
    content: bytes = field(repr=False)
    fingerprint: str

    @property
    def key(self) -> str:
        """What it is called in the list: the file's name."""
        return self.path.name

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return str(self.path)

    @property
    def code(self) -> str:
        """The file that its code is in."""
        return str(self.path)

    @property
    def module(self) -> str:
        """The name of its module, by which its classes are found in other processes."""
        return f"plugin_{re.sub(r'[^A-Za-z0-9]', '_', self.path.stem)}_{crc32(self.key.encode(errors='replace')):08x}"

    def execute(self) -> object:
        """Execute the bytes that were read, and return what they define as PLUGIN. Raises PluginError."""
        name = self.module
        module = ModuleType(name)
        module.__file__ = self.code
        text = self.content.decode("utf-8", errors="replace")
        # Tracebacks quote what was executed, whatever the file holds by then.
        linecache.cache[self.code] = (len(text), None, text.splitlines(keepends=True), self.code)
        before = sys.modules.get(name)
        sys.modules[name] = module
        try:
            with _loading(self.key, self.code):
                exec(compile(self.content, self.code, "exec", dont_inherit=True), module.__dict__)
        except PluginError:
            if before is None:
                del sys.modules[name]
            else:
                sys.modules[name] = before
            raise
        if not hasattr(module, "PLUGIN"):
            raise PluginError(f"{self.key} {NO_PLUGIN}.")
        return module.PLUGIN


@dataclass(frozen=True, slots=True)
class PackageSource:
    """An entry point of an installed package; whoever installed it trusted it, so the user is not asked."""

    package: str
    """Its name and version, e.g. "disentangle-toys 1.2"."""
    entry: str
    """Module and attribute, e.g. "disentangle_toys.plugin:PLUGIN"."""
    code: str
    """The folder of the package, or the file of a module that is none."""
    fingerprint: str

    @property
    def key(self) -> str:
        """What it is called in the list: the package, without its version."""
        return self.package.partition(" ")[0]

    @property
    def place(self) -> str:
        """Where it comes from, for people."""
        return self.key

    def execute(self) -> object:
        """Import the module, and return what the entry point names. Raises PluginError."""
        module, _, attribute = self.entry.partition(":")
        with _loading(f"The package {self.key}", self.code):
            found: object = importlib.import_module(module)
            for part in (attribute or "PLUGIN").split("."):
                found = getattr(found, part)
        return found


Source = FileSource | PackageSource


@contextlib.contextmanager
def _loading(what: str, code: str) -> Iterator[None]:
    """Turn whatever is raised into a sentence with the line that raised it; what is printed goes to stderr."""
    register_code(code, what)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (Exception, SystemExit) as error:
        place = place_of_error(error)
        where = f" ({place.words})" if place else ""
        raise PluginError(f"{what} cannot be loaded: it raised {error_words(error)}{where}.") from error


def find_files(folder: Path) -> tuple[list[FileSource], dict[str, str]]:
    """Read the files of the plug-in folder; also why some cannot be read, a sentence each, by their names."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith(".py") and entry.name[0] != ".")
    except OSError:
        return [], {}
    found: list[FileSource] = []
    problems = {}
    for name in names[:MOST_FILES]:
        try:
            found.append(read_file(folder / name))
        except PluginError as error:
            problems[name] = str(error)
    for name in names[MOST_FILES:]:
        problems[name] = f"{one_line(name)} is not loaded: the plug-in folder has more than {MOST_FILES} files."
    return found, problems


def read_file(path: Path) -> FileSource:
    """Read a plug-in's file. Raises PluginError."""
    try:
        content = read_limited(path, LARGEST)
    except DamagedError as error:
        raise PluginError(f"{one_line(path.name)} is no plug-in: {error}.") from None
    except OSError as error:
        raise PluginError(f"{one_line(path.name)} {reason_of(error)}.") from None
    return FileSource(path, content, hashlib.sha256(content).hexdigest())


def find_packages() -> tuple[list[PackageSource], dict[str, str]]:
    """Find installed packages with plug-ins; also why some cannot be used, a sentence each, by their names."""
    found: list[PackageSource] = []
    problems = {}
    for point in importlib.metadata.entry_points(group=GROUP):
        name = point.dist.name if point.dist else point.name
        try:
            package = f"{name} {point.dist.version}" if point.dist else name
            code = _code_of(point.module)
            found.append(PackageSource(one_line(package), point.value, str(code), _fingerprint(code)))
        except Exception as error:  # whatever a damaged installation holds
            problems[name] = f"The package {one_line(name)} cannot be loaded: {error_words(error)}."
    return found, problems


def _code_of(module: str) -> Path:
    """The folder of a module's package, or its file; nothing of it is executed. Raises ImportError or ValueError."""
    top = module.partition(".")[0]
    spec = importlib.util.find_spec(top)
    if spec is None:
        raise ImportError(f"there is no module {top}")
    places = list(spec.submodule_search_locations or [])
    if not places and spec.origin is None:
        raise ImportError(f"module {top} has no file")
    return Path(places[0] if places else str(spec.origin))


def _fingerprint(code: Path) -> str:
    """SHA-256 of a file, or of the names and contents of all Python files of a package. Raises OSError."""
    if not code.is_dir():
        return hashlib.sha256(code.read_bytes()).hexdigest()
    total = hashlib.sha256()
    for path in sorted(code.rglob("*.py")):
        total.update(f"{path.relative_to(code).as_posix()}\0".encode(errors="surrogateescape"))
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def unload(source: Source) -> None:
    """Forget a source's code; objects of it that are in use stay as they are."""
    forget_code(source.code)
    if isinstance(source, FileSource):
        sys.modules.pop(source.module, None)
        linecache.cache.pop(source.code, None)
