"""Loading plug-ins: those of the folder that the user allowed, and those of installed packages.

What was never imported with these versions of the libraries is first imported in a child process with a time limit: a
plug-in that hangs or crashes there costs nothing. Every error is a sentence about its plug-in; the others are loaded.
"""

import platform
import threading
import time
from collections.abc import Collection, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from pathlib import Path

from engine.errors import PluginError
from engine.jobs.events import Event, Idle, Job, Request
from engine.jobs.processes import prepare_children
from engine.plugins.sources import FileSource, PackageSource, Source, find_files, find_packages, read_file, unload
from engine.system.consent import Consent
from engine.system.files import is_link, write_bytes
from engine.system.plain_text import one_line
from engine.system.reading import path_exists
from engine.system.user_code import error_words, register_code
from engine.system.versions import library_versions

IMPORT_SECONDS = 30.0
"""Time limit of an import; one that loads torch takes some seconds."""


class Standing(StrEnum):
    """The state of a plug-in."""

    LOADED = "loaded"
    NEW = "new"
    CHANGED = "changed"
    REFUSED = "refused"
    FAILED = "not loaded"
    ALLOWED = "allowed"

    @property
    def open(self) -> bool:
        """Whether the user has not answered yet."""
        return self in (Standing.NEW, Standing.CHANGED)


@dataclass(frozen=True, slots=True)
class Listed:
    """A plug-in, as a list shows it. `key` is the name of its file or package.

    `name`, `version` and `about` are the plug-in's own, empty while it is not loaded; `provides` lists the
    names of what it provides, by kind. `problem` says why it is not loaded, or what a change waits for.
    """

    key: str
    standing: Standing
    place: str
    fingerprint: str = ""
    problem: str = ""
    name: str = ""
    version: str = ""
    about: str = ""
    provides: dict[str, tuple[str, ...]] = field(default_factory=dict)
    is_file: bool = True

    @property
    def title(self) -> str:
        """Its name and version, or its file."""
        return f"{self.name} {self.version}" if self.name else one_line(self.key)


@dataclass(frozen=True, slots=True)
class Tried(Event):
    """A plug-in was imported: its PLUGIN, or what went wrong."""

    source: Source
    plugin: object = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Loaded:
    source: Source
    name: str


