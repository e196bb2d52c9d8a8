"""Notes below a table: one line, and on request all of them."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from gui.widgets.layouts import label
from gui.widgets.plain import tip


class Notes(QWidget):
    """Shows as much of its sentences as a line has room for; "More" shows all, "Less" a line again."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: Sequence[str] = ()
        self.words = label("", "muted")
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.more = QPushButton()
        self.more.setObjectName("inline")
        self.more.setCheckable(True)
        self.more.setToolTip("Show the notes whole, or in one line")
        self.more.toggled.connect(self._show)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.words, 1)
        row.addWidget(self.more, 0, Qt.AlignmentFlag.AlignTop)

    def show_notes(self, lines: Sequence[str]) -> None:
        """Show these sentences; none hides the widget."""
        self._lines = lines
        self.setToolTip(tip(*lines))
        self.setVisible(bool(lines))
        self._show()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Take the room that there is now."""
        super().resizeEvent(event)
        self._show()

    @Slot()
    def _show(self) -> None:
        whole = " ".join(self._lines)
        room = self.width() - self.more.sizeHint().width() - 12
        self.words.setWordWrap(self.more.isChecked())
        fits = self.words.fontMetrics().horizontalAdvance(whole) <= self.width() - 4
        self.more.setVisible(not fits)
        self.more.setText("Less" if self.more.isChecked() else "More")
        if fits:
            self.words.setText(whole)
        elif self.more.isChecked():
            self.words.setText("\n".join(self._lines))
        else:
            self.words.setText(self.words.fontMetrics().elidedText(whole, Qt.TextElideMode.ElideRight, room))
