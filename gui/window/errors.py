"""Error dialogs in one style: what happened, what was kept, what to do, and details to copy.

Unexpected exceptions (in a slot, in a thread, in a job) are logged with their traceback. Whatever is logged with a
traceback is also shown, once, and the application continues.
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
from engine.system.log_file import about, error_location
from engine.system.plain_text import without_invisible
from engine.system.user_code import explained
from gui.widgets.layouts import label
from gui.widgets.theme import px
from gui.window.log import open_log

QUIET = 5.0
"""Seconds without an error after which the same one is shown again, since the user probably tried again."""

MOST = 3
"""How often the same error is shown."""

KEPT = (
    "Your runs on disk are unchanged. If this stopped a run, its last checkpoint is kept, and Resume in its menu "
    "continues from there."
)
TO_DO = (
    "You can continue working. If it happens again, restart the application. To report the problem, include the "
    "details below."
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem to show: what happened, what was kept, what to do; `details` are for a bug report."""

    happened: str
    kept: str = ""
    to_do: str = ""
    details: str = ""


def problem_of(error: BaseException) -> Problem:
    """Describe an unexpected error."""
    details = "".join(traceback.format_exception(error))
    error = explained(error)
    if isinstance(error, StudioError):
        return Problem(str(error), details=f"{about()}\n\n{details}")
    said = f": {error}" if str(error) else ""
    happened = f"An unexpected error occurred ({type(error).__name__}{said})."
    return Problem(happened, KEPT, TO_DO, f"{about()}\n\n{details}")


def show_problem(parent: QWidget | None, title: str, problem: Problem) -> None:
    """Show a problem and wait until the dialog is closed."""
    dialog = ErrorDialog(parent, title)
    dialog.add(problem)
    dialog.exec()
    dialog.deleteLater()


class ErrorDialog(QDialog):
    """Shows a problem. Problems that occur while it is open are appended to its details."""

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
            line.setMinimumWidth(px(430))  # without it the dialog is too low for wrapped lines
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
        self.show_details.setToolTip("Details for a bug report")
        self.show_details.toggled.connect(self._show_details)
        self.copy = QPushButton("Copy details")
        self.copy.clicked.connect(self._copy)
        self.open_log = QPushButton("Open log file")
        self.open_log.setToolTip("Open the file in which errors are recorded")
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
        """Show a problem, or append it to the one that is shown."""
        if not self.happened.text():
            for line, text in (
                (self.happened, problem.happened),
                (self.kept, problem.kept),
                (self.to_do, problem.to_do),
            ):
                line.setText(without_invisible(text))
                line.setVisible(bool(text))
        if problem.details:
            before = self.details.toPlainText()
            self.details.setPlainText(f"{before}\n\n{problem.details}".lstrip())
        for widget in (self.show_details, self.copy, self.open_log):
            widget.setVisible(bool(self.details.toPlainText()))

    def showEvent(self, event: QShowEvent) -> None:
        """Fit the height to the text, once its font is known."""
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
    """Forwards errors logged with a traceback, from any thread."""

    def __init__(self, catcher: "Catcher") -> None:
        super().__init__(logging.ERROR)
        self._catcher = catcher

    def emit(self, record: logging.LogRecord) -> None:
        """Forward an error to the catcher."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self._catcher.take(error)


class Catcher(QObject):
    """Catches and logs unhandled exceptions. Emits `caught(problem)` for each error that should be shown.

    Exceptions in slots and event handlers arrive at `sys.excepthook`, those in threads at `threading.excepthook`.
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
        """Restore the hooks."""
        sys.excepthook, threading.excepthook = self._hooks
        logging.getLogger().removeHandler(self._feed)

    def take(self, error: BaseException) -> None:
        """Emit `caught`, unless this error was just shown or has been shown often enough. Called from any thread."""
        place, now = error_location(error), time.monotonic()
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

    def _unexpected_in_thread(self, arguments: Any) -> None:
        if isinstance(arguments.exc_value, Exception):
            log.critical("unexpected error in a thread", exc_info=arguments.exc_value)


class Presenter(QObject):
    """Shows caught problems, one dialog at a time, without blocking."""

    def __init__(self, catcher: Catcher, title: str) -> None:
        super().__init__()
        self._title = title
        self.dialog: ErrorDialog | None = None
        catcher.caught.connect(self._show)

    @Slot(object)
    def _show(self, problem: Problem) -> None:
        if self.dialog is None or not isValid(self.dialog):
            # A modal dialog, if there is one, must be its parent: it would block any other window.
            self.dialog = ErrorDialog(QApplication.activeModalWidget() or QApplication.activeWindow(), self._title)
            self.dialog.finished.connect(self.close)
        self.dialog.add(problem)
        self.dialog.show()

    @Slot()
    def close(self) -> None:
        """Remove the dialog."""
        if self.dialog is not None and isValid(self.dialog):
            self.dialog.deleteLater()
        self.dialog = None
