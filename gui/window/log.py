"""Opens the log file."""

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QMessageBox, QWidget

from engine.system.paths import APP, log_file
from gui.widgets.plain import message_box


def open_log(parent: QWidget) -> None:
    """Open the log in the program for text files, or show its path if there is none."""
    path = log_file()
    if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))):
        box = message_box(QMessageBox.Icon.Information, APP, f"The log file is\n{path}", parent=parent)
        box.exec()
        box.deleteLater()
