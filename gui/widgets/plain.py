"""Words of files in the window: shown as they are written, never read as HTML.

Qt guesses, where it is not told, whether a text is HTML, and then loads what it names: a run called
<img src="file:///…"> would show that file. Labels made by `gui.widgets.layouts.label` are plain. Tooltips and the boxes
that Qt makes cannot be told: words of files reach them through `as_plain` or `tip`.
"""

from html import escape

from PySide6.QtGui import Qt
from PySide6.QtWidgets import QInputDialog, QMessageBox, QWidget


def as_plain(text: str) -> str:
    """Return text that Qt shows as it is written, where Qt guesses whether it is HTML."""
    return tip(*text.split("\n")) if Qt.mightBeRichText(text) else text


def tip(*lines: str, title: str = "") -> str:
    """Return a tooltip whose long lines wrap: a title in bold, then these lines, all as they are written."""
    words = [f"<b>{escape(title)}</b>"] if title else []
    words += [escape(line) for line in lines]
    return f"<p>{'<br>'.join(words)}</p>" if words else ""


def for_button(text: str) -> str:
    """Return words for a menu, check box or button, where a single & would mark a key."""
    return text.replace("&", "&&")


def message_box(
    icon: QMessageBox.Icon, title: str, text: str, more: str = "", *, parent: QWidget | None
) -> QMessageBox:
    """Return a box with a message and, smaller, what more there is to say."""
    box = QMessageBox(icon, title, as_plain(text), parent=parent)
    box.setInformativeText(as_plain(more))
    return box


def ask_text(parent: QWidget, title: str, words: str, text: str = "") -> tuple[str, bool]:
    """Ask for a line of text; return it, and whether it was accepted."""
    return QInputDialog.getText(parent, title, as_plain(words), text=text)
