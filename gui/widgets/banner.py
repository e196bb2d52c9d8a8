"""A message across the top of the page: what happened, what was kept and what to do."""

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton

from engine.system.plain_text import without_invisible
from gui.widgets.layouts import label

NOTE_MS = 15_000
"""How long a note stays; an error stays until it is dismissed."""


class Banner(QFrame):
    """Hidden until it has something to say. Errors and offers stay until they are answered, notes for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("banner")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 8, 8, 8)
        self.text = label("", wrap=True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout.addWidget(self.text, 1)
        self.action = QPushButton()
        self.action.clicked.connect(self._act)
        layout.addWidget(self.action, 0, Qt.AlignmentFlag.AlignTop)
        self.dismiss = QPushButton("Dismiss")
        self.dismiss.clicked.connect(self._dismissed)
        layout.addWidget(self.dismiss, 0, Qt.AlignmentFlag.AlignTop)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(NOTE_MS)
        self._timer.timeout.connect(self.hide)
        self._accepted: Callable[[], None] | None = None
        self._refused: Callable[[], None] | None = None
        self._later = ""
        self.hide()

    @Slot(str)
    def say(self, message: str) -> None:
        """Show what went wrong."""
        self._show(message, "error")

    def say_with(self, message: str, action: str, accepted: Callable[[], None]) -> None:
        """Show what went wrong, with a button that leads to where it can be put right."""
        self._show(message, "error", action)
        self._accepted = accepted

    def say_also(self, message: str) -> None:
        """Show what went wrong below an error that is not dismissed yet; nothing for an empty message."""
        if not message:
            return
        beside = self.text.text() if not self.isHidden() and self.property("kind") == "error" else ""
        self.say(f"{beside}\n{message}" if beside else message)

    @Slot(str)
    def withdraw(self, message: str) -> None:
        """Take back an error that holds no longer; what else is said stays."""
        self._later = _without(self._later, message)
        if self.isHidden() or self.property("kind") != "error":
            return
        left = _without(self.text.text(), message)
        if not left:
            self.hide()
        elif left != self.text.text():
            self.say(left)

    @Slot(str)
    def note(self, message: str) -> None:
        """Show something worth knowing that stops nothing; not in the place of an error or a question."""
        if self.isHidden() or self.property("kind") == "note":
            self._show(message, "note")
            self._timer.start()

    def offer(self, message: str, action: str, accepted: Callable[[], None], refused: Callable[[], None]) -> None:
        """Ask something with a button: `accepted` is called when it is pressed, `refused` when it is dismissed.

        An error that is not dismissed yet is shown again after the answer.
        """
        error = self.text.text() if not self.isHidden() and self.property("kind") == "error" else ""
        self._show(message, "offer", action)
        self._later = error
        self.dismiss.setText("Not now")
        self._accepted, self._refused = accepted, refused

    def note_undoable(self, message: str, undo: Callable[[], None]) -> None:
        """Show for a while what was done, with a button that takes it back."""
        self._show(message, "note", "Undo")
        self._accepted = undo
        self._timer.start()

    @Slot()
    def withdraw_undo(self) -> None:
        """Take back what `note_undoable` said: it was undone otherwise, or something else would be."""
        if self.property("kind") == "note" and self._accepted is not None:
            self.hide()

    def _show(self, message: str, kind: str, action: str = "") -> None:
        self._timer.stop()
        self._accepted = self._refused = None
        self.text.setText(without_invisible(message))
        self.action.setText(action)
        self.action.setVisible(bool(action))
        self.dismiss.setText("Dismiss")
        self.setProperty("kind", kind)
        self.style().unpolish(self)
        self.style().polish(self)
        self.show()

    @Slot()
    def _act(self) -> None:
        self._answer(self._accepted)

    @Slot()
    def _dismissed(self) -> None:
        self._answer(self._refused)

    def _answer(self, answered: Callable[[], None] | None) -> None:
        later, self._later = self._later, ""
        self.hide()
        if answered is not None:
            answered()
        self.say_also(later)

    def close_timer(self) -> None:
        """Stop counting down; the window closes."""
        self._timer.stop()


def _without(text: str, message: str) -> str:
    """Errors below each other, but for one of them."""
    return "\n".join(line for line in text.split("\n") if line != without_invisible(message))
