"""The list of runs on the screen, whose groups fold."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QListView

from gui.runs.delegate import HEADING
from gui.runs.model import RunFilter
from gui.widgets.theme import px

MARKER = 22
"""Width of the marker at the left of a heading, in pixels."""


class RunView(QListView):
    """Emits `fold_asked(group)` to fold or unfold a group, and `group_chosen(group)` to select its runs.

    A click on the marker of a heading folds, as do the left and right arrow keys in the row of any of its runs; a click
    on the heading selects.
    """

    fold_asked = Signal(object)
    group_chosen = Signal(object)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Fold or select a group by a click on its heading."""
        shown = self.model()
        assert isinstance(shown, RunFilter)
        index = self.indexAt(event.position().toPoint())
        group = shown.heading(index) if index.isValid() else None
        place = self.visualRect(index)
        on_heading = group is not None and event.position().y() < place.top() + px(HEADING)
        if not on_heading or group is None or event.button() != Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)
        elif event.position().x() < place.left() + px(MARKER):
            self.fold_asked.emit(group)
        elif group.folded:
            super().mousePressEvent(event)  # its row stands for all of its runs
        else:
            self.group_chosen.emit(group)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Fold or unfold the group of the current run."""
        shown, index = self.model(), self.currentIndex()
        assert isinstance(shown, RunFilter)
        group = shown.group_of(index.data(Qt.ItemDataRole.UserRole)) if index.isValid() else None
        wanted = {Qt.Key.Key_Left: True, Qt.Key.Key_Right: False}.get(Qt.Key(event.key()))
        if group is not None and wanted is not None and wanted is not group.folded:
            self.fold_asked.emit(group)
        else:
            super().keyPressEvent(event)
