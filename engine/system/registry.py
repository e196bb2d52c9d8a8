"""Registries of methods, networks, metrics and data sets by name, with the plug-ins that they come from."""

from collections.abc import Callable, ItemsView, Iterator, Mapping, MutableMapping, Sequence, ValuesView
from dataclasses import dataclass
from typing import TypeVar

from engine.system.program import NAME

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Origin:
    """The plug-in that something comes from.

    `plugin` and `version` are its name and version; `fingerprint` is the hexadecimal SHA-256 of its file or of the
    files of its package; `place` is the path of the file or the name of the package.
    """

    plugin: str
    version: str
    fingerprint: str
    place: str = ""

    @property
    def words(self) -> str:
        """The plug-in in a sentence, e.g. "the plug-in laplace-vae 1.0"."""
        return f"the plug-in {self.plugin} {self.version}"

    def needed_by(self, what: str) -> str:
        """Say that something needs the plug-in, which is not loaded, and what to do."""
        return needed({self: [what]})


def needed(missing: Mapping[Origin, Sequence[str]]) -> str:
    """Say which things need plug-ins that are not loaded, and what to do; empty without any."""
    each = [f"{_and(things)} need{'' if len(things) > 1 else 's'} {origin.words}" for origin, things in missing.items()]
    if not each:
        return ""
    words, they = "; ".join(each), ", which is not loaded" if len(each) == 1 else "; none of these is loaded"
    file, package = ("its file", "its package") if len(each) == 1 else ("their files", "their packages")
    where = f"Add or allow {file} under Plug-ins in the settings or with {NAME} plugins, or install {package}."
    return f"{words[:1].upper()}{words[1:]}{they}. {where}"


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


class Registry(MutableMapping[str, T]):
    """Objects of one kind by name, in order of registration, the application's own first.

    An object that a run names but no loaded plug-in provides has a stand-in, so that the run can be viewed: it is found
    by its name, but is not listed. Each change makes a new dict, so that one thread can iterate while another registers
    a plug-in.

    Parameters
    ----------
    known
        The application's own objects.
    stand_in_of
        A function that makes stand-ins on demand: it returns one for a name, or raises KeyError.
    unlisted
        Objects of the application that runs may name, but that cannot be chosen: they are found by name, not listed.
    """

    def __init__(
        self,
        known: Mapping[str, T],
        stand_in_of: Callable[[str], T] | None = None,
        unlisted: Mapping[str, T] | None = None,
    ) -> None:
        self._known = dict(known)
        self._unlisted = dict(unlisted or {})
        self._origins: dict[str, Origin] = {}
        self._stand_ins: dict[str, tuple[T, Origin]] = {}
        self._stand_in_of = stand_in_of

    def __getitem__(self, name: str) -> T:
        if name in self._known:
            return self._known[name]
        if name in self._unlisted:
            return self._unlisted[name]
        if self._stand_in_of is not None:
            return self._stand_in_of(name)
        return self._stand_ins[name][0]

    def __setitem__(self, name: str, value: T) -> None:
        self._known = self._known | {name: value}

    def __delitem__(self, name: str) -> None:
        if name not in self._known:
            raise KeyError(name)
        self._known = {key: value for key, value in self._known.items() if key != name}
        self._origins.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def values(self) -> ValuesView[T]:
        """Return the current objects."""
        return self._known.values()

    def items(self) -> ItemsView[str, T]:
        """Return the current names and objects."""
        return self._known.items()

    def add(self, name: str, value: T, origin: Origin) -> None:
        """Add an object of a plug-in. Raises ValueError if the name is taken."""
        if name in self._known or name in self._unlisted:
            raise ValueError(f"{name} is taken")
        self[name] = value
        self._origins = self._origins | {name: origin}

    def origin(self, name: str) -> Origin | None:
        """Return the plug-in that an object comes from; None for the application's own."""
        return self._origins.get(name)

    def stand_in(self, name: str, value: T, origin: Origin) -> None:
        """Set the stand-in for an object of a plug-in that is not loaded."""
        self._stand_ins = self._stand_ins | {name: (value, origin)}

    def is_unlisted(self, name: str) -> bool:
        """Return whether a name is that of an unlisted object."""
        return name in self._unlisted

    def every(self) -> list[T]:
        """Return all objects, and the stand-ins of those that are missing."""
        return [*self._known.values(), *(thing for name, (thing, _) in self._stand_ins.items() if name not in self)]

    def missing(self, name: str) -> Origin | None:
        """Return the plug-in of an object that has only a stand-in; None for all others."""
        found = None if name in self._known or name in self._unlisted else self._stand_ins.get(name)
        return found[1] if found else None
