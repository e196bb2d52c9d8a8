"""What can be dropped on the window: a folder, .npz files, networks, or Python files with plug-ins."""

from pathlib import Path

from PySide6.QtGui import QDropEvent

from engine.data.npz import open_npz
from engine.errors import StudioError
from gui.runs.import_network import is_network

PLUGIN = ".py"
"""Ending of a plug-in's file."""


def dropped_paths(event: QDropEvent, *, scores: bool) -> list[Path]:
    """Return the dropped folder or .npz file, files with codes, or Python files; empty for anything else.

    `scores` says whether they are dropped on the page that scores representations.
    """
    urls = event.mimeData().urls()
    if not urls or not all(url.isLocalFile() for url in urls):
        return []
    paths = [Path(url.toLocalFile()) for url in urls]
    data = len(paths) == 1 and (paths[0].is_dir() or is_arrays(paths[0]))
    known = all(map(is_plugin, paths)) or are_networks(paths) or are_representations(paths, scores=scores)
    return paths if data or known else []


def invitation(paths: list[Path], *, scores: bool) -> str:
    """Return what dropping these paths would do, on the page that scores representations or on another one."""
    several = len(paths) > 1
    if is_plugin(paths[0]):
        return "Drop the plug-ins to review them" if several else "Drop the plug-in to review it"
    if are_networks(paths):
        return "Drop encoder and decoder to import them" if several else "Drop the network to import it"
    if paths[0].is_dir():
        return "Drop the folder to use its images as data"
    if are_representations(paths, scores=scores):
        return "Drop the files to score their codes" if several else "Drop the file to score its codes"
    return "Drop the file to use its images as data"


def is_plugin(path: Path) -> bool:
    """Return whether a path is that of a Python file."""
    return path.suffix.lower() == PLUGIN and not path.is_dir()


def are_networks(paths: list[Path]) -> bool:
    """Return whether dropped files are an encoder, possibly with a decoder."""
    return 0 < len(paths) <= 2 and all(map(is_network, paths))


def is_arrays(path: Path) -> bool:
    """Return whether a path is that of an .npz file."""
    return path.suffix.lower() == ".npz" and not path.is_dir()


def are_representations(paths: list[Path], *, scores: bool) -> bool:
    """Return whether dropped files are taken as codes: on the page that scores them any arrays, else those without
    images.
    """
    return all(is_arrays(path) and (scores or _holds_only_codes(path)) for path in paths)


def _holds_only_codes(path: Path) -> bool:
    try:
        with open_npz(path) as file:
            return bool({"codes", "means"} & {*file.names}) and "images" not in file.names
    except StudioError:
        return False