class Plugins:
    """The plug-ins of this process: those found, allowed and loaded.

    `rescan` finds them, the job that `loading` returns imports those that are allowed, and `take` registers what they
    provide. Except for that job, everything happens in one thread.
    """

    def __init__(self, folder: Path, consent: Consent) -> None:
        self.folder, self.consent = folder, consent
        self._found: dict[str, Source] = {}
        self._broken: dict[str, str] = {}
        """Why files and packages cannot be read, by their names."""
        self._loaded: dict[str, _Loaded] = {}
        self._problems: dict[tuple[str, str], str] = {}
        """Why plug-ins cannot be loaded, by their keys and fingerprints."""
        self._waiting: dict[str, str] = {}
        """Why loaded plug-ins cannot be replaced or removed yet, by their keys."""
        self._answers = consent.read()

    # What there is

    def rescan(self) -> None:
        """Rescan files and packages, and reread the user's answers."""
        files, broken = find_files(self.folder)
        packages, damaged = find_packages()
        every: list[Source] = [*files, *packages]
        self._found = {source.key: source for source in every}
        self._broken = broken | damaged
        self._answers = self.consent.read()

    @property
    def problem(self) -> str:
        """Why the user's answers cannot be read; empty if they can."""
        return self._answers.problem

    def listed(self) -> list[Listed]:
        """Return all plug-ins, files first."""
        keys = sorted(
            self._found.keys() | self._broken.keys() | self._loaded.keys(), key=lambda key: (not _is_file(key), key)
        )
        return [self._list(key) for key in keys]

    def find(self, name: str) -> Listed:
        """Return the plug-in with this name, its own or that of its file or package. Raises PluginError."""
        every = self.listed()
        for listed in every:
            if name in (listed.key, listed.name, listed.key.removesuffix(".py"), listed.place):
                return listed
        there = f" There are: {', '.join(one_line(each.key) for each in every)}." if every else ""
        if not all(each.name for each in every):
            there += " Until it is loaded, a plug-in goes by the name of its file."
        raise PluginError(f"There is no plug-in {one_line(name)} in {self.folder}.{there}")

    def _list(self, key: str) -> Listed:
        source, loaded = self._found.get(key), self._loaded.get(key)
        current = source or (loaded.source if loaded else None)
        if current is None or (key in self._broken and loaded is None):
            return Listed(
                key, Standing.FAILED, str(self.folder / key) if _is_file(key) else key, "", self._broken[key],
                is_file=_is_file(key),
            )  # fmt: skip
        waits = self._waiting.get(key, "")
        if isinstance(current, PackageSource) and loaded and loaded.source.fingerprint != current.fingerprint:
            waits = "Another version of the package is installed; it is loaded at the next start."
        listed = Listed(
            key,
            self._standing(source or current),
            current.place,
            current.fingerprint,
            waits or self._broken.get(key) or self._problems.get((key, current.fingerprint), ""),
            is_file=isinstance(current, FileSource),
        )
        return listed if loaded is None else _described(listed, loaded.name)

    def _standing(self, source: Source) -> Standing:
        loaded = self._loaded.get(source.key)
        # A package is imported once: another version of it waits for the next start.
        if loaded is not None and (
            loaded.source.fingerprint == source.fingerprint or isinstance(source, PackageSource)
        ):
            return Standing.LOADED
        answer = "allowed" if isinstance(source, PackageSource) else self._answers.answer(source.fingerprint)
        if answer is None:
            return Standing.CHANGED if loaded or self._answers.knows(source.key) else Standing.NEW
        if answer == "refused":
            return Standing.REFUSED
        return Standing.FAILED if (source.key, source.fingerprint) in self._problems else Standing.ALLOWED

    # Loading

    def loading(self, *, known_only: bool = False) -> Job | None:
        """Return a job that imports what is allowed and not loaded yet; None if there is nothing to import.

        It yields Tried for each plug-in, to be passed to `take`. What was never imported with these versions of the
        libraries is first imported in a child process or, with `known_only`, left out. What `wait` delays is left out.
        """
        allowed = [
            source
            for source in self._found.values()
            if self._standing(source) is Standing.ALLOWED and source.key not in self._waiting
        ]
        known = {source.key for source in allowed if self._answers.imported.get(source.fingerprint) == _versions()}
        wanted = [source for source in allowed if source.key in known or not known_only]
        return _imports(wanted, known) if wanted else None

    def take(self, tried: Tried) -> None:
        """Register what an imported plug-in provides, replacing its older version, or keep the reason why not."""
        source = tried.source
        if tried.problem:
            if source.key not in self._loaded:
                unload(source)
            self._problems[source.key, source.fingerprint] = tried.problem
            return
        if source.key in self._loaded:
            self._unregister(source.key)
        try:
            name = _register(source, tried.plugin)
        except PluginError as error:
            unload(source)
            self._problems[source.key, source.fingerprint] = str(error)
            self._prepare_children()
            return
        self._loaded[source.key] = _Loaded(source, name)
        self._prepare_children()
        with suppress(PluginError):  # it is tried in a child again the next time
            self.consent.note_imported(source.fingerprint, _versions())

    def load(self, *, known_only: bool = False) -> None:
        """Find and load what is allowed, and unload what was removed or refused, without returning before."""
        self.rescan()
        for key in self.stale():
            self.unload(key)
        for event in self.loading(known_only=known_only) or ():
            if isinstance(event, Tried):
                self.take(event)

    def retry(self, listed: Listed) -> None:
        """Forget why a plug-in could not be loaded, so that it is tried again."""
        self._problems.pop((listed.key, listed.fingerprint), None)

    def _prepare_children(self) -> None:
        prepare_children(load_in_child, *(loaded.source for loaded in self._loaded.values()))

    # Changes

    def stale(self) -> list[str]:
        """Return the keys of loaded plug-ins that must be unloaded, since they were removed or refused."""
        return [key for key, loaded in self._loaded.items() if self._is_stale(loaded)]

    def _is_stale(self, loaded: _Loaded) -> bool:
        source = self._found.get(loaded.source.key)
        if source is None:
            return loaded.source.key not in self._broken
        if isinstance(source, PackageSource):
            return False
        refused = self._answers.answer(loaded.source.fingerprint) == "refused"
        return refused or self._answers.answer(source.fingerprint) == "refused"

    def replaced(self) -> list[str]:
        """Return the keys of loaded plug-ins that `loading` replaces by another version, which is allowed."""
        return [
            key
            for key in self._loaded
            if (source := self._found.get(key)) is not None and self._standing(source) is Standing.ALLOWED
        ]

    def unload(self, key: str) -> None:
        """Unload a plug-in and remove what it provides; no job that uses it may be running."""
        unload(self._loaded[key].source)
        self._unregister(key)
        self._prepare_children()

    def _unregister(self, key: str) -> None:
        from engine.plugins.registering import unregister

        unregister(self._loaded.pop(key).name)
        self._waiting.pop(key, None)

    def name_of(self, key: str) -> str:
        """Return the name of a loaded plug-in."""
        return self._loaded[key].name

    def wait(self, key: str, reason: str) -> None:
        """Delay the replacement or removal of a loaded plug-in, with the reason; an empty reason ends the delay."""
        self._waiting.pop(key, None)
        if reason:
            self._waiting[key] = reason

    # The user's answers

    def allow(self, listed: Listed) -> None:
        """Allow a file to be loaded in the listed version. Raises PluginError."""
        self._require_file(listed)
        self.consent.give(listed.fingerprint, listed.key, "allowed")
        self.retry(listed)
        self._answers = self.consent.read()

    def refuse(self, listed: Listed) -> None:
        """Refuse to load a file in the listed version. Raises PluginError."""
        self._require_file(listed)
        self.consent.give(listed.fingerprint, listed.key, "refused")
        self._answers = self.consent.read()

    def remove(self, listed: Listed) -> None:
        """Remove a file from the plug-in folder, and forget the answer. Raises PluginError."""
        if not listed.is_file:
            raise PluginError(f"{listed.key} is an installed package: remove it with pip uninstall {listed.key}.")
        path = self.folder / listed.key
        try:
            if path.is_dir() and not is_link(path):
                raise PluginError(f"{path} is a folder; remove it yourself.")
            path.unlink(missing_ok=True)
        except OSError as error:
            raise PluginError(f"{path} cannot be removed: {error.strerror or error}.") from None
        if listed.fingerprint:
            self.consent.forget(listed.fingerprint)
        self.rescan()

    def add(self, source: FileSource, *, replace_existing: bool = False) -> Listed:
        """Copy a file that `check_file` has read to the plug-in folder, not allowed yet. Raises PluginError."""
        target = self.folder / source.key
        try:
            if path_exists(target) or is_link(target):
                if not is_link(target) and target.is_file() and target.read_bytes() == source.content:
                    self.rescan()
                    return self._list(source.key)
                if not replace_existing:
                    raise PluginError(
                        f"There is already a {source.key} in {self.folder}, with other content. Remove it first, or "
                        "replace it: plugins add --replace."
                    )
            self.folder.mkdir(parents=True, exist_ok=True)
            write_bytes(target, source.content)
        except OSError as error:
            raise PluginError(f"{source.key} cannot be copied to {self.folder}: {error.strerror or error}.") from None
        self.rescan()
        return self._list(source.key)

    def content(self, listed: Listed) -> bytes:
        """Return the content of a file in the listed version; empty if it has changed since."""
        found = self._found.get(listed.key)
        if isinstance(found, FileSource) and found.fingerprint == listed.fingerprint:
            return found.content
        return b""

    def _require_file(self, listed: Listed) -> None:
        if not listed.is_file:
            raise PluginError(
                f"{listed.key} is an installed package: it is loaded without being allowed. Remove it with "
                f"pip uninstall {listed.key}."
            )
        if not listed.fingerprint:
            raise PluginError(listed.problem)


