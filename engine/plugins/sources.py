"""Where plug-ins come from: files in the plug-in folder, and entry points of installed packages.

A file is read once: the bytes whose fingerprint was allowed are those that are executed. A package is imported only
while its files are those of its fingerprint, and once in a process.
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
from engine.plugins.intact import ours_intact, stands_alone
from engine.system.plain_text import one_line
from engine.system.reading import DamagedError, read_limited, reason_of
from engine.system.user_code import error_words, forget_code, place_of_error, register_code

GROUP = "disentangle_studio.plugins"
"""The group of entry points in which an installed package names its plug-ins."""

LARGEST = 1_000_000
"""Maximum size of a plug-in's file in bytes."""

LARGE = 2**26
"""Bytes of a package's file that are read for its fingerprint, so that the start does not wait for data."""

MOST_FILES = 200
"""Maximum number of files read from the plug-in folder."""

NO_PLUGIN = "defines no PLUGIN. A plug-in ends with PLUGIN = Plugin(name=..., version=..., interface=1, ...)"


_BYTECODE = (".pyc", ".pyo")

_imported: dict[str, str] = {}
"""Fingerprints of the packages that this process has imported, by module: importing one again executes nothing."""


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file of the plug-in folder, as it was read."""

    path: Path
    content: bytes = field(repr=False)
    fingerprint: str

    @property
    def key(self) -> str:
        """Its key in the list of plug-ins: the file's name."""
        return self.path.name

    @property
    def place(self) -> str:
        """Its path, as text to show."""
        return str(self.path)

    @property
    def code(self) -> str:
        """The file that its code is in."""
        return str(self.path)

    @property
    def module(self) -> str:
        """The name of its module, by which other processes find its classes."""
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
            with stands_alone(self.key, self.path), _loading(self.key, self.code):
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
    """The folder of the package, or the file of a module without one."""
    fingerprint: str

    @property
    def key(self) -> str:
        """Its key in the list of plug-ins: the package, without its version."""
        return self.package.partition(" ")[0]

    @property
    def place(self) -> str:
        """The package, as text to show."""
        return self.key

    def execute(self) -> object:
        """Import the module, and return what the entry point names. Raises PluginError."""
        module, _, attribute = self.entry.partition(":")
        top = module.partition(".")[0]
        with _loading(f"The package {self.key}", self.code):
            if _imported.setdefault(top, _fingerprint(self.key, Path(self.code))) != self.fingerprint:
                raise PluginError(
                    f"The package {self.key} has changed since it was loaded. Restart the application to use it as "
                    "it is now."
                )
            found: object = importlib.import_module(module)
            for part in (attribute or "PLUGIN").split("."):
                found = getattr(found, part)
        return found


Source = FileSource | PackageSource


@contextlib.contextmanager
def _loading(what: str, code: str) -> Iterator[None]:
    """Turn any error into a PluginError that names the line; what is printed goes to stderr."""
    register_code(code, what)
    try:
        with ours_intact(what), contextlib.redirect_stdout(sys.stderr):
            yield
    except PluginError:
        raise
    except (Exception, SystemExit) as error:
        place = place_of_error(error)
        where = f" ({place.words})" if place else ""
        raise PluginError(f"{what} cannot be loaded: it raised {error_words(error)}{where}.") from error


def find_files(folder: Path) -> tuple[list[FileSource], dict[str, str]]:
    """Read the files of the plug-in folder; also return why some cannot be read, a sentence each, by name."""
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
        raise PluginError(f"{one_line(path.name)} is not a plug-in: {error}.") from None
    except OSError as error:
        raise PluginError(f"{one_line(path.name)} {reason_of(error)}.") from None
    return FileSource(path, content, hashlib.sha256(content).hexdigest())


def find_packages() -> tuple[list[PackageSource], dict[str, str]]:
    """Find installed packages with plug-ins; also return why some cannot be used, a sentence each, by name."""
    found: list[PackageSource] = []
    problems = {}
    for point in importlib.metadata.entry_points(group=GROUP):
        name = point.dist.name if point.dist else point.name
        try:
            package = f"{name} {point.dist.version}" if point.dist else name
            code = _code_of(point.module)
            found.append(PackageSource(one_line(package), point.value, str(code), _fingerprint(name, code)))
        except Exception as error:  # whatever a damaged installation holds
            problems[name] = f"The package {one_line(name)} cannot be loaded: {error_words(error)}."
    return found, problems


def _code_of(module: str) -> Path:
    """The folder of a module's package, or its file, without executing it. Raises ImportError or ValueError."""
    top = module.partition(".")[0]
    spec = importlib.util.find_spec(top)
    if spec is None:
        raise ImportError(f"there is no module {top}")
    places = list(spec.submodule_search_locations or [])
    if not places and spec.origin is None:
        raise ImportError(f"module {top} has no file")
    return Path(places[0] if places else str(spec.origin))


def _fingerprint(distribution: str, code: Path) -> str:
    """SHA-256 of the names and contents of a package's files. Raises OSError.

    They are all files below its folder, compiled libraries and data among them, and what else was installed with it.
    """
    files = {code.name: code} if code.is_file() else {path.relative_to(code).as_posix(): path for path in _below(code)}
    total = hashlib.sha256()
    for name, path in sorted((files | _installed(distribution, code)).items()):
        total.update(f"{name}\0".encode(errors="surrogateescape") + _digest(path))
    return total.hexdigest()


def _digest(path: Path) -> bytes:
    """SHA-256 of a file; of one larger than `LARGE`, which is no code, of its size and its first `LARGE` bytes."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size <= LARGE:
            return hashlib.file_digest(file, "sha256").digest()
        return hashlib.sha256(f"{size}\0".encode() + file.read(LARGE)).digest()


def _below(folder: Path) -> Iterator[Path]:
    """Files below a folder, without bytecode, which Python derives from them."""
    return (path for path in folder.rglob("*") if path.suffix not in _BYTECODE and path.is_file())


def _installed(distribution: str, code: Path) -> dict[str, Path]:
    """Files outside of a package's folder that pip installed with it, by name: other modules that it may import."""
    try:
        listed = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    found = {}
    for file in listed:
        # An editable installation only has links to its code.
        ours = not file.parts[0].endswith((".dist-info", ".egg-info")) and not file.name.startswith("__editable__")
        path = Path(str(file.locate()))
        if (
            ours
            and ".." not in file.parts
            and file.suffix not in (*_BYTECODE, ".pth")
            and code not in (path, *path.parents)
        ):
            found[f"/{file.as_posix()}"] = path
    return found


def unload(source: Source) -> None:
    """Forget the code of a source; its objects that are in use remain."""
    forget_code(source.code)
    if isinstance(source, FileSource):
        sys.modules.pop(source.module, None)
        linecache.cache.pop(source.code, None)
