"""A card of the gallery: a model's moving pictures, its story and its numbers."""

from PySide6.QtCore import QEvent, Qt, Signal, Slot
from PySide6.QtGui import QEnterEvent, QFocusEvent, QImage, QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout

from engine.gallery import Model, Value
from engine.settings.run_config import DATASET_TITLES
from gui.gallery.strip import Strip
from gui.widgets.layouts import label
from gui.widgets.plain import tip
from gui.widgets.theme import px

BY_KEYS = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)


class _Open(QPushButton):
    """A button that says when it gets the focus by the keyboard, and when it loses it."""

    focused = Signal(bool)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Tell the card."""
        super().focusInEvent(event)
        if event.reason() in BY_KEYS:
            self.focused.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Tell the card."""
        super().focusOutEvent(event)
        self.focused.emit(False)


class ModelCard(QFrame):
    """Plays while the pointer is on it or its button has the focus. Emits `opened(path)` on a click or the button."""

    opened = Signal(object)

    def __init__(self, model: Model, picture: QImage) -> None:
        super().__init__()
        self.model = model
        self.setObjectName("model")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(px(12), px(12), px(12), px(10))
        layout.setSpacing(px(5))
        self.strip = Strip(picture, model.frames, [cell.words for cell in model.cells])
        layout.addWidget(self.strip)
        head = QHBoxLayout()
        head.addWidget(label(model.title, "title"))
        head.addStretch(1)
        config = model.run.config
        kind = label(DATASET_TITLES[config.dataset], "muted")
        head.addWidget(kind)
        layout.addLayout(head)
        self.story = label(model.story, wrap=True)
        self.story.setAlignment(Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self.story, 1)
        foot = QHBoxLayout()
        foot.setSpacing(px(8))
        self.numbers = label(" · ".join(_unbroken(value) for value in model.values), "muted", wrap=True)
        self.numbers.setToolTip(tip(*(f"{value.full} {value.text}: {value.about}" for value in model.values)))
        foot.addWidget(self.numbers, 1)
        self.button = _Open("Open")
        self.button.setAccessibleName(f"Open {model.title}")
        self.button.setToolTip(
            f"Show it in Traversal: {config.method_title}, {config.supervision}, {config.steps or 0:,} steps"
        )
        self.button.clicked.connect(self._open)
        self.button.focused.connect(self._focused)
        foot.addWidget(self.button, 0, Qt.AlignmentFlag.AlignBottom)
        layout.addLayout(foot)

    @Slot()
    def _open(self) -> None:
        self.opened.emit(self.model.run.path)

    @Slot(bool)
    def _focused(self, focused: bool) -> None:
        self._live(focused or self.underMouse())

    def _live(self, live: bool) -> None:
        if live:
            self.strip.play()
        else:
            self.strip.stop()
        if self.property("live") != live:
            self.setProperty("live", live)
            self.style().unpolish(self)
            self.style().polish(self)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Play."""
        self._live(True)
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Rest."""
        self._live(False)
        super().leaveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Open the model by a click anywhere on the card."""
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self._open()


def _unbroken(value: Value) -> str:
    """Return a metric's title and value, which stay in one line."""
    return f"{value.title} {value.text}".replace(" ", "\N{NO-BREAK SPACE}")
