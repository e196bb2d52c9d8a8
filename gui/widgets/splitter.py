"""Parts of a page that can be drawn wider or narrower; what a person chooses is remembered."""

from collections.abc import Sequence

from PySide6.QtCore import QByteArray, QSettings, Qt, Slot
from PySide6.QtWidgets import QSplitter, QWidget


class Splitter(QSplitter):
    """Divides its width, or height, among `parts` as it was last divided by hand, else by `sizes` in pixels.

    What a larger window adds goes to the parts by `stretch`. `key` is the place in the settings.
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
        self.setHandleWidth(8)  # restoring takes up the old width too
        self.splitterMoved.connect(self._keep)

    @Slot()
    def _keep(self) -> None:
        self._settings.setValue(self._key, self.saveState())
