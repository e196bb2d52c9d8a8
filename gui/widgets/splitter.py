"""Resizable parts of a page; the user's sizes are remembered."""

from collections.abc import Sequence

from PySide6.QtCore import QByteArray, QSettings, Qt, Slot
from PySide6.QtWidgets import QSplitter, QWidget


class Splitter(QSplitter):
    """Divides its width or height among `parts` as the user last set it, else by `sizes` in pixels.

    Space added by a larger window is distributed by `stretch`. `key` is the settings key.
    """

    def __init__(
        self,
        direction: Qt.Orientation,
        parts: Sequence[QWidget],
        sizes: Sequence[int],
        stretch: Sequence[int],
        settings: QSettings,
        key: str,
    ) -> None:
        super().__init__(direction)
        self._settings, self._key = settings, key
        self.setHandleWidth(8)
        self.setChildrenCollapsible(False)
        for number, (part, share) in enumerate(zip(parts, stretch, strict=True)):
            self.addWidget(part)
            self.setStretchFactor(number, share)
        kept = settings.value(key)
        if not isinstance(kept, QByteArray) or not self.restoreState(kept):
            self.setSizes(sizes)
        self.setHandleWidth(8)  # restoreState also restores the old handle width
        self.splitterMoved.connect(self._keep)

    @Slot()
    def _keep(self) -> None:
        self._settings.setValue(self._key, self.saveState())
