"""A dialog that asks for an integer."""

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from gui.widgets.layouts import label
from gui.widgets.number_box import WholeNumberBox


class NumberQuestion(QDialog):
    """Asks for an integer from `low` to `high`; `number` is first the default, then what was entered."""

    def __init__(self, parent: QWidget, title: str, words: str, number: int, low: int, high: int) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.box = WholeNumberBox()
        self.box.setRange(low, high)
        self.box.setValue(number)
        self.box.selectAll()
        text = label(words)
        text.setBuddy(self.box)
        self.box.setAccessibleName(title)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 16)
        layout.setSpacing(12)
        for widget in (text, self.box, buttons):
            layout.addWidget(widget)

    @property
    def number(self) -> int:
        """The number in the box."""
        return self.box.value()


def ask_whole_number(parent: QWidget, title: str, words: str, number: int, low: int, high: int) -> int | None:
    """Ask for an integer; return None if the dialog is cancelled."""
    question = NumberQuestion(parent, title, words, number, low, high)
    accepted = question.exec() == QDialog.DialogCode.Accepted
    question.deleteLater()
    return question.number if accepted else None
