"""A grid of small images with headings, painted in a single widget."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFont,
    QFontMetrics,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from gui.widgets.large import enlarge_picture
from gui.widgets.plain import as_plain
from gui.widgets.plot_menu import PlotMenu
from gui.widgets.theme import px, tokens, zoom

GAP = 4
RADIUS = 3.0
SMALLEST = 16
"""Size in pixels to which images shrink before titles are elided."""

WIDEST_TITLE = 128
"""Maximum width of titles and notes in pixels."""

LINE = 17
"""Height of a line of text above images, in pixels."""

HIGH = 28
"""Height of an image from which its note is placed below the title instead of beside it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of images, uint8 (n, height, width, channels), with a title, a note below it, and tooltips.

    `about` is the tooltip of title and note; `button` says that a click on them does something, `pale` that they are
    drawn in grey.
    """

    images: NDArray[np.uint8]
    title: str = ""
    note: str = ""
    tips: Sequence[str] = field(default_factory=tuple)
    about: str = ""
    button: bool = False
    pale: bool = False


class ImageGrid(QWidget):
    """Rows of square images, as large as fit, with titles of at least `side` pixels on the left.

    With `above`, titles move above their images if there is no room beside them; with `titled` they are always there,
    so that grids of the same width and number of columns are alike. Emits `clicked(row, column)` on a click, or with
    `keys` also on Return at the image reached with the arrow keys, `hovered(row, column)` when the pointer or the keys
    reach an image, (-1, -1) when they leave, and `changed` when other images are shown. With `opens`, a click or Return
    enlarges an image. A click on the title of a row with a button emits
    `title_clicked(row)`.
    """

    clicked = Signal(int, int)
    title_clicked = Signal(int)
    hovered = Signal(int, int)
    changed = Signal()

    def __init__(
        self,
        *,
        side: int = 0,
        head: bool = False,
        largest: int = 96,
        keys: bool = False,
        above: bool = False,
        titled: bool = False,
        opens: bool = False,
    ) -> None:
        super().__init__()
        self._sizes = side, 20 if head else 0, largest
        """Width of titles, height of headings and largest side of an image, in pixels at 100 %."""
        self._may_stand_above = above
        self._titled = titled
        self._least = 0
        self._rows: list[Row] = []
        self._words = (0, 0)
        """Width in pixels of the widest title with its note below it, and beside it."""
        self._images: list[list[QImage]] = []
        self._headings: Sequence[str] = ()
        self._framed: int | None = None
        self._under: tuple[int, int] | None = None
        if keys or opens:
            self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        if opens:
            self.clicked.connect(self._enlarge)
            self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.menu = PlotMenu(self, enlarge=self._enlarge_pointed)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def show_rows(
        self, rows: Sequence[Row], headings: Sequence[str] = (), framed: int | None = None, columns: int = 0
    ) -> None:
        """Show these rows, with room for at least so many `columns`.

        `framed` is a column drawn with a frame, such as the originals.
        """
        self._rows, self._least = list(rows), columns
        self._images = [[to_qimage(image) for image in row.images] for row in rows]
        self._headings, self._framed = headings, framed
        self._words = self._measured()
        if self._under and (self._under[0] >= len(rows) or self._under[1] >= len(rows[self._under[0]].images)):
            self._come_to(None)
        self.updateGeometry()
        self.update()
        self.changed.emit()

    def image(self, row: int, column: int) -> QImage | None:
        """Return a displayed image; None if there is none at that place."""
        found = row < len(self._images) and column < len(self._images[row])
        return self._images[row][column] if found else None

    def caption(self, row: int, column: int) -> str:
        """Return what is known about an image: the title and note of its row, and its tooltip or its heading."""
        if self.image(row, column) is None:
            return ""
        shown, heading = self._rows[row], self._headings[column] if column < len(self._headings) else ""
        tip = shown.tips[column] if column < len(shown.tips) else heading
        return " · ".join(part for part in dict.fromkeys((f"{shown.title} {shown.note}".strip(), tip)) if part)

    @Slot(int, int)
    def _enlarge(self, row: int, column: int) -> None:
        enlarge_picture(self, row, column)

    def _enlarge_pointed(self) -> None:
        """Enlarge the image under the pointer or reached by keys, else the first."""
        if self._rows:
            enlarge_picture(self, *(self._under or (0, 0)))

    @property
    def _side(self) -> int:
        return px(self._sizes[0])

    @property
    def _head(self) -> int:
        return px(self._sizes[1])

    @property
    def _largest(self) -> int:
        return round(self._sizes[2] * zoom())

    @property
    def rows(self) -> list[Row]:
        """The displayed rows."""
        return self._rows

    def _columns(self) -> int:
        return max((self._least, *(len(row.images) for row in self._rows))) if self._rows else 0

    def cell(self) -> int:
        """Return the side of an image on the screen, in pixels."""
        columns = self._columns()
        if not columns:
            return 0
        wide = (self.width() - self._titles(self.width()) + GAP) // columns - GAP
        high = (self.height() - self._head + GAP) // len(self._rows) - GAP - self._line(self.width())
        return max(8, min(wide, high, self._largest))

    def sizeHint(self) -> QSize:
        """Return the size with images as large as the width allows."""
        columns = self._columns()
        if not columns:
            return QSize(120, 24)
        titles = self._titles(self.width())
        cell = max(8, min((self.width() - titles + GAP) // columns - GAP, self._largest))
        high = self._head + len(self._rows) * (cell + GAP + self._line(self.width()))
        return QSize(titles + columns * (cell + GAP), high)

    def minimumSizeHint(self) -> QSize:
        """Return the size with images of 16 pixels."""
        high = SMALLEST + 2 + self._line(self.width())
        return QSize(self._side + self._columns() * (SMALLEST + 2), self._head + len(self._rows) * high)

    def hasHeightForWidth(self) -> bool:
        """Return True: a wider grid is taller."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height at which the images fill the width."""
        columns = self._columns()
        if not columns:
            return 24
        cell = max(8, min((width - self._titles(width) + GAP) // columns - GAP, self._largest))
        return self._head + len(self._rows) * (cell + GAP + self._line(width))

    def _left(self, cell: int) -> int:
        """Return the left edge of the images: long titles use width that the images leave free."""
        if not self._side or self._line(self.width()):
            return 0
        left = self.width() - self._columns() * (cell + GAP) + GAP
        return max(self._titles(self.width()), min(self._words[cell < HIGH], left))

    def _titles(self, width: int) -> int:
        """Return the width of titles and notes at a grid's width: what they need, within the limits of `WIDEST_TITLE`
        and of the smallest images.
        """
        if not self._side or self._line(width):
            return 0
        return max(self._side, min(*self._needed_and_room(width)))

    def _line(self, width: int) -> int:
        """Return the height of titles above images at a grid's width; 0 if they are beside them."""
        if self._titled:
            return px(LINE)
        needed, room = self._needed_and_room(width)
        return px(LINE) if self._may_stand_above and needed > room else 0

    def _needed_and_room(self, width: int) -> tuple[int, int]:
        """Return the width that titles and notes need beside the images at a grid's width, and the width available."""
        columns = max(1, self._columns())
        beside = (width - self._side + GAP) // columns - GAP < HIGH
        return self._words[beside], min(px(WIDEST_TITLE), width - columns * (SMALLEST + GAP) + GAP)

    def _measured(self) -> tuple[int, int]:
        bold, small = QFontMetrics(self._font(bold=True)), QFontMetrics(self._font(bold=False))
        each = [(bold.horizontalAdvance(row.title), small.horizontalAdvance(row.note)) for row in self._rows]
        below = max((max(pair) for pair in each), default=0) + 8
        return below, max((sum(pair) + 4 * bool(pair[1]) for pair in each), default=0) + 8

    def _font(self, *, bold: bool) -> QFont:
        """Return the font of titles (bold) or notes."""
        font = QFont(self.font())
        font.setPixelSize(px(13 if bold else 11))
        font.setBold(bold)
        return font

    def shown_text(self, number: int) -> tuple[str, str]:
        """Return the title and the note of a row as drawn, elided if necessary."""
        row, box = self._rows[number], self._rect(number, 0)
        bold, small = QFontMetrics(self._font(bold=True)), QFontMetrics(self._font(bold=False))
        line = self._line(self.width())
        room = self.width() if line else max(0, box.left() - 6)
        title = bold.elidedText(row.title, Qt.TextElideMode.ElideMiddle, room)
        taken = bold.horizontalAdvance(title) + 4 if line or box.height() < HIGH else 0
        return title, small.elidedText(row.note, Qt.TextElideMode.ElideRight, max(0, room - taken))

    def _rect(self, row: int, column: int) -> QRect:
        cell, line = self.cell(), self._line(self.width())
        top = self._head + row * (cell + GAP + line) + line
        return QRect(self._left(cell) + column * (cell + GAP), top, cell, cell)

    def _at(self, position: QPoint) -> tuple[int, int] | None:
        for row, images in enumerate(self._images):
            for column in range(len(images)):
                if self._rect(row, column).contains(position):
                    return row, column
        return None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Report a click on an image or a title."""
        place = event.position().toPoint()
        found, title = self._at(place), self._title_at(place)
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if found:
            self.clicked.emit(*found)
        elif title is not None and self._rows[title].button:
            self.title_clicked.emit(title)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Report the image under the pointer."""
        place = event.position().toPoint()
        self._come_to(self._at(place))
        title = self._title_at(place)
        active = title is not None and self._rows[title].button
        self.setCursor(Qt.CursorShape.PointingHandCursor if active else Qt.CursorShape.ArrowCursor)

    def leaveEvent(self, event: QEvent) -> None:
        """Report that the pointer has left."""
        self._come_to(None)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Report that the keyboard focus has left."""
        super().focusOutEvent(event)
        self._come_to(None)

    def _come_to(self, place: tuple[int, int] | None) -> None:
        if place != self._under:
            self._under = place
            self.hovered.emit(*(place or (-1, -1)))
            self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move from image to image with the arrow keys, and click with Return or Space."""
        row, column = self._under or (0, -1)
        moves = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
        }
        if event.key() in moves and self._rows:
            down, right = moves[Qt.Key(event.key())]
            row = min(max(row + down, 0), len(self._rows) - 1)
            self._come_to((row, min(max(column + right, 0), len(self._images[row]) - 1)))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self._under:
            self.clicked.emit(*self._under)
        else:
            super().keyPressEvent(event)

    def event(self, event: Any) -> bool:
        """Show the tooltip of the image under the pointer."""
        if isinstance(event, QHelpEvent):
            tip = self._tip(event.pos())
            if tip:
                QToolTip.showText(event.globalPos(), as_plain(tip), self)
                return True
        return super().event(event)

    def _tip(self, place: QPoint) -> str:
        """Return the tooltip of the image or title at a position."""
        found = self._at(place)
        if found:
            tips = self._rows[found[0]].tips
            return tips[found[1]] if found[1] < len(tips) else ""
        title = self._title_at(place)
        if title is None:
            return ""
        row = self._rows[title]
        return row.about or f"{row.title} {row.note}".strip()

    def _title_at(self, place: QPoint) -> int | None:
        """Return the row whose title or note is at a position."""
        line = self._line(self.width())
        for number in range(len(self._rows)):
            box = self._rect(number, 0)
            at_words = place.y() < box.top() if line else place.x() < box.left()
            if at_words and box.top() - line <= place.y() <= box.bottom():
                return number
        return None

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw headings and images."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        colours = tokens()
        small = self.font()
        small.setPixelSize(px(11))
        for column, heading in enumerate(self._headings):
            box = self._rect(0, column)
            painter.setFont(small)
            painter.setPen(QColor(colours.muted))
            painter.drawText(
                QRect(box.x() - 4, 0, box.width() + 8, self._head - 3), Qt.AlignmentFlag.AlignCenter, heading
            )
        for number, images in enumerate(self._images):
            self._paint_title(painter, number)
            for column, image in enumerate(images):
                frame = QRectF(self._rect(number, column))
                path = QPainterPath()
                path.addRoundedRect(frame, RADIUS, RADIUS)
                painter.save()
                painter.setClipPath(path)
                painter.drawImage(frame, image)
                painter.restore()
                framed = column == self._framed or (self.hasFocus() and (number, column) == self._under)
                painter.setPen(QPen(QColor(colours.accent if framed else colours.border), 2 if framed else 1))
                painter.drawPath(path)

    def _paint_title(self, painter: QPainter, number: int) -> None:
        if not self._side and not self._titled:
            return
        row, colours, box = self._rows[number], tokens(), self._rect(number, 0)
        title, note = self.shown_text(number)
        painter.setFont(self._font(bold=True))
        painter.setPen(QColor(colours.muted if row.pale else colours.text))
        line = self._line(self.width())
        middle = box.top() - px(10) if line else box.center().y()
        beside = bool(row.note) and (bool(line) or box.height() < HIGH)
        painter.drawText(QPointF(0, middle + px(5) if beside or not row.note else middle), title)
        if row.note:
            left = painter.fontMetrics().horizontalAdvance(title) + 4 if beside and title else 0
            painter.setFont(self._font(bold=False))
            painter.setPen(QColor(colours.muted))
            painter.drawText(QPointF(left, middle + px(5 if beside else 14)), note)


def to_qimage(image: NDArray[np.uint8]) -> QImage:
    """Return a uint8 image (height, width, 1 or 3 channels) as a QImage that owns its memory."""
    height, width, channels = image.shape
    data = np.ascontiguousarray(image)
    kind = QImage.Format.Format_Grayscale8 if channels == 1 else QImage.Format.Format_RGB888
    return QImage(data.data, width, height, width * channels, kind).copy()
