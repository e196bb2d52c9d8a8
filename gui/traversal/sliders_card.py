"""The card with a slider for each latent, ordered by mean KL, and for each direction."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QPushButton, QScrollArea, QVBoxLayout, QWidget

from engine.jobs.events import Link
from engine.methods.latents import Latent
from gui.traversal.directions_panel import DirectionsPanel
from gui.traversal.latent_row import LatentRow
from gui.widgets.layouts import Card, label
from gui.widgets.plain import as_plain
from gui.widgets.theme import px
from gui.widgets.words import shortened

LONGEST_NAME = 32
"""Longest displayed name of a run, in characters; the tooltip has the full name."""


class SlidersCard(Card):
    """Emits `moved` when a latent's value changes, `named(latent, name)` and `play(latent)`."""

    moved = Signal()
    named = Signal(int, str)
    play = Signal(int)

    def __init__(self) -> None:
        super().__init__("Latents")
        self.note.hide()
        self.head.setSpacing(6)
        self.setFixedWidth(px(286))
        self._span = (-3.0, 3.0)
        self._mean: NDArray[np.float64] | None = None
        self._fixed = False
        self._touched: set[int] = set()
        self.rows: list[LatentRow] = []
        self.order: list[int] = []
        self.step = label("", "pill")
        self.reset_button = QPushButton("Reset")
        self.reset_button.setObjectName("compact")
        self.reset_button.setToolTip("Reset every latent to the image's own value (Alt+Home)")
        self.reset_button.setAccessibleName("Reset all latents")
        self.reset_button.setShortcut("Alt+Home")
        self.reset_button.clicked.connect(self.reset)
        self.head.insertWidget(1, self.step)
        self.whose = label("", "muted")
        self.whose.hide()
        self.body.addWidget(self.whose)
        self.add_direction = QPushButton("+")
        self.add_direction.setObjectName("compact")
        self.add_direction.setFixedWidth(px(32))
        self.add_direction.setAccessibleName("Add a direction")
        self.add_direction.setShortcut("Ctrl+D")
        self.offer_directions("There is no model yet.")
        self.head.addWidget(self.add_direction)
        self.head.addWidget(self.reset_button)
        self.directions = DirectionsPanel()
        self.directions.moved.connect(self.moved)
        self.add_direction.clicked.connect(self.directions.open_form)
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(0, 0, 4, 0)
        self._column.setSpacing(0)
        self._column.addWidget(self.directions)
        self._column.addStretch(1)
        area = QScrollArea()
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.body.addWidget(area, 1)

    def show_name(self, name: str) -> None:
        """Show whose latents these are if several runs are selected; empty otherwise."""
        self.whose.setText(shortened(name, LONGEST_NAME))
        self.whose.setToolTip(as_plain(name))
        self.whose.setVisible(bool(name))

    @property
    def z(self) -> NDArray[np.float64]:
        """The values of the sliders, (latents,)."""
        return np.array([row.number for row in self.rows])

    @property
    def code(self) -> NDArray[np.float64]:
        """The values of the sliders with the directions added: what is decoded, (latents,)."""
        return self.directions.code(self.z)

    def offer_directions(self, reason: str) -> None:
        """Allow adding a direction, or say why there are none."""
        self.add_direction.setEnabled(not reason)
        self.add_direction.setToolTip(
            as_plain(
                reason or "Add a direction: the difference between the mean codes of two groups of images (Ctrl+D)"
            )
        )

    @property
    def touched(self) -> bool:
        """Whether the user has moved a latent away from the image's own value."""
        return bool(self._touched) or self.directions.touched

    def clear(self) -> None:
        """Show no latents."""
        for row in self.rows:
            self._column.removeWidget(row)
            row.deleteLater()
        self.rows, self.order, self._mean = [], [], None
        self._touched.clear()
        self.step.hide()
        self.reset_button.setEnabled(False)

    def show_latents(
        self,
        kl: NDArray[np.float64],
        over: str,
        order: Sequence[int],
        kinds: Sequence[Latent],
        mean: NDArray[np.float64],
        deviation: NDArray[np.float64] | None,
        *,
        keep: bool,
    ) -> None:
        """Show the latents by KL and set the sliders to `mean`; with `keep`, sliders moved by the user stay.

        `kinds` has the kind of each latent; `over` says what KL is a mean over, empty without a KL. `deviation` is the
        standard deviation of the image's posterior; None for latents from the prior.
        """
        if [row.kind for row in self.rows] != list(kinds):
            self._make_rows(kinds)
        if not keep:
            self._touched.clear()
            self.directions.reset()
        self._mean = mean
        self.title.setToolTip(f"Ordered by mean KL over {over}, largest first" if over else "")
        highest = float(kl.max(initial=0.0))
        for latent, row in enumerate(self.rows):
            given = float(mean[latent])
            spread = None if deviation is None else float(deviation[latent])
            row.show_latent(float(kl[latent]), over, highest, given, spread)
            if latent not in self._touched:
                row.put(given)
        held = any(row.track.isSliderDown() for row in self.rows)
        if list(order) != self.order and not held:
            self.order = list(order)
            for place, latent in enumerate(order):
                self._column.removeWidget(self.rows[latent])
                self._column.insertWidget(place + 1, self.rows[latent])  # below the directions
            _tab_in_order(self.reset_button, [self.rows[latent] for latent in order])
        self.reset_button.setEnabled(True)

    def _make_rows(self, kinds: Sequence[Latent]) -> None:
        self.clear()
        for latent, kind in enumerate(kinds):
            row = LatentRow(latent, kind)
            row.set_range(*self._span)
            row.fix_name(self._fixed)
            row.moved.connect(self._row_moved)
            row.named.connect(self.named)
            row.play.connect(self.play)
            self.rows.append(row)

    def set_range(self, low: float, high: float) -> None:
        """Set the range of all sliders except those of categories and codes."""
        self._span = (low, high)
        for row in self.rows:
            row.set_range(low, high)

    def show_step(self, words: str) -> None:
        """Show the step of the weights."""
        self.step.setText(words)
        self.step.setToolTip(words)
        self.step.show()

    def fix_names(self, fixed: bool) -> None:
        """Let names be edited, or not."""
        self._fixed = fixed
        for row in self.rows:
            row.fix_name(fixed)

    def show_names(self, names: Mapping[int, str]) -> None:
        """Show the latents' names."""
        for row in self.rows:
            row.show_name(names.get(row.latent, ""))

    def show_links(self, links: Mapping[int, Link]) -> None:
        """Show what each latent follows."""
        for row in self.rows:
            row.show_link(links.get(row.latent))

    def put(self, z: NDArray[np.float64]) -> None:
        """Set all latents as the user would, without directions."""
        self.directions.reset()
        for row, value in zip(self.rows, z, strict=True):
            if abs(row.number - value) > 0.005:
                self._touched.add(row.latent)
            row.put(float(value))
        self.moved.emit()

    def set_latent(self, latent: int, value: float) -> None:
        """Set one latent as the user would."""
        self.rows[latent].put(value)
        self._row_moved(latent)

    @Slot()
    def reset(self) -> None:
        """Reset every latent to the image's own value."""
        if self._mean is not None:
            self.put(self._mean)
            self._touched.clear()

    @Slot(int)
    def _row_moved(self, latent: int) -> None:
        self._touched.add(latent)
        self.moved.emit()


def _tab_in_order(before: QWidget, rows: Sequence[LatentRow]) -> None:
    """Set the tab order from the widget above through the rows as displayed."""
    parts = [part for row in rows for part in (row.name, row.link, row.track, row.value, row.play_button)]
    for one, other in pairwise([before, *parts]):
        QWidget.setTabOrder(one, other)
