"""A list of all keyboard shortcuts of the window."""

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QWidget

ELSEWHERE = {
    "Ctrl+1 … Ctrl+4": "Training, Traversal, Metrics, Data",
    "Ctrl+F": "Filter runs",
    "Alt+Up, Alt+Down": "In the queue: train a run earlier or later",
    "Ctrl+R": "On the Traversal page: random image",
    "Alt+Left, Alt+Right": "On the Traversal page: previous or next image",
    "Ctrl+V": "On the Traversal page: paste an image from the clipboard",
    "Tab, Shift+Tab": "Next field, previous field",
    "Ctrl+Z": "Undo",
    "Ctrl+Shift+Z": "Redo",
}
"""Shortcuts without a button or menu entry, or whose text changes."""


def keys_of(window: QWidget) -> dict[str, str]:
    """Return all shortcuts and their actions, read from the window's buttons and menu entries."""
    found = dict(ELSEWHERE)
    things: list[QAction | QAbstractButton] = [*window.findChildren(QAction), *window.findChildren(QAbstractButton)]
    for thing in things:
        keys = thing.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        named = thing.accessibleName() if isinstance(thing, QAbstractButton) else ""
        words = named or thing.text().replace("&", "").rstrip("…")
        if keys and words:
            found.setdefault(keys, words)
    return found
