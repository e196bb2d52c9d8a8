"""Windows and macOS: notifications as messages of an icon in the tray."""

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QSystemTrayIcon


class TrayMessenger(QObject):
    """Shows messages; `clicked` when a person chooses one. The icon is there from the first message on."""

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
        """Take the icon away."""
        self._tray.hide()

    @Slot()
    def _activated(self) -> None:
        self.clicked.emit()
