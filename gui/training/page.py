"""The training page: settings, live curves, live pictures."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QHideEvent, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedLayout, QVBoxLayout, QWidget

from gui.runs.store import RunItem
from gui.training.health_line import HealthLine
from gui.training.live_pictures import LivePictures
from gui.training.settings_card import SettingsCard
from gui.training.view_options import OptionsBar
from gui.widgets.layouts import Card, empty_state, label
from gui.widgets.splitter import Splitter
from gui.widgets.tab_order import follow
from gui.widgets.theme import px
from gui.widgets.words import count

if TYPE_CHECKING:
    from gui.training.curves import Curves

REDRAW_MS = 1000
"""Time between two redraws of curves that grow, unless another is preferred.

Each takes processor time from the training beside it.
"""

READ_MS = 15
READ_BYTES = 200_000
"""What is read of a long metrics file at a time, and how often, until all of it is there: 5 ms each."""

MOST_SHOWN = 16
"""Runs whose curves are drawn at once: more are a tangle, and cost seconds."""

FIRST = (
    "Loss, KL and capacity appear here while a run trains.\n\n"
    "Choose settings at the left and press Start, or begin with a preset that takes about two minutes."
)


class TrainingPage(QWidget):
    """Shows the selected runs; what is done with a run is the main window's.

    `export(options)` asks to save the curves as they are looked at, `quick` to train the two-minute preset,
    `help_asked(topic)` for help.
    """

    export = Signal(object)
    quick = Signal()
    help_asked = Signal(str)

    def __init__(self, card: SettingsCard, settings: QSettings) -> None:
        super().__init__()
        self.setProperty("helpTopic", "first-steps")
        self.settings = card
        self.options = OptionsBar(settings)
        self.options.setProperty("helpTopic", "curves#reading")
        self.pictures = LivePictures()
        self.pictures.setProperty("helpTopic", "pictures")
        self.pictures.setMinimumWidth(px(210))
        self._nothing = self._nothing_card()
        middle = QWidget()
        middle.setMinimumWidth(px(220))
        self._stack = QStackedLayout(middle)
        self._stack.setContentsMargins(0, 0, 0, 0)
        self._stack.addWidget(self._nothing)
        parts = (middle, self.pictures)
        splitter = Splitter(Qt.Orientation.Horizontal, parts, (520, 330), (3, 2), settings, "curves/splitter")
        right = QVBoxLayout()
        right.setSpacing(6)
        right.addWidget(self.options)
        self.not_all = label("", "muted")
        self.not_all.hide()
        right.addWidget(self.not_all)
        right.addWidget(splitter, 1)
        self.health = HealthLine()
        right.addWidget(self.health)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.settings)
        layout.addLayout(right, 1)
        self._items: list[RunItem] = []
        self._reader = QTimer(self)
        self._reader.setInterval(READ_MS)
        self._reader.timeout.connect(self._read_on)
        self._redraw_ms = REDRAW_MS
        self._curves: Curves | None = None
        self.options.changed.connect(self._look)
        self.options.export.connect(self._export)

    @property
    def curves(self) -> "Curves":
        """The plots; made after the page is first seen, as they load for longer than the rest of the window."""
        if self._curves is None:
            from gui.training.curves import Curves

            self._curves = Curves(self._redraw_ms)
            self._curves.show_options(self.options.options)
            self._curves.show_runs(self._items)
            self._stack.addWidget(self._curves)
            follow(self._curves, self.pictures)
        return self._curves

    def paintEvent(self, event: QPaintEvent) -> None:
        """Make the curves as soon as the page is on the screen."""
        super().paintEvent(event)
        if self._curves is None:
            QTimer.singleShot(0, self._show_curves)

    @Slot()
    def _show_curves(self) -> None:
        curves = self.curves
        filled = any(len(item.metrics) for item in self._items)
        self._stack.setCurrentWidget(curves if filled else self._nothing)

    @property
    def redraw_ms(self) -> int:
        """Time between two redraws of curves that grow, in milliseconds."""
        return self._redraw_ms

    @redraw_ms.setter
    def redraw_ms(self, value: int) -> None:
        self._redraw_ms = value
        if self._curves is not None:
            self._curves.redraw_ms = value

    def _nothing_card(self) -> Card:
        """Return what stands in the place of curves, with a way to the first ones."""
        card = Card("")
        self._empty = empty_state(FIRST)
        self.first = QWidget()
        row = QHBoxLayout(self.first)
        row.setContentsMargins(0, 0, 0, 0)
        self.quick_button = QPushButton("Train the two-minute preset")
        self.quick_button.setObjectName("primary")
        self.quick_button.setToolTip("An annealed VAE on dSprites, which are drawn on this machine")
        self.quick_button.clicked.connect(self.quick)
        steps = QPushButton("First steps")
        steps.setToolTip("Open the help (F1)")
        steps.clicked.connect(self._ask_first_steps)
        row.addStretch(1)
        row.addWidget(self.quick_button)
        row.addWidget(steps)
        row.addStretch(1)
        card.body.addStretch(1)
        card.body.addWidget(self._empty)
        card.body.addWidget(self.first)
        card.body.addStretch(1)
        return card

    @Slot()
    def _ask_first_steps(self) -> None:
        self.help_asked.emit("first-steps")

    def show_runs(self, items: list[RunItem]) -> None:
        """Draw the curves of these runs, of many the first, and the newest pictures of the first."""
        self.not_all.setVisible(len(items) > MOST_SHOWN)
        self.not_all.setText(f"Curves of the first {MOST_SHOWN} of {count(len(items), 'selected run')}.")
        items = items[:MOST_SHOWN]
        self._items = items
        filled = any(len(item.metrics) for item in items)
        self._empty.setText("" if filled else _why_empty(items))
        self.first.setVisible(not items)
        self.options.export_button.setEnabled(filled)
        if self._curves is not None:
            self._curves.show_runs(items)
            self._show_curves()
        self.pictures.show_run(items[0] if items else None, named=len(items) > 1)
        self.health.show_run(items[0] if items else None, named=len(items) > 1)
        self._follow()

    def _follow(self) -> None:
        if self.isVisible() and any(item.metrics.behind for item in self._items):
            self._reader.start()

    @Slot()
    def _read_on(self) -> None:
        """Read more of a metrics file that is too long to be read at once."""
        behind = [item for item in self._items if item.metrics.behind]
        if behind:
            behind[0].metrics.refresh(READ_BYTES)
        if not any(item.metrics.behind for item in self._items):
            self._reader.stop()
            self.show_runs(self._items)

    def showEvent(self, event: QShowEvent) -> None:
        """Read what is still to be read."""
        super().showEvent(event)
        self._follow()

    def hideEvent(self, event: QHideEvent) -> None:
        """Read no further while nobody looks."""
        super().hideEvent(event)
        self._reader.stop()

    def close_worker(self) -> None:
        """End what runs beside the window."""
        self._reader.stop()
        if self._curves is not None:
            self._curves.close_timer()
        self.pictures.close_worker()

    def apply_theme(self) -> None:
        """Take the colours of the scheme in force."""
        if self._curves is not None:
            self._curves.apply_theme()

    @Slot()
    def _export(self) -> None:
        self.export.emit(self.options.options)

    @Slot()
    def _look(self) -> None:
        if self._curves is not None:
            self._curves.show_options(self.options.options)


def _why_empty(items: list[RunItem]) -> str:
    """Say why there are no curves: what happened to the run, or what to do first."""
    if not items:
        return FIRST
    item = items[0]
    if item.state.active:
        return f"The first point comes after {item.run.config.log_steps:,} steps."
    return item.metrics.problem or item.state.message or "This run has not begun: it has recorded no points yet."
