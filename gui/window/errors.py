"""What went wrong, in one style: what happened, what was kept, what to do, and details to copy.

Unexpected exceptions (in a slot, in a thread, in a job) are logged with their traceback. Whatever is logged so is
shown, once; the application goes on.
"""

import logging
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QStyle,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from engine.errors import StudioError
from engine.system.log_file import about, place_of
from engine.system.plain_text import without_unseen
from engine.system.user_code import explained
from gui.widgets.layouts import label
from gui.widgets.theme import px
from gui.window.log import open_log

QUIET = 5.0
"""Seconds without an error after which the same one is shown again: somebody tried again."""

MOST = 3
"""How often the same error is shown."""

KEPT = (
    "Runs are on disk as they were. One that was stopped by this keeps its last checkpoint; Resume in its menu goes "
    "on from there."
)
TO_DO = (
    "You can go on working. If it happens again, close the window and open it anew. Whoever looks into it needs the "
    "details below."
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """What a person is told: what happened, what was kept, what to do; `details` are for whoever mends it."""

    happened: str
    kept: str = ""
    to_do: str = ""
    details: str = ""


def problem_of(error: BaseException) -> Problem:
    """Word an error that nobody expected where it was raised."""
    details = "".join(traceback.format_exception(error))
    error = explained(error)
    if isinstance(error, StudioError):
        return Problem(str(error), details=f"{about()}\n\n{details}")
    said = f": {error}" if str(error) else ""
    happened = f"Something unexpected happened ({type(error).__name__}{said})."
    return Problem(happened, KEPT, TO_DO, f"{about()}\n\n{details}")


def tell(parent: QWidget | None, title: str, problem: Problem) -> None:
    """Show what went wrong, and wait until it is read."""
    dialog = ErrorDialog(parent, title)
    dialog.add(problem)
    dialog.exec()
    dialog.deleteLater()


class ErrorDialog(QDialog):
    """Shows a problem. Others that come while it is open are added to its details."""

    def __init__(self, parent: QWidget | None, title: str) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 14)
        layout.setSpacing(10)
        head = QHBoxLayout()
        head.setSpacing(14)
        icon = QLabel()
        mark = self.style().standardIcon(QStyle.StandardPixmap.SP_MessageBoxWarning)
        icon.setPixmap(mark.pixmap(32, 32))
        head.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(6)
        self.happened, self.kept, self.to_do = (label("", name, wrap=True) for name in ("title", "", ""))
        for line in (self.happened, self.kept, self.to_do):
            line.setMinimumWidth(px(430))  # without it the dialog is too low for lines that wrap
            line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            words.addWidget(line)
        head.addLayout(words, 1)
        layout.addLayout(head)
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.details.setAccessibleName("Details")
        self.details.setMinimumHeight(180)
        layout.addWidget(self.details, 1)
        layout.addLayout(self._buttons())

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self.show_details = QPushButton("Details")
        self.show_details.setCheckable(True)
        self.show_details.setToolTip("What whoever mends this needs to know")
        self.show_details.toggled.connect(self._show_details)
        self.copy = QPushButton("Copy details")
        self.copy.clicked.connect(self._copy)
        self.open_log = QPushButton("Log file")
        self.open_log.setToolTip("Open the file where errors are kept")
        self.open_log.clicked.connect(self._open_log)
        close = QPushButton("Close")
        close.setDefault(True)
        close.setFocus()
        close.clicked.connect(self.reject)
        for button in (self.show_details, self.copy, self.open_log):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(close)
        self._show_details(False)
        return row

    def add(self, problem: Problem) -> None:
        """Show a problem, or add it to the one that is shown."""
        if not self.happened.text():
            for line, text in (
                (self.happened, problem.happened),
                (self.kept, problem.kept),
                (self.to_do, problem.to_do),
            ):
                line.setText(without_unseen(text))
                line.setVisible(bool(text))
        if problem.details:
            before = self.details.toPlainText()
            self.details.setPlainText(f"{before}\n\n{problem.details}".lstrip())
        for widget in (self.show_details, self.copy, self.open_log):
            widget.setVisible(bool(self.details.toPlainText()))

    def showEvent(self, event: QShowEvent) -> None:
        """Take the height that the words need: known once their font is."""
        super().showEvent(event)
        self.adjustSize()

    @Slot(bool)
    def _show_details(self, shown: bool) -> None:
        self.details.setVisible(shown)
        self.adjustSize()

    @Slot()
    def _copy(self) -> None:
        words = (self.happened.text(), self.details.toPlainText())
        QGuiApplication.clipboard().setText("\n\n".join(words))
        self.copy.setText("Copied")

    @Slot()
    def _open_log(self) -> None:
        open_log(self)


class Feed(logging.Handler):
    """Passes on what is logged with a traceback, from whichever thread."""

    def __init__(self, catcher: "Catcher") -> None:
        super().__init__(logging.ERROR)
        self._catcher = catcher

    def emit(self, record: logging.LogRecord) -> None:
        """Tell the catcher of an error."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self._catcher.take(error)


class Catcher(QObject):
    """Catches what no other code catches, and logs it. `caught(problem)` for each error worth showing.

    An exception in a slot or in an event handler comes to `sys.excepthook`, one in a thread to `threading.excepthook`.
    """

    caught = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[int, float]] = {}
        self._feed = Feed(self)
        self._hooks = sys.excepthook, threading.excepthook
        logging.getLogger().addHandler(self._feed)
        sys.excepthook = self._unexpected
        threading.excepthook = self._unexpected_in_thread

    def close(self) -> None:
        """Give the hooks back."""
        sys.excepthook, threading.excepthook = self._hooks
        logging.getLogger().removeHandler(self._feed)

    def take(self, error: BaseException) -> None:
        """Emit `caught`, unless this error was shown a moment ago, or often enough. Called in any thread."""
        place, now = place_of(error), time.monotonic()
        with self._lock:
            shown, last = self._seen.get(place, (0, -QUIET))
            due = now - last >= QUIET and shown < MOST
            self._seen[place] = (shown + due, now)
        if due:
            self.caught.emit(problem_of(error))

    def _unexpected(self, kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
        if not isinstance(error, Exception):
            self._hooks[0](kind, error, at)  # Ctrl-C
            return
        log.critical("unexpected error", exc_info=(kind, error, at))

    def _unexpected_in_thread(self, told: Any) -> None:
        if isinstance(told.exc_value, Exception):
            log.critical("unexpected error in a thread", exc_info=told.exc_value)


class Presenter(QObject):
    """Shows what is caught, one dialog at a time, without stopping what else goes on."""

    def __init__(self, catcher: Catcher, title: str) -> None:
        super().__init__()
        self._title = title
        self.dialog: ErrorDialog | None = None
        catcher.caught.connect(self._show)

    @Slot(object)
    def _show(self, problem: Problem) -> None:
        if self.dialog is None or not isValid(self.dialog):
            # A child of the dialog that waits for an answer, if there is one: it would block any other window.
            self.dialog = ErrorDialog(QApplication.activeModalWidget() or QApplication.activeWindow(), self._title)
            self.dialog.finished.connect(self.close)
        self.dialog.add(problem)
        self.dialog.show()

    @Slot()
    def close(self) -> None:
        """Take the dialog away."""
        if self.dialog is not None and isValid(self.dialog):
            self.dialog.deleteLater()
        self.dialog = None
