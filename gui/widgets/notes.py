"""Notes below a table: one line, or all of them on request."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from gui.widgets.layouts import label
from gui.widgets.plain import tip


class Notes(QWidget):
    """Shows its sentences elided to one line; "More" shows all of them, "Less" one line again."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: Sequence[str] = ()
        self.words = label("", "muted")
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.more = QPushButton()
        self.more.setObjectName("inline")
        self.more.setCheckable(True)
        self.more.setToolTip("Show the notes in full, or in one line")
        self.more.toggled.connect(self._show)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.words, 1)
        row.addWidget(self.more, 0, Qt.AlignmentFlag.AlignTop)

    def show_notes(self, lines: Sequence[str]) -> None:
        """Show these sentences; with none, hide the widget."""
        self._lines = lines
        self.setToolTip(tip(*lines))
        self.setVisible(bool(lines))
        self._show()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the text to the new width."""
        super().resizeEvent(event)
        self._show()

    @Slot()
    def _show(self) -> None:
        text = " ".join(self._lines)
        room = self.width() - self.more.sizeHint().width() - 12
        self.words.setWordWrap(self.more.isChecked())
        fits = self.words.fontMetrics().horizontalAdvance(text) <= self.width() - 4
        self.more.setVisible(not fits)
        self.more.setText("Less" if self.more.isChecked() else "More")
        if fits:
            self.words.setText(text)
        elif self.more.isChecked():
            self.words.setText("\n".join(self._lines))
        else:
            self.words.setText(self.words.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room))
