"""Windows and macOS: notifications as messages of a tray icon."""

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QSystemTrayIcon


class TrayMessenger(QObject):
    """Shows messages; `clicked` when the user clicks one. The icon appears with the first message."""

    clicked = Signal()

    def __init__(self, parent: QObject, icon: QIcon) -> None:
        super().__init__(parent)
        self._tray = QSystemTrayIcon(icon, self)
        self._tray.messageClicked.connect(self.clicked)
        self._tray.activated.connect(self._activated)

    def send(self, title: str, text: str) -> None:
        """Show a message."""
        self._tray.show()
        self._tray.showMessage(title, text, self._tray.icon())

    def close(self) -> None:
        """Remove the icon."""
        self._tray.hide()

    @Slot()
    def _activated(self) -> None:
        self.clicked.emit()
