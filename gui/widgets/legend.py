"""A legend whose entries show and hide curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFont, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QFrame, QScrollArea, QSizePolicy, QWidget

from gui.widgets.flow import FlowLayout
from gui.widgets.theme import px, tokens

WIDEST, WIDEST_OF_SEVERAL = 150, 210
"""Maximum width of a name in pixels, and of that of several runs, which says in what they differ from others.

Longer ones are elided, with the full name in the tooltip.
"""

SAMPLE = 14
MARKER = 12
LINE = 17
BAR = 12
LINES = 2
"""Number of visible lines; further ones scroll."""

NARROW = 220
"""Width in pixels below which entries that need scrolling have a single line, since the plot is low as well."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The legend entry of a curve, or of a group of curves that are shown and hidden together.

    `folded` says whether a curve that stands for several is closed; None for any other. `about` is for the tooltip.
    """

    key: str
    title: str
    colour: str
    style: Qt.PenStyle = Qt.PenStyle.SolidLine
    marked: bool = False
    folded: bool | None = None
    about: str = ""


class EntryButton(QAbstractButton):
    """A sample of the line and its name; checked while the curve is shown.

    Before an entry that can be opened is ▸ or ▾: a click there, or the arrow keys, emit `fold_asked`.
    """

    fold_asked = Signal()

    def __init__(self, entry: Entry, checked: bool) -> None:
        super().__init__()
        self.entry = entry
        self.setCheckable(True)
        self.setChecked(checked)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        state = [] if entry.folded is None else ["closed" if entry.folded else "opened"]
        self.setAccessibleName(", ".join([entry.title, "shown" if checked else "hidden", *state]))
        lines = [entry.title, *([entry.about] if entry.about else []), "Click to show or hide."]
        if entry.folded is not None:
            lines.append("Click ▸ or press → to show each run." if entry.folded else "Click ▾ or press ← to close.")
        self.setToolTip("".join(f"<p>{escape(line)}</p>" for line in lines))

    @property
    def _left(self) -> int:
        """Where the sample of the line begins, in pixels."""
        return 0 if self.entry.folded is None else MARKER

    def sizeHint(self) -> QSize:
        """Return the size of sample and name."""
        widest = px(WIDEST if self.entry.folded is None else WIDEST_OF_SEVERAL)
        words = min(widest, QFontMetrics(self._small()).horizontalAdvance(self.entry.title))
        return QSize(self._left + SAMPLE + 5 + words + 2, px(LINE))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Open or close it by a click on the marker; elsewhere, show or hide it."""
        if event.position().x() < self._left:
            self.fold_asked.emit()
        else:
            super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open it with → and close it with ←."""
        keys = {Qt.Key.Key_Right: True, Qt.Key.Key_Left: False}
        if self.entry.folded is not None and keys.get(Qt.Key(event.key())) is self.entry.folded:
            self.fold_asked.emit()
        else:
            super().keyPressEvent(event)

    def _small(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(px(12))
        return font

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw sample and name."""
        painter = QPainter(self)
        colours, shown, middle = tokens(), self.isChecked(), self.height() / 2
        colour = QColor(self.entry.colour if shown else colours.border)
        font = self._small()
        if self.entry.folded is not None:
            painter.setFont(font)
            painter.setPen(QColor(colours.text if self.underMouse() else colours.muted))
            marker = QRectF(0, 0, MARKER, self.height())
            painter.drawText(marker, Qt.AlignmentFlag.AlignVCenter, "▸" if self.entry.folded else "▾")
            painter.translate(MARKER, 0)
        painter.setPen(QPen(colour, 2, self.entry.style))
        painter.drawLine(QPointF(0, middle), QPointF(SAMPLE, middle))
        if self.entry.marked:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setBrush(colour)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawEllipse(QPointF(SAMPLE / 2, middle), 3, 3)
        font.setStrikeOut(not shown)
        painter.setFont(font)
        painter.setPen(QColor(colours.text if self.underMouse() else colours.muted))
        box = QRectF(SAMPLE + 5, 0, self.width() - self._left - SAMPLE - 5, self.height())
        words = painter.fontMetrics().elidedText(self.entry.title, Qt.TextElideMode.ElideRight, int(box.width()) + 1)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, words)
        painter.resetTransform()
        if self.hasFocus():
            painter.setPen(QPen(QColor(colours.accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)


class Legend(QScrollArea):
    """Entries in up to two lines, then scrolling.

    Emits `toggled(key, shown)` when one is clicked, and `fold_asked(key)` to open or close one.
    """

    toggled = Signal(str, bool)
    fold_asked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self._inside = QWidget()
        self._flow = FlowLayout(self._inside, spacing=10, line_spacing=0)
        self.setWidget(self._inside)
        self._entries: tuple[Entry, ...] = ()
        self.hidden: set[str] = set()

    @property
    def buttons(self) -> list[EntryButton]:
        """The entries."""
        return [button for button in self._inside.findChildren(EntryButton) if not button.isHidden()]

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Show these entries; hidden ones stay hidden."""
        if tuple(entries) == self._entries:
            return
        focused = next((b.entry.key for b in self._inside.findChildren(EntryButton) if b.hasFocus()), None)
        self._entries = tuple(entries)
        for old in self.buttons:
            self._flow.removeWidget(old)
            old.hide()
            old.deleteLater()
        for entry in entries:
            button = EntryButton(entry, entry.key not in self.hidden)
            button.toggled.connect(self._toggle)
            button.fold_asked.connect(self._fold)
            self._flow.addWidget(button)
            button.show()
            if entry.key == focused:
                button.setFocus()
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        """Return the size with all entries in one line, and room for a scroll bar, so that one can disappear again."""
        return QSize(self._flow.sizeHint().width() + BAR, px(LINE))

    def minimumSizeHint(self) -> QSize:
        """Return about the size of one entry."""
        return QSize(40, px(LINE))

    def hasHeightForWidth(self) -> bool:
        """Return True: a narrower legend has more lines."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of the visible lines."""
        line = px(LINE)
        needed = max(line, self._flow.heightForWidth(width))
        return needed if needed <= LINES * line else line if width < NARROW else LINES * line

    @Slot()
    def _fold(self) -> None:
        button = self.sender()
        assert isinstance(button, EntryButton)
        self.fold_asked.emit(button.entry.key)

    @Slot(bool)
    def _toggle(self, shown: bool) -> None:
        button = self.sender()
        assert isinstance(button, EntryButton)
        key = button.entry.key
        self.hidden = self.hidden - {key} if shown else self.hidden | {key}
        self.toggled.emit(key, shown)