def check_file(path: Path) -> FileSource:
    """Read a file that is to be added. Raises PluginError if it cannot be a plug-in."""
    if path.suffix != ".py" or path.name.startswith("."):
        raise PluginError(f"{one_line(path.name)} is not a plug-in: a plug-in is a Python file, name.py.")
    return read_file(path)


def load_in_child(*sources: Source) -> str:
    """Load in a child process what its parent has loaded, from the same bytes; return what went wrong."""
    problems = []
    for source in sources:
        try:
            _register(source, source.execute())
        except PluginError as error:
            unload(source)
            problems.append(str(error))
    return " ".join(problems)


def _register(source: Source, plugin: object) -> str:
    """Register what a plug-in provides, and return its name. Raises PluginError."""
    from engine.plugins.registering import PLUGINS, register
    from engine.system.registry import Origin

    known = set(PLUGINS)
    try:
        register(plugin, Origin("", "", source.fingerprint, source.place))
    except PluginError:
        raise
    except Exception as error:  # a computed attribute may raise anything
        raise PluginError(f"{source.place}: {error_words(error)}.") from error
    [name] = set(PLUGINS) - known
    register_code(source.code, name)
    return name


def _described(listed: Listed, name: str) -> Listed:
    from engine.plugins.registering import PLUGINS

    plugin = PLUGINS[name]
    return replace(listed, name=name, version=plugin.version, about=one_line(plugin.about), provides=plugin.kinds)


