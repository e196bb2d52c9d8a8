"""Where the Tab key goes, for widgets that are made later than those behind them: Qt puts these at the end."""

from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget


def follow(*parts: QWidget) -> None:
    """Let Tab go through these widgets, and what is in them, one after the other."""
    order = [each for part in parts for each in (part, *part.findChildren(QWidget)) if _takes_tab(each)]
    for one, other in pairwise(order):
        QWidget.setTabOrder(one, other)


def _takes_tab(widget: QWidget) -> bool:
    return bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus) and widget.focusProxy() is None
