"""Text from files, always displayed literally and never interpreted as HTML.

Unless the format is set, Qt guesses whether a text is HTML, and then loads what it refers to: a run named
<img src="file:///…"> would show that file. Labels made by `gui.widgets.layouts.label` are plain text. Tooltips and Qt's
own dialogs have no such option: text from files must go through `as_plain` or `tip`.
"""

from html import escape

from PySide6.QtGui import Qt
from PySide6.QtWidgets import QInputDialog, QMessageBox, QWidget


def as_plain(text: str) -> str:
    """Return text that Qt displays literally even where it guesses whether text is HTML."""
    return tip(*text.split("\n")) if Qt.mightBeRichText(text) else text


def tip(*lines: str, title: str = "") -> str:
    """Return a tooltip with wrapped lines: a bold title, then these lines, all displayed literally."""
    words = [f"<b>{escape(title)}</b>"] if title else []
    words += [escape(line) for line in lines]
    return f"<p>{'<br>'.join(words)}</p>" if words else ""


def for_button(text: str) -> str:
    """Return text for a menu, check box or button, where a single & would mark a mnemonic."""
    return text.replace("&", "&&")


def message_box(
    icon: QMessageBox.Icon, title: str, text: str, more: str = "", *, parent: QWidget | None
) -> QMessageBox:
    """Return a message box with a message and, in smaller text, further information."""
    box = QMessageBox(icon, title, as_plain(text), parent=parent)
    box.setInformativeText(as_plain(more))
    return box


def ask_text(parent: QWidget, title: str, words: str, text: str = "") -> tuple[str, bool]:
    """Ask for a line of text; return it and whether it was accepted."""
    return QInputDialog.getText(parent, title, as_plain(words), text=text)