def _is_file(key: str) -> bool:
    return key.endswith(".py")


def _versions() -> str:
    """What an import depends on besides the plug-in, as text."""
    versions = library_versions() | {"python": platform.python_version()}
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _imports(sources: Iterable[Source], known: Collection[str]) -> Job:
    for source in sources:
        problem = "" if source.key in known else (yield from _try(source))
        if problem:
            yield Tried(source, problem=problem)
            continue
        try:
            plugin = yield from _executed(source)
        except PluginError as error:
            yield Tried(source, problem=str(error))
        else:
            yield Tried(source, plugin)


def _try(source: Source) -> Generator[Event, Request | None, str]:
    """Import a plug-in in a child process; return what went wrong. Yields Idle meanwhile."""
    from engine.jobs.workers import Outcome, Worker

    register_code(source.code, source.key)
    worker = Worker(source.key, prepared=False)
    try:
        worker.begin(_trial, source)
        end = time.monotonic() + IMPORT_SECONDS
        while time.monotonic() < end:
            yield Idle()
            if worker.connection.poll(0.1):
                message = worker.receive()
                if isinstance(message, Outcome):
                    return str(message.error or "")
        place = worker.look()
        return _too_long(source, f" ({place.words})" if place else "")
    finally:
        worker.end()


def _trial(source: Source) -> Job:
    """Execute a plug-in and check that it can be registered, in a child. Raises PluginError."""
    yield Idle()
    _register(source, source.execute())


def _executed(source: Source) -> Generator[Event, Request | None, object]:
    """Execute a source, for no longer than `IMPORT_SECONDS`. Yields Idle meanwhile. Raises PluginError."""
    result: list[object] = []
    errors: list[PluginError] = []

    def execute() -> None:
        try:
            result.append(source.execute())
        except PluginError as error:
            errors.append(error)

    thread = threading.Thread(target=execute, name=f"plug-in {source.key}", daemon=True)
    thread.start()
    end = time.monotonic() + IMPORT_SECONDS
    while thread.is_alive() and (left := end - time.monotonic()) > 0:
        thread.join(min(left, 0.1))
        yield Idle()
    if errors:
        raise errors[0]
    if not result:
        raise PluginError(_too_long(source))
    return result[0]


def _too_long(source: Source, where: str = "") -> str:
    return f"{source.key} is not loaded: its import did not finish within {IMPORT_SECONDS:g} seconds{where}."


def plugins_of_this_user() -> Plugins:
    """Return the plug-ins of the user's configuration folder: one object in each process."""
    from engine.system.paths import plugins_file, plugins_folder

    return _plugins_in(plugins_folder(), plugins_file())


@cache
def _plugins_in(folder: Path, answers: Path) -> Plugins:
    return Plugins(folder, Consent(answers))
