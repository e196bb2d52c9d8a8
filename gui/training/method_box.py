"""The list of methods in the form: by supervision, with a short description of each, searchable by typing."""

import time

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QGuiApplication, QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QComboBox, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from engine.methods.registry import METHODS, by_supervision
from gui.plugins.words import origin_tip
from gui.widgets.combo import Combo
from gui.widgets.headings import EDGE, Index, draw_heading, heading, heading_size, small
from gui.widgets.plain import tip
from gui.widgets.theme import px, tokens
from gui.widgets.words import spelt

Role = Qt.ItemDataRole
ABOUT = int(Role.UserRole) + 1
"""Role of a method's short description; None for a heading."""

NAMES = ABOUT + 1
"""Role of the names by which a method is found."""

GAP = 16


class MethodBox(Combo):
    """A box whose list has the methods under headings by supervision.

    `currentData` is the name of the chosen method.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumContentsLength(8)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        items = QStandardItemModel(self)
        for label, names in by_supervision().items():
            above = heading(str(label))
            above.setToolTip(tip(label.about))
            items.appendRow(above)
            for name in names:
                items.appendRow(_item(name))
        view = MethodView()
        view.setItemDelegate(MethodDelegate(view))
        self.setModel(items)
        self.setView(view)
        self.setMaxVisibleItems(items.rowCount())
        self.setCurrentIndex(self.findData(next(iter(METHODS))))


def method_tip(name: str) -> str:
    """Return the tooltip of a method: what it learns from, what it minimises, its source, its plug-in."""
    method = METHODS[name]
    lines = (method.about, f"Minimises {method.formula}.", f"{method.source}.", origin_tip(METHODS.origin(name)))
    return tip(f"{name} · {method.supervision}", *filter(None, lines), title=method.title)


def _item(name: str) -> QStandardItem:
    method, origin = METHODS[name], METHODS.origin(name)
    item = QStandardItem(method.title)
    item.setData(name, Role.UserRole)
    whose = f"plug-in {origin.plugin}" if origin is not None else ""
    item.setData(" · ".join(filter(None, (method.about, whose))), ABOUT)
    item.setData((spelt(method.title), name, spelt(method.short)), NAMES)
    item.setToolTip(method_tip(name))
    return item


class MethodView(QListView):
    """The list, in which typing finds a method by its title or name: by its beginning, a word, or any part of it."""

    def __init__(self) -> None:
        super().__init__()
        self._typed = ""
        self._at = 0.0

    def keyboardSearch(self, search: str) -> None:
        """Go to the first match of the typed text, by a single letter to the next one; a pause clears the text."""
        now = time.monotonic()
        pause = QGuiApplication.styleHints().keyboardInputInterval() / 1000
        self._typed = spelt(search) if now - self._at > pause or not search else self._typed + spelt(search)
        self._at = now
        if not self._typed:
            return
        count = self.model().rowCount()
        first = self.currentIndex().row() + 1 if len(search) == len(self._typed) == 1 else 0
        order = [*range(first, count), *range(first)]
        for fits in (str.startswith, _begins_a_word, str.__contains__):
            for row in order:
                index = self.model().index(row, 0)
                if any(fits(name, self._typed) for name in index.data(NAMES) or ()):
                    self.setCurrentIndex(index)
                    return


def _begins_a_word(name: str, typed: str) -> bool:
    return f"-{typed}" in name or f" {typed}" in name or f"({typed}" in name


class MethodDelegate(QStyledItemDelegate):
    """Draws headings, and methods with their short descriptions in a second column."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the size of both columns."""
        height = QFontMetrics(option.font).height() + px(6)
        about = index.data(ABOUT)
        if about is None:
            return heading_size(option)
        wide = QFontMetrics(small(option.font)).horizontalAdvance(about)
        return QSize(self._column(option, index) + wide + EDGE, height)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a heading or a method."""
        colours, about = tokens(), index.data(ABOUT)
        if about is None:
            draw_heading(painter, option, str(index.data()))
            return
        box: QRect = option.rect
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(box, QColor(colours.accent_soft))
        middle = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.setPen(QColor(colours.text))
        painter.setFont(option.font)
        painter.drawText(box.adjusted(EDGE, 0, 0, 0), middle, index.data())
        painter.setFont(small(option.font))
        painter.setPen(QColor(colours.muted))
        right = box.adjusted(self._column(option, index), 0, -EDGE, 0)
        words = painter.fontMetrics().elidedText(about, Qt.TextElideMode.ElideRight, right.width())
        painter.drawText(right, middle, words)
        painter.restore()

    def _column(self, option: QStyleOptionViewItem, index: Index) -> int:
        """The position of the second column, after the longest title."""
        items, metrics = index.model(), QFontMetrics(option.font)
        titles = (items.index(row, 0) for row in range(items.rowCount()))
        return EDGE + GAP + max(metrics.horizontalAdvance(it.data()) for it in titles if it.data(ABOUT) is not None)
