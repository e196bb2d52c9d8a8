"""The tour: five cards through the application, which can be left at any time."""

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QSettings, Signal, Slot
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QGraphicsDropShadowEffect, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from gui.widgets.layouts import label
from gui.widgets.theme import px

TOUR_OVER = "tour/over"
"""Key of the setting that the tour has been seen or left, and is no longer offered by itself."""

WIDTH = 430
PLACE = 0.66
"""Where its middle is across the window: beside the run list and the form."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A card of the tour, shown over the page of this number."""

    title: str
    words: str
    page: int


STOPS = (
    Stop(
        "Train",
        "Choose a preset, or any settings, and press Start. A run can be paused, stopped and resumed exactly, and "
        "others wait in the queue. The runs are listed on the left.",
        0,
    ),
    Stop(
        "Live",
        "While a run trains, its curves grow, and its pictures show what it has learned: each of the lower rows moves "
        "one latent. “≈ y 0.43” beside a row says which factor that latent follows, and how closely.",
        0,
    ),
    Stop(
        "Traversal",
        "Here the latents are yours to move, one slider each, from any image: one of the data, a drawing, a file. The "
        "views beside the grid compare runs, draw samples, walk between images, and map the whole latent space.",
        1,
    ),
    Stop(
        "Metrics",
        "Evaluate measures how well the latents separate the factors: MIG, DCI, the FactorVAE score and others, each "
        "with its protocol. Studies train many runs, and the table compares them.",
        2,
    ),
    Stop(
        "Help",
        "F1 explains whatever has the focus, and Ctrl+K finds every action, run and setting by a few letters. The "
        "menu at the top right has this tour and the gallery.",
        0,
    ),
)


class Tour(QFrame):
    """Lies over the lower part of its window's pages while it is open.

    `show_page(number)` shows the page that a card is about. Emits `ended` when it is left or finished.
    """

    ended = Signal()

    def __init__(self, window: QWidget, settings: QSettings, show_page: Callable[[int], object]) -> None:
        super().__init__(window)
        self._window, self._settings, self._show_page = window, settings, show_page
        self._at = 0
        self.setObjectName("palette")
        self.setFixedWidth(px(WIDTH))
        self.setAccessibleName("Tour")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(px(18), px(14), px(14), px(12))
        layout.setSpacing(px(8))
        head = QHBoxLayout()
        self.title = label("", "headline")
        self.place = label("", "muted")
        head.addWidget(self.title, 1)
        head.addWidget(self.place)
        layout.addLayout(head)
        self.words = label("", wrap=True)
        layout.addWidget(self.words)
        foot = QHBoxLayout()
        self.leave_button = QPushButton("Leave")
        self.leave_button.setToolTip("End the tour (Escape); the menu has it whenever you want it")
        self.back_button = QPushButton("Back")
        self.next_button = QPushButton("Next")
        self.next_button.setObjectName("primary")
        self.leave_button.clicked.connect(self.leave)
        self.back_button.clicked.connect(self._back)
        self.next_button.clicked.connect(self._next)
        foot.addWidget(self.leave_button)
        foot.addStretch(1)
        foot.addWidget(self.back_button)
        foot.addWidget(self.next_button)
        layout.addLayout(foot)
        shadow = QGraphicsDropShadowEffect(self)
        shadow.setBlurRadius(px(28))
        shadow.setOffset(0, px(4))
        self.setGraphicsEffect(shadow)
        self._escape = QShortcut(QKeySequence("Escape"), window, self.leave)
        self._escape.setEnabled(False)
        window.installEventFilter(self)
        self.hide()

    @Slot()
    def begin(self) -> None:
        """Open the first card."""
        self._escape.setEnabled(True)
        self._go(0)

    @Slot()
    def leave(self) -> None:
        """End the tour; it is not offered again by itself."""
        if self.isHidden():
            return
        self._escape.setEnabled(False)
        self._settings.setValue(TOUR_OVER, True)
        self.hide()
        self.ended.emit()

    @Slot()
    def _back(self) -> None:
        self._go(self._at - 1)

    @Slot()
    def _next(self) -> None:
        if self._at + 1 < len(STOPS):
            self._go(self._at + 1)
        else:
            self.leave()

    def _go(self, number: int) -> None:
        stop, self._at = STOPS[number], number
        self._show_page(stop.page)
        self.title.setText(stop.title)
        self.words.setText(stop.words)
        self.place.setText(f"{number + 1} of {len(STOPS)}")
        self.back_button.setEnabled(number > 0)
        self.next_button.setText("Next" if number + 1 < len(STOPS) else "Done")
        self._place()
        self.show()
        self.raise_()
        self.next_button.setFocus()

    def _place(self) -> None:
        window = self._window
        height = max(self.heightForWidth(px(WIDTH)), self.minimumSizeHint().height())
        self.setGeometry(
            round(PLACE * window.width() - px(WIDTH) / 2), window.height() - height - px(52), px(WIDTH), height
        )

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep its place in the window."""
        if event.type() == QEvent.Type.Resize and not self.isHidden():
            self._place()
        return False
