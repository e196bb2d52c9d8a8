"""Opens representations from elsewhere: asks for .npz files, or takes dropped ones, and keeps each as a run."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QFileDialog, QWidget

from engine.errors import StudioError
from engine.jobs.events import Finished, Imported, Job
from gui.runs.export import JobDialog
from gui.widgets.save_dialog import last_folder
from gui.widgets.words import count

TITLE = "Open representation"


def ask_representations(parent: QWidget, settings: QSettings) -> list[Path]:
    """Ask for files; empty if the user cancels."""
    names, _ = QFileDialog.getOpenFileNames(parent, TITLE, str(last_folder(settings)), "NumPy arrays (*.npz)")
    return [Path(name) for name in names]


def open_representations(parent: QWidget, root: Path, paths: Sequence[Path]) -> tuple[list[Path], str, str]:
    """Read these files in the background, each as a run, although others cannot be used.

    Returns the runs' folders, what was noticed, and why files cannot be used.
    """
    found: list[Path] = []
    failed: list[str] = []

    def job() -> Job:
        from engine.runs.stored_codes import import_representation

        said = ""
        for path in paths:
            try:
                for event in import_representation(path, root):
                    if isinstance(event, Imported):
                        found.append(event.run)
                    elif isinstance(event, Finished):
                        said = event.message
                    else:
                        yield event
            except StudioError as error:
                failed.append(str(error))
        several = f"Opened {count(len(found), 'representation')}"
        yield Finished(message=f"{said if len(found) == 1 else several}.")

    words = JobDialog(parent, TITLE, job, task="Reading").carry_out()
    return found, words, " ".join(failed)
