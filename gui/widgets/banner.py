"""A message over the lower right corner of the page: what happened, what was kept, and what to do."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QRect, Qt, QTimer, Slot
from PySide6.QtGui import QEnterEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from engine.system.plain_text import without_invisible
from gui.widgets.layouts import label
from gui.widgets.theme import px

NOTE_MS = 15_000
"""How long a note stays once the pointer is not on it; an error stays until it is dismissed."""

DISMISS, NOT_NOW = "Dismiss", "Not now"

WIDTH = 600
"""Maximum width of a banner, in pixels at 100 %."""


class Banner(QFrame):
    """Hidden while there is no message. Errors and offers stay until answered, notes for a while."""

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
        self.dismiss = QPushButton(DISMISS)
        self.dismiss.clicked.connect(self._dismissed)
        layout.addWidget(self.dismiss, 0, Qt.AlignmentFlag.AlignTop)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(NOTE_MS)
        self._timer.timeout.connect(self.hide)
        self._accepted: Callable[[], None] | None = None
        self._refused: Callable[[], None] | None = None
        self._later = ""
        self._offers: list[tuple[str, str, Callable[[], None], Callable[[], None]]] = []
        """Offers that wait until the one shown is answered."""
        self.hide()

    @Slot(str)
    def say(self, message: str) -> None:
        """Show an error."""
        self._show(message, "error")

    def say_with(self, message: str, action: str, accepted: Callable[[], None]) -> None:
        """Show an error with a button that leads to where it can be fixed."""
        self._show(message, "error", action)
        self._accepted = accepted

    def say_also(self, message: str) -> None:
        """Show an error below one that has not been dismissed; an empty message shows nothing."""
        if not message:
            return
        beside = self.text.text() if not self.isHidden() and self.property("kind") == "error" else ""
        self.say(f"{beside}\n{message}" if beside else message)

    @Slot(str)
    def withdraw(self, message: str) -> None:
        """Withdraw an error or an offer that no longer applies; others stay."""
        self._later = _without(self._later, message)
        self._offers = [offer for offer in self._offers if offer[0] != message]
        if self.property("kind") == "offer" and not self.isHidden() and self.text.text() == without_invisible(message):
            self._answer(None)
        if self.isHidden() or self.property("kind") != "error":
            return
        left = _without(self.text.text(), message)
        if not left:
            self.hide()
        elif left != self.text.text():
            self.say(left)

    @property
    def waits(self) -> bool:
        """Whether an error or an offer is shown that the user has not answered."""
        return not self.isHidden() and self.property("kind") != "note"

    @Slot(str)
    def note(self, message: str) -> None:
        """Show a note, unless an error or an offer is shown."""
        if not self.waits:
            self._show(message, "note")
            self._timer.start()

    def offer(self, message: str, action: str, accepted: Callable[[], None], refused: Callable[[], None]) -> None:
        """Offer an action: `accepted` is called if its button is pressed, `refused` if the offer is dismissed.

        An error that has not been dismissed is shown again after the answer. An offer waits for one that is shown.
        """
        if not self.isHidden() and self.property("kind") == "offer":
            self._offers.append((message, action, accepted, refused))
            return
        error = self.text.text() if not self.isHidden() and self.property("kind") == "error" else ""
        self._show(message, "offer", action)
        self._later = error
        self._say_dismiss(NOT_NOW)
        self._accepted, self._refused = accepted, refused

    def note_undoable(self, message: str, undo: Callable[[], None]) -> None:
        """Show for a while what was done, with a button that undoes it."""
        self._show(message, "note", "Undo")
        self._accepted = undo
        self._timer.start()

    @Slot()
    def withdraw_undo(self) -> None:
        """Withdraw the note of `note_undoable`, whose button would now undo something else."""
        if self.property("kind") == "note" and self._accepted is not None:
            self.hide()

    def _show(self, message: str, kind: str, action: str = "") -> None:
        self._timer.stop()
        self._accepted = self._refused = None
        self.text.setText(without_invisible(message))
        self.action.setText(action)
        self.action.setVisible(bool(action))
        self._say_dismiss(DISMISS)
        self.setProperty("kind", kind)
        self.style().unpolish(self)
        self.style().polish(self)
        self.show()

    def _say_dismiss(self, words: str) -> None:
        """Set the words of the button, which stays as wide as for any of them: a click meant for it meets no other."""
        self.dismiss.setMinimumWidth(0)
        widths = []
        for each in (DISMISS, NOT_NOW, words):
            self.dismiss.setText(each)
            widths.append(self.dismiss.sizeHint().width())
        self.dismiss.setMinimumWidth(max(widths))

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
        if self._offers:
            self.offer(*self._offers.pop(0))

    def enterEvent(self, event: QEnterEvent) -> None:
        """Keep a note while the pointer is on it, so that no click meets what lies below it."""
        self._timer.stop()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Let a note's time start again."""
        if self.property("kind") == "note" and not self.isHidden():
            self._timer.start()
        super().leaveEvent(event)

    def close_timer(self) -> None:
        """Stop the timer, before the window closes."""
        self._timer.stop()


class UnderBanner(QWidget):
    """A page with a banner over its lower right corner; the page keeps its place when the banner comes and goes."""

    def __init__(self, page: QWidget, banner: Banner) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(page)
        self._banner = banner
        banner.setParent(self)
        banner.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Place the banner when it appears and when its text changes."""
        if watched is self._banner and event.type() in (QEvent.Type.Show, QEvent.Type.LayoutRequest):
            self._place()
        return False

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the banner in the corner."""
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        margin = px(12)
        width = min(px(WIDTH), self.width() - 2 * margin)
        height = max(self._banner.heightForWidth(width), self._banner.minimumSizeHint().height())
        self._banner.setGeometry(QRect(self.width() - width - margin, self.height() - height - margin, width, height))
        self._banner.raise_()


def _without(text: str, message: str) -> str:
    """Return the lines of a text without one of them."""
    return "\n".join(line for line in text.split("\n") if line != without_invisible(message))
