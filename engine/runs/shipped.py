"""Runs that come with the application: the models of the gallery, which are never written to."""

from pathlib import Path

from engine.errors import RunError

GALLERY_FILE = "gallery.json"
"""The file by which a run is one of the gallery's."""

READ_ONLY = "belongs to the gallery and cannot be changed. “Copy to my runs” in its menu makes a run of your own."
"""What is said of such a run, after its name."""


def is_shipped(folder: Path) -> bool:
    """Return whether a run's folder is one of the gallery's."""
    return (folder / GALLERY_FILE).exists()


def require_own(folder: Path, name: str) -> None:
    """Raise RunError for a run of the gallery; `name` is the run's."""
    if is_shipped(folder):
        raise RunError(f"{name} {READ_ONLY}")
