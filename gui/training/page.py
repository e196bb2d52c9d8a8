"""The Training page: settings, live curves, live pictures."""

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QHideEvent, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedLayout, QVBoxLayout, QWidget

from engine.runs.alike import Key
from engine.settings.run_config import RunConfig
from engine.training.pace import Estimate
from gui.runs.store import RunItem
from gui.training.health_line import HealthLine
from gui.training.live_pictures import LivePictures
from gui.training.quick import quick_time
from gui.training.seed_band import Subject, grouped_by_seed, shown_first, subjects_of
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
"""Default time between two redraws of growing curves.

Each redraw takes processor time away from training.
"""

READ_MS = 15
READ_SECONDS = 0.01
"""How often metrics files are read on, and for how long at a time, until all that are shown have been read."""

AT_ONCE_SECONDS = 0.03
"""How long curves are read at once when runs are selected; the rest is read bit by bit."""

MOST_SHOWN = 16
"""Maximum number of curves in a plot, of runs or of several seeds: more would be unreadable and take seconds."""

QUICK = "Train the quick preset"

FIRST = (
    "Loss, KL and capacity appear here while a run is training.\n\n"
    "Choose settings on the left and press Start, or begin with the quick preset."
)


class TrainingPage(QWidget):
    """Shows the selected runs; the main window handles actions on them.

    Emits `export(options)` to save the curves as displayed, `quick` to train the quick preset, `named(path,
    names)` when the user names a latent, and `help_asked(topic)` to open the help.
    """

    export = Signal(object)
    quick = Signal()
    named = Signal(object, object)
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
        self.pictures.named.connect(self.named)
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
        """The runs whose curves are shown."""
        self._selected: list[RunItem] = []
        self._groups: list[list[RunItem]] = []
        self._opened: set[Key] = set()
        """The bands of which the single runs are shown as well."""
        self._reader = QTimer(self)
        self._reader.setInterval(READ_MS)
        self._reader.timeout.connect(self._read_on)
        self._redraw_ms = REDRAW_MS
        self._curves: Curves | None = None
        self.options.changed.connect(self._look)
        self.options.export.connect(self._export)

    @property
    def curves(self) -> "Curves":
        """The plots; created after the page is first shown, since the plotting library is slow to load."""
        if self._curves is None:
            from gui.training.curves import Curves

            self._curves = Curves(self._redraw_ms)
            self._curves.show_options(self.options.options)
            self._curves.fold_asked.connect(self._fold)
            self._curves.show_runs(self._subjects())
            for plot in self._curves.plots:
                plot.group = self._curves.plots
                plot.save_shown, plot.logarithmic = self._export, self.options.logarithmic
            self._stack.addWidget(self._curves)
            follow(self._curves, self.pictures)
        return self._curves

    def paintEvent(self, event: QPaintEvent) -> None:
        """Create the curves as soon as the page is on the screen."""
        super().paintEvent(event)
        if self._curves is None:
            QTimer.singleShot(0, self._show_curves)

    @Slot()
    def _show_curves(self) -> None:
        curves = self.curves
        self._stack.setCurrentWidget(curves if self._filled() else self._nothing)

    def _filled(self) -> bool:
        """Return whether any run has curves, as far as they have been read."""
        return any(len(item.metrics) for item in self._items if item.opened)

    @property
    def redraw_ms(self) -> int:
        """Time between two redraws of growing curves, in milliseconds."""
        return self._redraw_ms

    @redraw_ms.setter
    def redraw_ms(self, value: int) -> None:
        self._redraw_ms = value
        if self._curves is not None:
            self._curves.redraw_ms = value

    def _nothing_card(self) -> Card:
        """Return the card shown in place of the curves, with buttons to get started."""
        card = Card("")
        self._empty = empty_state(FIRST)
        self.first = QWidget()
        row = QHBoxLayout(self.first)
        row.setContentsMargins(0, 0, 0, 0)
        self.quick_button = QPushButton(QUICK)
        self.quick_button.setObjectName("primary")
        self.quick_button.setToolTip("An annealed VAE on dSprites; the images are generated on this machine")
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

    def take_estimate(self, config: RunConfig, estimate: Estimate | None) -> None:
        """Say how long the quick preset takes on this machine, once that has been measured."""
        if words := quick_time(config, estimate):
            self.quick_button.setText(f"{QUICK} ({words})")

    @Slot()
    def _ask_first_steps(self) -> None:
        self.help_asked.emit("first-steps")

    def show_runs(self, items: list[RunItem]) -> None:
        """Draw the curves of these runs (of many, only the first) and the latest pictures of the first.

        Runs that are alike but for the seed are one curve, unless the options say otherwise.
        """
        self._selected = items
        groups = grouped_by_seed(items) if self.options.options.spread else [[item] for item in items]
        self._groups = shown_first(groups, self._opened, MOST_SHOWN)
        items = self._items = [item for group in self._groups for item in group]
        self.not_all.setVisible(len(items) < len(self._selected))
        self.not_all.setText(
            f"Showing the curves of the first {len(items)} of {count(len(self._selected), 'selected run')}."
        )
        self._open(AT_ONCE_SECONDS)
        filled = self._filled()
        self._empty.setText("" if filled else _why_empty(items))
        self.first.setVisible(not items)
        self.options.export_button.setEnabled(filled)
        if self._curves is not None:
            self._curves.show_runs(self._subjects())
            self._show_curves()
        self.pictures.show_run(items[0] if items else None, named=len(items) > 1)
        self.health.show_run(items[0] if items else None, named=len(items) > 1)
        self._follow()

    def _follow(self) -> None:
        if self.isVisible() and any(item.unread for item in self._items):
            self._reader.start()

    def _open(self, seconds: float) -> None:
        """Begin to read the curves of at least one run that has not been read, for so long."""
        end = time.monotonic() + seconds
        for item in self._items:
            if not item.opened:
                item.read_on()
                if time.monotonic() >= end:
                    break

    def _subjects(self) -> list[Subject]:
        """Return what curves are drawn of: runs whose curves are at hand, and bands of such runs."""
        ready = [group for group in self._groups if all(item.opened for item in group)]
        return subjects_of(ready, self.options.options.spread, self._opened)

    @Slot(object, bool)
    def fold_band(self, key: Key, folded: bool) -> None:
        """Show only the band of runs that are alike but for the seed, or the runs as well."""
        if (key in self._opened) is folded:
            self._fold(key)

    @Slot(object)
    def _fold(self, key: Key) -> None:
        """Show the runs of a band as well, or only the band."""
        self._opened ^= {key}
        self.show_runs(self._selected)

    @Slot()
    def _read_on(self) -> None:
        """Read on in the metrics files, which are too many or too long to read at once."""
        self._open(READ_SECONDS)
        if all(item.opened for item in self._items):
            behind = next((item for item in self._items if item.unread), None)
            if behind is not None:
                behind.read_on()
        if not any(item.unread for item in self._items):
            self._reader.stop()
            self.show_runs(self._selected)

    def showEvent(self, event: QShowEvent) -> None:
        """Continue reading metrics files."""
        super().showEvent(event)
        self._follow()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop reading metrics files while hidden."""
        super().hideEvent(event)
        self._reader.stop()

    def close_worker(self) -> None:
        """End the background work."""
        self._reader.stop()
        if self._curves is not None:
            self._curves.close_timer()
        self.pictures.close_worker()

    def apply_theme(self) -> None:
        """Apply the current colour scheme."""
        if self._curves is not None:
            self._curves.apply_theme()

    @Slot()
    def _export(self) -> None:
        self.export.emit(self.options.options)

    @Slot()
    def _look(self) -> None:
        if self._curves is not None:
            self._curves.show_options(self.options.options)
            self.show_runs(self._selected)


def _why_empty(items: list[RunItem]) -> str:
    """Return why there are no curves: what happened to the run, or what to do first."""
    if not items:
        return FIRST
    item = items[0]
    if item.state.active:
        return f"The first point appears after {item.run.config.log_steps:,} steps."
    return item.metrics.problem or item.state.message or "This run has not recorded any points yet."
