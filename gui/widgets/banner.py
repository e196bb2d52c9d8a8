"""A message across the top of the page: what happened, what was kept and what to do."""

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton

from gui.widgets.layouts import label


class Banner(QFrame):
    """Hidden until it has something to say; stays until it is dismissed or replaced."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("banner")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 8, 8, 8)
        self.text = label("", wrap=True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout.addWidget(self.text, 1)
        close = QPushButton("Dismiss")
        close.clicked.connect(self.hide)
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    @Slot(str)
    def say(self, message: str) -> None:
        """Show what went wrong."""
        self._show(message, "error")

    @Slot(str)
    def note(self, message: str) -> None:
        """Show something worth knowing that stops nothing."""
        self._show(message, "note")

    def _show(self, message: str, kind: str) -> None:
        self.text.setText(message)
        self.setProperty("kind", kind)
        self.style().unpolish(self)
        self.style().polish(self)
        self.show()
