"""What there is of a kind, by name, and which plug-in brought it: the methods, networks, metrics and data sets."""

from collections.abc import Callable, ItemsView, Iterator, Mapping, MutableMapping, ValuesView
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Origin:
    """The plug-in that something comes from.

    `plugin` and `version` are what it calls itself; `fingerprint` is the SHA-256, hexadecimal, of its file or of the
    files of its package; `place` is the path of the file, or the name of the package.
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
        return (
            f"{what} needs {self.words}, which is not loaded. Add or allow it under Plug-ins in the settings, or with "
            "main.py plugins."
        )


class Registry(MutableMapping[str, T]):
    """Things of one kind by name, in the order in which they came: the application's own first.

    What a run names and no loaded plug-in brings has a stand-in, so that the run can be looked at: it is found by its
    name, and is not among the things there are. Each change makes a new dict, so that one thread may go through it
    while another registers a plug-in.

    Parameters
    ----------
    known
        The application's own.
    stand_in_of
        Where stand-ins are made when they are asked for: returns one for a name, or raises KeyError.
    """

    def __init__(self, known: Mapping[str, T], stand_in_of: Callable[[str], T] | None = None) -> None:
        self._known = dict(known)
        self._origins: dict[str, Origin] = {}
        self._stand_ins: dict[str, tuple[T, Origin]] = {}
        self._stand_in_of = stand_in_of

    def __getitem__(self, name: str) -> T:
        if name in self._known:
            return self._known[name]
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
        """Return the things as they are now."""
        return self._known.values()

    def items(self) -> ItemsView[str, T]:
        """Return names and things as they are now."""
        return self._known.items()

    def add(self, name: str, value: T, origin: Origin) -> None:
        """Add what a plug-in brings. Raises ValueError where the name is taken."""
        if name in self._known:
            raise ValueError(f"{name} is taken")
        self[name] = value
        self._origins = self._origins | {name: origin}

    def origin(self, name: str) -> Origin | None:
        """Return the plug-in that brought it; None for what is the application's own."""
        return self._origins.get(name)

    def stand_in(self, name: str, value: T, origin: Origin) -> None:
        """Let a thing stand in for one that a plug-in brings, as long as it does not."""
        self._stand_ins = self._stand_ins | {name: (value, origin)}

    def every(self) -> list[T]:
        """Return all there is, and what stands in for what is not."""
        return [*self._known.values(), *(thing for name, (thing, _) in self._stand_ins.items() if name not in self)]

    def missing(self, name: str) -> Origin | None:
        """Return the plug-in that would bring what only has a stand-in; None for all else."""
        found = None if name in self._known else self._stand_ins.get(name)
        return found[1] if found else None
