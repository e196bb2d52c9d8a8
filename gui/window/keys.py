"""Every key of the window, in one list."""

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QWidget

ELSEWHERE = {
    "Ctrl+1 … Ctrl+4": "Training, Traversal, Metrics, Data",
    "Ctrl+F": "Filter the runs",
    "Alt+Up, Alt+Down": "In the queue: train a run earlier, later",
    "Ctrl+R": "On the Traversal tab: another image at random",
    "Alt+Left, Alt+Right": "On the Traversal tab: the image before, after",
    "Ctrl+V": "On the Traversal tab: take the picture on the clipboard",
    "Tab, Shift+Tab": "Next field, previous field",
    "Ctrl+Z": "Undo",
    "Ctrl+Shift+Z": "Redo",
}
"""Keys that belong to no button and no menu entry, or to one whose words change."""


def keys_of(window: QWidget) -> dict[str, str]:
    """Keys and what they do, read from the window's buttons and menu entries."""
    found = dict(ELSEWHERE)
    things: list[QAction | QAbstractButton] = [*window.findChildren(QAction), *window.findChildren(QAbstractButton)]
    for thing in things:
        keys = thing.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        named = thing.accessibleName() if isinstance(thing, QAbstractButton) else ""
        words = named or thing.text().replace("&", "").rstrip("…")
        if keys and words:
            found.setdefault(keys, words)
    return found
