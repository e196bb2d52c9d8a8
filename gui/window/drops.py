"""What can be dropped on the window: a folder or an .npz file, or Python files with plug-ins."""

from pathlib import Path

from PySide6.QtGui import QDropEvent

PLUGIN = ".py"
"""Ending of a plug-in's file."""


def dropped_paths(event: QDropEvent) -> list[Path]:
    """Return the dropped folder or .npz file, or the dropped Python files; empty for anything else."""
    urls = event.mimeData().urls()
    if not all(url.isLocalFile() for url in urls):
        return []
    paths = [Path(url.toLocalFile()) for url in urls]
    data = len(paths) == 1 and (paths[0].is_dir() or paths[0].suffix.lower() == ".npz")
    return paths if data or all(is_plugin(path) for path in paths) else []


def invitation(paths: list[Path]) -> str:
    """Return what dropping these paths would do."""
    if is_plugin(paths[0]):
        return "Drop the plug-in to review it" if len(paths) == 1 else "Drop the plug-ins to review them"
    return (
        "Drop the folder to use its images as data" if paths[0].is_dir() else "Drop the file to use its images as data"
    )


def is_plugin(path: Path) -> bool:
    """Return whether a path is that of a Python file."""
    return path.suffix.lower() == PLUGIN and not path.is_dir()
