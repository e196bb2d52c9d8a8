"""Shortcuts without a button or menu entry."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget


def add_shortcut(
    widget: QWidget,
    text: str,
    keys: str | QKeySequence.StandardKey,
    slot: Callable[[], object],
    *,
    within: bool = False,
) -> QAction:
    """Give a widget an action with a shortcut, which the command palette and the list of keys show with this text.

    It works in the whole window while the widget is visible or, with `within`, while the widget or one inside it has
    the focus.
    """
    action = QAction(text, widget)
    action.setShortcut(QKeySequence(keys))
    if within:
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    action.triggered.connect(slot)
    widget.addAction(action)
    return action
