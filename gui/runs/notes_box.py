"""The notes on a run below the list: Markdown, edited in place."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, Qt, QUrl, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QTextDocument
from PySide6.QtWidgets import QPlainTextEdit, QStackedLayout, QTextBrowser, QWidget

from gui.runs.store import RunItem
from gui.widgets.theme import px

MAX_CHARACTERS = 100_000
"""Characters of notes: they are kept in marks.json, which may have 1 MB."""

HEIGHT = 120


class Rendered(QTextBrowser):
    """Rendered notes, without HTML and pictures: archives may bring any. Emits `edit_asked` on a click or Return."""

    edit_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("notes")
        self.setOpenExternalLinks(True)
        self.setAccessibleName("Notes")
        self.setToolTip("Notes on the run. Click or press Return to edit them.")

    def show_text(self, text: str) -> None:
        """Render Markdown."""
        features = QTextDocument.MarkdownFeature
        self.document().setMarkdown(text, features.MarkdownDialectGitHub | features.MarkdownNoHTML)

    def loadResource(self, type: int, name: QUrl | str) -> Any:
        """Load nothing."""
        return None

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Ask to edit, unless a link was clicked or text selected."""
        super().mouseReleaseEvent(event)
        if not self.anchorAt(event.position().toPoint()) and not self.textCursor().hasSelection():
            self.edit_asked.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ask to edit with Return."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.edit_asked.emit()
        else:
            super().keyPressEvent(event)


class Editor(QPlainTextEdit):
    """The notes as text. Emits `done(save)`: true when the focus leaves it or with Ctrl+Return, false with Escape."""

    done = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("notes")
        self.setAccessibleName("Edit notes")
        self.setPlaceholderText("Notes in Markdown")
        self.setToolTip("Markdown. Ctrl+Return or a click elsewhere saves, Escape does not.")
        self.setTabChangesFocus(True)

    def event(self, event: QEvent) -> bool:
        """Take the keys that end editing before a shortcut of the window does."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride and _ends(event) is not None:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Save with Ctrl+Return, discard with Escape."""
        save = _ends(event)
        if save is None:
            super().keyPressEvent(event)
        else:
            self.done.emit(save)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Save, unless a menu or another window only covers it for a while."""
        super().focusOutEvent(event)
        passing = (Qt.FocusReason.PopupFocusReason, Qt.FocusReason.ActiveWindowFocusReason)
        if event.reason() not in passing:
            self.done.emit(True)


def _ends(event: QKeyEvent) -> bool | None:
    """Return whether a key ends editing and saves (true) or discards (false); None for any other key."""
    control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
    if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and control:
        return True
    return False if event.key() == Qt.Key.Key_Escape else None


class NotesBox(QWidget):
    """Shows the notes of a run, if it has any. Emits `changed(path, text)` after they were edited."""

    changed = Signal(object, str)

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(px(HEIGHT))
        self.rendered, self.editor = Rendered(), Editor()
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.rendered)
        self._stack.addWidget(self.editor)
        self.rendered.edit_asked.connect(self.edit)
        self.editor.done.connect(self._done)
        self._path: Path | None = None
        self._text = ""
        self._editing = self._fixed = False
        self.hide()

    @property
    def editing(self) -> bool:
        """Whether the notes are being edited."""
        return self._editing

    def show_run(self, item: RunItem | None) -> None:
        """Show the notes of this run; another run's that are being edited are saved first."""
        path, text = (item.path, item.notes) if item is not None else (None, "")
        if self.editing:
            if path == self._path:
                return
            self._done(True)
        self._path, self._fixed = path, item is not None and item.shipped
        if text != self._text or not text:
            self._text = text
            self.rendered.show_text(text)
        self.setVisible(bool(text))

    def edit(self) -> None:
        """Edit the notes of the run that is shown; those of the gallery's models cannot be edited."""
        if self._path is None or self.editing or self._fixed:
            return
        self._editing = True
        self.editor.setPlainText(self._text)
        self._stack.setCurrentWidget(self.editor)
        self.show()
        self.editor.setFocus()

    def _done(self, save: bool) -> None:
        if not self.editing:
            return
        self._editing = False  # first, since hiding the editor takes its focus, which would save
        text = self.editor.toPlainText().strip()[:MAX_CHARACTERS]
        self._stack.setCurrentWidget(self.rendered)
        if save and text != self._text and self._path is not None:
            self._text = text
            self.rendered.show_text(text)
            self.changed.emit(self._path, text)
        self.setVisible(bool(self._text))
