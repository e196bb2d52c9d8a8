"""The dialog that asks whether a plug-in may be loaded, with its description, a warning, and its text."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from engine.system.plain_text import one_line
from gui.plugins.words import TRUST, description_of, size_words, text_of
from gui.widgets.layouts import label
from gui.widgets.theme import px


class ReviewDialog(QDialog):
    """Emits `allowed` or `refused`, or neither if it is closed without an answer.

    Without `question` it only shows the text. `refuse` is the label of the button that refuses; without it there is
    only Cancel.
    """

    allowed = Signal()
    refused = Signal()

    def __init__(
        self,
        parent: QWidget,
        name: str,
        content: bytes,
        question: str = "",
        *,
        note: str = "",
        allow: str = "Allow",
        refuse: str = "",
        shows_text: bool = False,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Plug-in")
        self.setProperty("helpTopic", "plugins#trust")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 14)
        layout.setSpacing(8)
        self.title = label(question or one_line(name), "title", wrap=True)
        layout.addWidget(self.title)
        about = description_of(content)
        facts = f"{one_line(name)} · {size_words(content)}" if question else size_words(content)
        for line in (about, facts, note):
            if line:
                layout.addWidget(label(line, "" if line is about else "muted", wrap=True))
        if question:
            layout.addWidget(label(TRUST, "warning", wrap=True))
        text, warning = text_of(content)
        self.unseen = label(warning, "error", wrap=True)
        self.unseen.setVisible(bool(warning))
        layout.addWidget(self.unseen)
        self.text = QPlainTextEdit(text)
        self.text.setReadOnly(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setAccessibleName(f"Text of {one_line(name)}")
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.text.setMinimumSize(px(640), px(280))
        layout.addWidget(self.text, 1)
        layout.addLayout(self._buttons(allow if question else "", refuse))
        for words in self.findChildren(QLabel):
            words.setMinimumWidth(px(640))  # without it the dialog is too low for lines that wrap
        self.show_text.setChecked(shows_text or not question)
        self._show_text(self.show_text.isChecked())
        self.show_text.setVisible(bool(question))

    def _buttons(self, allow: str, refuse: str) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self.show_text = QPushButton("Show code")
        self.show_text.setCheckable(True)
        self.show_text.setToolTip("Show what the file contains")
        self.show_text.setAutoDefault(False)
        self.show_text.toggled.connect(self._show_text)
        row.addWidget(self.show_text)
        row.addStretch(1)
        self.cancel = QPushButton("Not now" if refuse else "Cancel" if allow else "Close")
        self.cancel.clicked.connect(self.reject)
        self.refuse_button, self.allow_button = QPushButton(refuse), QPushButton(allow)
        self.refuse_button.setToolTip("Do not load this version, and do not ask again")
        self.allow_button.setToolTip("Load this version, now and at every start")
        for button, signal in ((self.allow_button, self.allowed), (self.refuse_button, self.refused)):
            button.setAutoDefault(False)
            button.clicked.connect(signal)
            button.clicked.connect(self.accept)
            button.setVisible(bool(button.text()))
            row.addWidget(button)
        row.addWidget(self.cancel)
        self.cancel.setDefault(True)
        return row

    @Slot(bool)
    def _show_text(self, shown: bool) -> None:
        self.text.setVisible(shown)
        self.show_text.setText("Hide code" if shown else "Show code")
        self.adjustSize()
