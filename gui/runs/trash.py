"""Runs to the system's trash, and back."""

import shutil
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QFile, QStandardPaths

from engine.errors import RunError, RunLockedError
from engine.runs.run import Run


def move_to_trash(path: Path) -> Path | None:
    """Put a run's folder into the system's trash; return where it is now, or None where the system does not say.

    Raises RunLockedError when the run is being trained, RunError when there is no trash for this folder.
    """
    run = Run.open(path)
    if run.is_locked():
        raise RunLockedError(f"{run.name} is being trained; stop it before it is moved to the trash.")
    # On Linux the trash is in here; Qt does not make the folder on a system that never had one.
    with suppress(OSError):
        Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)).mkdir(
            parents=True, exist_ok=True
        )
    file = QFile(str(path))
    if not file.moveToTrash():
        raise RunError(
            f"{path} cannot be moved to the trash: this disk has none, or it cannot be written. "
            "The run is as it was; to remove it for good, delete its folder."
        )
    place = Path(file.fileName())  # the name follows the file, where the system tells
    return place if place != path else None


def restore(trashed: Path, path: Path) -> None:
    """Put a run from the trash back where it was. Raises RunError."""
    if path.exists():
        raise RunError(f"The run cannot be put back: {path} is taken. It is still in the trash, as {trashed.name}.")
    try:
        shutil.move(trashed, path)
    except OSError as error:
        raise RunError(f"The run cannot be put back from {trashed}: {error.strerror or error}.") from None
    # The freedesktop trash keeps a note beside what is in it.
    (trashed.parent.parent / "info" / f"{trashed.name}.trashinfo").unlink(missing_ok=True)
