"""Dialogs that ask where to save, shared by all pages."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSettings, QStandardPaths
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFileDialog, QMessageBox, QPushButton, QWidget

from engine.errors import ConfigError
from engine.system.plain_text import slug
from engine.system.reading import is_folder
from gui.widgets.plain import message_box
from gui.window.errors import Problem, show_problem

FOLDER = "save-folder"
"""Name of the setting that holds the last folder saved to."""


@dataclass(frozen=True, slots=True)
class Format:
    """A file format: the extension without its dot, and its title."""

    ending: str
    title: str


PNG, SVG, PDF = Format("png", "PNG image"), Format("svg", "SVG drawing"), Format("pdf", "PDF document")
PICTURES = (PNG, SVG, PDF)
CSV = Format("csv", "CSV table")
MARKDOWN = Format("md", "Markdown table")
ZIP = Format("zip", "ZIP archive")


def save_buttons(dialog: QDialog) -> tuple[QDialogButtonBox, QPushButton]:
    """Return the button box of a dialog that asks what to save, and its save button."""
    buttons = QDialogButtonBox()
    buttons.addButton(QPushButton("Cancel"), QDialogButtonBox.ButtonRole.RejectRole)
    save = QPushButton("Save as…")
    save.setObjectName("primary")
    save.setDefault(True)
    buttons.addButton(save, QDialogButtonBox.ButtonRole.AcceptRole)
    buttons.accepted.connect(dialog.accept)
    buttons.rejected.connect(dialog.reject)
    return buttons, save


def ask_file(parent: QWidget, settings: QSettings, title: str, name: str, formats: Sequence[Format]) -> Path | None:
    """Ask for a file to save to, proposing `name` without its extension; return None if the user cancels.

    The returned path has the extension of one of the formats; if it exists, the user has agreed to replace it.
    """
    dialog = QFileDialog(parent, title, str(last_folder(settings)))
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setFileMode(QFileDialog.FileMode.AnyFile)
    # Confirmed below, for the name including its extension.
    dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)
    filters = [f"{each.title} (*.{each.ending})" for each in formats]
    dialog.setNameFilters(filters)
    dialog.selectFile(name)
    try:
        while dialog.exec():
            chosen = formats[max(0, filters.index(dialog.selectedNameFilter()))]
            try:
                path = with_ending(Path(dialog.selectedFiles()[0]), chosen, formats)
            except ConfigError as error:
                show_problem(parent, title, Problem(str(error)))
                continue
            if not path.exists() or _may_replace(parent, title, path):
                settings.setValue(FOLDER, str(path.parent))
                return path
        return None
    finally:
        dialog.deleteLater()


def ask_new_folder(parent: QWidget, settings: QSettings, title: str, name: str) -> Path | None:
    """Ask where to create a new folder; return its path, which does not exist yet, or None if the user cancels."""
    chosen = QFileDialog.getExistingDirectory(parent, title, str(last_folder(settings)))
    if not chosen:
        return None
    settings.setValue(FOLDER, chosen)
    path, number = Path(chosen) / name, 1
    while path.exists():
        number += 1
        path = Path(chosen) / f"{name}-{number}"
    return path


def with_ending(path: Path, chosen: Format, formats: Sequence[Format]) -> Path:
    """Return a path, adding the chosen format's extension if it has none. Raises ConfigError for an unknown extension.

    A dot followed by a digit, as in "beta 0.5", does not start an extension.
    """
    endings = [each.ending for each in formats]
    if path.suffix.lower().lstrip(".") in endings:
        wanted = path
    elif re.fullmatch(r"\.[A-Za-z][A-Za-z0-9]{0,7}", path.suffix):
        known = " or ".join(f".{ending}" for ending in endings)
        raise ConfigError(
            f"{path.name} cannot be saved: the file must end in {known}. Use one of these extensions, or none to get "
            "that of the selected file type."
        )
    else:
        wanted = path.with_name(f"{path.name.rstrip('.')}.{chosen.ending}")
    if wanted.is_dir():
        raise ConfigError(f"{wanted.name} is a folder. Choose another file name.")
    return wanted


def proposed_name(runs: Sequence[str], content: str) -> str:
    """Return a file name without extension, made from the runs' names and the content."""
    return slug(f"{runs[0] if len(runs) == 1 else f'{len(runs)} runs'} {content}")


def last_folder(settings: QSettings) -> Path:
    """Return the last folder saved to; at first, or if it is gone, the user's documents folder."""
    kept = str(settings.value(FOLDER, ""))
    if kept and is_folder(Path(kept)):
        return Path(kept)
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return Path(documents) if Path(documents).is_dir() else Path.home()


def _may_replace(parent: QWidget, title: str, path: Path) -> bool:
    more = f"Replace it? It is in {path.parent}."
    box = message_box(QMessageBox.Icon.Question, title, f"{path.name} already exists.", more, parent=parent)
    replace = box.addButton("Replace", QMessageBox.ButtonRole.AcceptRole)
    other = box.addButton("Choose another name", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(other)
    box.exec()
    box.deleteLater()
    return box.clickedButton() is replace
