"""Saving what the traversal page shows."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSettings
from PySide6.QtWidgets import QMenu

if TYPE_CHECKING:
    from gui.traversal.page import TraversalPage


class Exports(QObject):
    """Fills the export menu and carries it out."""

    def __init__(self, page: "TraversalPage", settings: QSettings) -> None:
        super().__init__(page)
        self._page, self._settings = page, settings

    def fill(self, menu: QMenu) -> None:
        """Offer what can be saved."""
