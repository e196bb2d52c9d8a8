"""A small black canvas to draw on in white."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QImage, QKeyEvent, QKeySequence, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QBoxLayout, QButtonGroup, QPushButton, QSizePolicy, QWidget

from gui.widgets.theme import tokens

SIDE = 224
"""Side of the drawing in pixels: eight for each of MNIST's."""

PEN, ERASER = 20.0, 36.0
"""Widths in pixels of the drawing: pen strokes are about 2.5 MNIST pixels wide, like those of MNIST's digits."""

UNDO = 50
"""Maximum number of strokes that can be undone."""


class Canvas(QWidget):
    """Draws with the mouse. Emits `changed` while the pen moves, and after undo and clear."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._image = _blank()
        self._before: list[QImage] = []
        self._last: QPointF | None = None
        self.erasing = False
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setMinimumSize(112, 112)
        self.setMaximumSize(SIDE, SIDE)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Canvas")
        self.setToolTip("Draw with the mouse; the right button erases, Ctrl+Z undoes a stroke")

    def sizeHint(self) -> QSize:
        """Return a size suitable for drawing a digit."""
        return QSize(196, 196)

    def heightForWidth(self, width: int) -> int:
        """Keep the canvas square."""
        return min(width, SIDE)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The drawing, uint8 (SIDE, SIDE), from 0 (black) to 255 (white)."""
        rows = np.frombuffer(self._image.constBits(), np.uint8).reshape(SIDE, self._image.bytesPerLine())
        return rows[:, :SIDE].copy()

    @property
    def empty(self) -> bool:
        """Whether the canvas is blank."""
        return not self.pixels.any()

    @property
    def can_undo(self) -> bool:
        """Whether there is a stroke to undo."""
        return bool(self._before)

    @Slot()
    def undo(self) -> None:
        """Undo the last stroke."""
        if self._before:
            self._image = self._before.pop()
            self._update()

    @Slot()
    def clear(self) -> None:
        """Clear the canvas; can be undone."""
        if not self.empty:
            self._remember()
            self._image = _blank()
            self._update()

    def _remember(self) -> None:
        self._before = [*self._before[-UNDO + 1 :], self._image.copy()]

    def _update(self) -> None:
        self.update()
        self.changed.emit()

    def _box(self) -> QRectF:
        side = min(self.width(), self.height())
        return QRectF((self.width() - side) / 2, 0, side, side)

    def _stroke_to(self, event: QMouseEvent) -> None:
        box = self._box()
        here = (event.position() - box.topLeft()) * (SIDE / box.width())
        erase = self.erasing or bool(event.buttons() & Qt.MouseButton.RightButton)
        painter = QPainter(self._image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(
            QPen(
                QColor(Qt.GlobalColor.black if erase else Qt.GlobalColor.white),
                ERASER if erase else PEN,
                Qt.PenStyle.SolidLine,
                Qt.PenCapStyle.RoundCap,
                Qt.PenJoinStyle.RoundJoin,
            )
        )
        if self._last is None or self._last == here:
            painter.drawPoint(here)
        else:
            painter.drawLine(self._last, here)
        painter.end()
        self._last = here
        self._update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Start a stroke."""
        if event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton) and self._last is None:
            self._remember()
            self._stroke_to(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Continue the stroke."""
        if self._last is not None:
            self._stroke_to(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End the stroke."""
        self._last = None

    def event(self, event: QEvent) -> bool:
        """Claim Ctrl+Z from the window while the canvas has the focus."""
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.matches(QKeySequence.StandardKey.Undo)
            and self.can_undo
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Undo a stroke, or clear the canvas."""
        if event.matches(QKeySequence.StandardKey.Undo):
            self.undo()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.clear()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the canvas."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        box = self._box()
        painter.drawImage(box, self._image)
        colours = tokens()
        painter.setPen(QPen(QColor(colours.accent if self.hasFocus() else colours.border), 1))
        painter.drawRect(box.adjusted(0.5, 0.5, -0.5, -0.5))
        if self.empty:
            painter.setPen(QColor("#8a8f98"))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "Draw here")


class DrawingBoard(QWidget):
    """The canvas with its tools. Emits `changed` with the canvas."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.canvas = Canvas()
        self.canvas.changed.connect(self._changed)
        self._tools = QButtonGroup(self)
        tools = self._buttons = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        tools.setSpacing(0)
        for number, (title, tip) in enumerate((("Pen", "Draw in white"), ("Eraser", "Draw in black"))):
            button = QPushButton(title)
            button.setObjectName("segment")
            button.setCheckable(True)
            button.setProperty("last", number == 1)
            button.setToolTip(tip)
            self._tools.addButton(button, number)
            tools.addWidget(button)
        self._tools.button(0).setChecked(True)
        self._tools.idToggled.connect(self._choose)
        tools.addStretch(1)
        self.undo_button = QPushButton("Undo")
        self.undo_button.setObjectName("compact")
        self.undo_button.setToolTip("Undo the last stroke (Ctrl+Z on the canvas)")
        self.undo_button.clicked.connect(self.canvas.undo)
        self.clear_button = QPushButton("Clear")
        self.clear_button.setObjectName("compact")
        self.clear_button.setToolTip("Clear the canvas (Delete on the canvas)")
        self.clear_button.clicked.connect(self.canvas.clear)
        tools.addWidget(self.undo_button)
        tools.addSpacing(6)
        tools.addWidget(self.clear_button)
        self._parts = QBoxLayout(QBoxLayout.Direction.TopToBottom, self)
        self._parts.setContentsMargins(0, 0, 0, 0)
        self._parts.setSpacing(6)
        self._parts.addWidget(self.canvas)
        self._parts.addLayout(tools)
        self._show_possible()

    def set_narrow(self, narrow: bool) -> None:
        """Place the tools beside a smaller canvas, or below a larger one."""
        beside, below = QBoxLayout.Direction.LeftToRight, QBoxLayout.Direction.TopToBottom
        self._parts.setDirection(beside if narrow else below)
        self._buttons.setDirection(below if narrow else beside)
        side = SIDE // 2 + 8 if narrow else SIDE
        self.canvas.setMaximumSize(side, side)

    @Slot(int, bool)
    def _choose(self, number: int, checked: bool) -> None:
        if checked:
            self.canvas.erasing = number == 1

    @Slot()
    def _changed(self) -> None:
        self._show_possible()
        self.changed.emit()

    def _show_possible(self) -> None:
        self.undo_button.setEnabled(self.canvas.can_undo)
        self.clear_button.setEnabled(not self.canvas.empty)


def _blank() -> QImage:
    image = QImage(SIDE, SIDE, QImage.Format.Format_Grayscale8)
    image.fill(0)
    return image
