"""Confirmations that the user can turn off."""

from collections.abc import Callable

from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QCheckBox, QMessageBox, QWidget

from engine.system.paths import APP
from gui.settings.preferences import KEYS, read_preferences
from gui.widgets.plain import message_box


def may(parent: QWidget, settings: QSettings, question: str, text: str, more: str, yes: str, no: str) -> bool:
    """Ask for confirmation unless the preference `question` ("ask_close", ...) is off; return whether to proceed.

    `yes` and `no` are the texts of the buttons; Escape and Return mean no.
    """
    if not getattr(read_preferences(settings), question):
        return True
    box = message_box(QMessageBox.Icon.Question, APP, text, more, parent=parent)
    never = QCheckBox("Don't ask again (can be changed in Settings)")
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
    """Ask without blocking; `accepted` is called if the button `yes` is pressed, but not on Cancel."""
    box = message_box(QMessageBox.Icon.Question, APP, sentence, parent=parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    accept = box.addButton(yes, QMessageBox.ButtonRole.AcceptRole)
    box.setDefaultButton(box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole))
    box.setEscapeButton(box.defaultButton())
    accept.clicked.connect(accepted)
    box.open()
