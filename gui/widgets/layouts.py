"""Cards, titles and labels: the pieces every page is laid out with."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout


class Card(QFrame):
    """A rounded panel with a title row; add to `body`, and to `head` what belongs beside the title."""

    def __init__(self, title: str, note: str = "") -> None:
        super().__init__()
        self.setObjectName("card")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 12)
        layout.setSpacing(8)
        self.head = QHBoxLayout()
        self.head.setSpacing(8)
        self.title = label(title, "title")
        self.head.addWidget(self.title)
        self.note = label(note, "muted")
        self.head.addWidget(self.note)
        self.head.addStretch(1)
        layout.addLayout(self.head)
        self.body = QVBoxLayout()
        self.body.setSpacing(6)
        layout.addLayout(self.body, 1)


def label(text: str, name: str = "", *, wrap: bool = False) -> QLabel:
    """Return a label in one of the theme's styles ("title", "muted", "warning", "error", "empty", "pill")."""
    made = QLabel(text)
    if name:
        made.setObjectName(name)
    made.setWordWrap(wrap)
    return made


def empty_state(text: str) -> QLabel:
    """Return what a page shows while there is nothing to show: what to do first, in the middle."""
    made = label(text, "empty", wrap=True)
    made.setAlignment(Qt.AlignmentFlag.AlignCenter)
    made.setMargin(24)
    return made
