"""Versions of the application and of the libraries that results depend on."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

from engine import __version__

RECORDED_LIBRARIES = ("torch", "torchvision", "numpy", "pydantic")


def library_versions() -> dict[str, str]:
    """Return the versions of the application and of the libraries that results depend on, by name."""
    return dict(_found())


@cache  # reading them takes longer than all else in creating a run
def _found() -> dict[str, str]:
    found = {"disentangle-studio": __version__}
    for library in RECORDED_LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
