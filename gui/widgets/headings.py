"""Headings in lists of choices: rows that cannot be chosen, above those that belong together."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QStandardItem
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from gui.widgets.theme import px, tokens

Index = QModelIndex | QPersistentModelIndex
EDGE = 10
"""Distance in pixels of the choices from the left edge; headings are at half of it."""


def heading(words: str) -> QStandardItem:
    """Return a row that is a heading."""
    item = QStandardItem(words)
    item.setFlags(Qt.ItemFlag.NoItemFlags)
    return item


def heading_size(option: QStyleOptionViewItem) -> QSize:
    """Return the size of a heading."""
    return QSize(120, QFontMetrics(option.font).height() + px(6))


def draw_heading(painter: QPainter, option: QStyleOptionViewItem, words: str) -> None:
    """Draw a heading, small and muted, at the bottom of its row."""
    font = small(option.font)
    font.setWeight(QFont.Weight.DemiBold)
    painter.save()
    painter.setFont(font)
    painter.setPen(QColor(tokens().muted))
    box: QRect = option.rect
    line = box.adjusted(EDGE // 2, 0, 0, -2)
    painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, words)
    painter.restore()


def small(font: QFont) -> QFont:
    """Return a font at the size of headings and short descriptions."""
    smaller = QFont(font)
    smaller.setPixelSize(px(12))
    return smaller


class HeadingDelegate(QStyledItemDelegate):
    """Draws rows without a name (user data) as headings, and the others as usual."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the size of a row: lists with headings are long, so rows are as low as headings and a little."""
        size = super().sizeHint(option, index)
        size.setHeight(heading_size(option).height() + (0 if _is_heading(index) else px(2)))
        return size

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a heading or a choice."""
        if _is_heading(index):
            draw_heading(painter, option, str(index.data()))
        else:
            super().paint(painter, option, index)


def _is_heading(index: Index) -> bool:
    return index.data(Qt.ItemDataRole.UserRole) is None
