"""A plot or picture that fills the window, for those who sit at the back: arrow keys go on, Escape closes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QRectF, Qt, Slot
from PySide6.QtGui import QHideEvent, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLayout, QPushButton, QSplitter, QVBoxLayout, QWidget

from gui.widgets.layouts import label

if TYPE_CHECKING:
    from gui.widgets.image_grid import ImageGrid

MOVES = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}
"""Rows and columns by which the arrow keys go on."""


def enlarge(card: QWidget, among: Sequence[QWidget] = ()) -> None:
    """Fill the window with a card; the arrow keys go on to the visible ones `among` which it is."""
    _large(card).show_card(card, among)


def enlarge_picture(grid: "ImageGrid", row: int, column: int) -> None:
    """Fill the window with an image of a grid, which is replaced as the grid's is; the arrow keys go on."""
    _large(grid).show_picture(grid, row, column)


def _large(widget: QWidget) -> "Large":
    window = widget.window()
    found = widget if isinstance(widget, Large) else window.findChild(Large)
    return found if isinstance(found, Large) else Large(window)


class Large(QWidget):
    """Lies over its window while it shows something."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._card: QWidget | None = None
        self._stand_in: StandIn | None = None
        self._among: Sequence[QWidget] = ()
        self._before: QWidget | None = None
        """What had the focus."""
        self.setObjectName("large")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Enlarged view")
        self.picture = Picture()
        self.words = label("", "title")
        self.close_button = QPushButton("Close")
        self.close_button.setToolTip("Back to the page (Escape)")
        self.close_button.clicked.connect(self.close_again)
        head = QHBoxLayout()
        head.addWidget(self.words)
        head.addStretch(1)
        head.addWidget(label("Arrow keys: next · Escape: close", "muted"))
        head.addWidget(self.close_button)
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(16, 10, 16, 16)
        self._rows.addLayout(head)
        self._rows.addWidget(self.picture, 1)
        window.installEventFilter(self)
        self.hide()

    def show_card(self, card: QWidget, among: Sequence[QWidget] = ()) -> None:
        """Move a card here until it is closed; if it is here, move it back."""
        if self._card is card:
            self.close_again()
            return
        self._give_back()
        self.picture.forget()
        self.picture.hide()
        self.words.setText("")
        self._card, self._among = card, among
        self._stand_in = StandIn(self, card)
        _replace(card, self._stand_in)
        self._rows.addWidget(card, 1)
        card.show()
        for plot in card.findChildren(QWidget, "plot"):
            plot.installEventFilter(self)  # plots pan with the arrow keys
        self._show()

    def show_picture(self, grid: "ImageGrid", row: int, column: int) -> None:
        """Show an image of a grid."""
        self._give_back()
        self.picture.show_picture(grid, row, column)
        self.picture.show()
        grid.installEventFilter(self)
        self.words.setText(grid.caption(row, column))
        self._show()

    @Slot()
    def close_again(self) -> None:
        """Close, and give the focus back."""
        self._give_back()
        self.picture.forget()
        self.hide()
        before, self._before = self._before, None
        if before is not None and before.isVisible():
            before.setFocus(Qt.FocusReason.PopupFocusReason)

    def _show(self) -> None:
        if not self.isVisible():
            self._before = QApplication.focusWidget()
        self.setGeometry(self._window.rect())
        self.show()
        self.raise_()
        self.setFocus(Qt.FocusReason.PopupFocusReason)

    def _give_back(self) -> None:
        card, stand_in = self._card, self._stand_in
        self._card = self._stand_in = None
        if card is not None and stand_in is not None:
            for plot in card.findChildren(QWidget, "plot"):
                plot.removeEventFilter(self)
            _replace(stand_in, card)
            stand_in.deleteLater()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go on with the arrow keys, close with Escape."""
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Escape:
            self.close_again()
        elif key in MOVES and self._card is not None:
            shown = [card for card in self._among if card is self._card or card.isVisible()]
            if len(shown) > 1:
                place = shown.index(self._card) + sum(MOVES[key])
                self.show_card(shown[place % len(shown)], self._among)
        elif key in MOVES and self.picture.grid is not None:
            self.show_picture(self.picture.grid, *self.picture.beside(*MOVES[key]))
        else:
            super().keyPressEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the size of the window; close when the page of the picture is left; take the arrow keys of a plot."""
        if watched is self._window:
            if event.type() == QEvent.Type.Resize:
                self.setGeometry(self._window.rect())
        elif event.type() == QEvent.Type.Hide and not event.spontaneous() and watched is self.picture.grid:
            self.close_again()
        elif self._card is not None and event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            moves = event.key() in MOVES
            if moves:
                self.keyPressEvent(event)
            return moves
        return False


class StandIn(QWidget):
    """Keeps the place of a card that is shown large."""

    def __init__(self, large: Large, card: QWidget) -> None:
        super().__init__()
        self._large = large
        self.setSizePolicy(card.sizePolicy())
        self.setMinimumSize(card.minimumSize())

    def hideEvent(self, event: QHideEvent) -> None:
        """Close the large view when the page is left."""
        super().hideEvent(event)
        if not event.spontaneous() and self._large._stand_in is self:
            self._large.close_again()


class Picture(QWidget):
    """One image of a grid, as large as it fits."""

    def __init__(self) -> None:
        super().__init__()
        self.grid: ImageGrid | None = None
        self.place = (0, 0)

    def show_picture(self, grid: "ImageGrid", row: int, column: int) -> None:
        """Show an image of a grid, and what later takes its place."""
        if grid is not self.grid:
            self.forget()
            self.grid = grid
            grid.changed.connect(self.update)
        self.place = row, column
        self.setAccessibleName(grid.caption(row, column))
        self.update()

    def forget(self) -> None:
        """Show nothing."""
        if self.grid is not None:
            self.grid.changed.disconnect(self.update)
            self.grid = None

    def beside(self, down: int, right: int) -> tuple[int, int]:
        """Return the row and column of the image beside, the first after the last."""
        assert self.grid is not None
        rows = self.grid.rows
        row = (self.place[0] + down) % max(1, len(rows))
        return row, (self.place[1] + right) % max(1, len(rows[row].images))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the image with its pixels as squares."""
        image = self.grid.image(*self.place) if self.grid is not None else None
        if image is None:
            return
        painter = QPainter(self)
        size = image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        left, top = (self.width() - size.width()) / 2, (self.height() - size.height()) / 2
        painter.drawImage(QRectF(left, top, size.width(), size.height()), image)


def _replace(one: QWidget, other: QWidget) -> None:
    """Put another widget in the place of one, in a splitter or any layout."""
    parent, shown = one.parentWidget(), not one.isHidden()
    if isinstance(parent, QSplitter):
        sizes = parent.sizes()
        parent.replaceWidget(parent.indexOf(one), other)
        parent.setSizes(sizes)
    elif parent is not None and isinstance(layout := parent.layout(), QLayout):
        item = layout.replaceWidget(one, other)
        assert item is not None, "the card is in no layout"
    one.setParent(None)
    other.setVisible(shown)
