"""A layout that places widgets side by side and wraps at the available width."""

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QWidget


class FlowLayout(QLayout):
    """Places widgets from left to right in as many lines as needed, vertically centred in each line."""

    def __init__(self, parent: QWidget | None = None, *, spacing: int = 8, line_spacing: int = 4) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self._line_spacing = line_spacing
        self.setSpacing(spacing)
        self.setContentsMargins(0, 0, 0, 0)

    def addItem(self, item: QLayoutItem) -> None:
        """Append an item."""
        self._items.append(item)

    def count(self) -> int:
        """Return the number of items."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        """Return an item."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        """Remove an item."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        """Do not expand."""
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        """Return True: a narrower layout is taller."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the total height of all lines."""
        return self._place(QRect(0, 0, width, 0), move=False)

    def sizeHint(self) -> QSize:
        """Return the size with everything in one line."""
        hints = [item.sizeHint() for item in self._shown()]
        width = sum(hint.width() for hint in hints) + self.spacing() * max(0, len(hints) - 1)
        return QSize(width, max((hint.height() for hint in hints), default=0))

    def minimumSize(self) -> QSize:
        """Return the size of the largest item."""
        size = QSize(0, 0)
        for item in self._shown():
            size = size.expandedTo(item.minimumSize())
        return size

    def setGeometry(self, box: QRect) -> None:
        """Place the items."""
        super().setGeometry(box)
        self._place(box, move=True)

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _place(self, box: QRect, *, move: bool) -> int:
        """Lay out the items in `box` and return their total height."""
        line: list[tuple[QLayoutItem, QRect]] = []
        x, y, height = box.x(), box.y(), 0
        for item in self._shown():
            hint = item.sizeHint()
            if line and x + hint.width() > box.x() + box.width():
                self._finish(line, height, move)
                line, x, y, height = [], box.x(), y + height + self._line_spacing, 0
            width = min(hint.width(), box.width())
            high = item.heightForWidth(width) if item.hasHeightForWidth() else hint.height()
            line.append((item, QRect(x, y, width, high)))
            x, height = x + width + self.spacing(), max(height, high)
        self._finish(line, height, move)
        return y + height - box.y()

    @staticmethod
    def _finish(line: list[tuple[QLayoutItem, QRect]], height: int, move: bool) -> None:
        if move:
            for item, place in line:
                item.setGeometry(place.translated(0, (height - place.height()) // 2))
