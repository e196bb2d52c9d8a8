"""Moves runs to the system's trash and restores them."""

import shutil
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QFile, QStandardPaths

from engine.errors import RunError, RunLockedError
from engine.runs.run import Run


def move_to_trash(path: Path) -> Path | None:
    """Move a run's folder to the system's trash; return its new path, or None if the system does not report it.

    Raises RunLockedError if the run is being trained, RunError if it belongs to the gallery or if there is no trash for
    this folder.
    """
    run = Run.open(path)
    run.require_own()
    if run.is_locked():
        raise RunLockedError(f"{run.name} is still training. Stop it before moving it to the trash.")
    # On Linux the trash is in this folder, which Qt does not create.
    with suppress(OSError):
        Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)).mkdir(
            parents=True, exist_ok=True
        )
    file = QFile(str(path))
    if not file.moveToTrash():
        raise RunError(
            f"Could not move {path} to the trash: this disk has no trash, or it is not writable. "
            "The run is unchanged. To remove it permanently, delete its folder."
        )
    place = Path(file.fileName())  # updated by Qt where the system reports the new path
    return place if place != path else None


def restore(trashed: Path, path: Path) -> None:
    """Restore a run from the trash to its original path. Raises RunError."""
    if path.exists():
        raise RunError(
            f"Could not restore the run: {path} already exists. The run is still in the trash, as {trashed.name}."
        )
    try:
        shutil.move(trashed, path)
    except OSError as error:
        raise RunError(f"Could not restore the run from {trashed}: {error.strerror or error}.") from None
    # The freedesktop trash keeps an info file for each entry.
    (trashed.parent.parent / "info" / f"{trashed.name}.trashinfo").unlink(missing_ok=True)
