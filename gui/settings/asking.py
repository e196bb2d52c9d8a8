"""Questions before something is done that a person may not want to be asked again."""

from collections.abc import Callable

from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QCheckBox, QMessageBox, QWidget

from engine.system.paths import APP
from gui.settings.preferences import KEYS, read_preferences
from gui.widgets.plain import message_box


def may(parent: QWidget, settings: QSettings, question: str, text: str, more: str, yes: str, no: str) -> bool:
    """Ask, unless the preference `question` ("ask_close", ...) says to do it unasked; True to do it.

    `yes` and `no` are the words of the buttons; Escape and Return mean no.
    """
    if not getattr(read_preferences(settings), question):
        return True
    box = message_box(QMessageBox.Icon.Question, APP, text, more, parent=parent)
    never = QCheckBox("Do not ask again (Settings brings the question back)")
    box.setCheckBox(never)
    accept = box.addButton(yes, QMessageBox.ButtonRole.AcceptRole)
    refuse = box.addButton(no, QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(refuse)
    box.exec()
    accepted = box.clickedButton() is accept
    if accepted and never.isChecked():
        settings.setValue(KEYS[question], False)
    box.deleteLater()
    return accepted


def ask(parent: QWidget, sentence: str, yes: str, accepted: Callable[[], None]) -> None:
    """Ask without waiting for the answer: `accepted` is called when the button `yes` is pressed, not on Cancel."""
    box = message_box(QMessageBox.Icon.Question, APP, sentence, parent=parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    accept = box.addButton(yes, QMessageBox.ButtonRole.AcceptRole)
    box.setDefaultButton(box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole))
    box.setEscapeButton(box.defaultButton())
    accept.clicked.connect(accepted)
    box.open()
