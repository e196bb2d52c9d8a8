"""The command palette: a line over the window that finds everything by a few letters."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSettings,
    QSize,
    Qt,
    Slot,
)
from PySide6.QtGui import QColor, QFont, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from gui.palette.entries import Entry, ranked
from gui.widgets.layouts import label
from gui.widgets.theme import px, tokens

Index = QModelIndex | QPersistentModelIndex

WIDTH, HEIGHT, ROW = 620, 420, 30
"""Size of the palette, and height of a row, in pixels at 100 %."""

MOST = 100
"""Largest number of entries listed."""

REMEMBERED = 20
KEPT = "palette/recent"
MOVES = {
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_PageDown: 8,
    Qt.Key.Key_PageUp: -8,
}


class Found(QAbstractListModel):
    """The entries found."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.entries: Sequence[Entry] = ()

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Replace the entries."""
        self.beginResetModel()
        self.entries = entries
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        """Return the number of entries."""
        return 0 if parent is not None and parent.isValid() else len(self.entries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return an entry, or all its words for screen readers."""
        entry = self.entries[index.row()]
        if role == Qt.ItemDataRole.UserRole:
            return entry
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return ", ".join(filter(None, (entry.title, entry.place, entry.keys)))
        return None


class EntryDelegate(QStyledItemDelegate):
    """Paints an entry: its title, where it is found, and its keys at the right."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the height of a line."""
        return QSize(100, px(ROW))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one entry."""
        entry: Entry = index.data(Qt.ItemDataRole.UserRole)
        colours, box = tokens(), option.rect.adjusted(px(10), 0, -px(10), 0)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.accent_soft))
            painter.drawRoundedRect(option.rect.adjusted(2, 1, -2, -1), 6, 6)
        middle = Qt.AlignmentFlag.AlignVCenter
        big, small = QFont(option.font), QFont(option.font)
        big.setPixelSize(px(13))
        small.setPixelSize(px(11))
        painter.setFont(small)
        painter.setPen(QColor(colours.muted))
        right = painter.fontMetrics().horizontalAdvance(entry.keys) + px(12) * bool(entry.keys)
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | middle, entry.keys)
        box = box.adjusted(0, 0, -right, 0)
        painter.setFont(big)
        painter.setPen(QColor(colours.text if entry.enabled else colours.muted))
        title = painter.fontMetrics().elidedText(entry.title, Qt.TextElideMode.ElideMiddle, int(0.75 * box.width()))
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | middle, title)
        box = box.adjusted(painter.fontMetrics().horizontalAdvance(title) + px(12), 0, 0, 0)
        painter.setFont(small)
        painter.setPen(QColor(colours.muted))
        place = entry.place if entry.enabled else " · ".join(filter(None, (entry.place, "not now")))
        place = painter.fontMetrics().elidedText(place, Qt.TextElideMode.ElideRight, max(0, box.width()))
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | middle, place)
        painter.restore()


class Palette(QFrame):
    """Lies over its window while open. Type to search, choose with the arrow keys and Return, close with Escape.

    `gather` returns everything that can be chosen now.
    """

    def __init__(self, window: QWidget, settings: QSettings, gather: Callable[[], list[Entry]]) -> None:
        super().__init__(window)
        self._window, self._settings, self._gather = window, settings, gather
        self._entries: list[Entry] = []
        self._before: QWidget | None = None
        """What had the focus."""
        self.setObjectName("palette")
        self.setAccessibleName("Command palette")
        self.line = QLineEdit()
        self.line.setPlaceholderText("Search actions, runs, presets, help and settings")
        self.line.setAccessibleName("Search actions, runs, presets, help and settings")
        self.line.textChanged.connect(self._search)
        self.line.installEventFilter(self)
        self.found = Found(self)
        self.view = QListView()
        self.view.setModel(self.found)
        self.view.setItemDelegate(EntryDelegate(self.view))
        self.view.setUniformItemSizes(True)
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.setAccessibleName("Results")
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.clicked.connect(self._clicked)
        self.nothing = label("Nothing found.", "muted")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(6)
        for widget in (self.line, self.nothing, self.view):
            layout.addWidget(widget)
        window.installEventFilter(self)
        self.hide()

    @property
    def recent(self) -> list[str]:
        """Keys of the entries chosen last, the latest first."""
        kept = self._settings.value(KEPT)
        return [str(key) for key in kept] if isinstance(kept, list) else [kept] if isinstance(kept, str) else []

    @Slot()
    def open(self) -> None:
        """Show everything that can be chosen now; if it is open, close it."""
        if self.isVisible():
            self.close_again()
            return
        self._before = QApplication.focusWidget()
        self._entries = self._gather()
        self.line.clear()
        self._search("")
        self._place()
        self.show()
        self.raise_()
        self.line.setFocus(Qt.FocusReason.PopupFocusReason)

    @Slot()
    def gather_again(self) -> None:
        """Take up what has become known since it was opened."""
        if self.isVisible():
            self._entries = self._gather()
            self._search(self.line.text())

    def close_again(self) -> None:
        """Close, and give the focus back."""
        self.hide()
        self._entries = []
        self.found.show_entries(())
        before, self._before = self._before, None
        if before is not None and before.isVisible():
            before.setFocus(Qt.FocusReason.PopupFocusReason)

    @Slot(str)
    def _search(self, words: str) -> None:
        found = ranked(self._entries, words, self.recent)[:MOST]
        self.found.show_entries(found)
        self.nothing.setVisible(not found)
        self.view.setVisible(bool(found))
        self._go_to(0)

    def _go_to(self, row: int) -> None:
        if self.found.entries:
            row = min(max(row, 0), len(self.found.entries) - 1)
            self.view.setCurrentIndex(self.found.index(row, 0))

    @Slot(QModelIndex)
    def _clicked(self, index: QModelIndex) -> None:
        self._choose(index.row())

    def _choose(self, row: int) -> None:
        """Close and do what was chosen, unless it cannot be done now."""
        if not 0 <= row < len(self.found.entries) or not self.found.entries[row].enabled:
            return
        entry = self.found.entries[row]
        recent = [entry.key, *(key for key in self.recent if key != entry.key)]
        self._settings.setValue(KEPT, recent[:REMEMBERED])
        self.close_again()
        entry.run()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Move in the list with the keys typed into the line; close when the focus leaves it; follow the window."""
        if watched is self.line and event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            key, row = Qt.Key(event.key()), self.view.currentIndex().row()
            if key in MOVES:
                last = len(self.found.entries) - 1
                wrapped = {(1, last): 0, (-1, 0): last}.get((MOVES[key], row), row + MOVES[key])
                self._go_to(wrapped)
            elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._choose(row)
            elif key == Qt.Key.Key_Escape:
                self.close_again()
            elif key not in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):  # nothing else takes the focus
                return False
            return True
        if watched is self.line and event.type() == QEvent.Type.FocusOut and self.isVisible():
            self._before = None  # it has gone elsewhere
            self.close_again()
        elif watched is self._window and event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def _place(self) -> None:
        window = self._window
        width, height = min(px(WIDTH), window.width() - 40), min(px(HEIGHT), window.height() - 80)
        self.setGeometry((window.width() - width) // 2, px(56), width, height)
