"""Says over a page what would happen if what is dragged there were dropped."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget

MARGIN = 12


class DropHint(QLabel):
    """Lies over its target while something that the target takes is dragged over it."""

    def __init__(self, target: QWidget) -> None:
        super().__init__(target)
        self._target = target
        self.setObjectName("drop")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setWordWrap(True)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)  # the drag goes on to the target
        self.hide()

    def invite(self, words: str) -> None:
        """Show what a drop would do."""
        self.setText(words)
        self.setGeometry(self._target.rect().adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN))
        self.show()
        self.raise_()
