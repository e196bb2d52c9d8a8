"""Cards, titles and labels: the building blocks of every page."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)


class Card(QFrame):
    """A rounded panel with a title row `head` and a `body`."""

    def __init__(self, title: str, note: str = "") -> None:
        super().__init__()
        self.group: Sequence[Card] = ()
        """The cards among which it can be hidden, and to which the arrow keys go on from it while it is large."""
        self.save_shown: Callable[[], object] | None = None
        """What asks where to save the plot or pictures of this card."""
        self.logarithmic: QAbstractButton | None = None
        """The box that makes its plot logarithmic."""
        self.away = False
        """Whether the user has hidden it."""
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

    def put_away(self, away: bool) -> None:
        """Hide it until it is wanted again, whether or not it has something to show."""
        self.away = away
        self.setVisible(not away)

    def setVisible(self, visible: bool) -> None:
        """Show or hide it; what the user has hidden stays so."""
        super().setVisible(visible and not self.away)


def label(text: str, name: str = "", *, wrap: bool = False) -> QLabel:
    """Return a label in one of the theme's styles ("title", "muted", "warning", "error", "empty", "pill").

    Text is shown literally: much of it comes from files, and none of it is HTML.
    """
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    if name:
        made.setObjectName(name)
    made.setWordWrap(wrap)
    return made


def tool_button(text: str, tip: str, name: str = "", *, menu: QMenu | None = None) -> QToolButton:
    """Return a small button with a symbol; `name` is its accessible name, by default the tooltip."""
    made = QToolButton()
    made.setObjectName("button")
    made.setText(text)
    made.setToolTip(tip)
    made.setAccessibleName(name or tip)
    made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    if menu is not None:
        made.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        made.setMenu(menu)
    return made


def job_bar(width: int | None = 160) -> QProgressBar:
    """Return a thin progress bar; it fills the available width if `width` is None."""
    made = QProgressBar()
    made.setTextVisible(False)
    if width is not None:
        made.setFixedWidth(width)
    return made


class JobFoot(QWidget):
    """A line at the bottom of a page: progress of its job as a bar and as text, then the given buttons."""

    def __init__(self, *buttons: QWidget) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.bar = job_bar()
        self.words = label("", "muted", wrap=True)
        row.addWidget(self.bar)
        row.addWidget(self.words, 1)
        for button in buttons:
            row.addWidget(button)


def empty_state(text: str) -> QLabel:
    """Return a centred text for an empty page that says what to do first."""
    made = label(text, "empty", wrap=True)
    made.setAlignment(Qt.AlignmentFlag.AlignCenter)
    made.setMargin(24)
    return made
