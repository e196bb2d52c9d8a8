"""Tab order of widgets that are created late, which Qt would put at the end."""

from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget


def follow(*parts: QWidget) -> None:
    """Make Tab move through these widgets and their children in this order; the lists of combo boxes are none."""
    window = parts[0].window()
    order = [
        each
        for part in parts
        for each in (part, *part.findChildren(QWidget))
        if _takes_tab(each) and each.window() is window
    ]
    for one, other in pairwise(order):
        QWidget.setTabOrder(one, other)


def _takes_tab(widget: QWidget) -> bool:
    return bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus) and widget.focusProxy() is None
