"""What the import of a plug-in must leave unchanged, so that values belong to the code that their runs name.

Our own functions, which runs without the plug-in use, too; and for a file, which alone has the fingerprint, no module
beside it may be imported. This finds mistakes and habits, not malice: a plug-in is a program.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any, TypeAlias

from engine.errors import PluginError

OURS = "engine"
"""The package whose functions and classes must remain unchanged."""

_Attributes: TypeAlias = dict[tuple[Any, str], Any]


@contextmanager
def ours_intact(what: str) -> Iterator[None]:
    """Undo changes to our functions and classes, and raise PluginError if there were any."""
    before = _attributes()
    yield
    changed = [at for at, value in before.items() if vars(at[0]).get(at[1]) is not value]
    classes = {value for value in before.values() if isinstance(value, type)}
    added = [  # libraries add special functions to classes when they first need them
        (owner, name)
        for owner, name in _attributes()
        if owner in classes and (owner, name) not in before and not name.startswith("__")
    ]
    for owner, name in changed:
        setattr(owner, name, before[owner, name])
    for owner, name in added:
        delattr(owner, name)
    if changed or added:
        owner, name = [*changed, *added][0]
        place = owner.__name__ if owner in sys.modules.values() else f"{owner.__module__}.{owner.__name__}"
        raise PluginError(
            f"{what} cannot be loaded: it replaces {name} of {place}, which runs that do not name it use, too. Derive "
            "a class, or write a function of its own."
        )


def _attributes() -> _Attributes:
    """Functions and classes of our modules, and functions of our classes, by their owner and name."""
    found: _Attributes = {}
    for module in [module for name, module in [*sys.modules.items()] if name.partition(".")[0] == OURS]:
        for name, value in [*vars(module).items()]:
            if not isinstance(value, FunctionType | type):
                continue
            found[module, name] = value
            if isinstance(value, type) and value.__module__ == module.__name__:
                functions = (FunctionType, classmethod, staticmethod, property)
                found |= {(value, own): it for own, it in [*vars(value).items()] if isinstance(it, functions)}
    return found


@contextmanager
def stands_alone(what: str, file: Path) -> Iterator[None]:
    """Raise PluginError if modules are imported from the file's own folder or from one that it adds to the path.

    These modules are forgotten, and the path is as before.
    """
    modules, path = set(sys.modules), [*sys.path]
    try:
        yield
    finally:
        folders = {str(file.parent), str(file.resolve().parent), *(set(sys.path) - set(path))} - {""}
        beside = {
            name: at for name in set(sys.modules) - modules if (at := _file_in(folders, name)) not in ("", str(file))
        }
        for name in beside:
            del sys.modules[name]
        sys.path[:] = path
    if beside:
        raise PluginError(
            f"{what} cannot be loaded: it imports {Path(min(beside.values())).name}, but only {what} itself is asked "
            "about and has a fingerprint. Put everything into one file, or make an installed package of it."
        )


def _file_in(folders: Iterable[str], name: str) -> str:
    """The file of a module, if it is in one of these folders; else empty."""
    file = getattr(sys.modules[name], "__file__", None) or ""
    return file if file and any(Path(file).is_relative_to(folder) for folder in folders) else ""
