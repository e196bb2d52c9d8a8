"""The grid of the report's Figures 2-5: the original, then one row per latent over the range."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QVBoxLayout, QWidget

from engine.jobs.events import Link
from engine.methods.latents import Latent
from engine.runs.latent_names import latent_title, link_text, link_words
from gui.traversal.labels import column_headings, latent_text, tips_of
from gui.widgets.image_grid import ImageGrid, Row
from gui.widgets.layouts import label
from gui.widgets.number_box import NumberBox
from gui.widgets.plain import for_button
from gui.widgets.theme import px

if TYPE_CHECKING:
    from engine.traversal import Traversal


class LatentsView(QWidget):
    """Emits `picked(latent, value)` on a click, `hovered(text)`, and `chosen` when other rows are shown."""

    picked = Signal(int, float)
    hovered = Signal(str)
    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._traversal: Traversal | None = None
        self._changes: NDArray[np.uint8] | None = None
        self._names: Mapping[int, str] = {}
        self._links: Mapping[int, Link] = {}
        self._hidden: set[int] = set()
        self.options = QWidget()
        row = QHBoxLayout(self.options)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        self.min_kl = NumberBox(2)
        self.min_kl.setRange(0, 50)
        self.min_kl.setSingleStep(0.1)
        self.min_kl.setSpecialValueText("any")
        self.min_kl.setFixedWidth(px(74))
        self.min_kl.setAccessibleName("Minimum KL")
        self.min_kl.setToolTip("Show only latents whose mean KL is at least this many nats")
        self.latents = QPushButton("Latents")
        self.latents.setObjectName("compact")
        self.latents.setToolTip("Choose which latents are shown")
        self.menu = QMenu(self.latents)
        self.menu.triggered.connect(self._toggled)
        self.latents.setMenu(self.menu)
        self.difference = QPushButton("Difference")
        self.difference.setObjectName("compact")
        self.difference.setCheckable(True)
        self.difference.setToolTip("Add a column with what each latent changes over the range; white is most (Ctrl+I)")
        self.difference.setShortcut("Ctrl+I")
        self.difference.toggled.connect(self.draw)
        self._min_kl_title = label("KL ≥", "muted")
        for widget in (self._min_kl_title, self.min_kl, self.latents, self.difference):
            row.addWidget(widget)
        self.grid = ImageGrid(side=82, head=True, largest=84, keys=True)
        self.grid.setAccessibleName("Grid of latents; arrow keys and Return")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.nothing = label("", "empty", wrap=True)
        layout.addWidget(self.nothing)
        layout.addWidget(self.grid)
        self.grid.clicked.connect(self._clicked)
        self.grid.hovered.connect(self._hovered)
        self.min_kl.valueChanged.connect(self._choose)

    @property
    def shown(self) -> list[int]:
        """The visible rows of the traversal: those with enough KL that are not hidden."""
        traversal = self._traversal
        if traversal is None:
            return []
        return [
            row
            for row, (latent, kl) in enumerate(zip(traversal.latents, traversal.kl, strict=True))
            if not kl < self.min_kl.value() and latent not in self._hidden  # some methods have no KL
        ]

    def show_traversal(
        self,
        traversal: "Traversal",
        changes: NDArray[np.uint8],
        names: Mapping[int, str],
        links: Mapping[int, Link],
    ) -> None:
        """Show these rows; `changes` is what each latent changes, uint8 (latents, height, width, channels).

        Beside a latent is its name, or what it follows, or its KL.
        """
        self._traversal, self._changes, self._names, self._links = traversal, changes, names, links
        for widget in (self._min_kl_title, self.min_kl):
            widget.setVisible(not np.isnan(traversal.kl).all())
        self._list_latents()
        self.draw()

    @property
    def with_difference(self) -> bool:
        """Whether the last column shows what each latent changes."""
        return self.difference.isChecked()

    @Slot()
    def draw(self) -> None:
        """Draw the visible rows."""
        traversal, changes = self._traversal, self._changes
        if traversal is None or changes is None:
            return
        original = traversal.original
        rows = []
        for number in self.shown:
            latent = traversal.latents[number]
            parts, tips = [traversal.row(number)], tips_of(traversal, number)
            if original is not None:
                parts.insert(0, original[None])
                tips.insert(0, "The image")
            if self.with_difference:
                parts.append(changes[number][None])
                tips.append(f"What z{latent} changes over the range; white is most")
            link = self._links.get(latent)
            note = self._names.get(latent) or (link_text(link) if link else traversal.note(number))
            about = f"{latent_title(latent, self._names)}, {traversal.note(number)}"
            about += f"\n{link_words(link)}" if link else ""
            rows.append(Row(np.concatenate(parts), f"z{latent}", note, tips, about=about))
        headings = column_headings(traversal)
        if original is not None:
            headings.insert(0, "original")
        self.grid.show_rows(
            rows, [*headings, *(["change"] if self.with_difference else [])], framed=None if original is None else 0
        )

        self.nothing.setVisible(not rows)
        self.nothing.setText(
            f"No selected latent has a mean KL of {self.min_kl.value():.2f} nats or more. The largest mean KL is "
            f"{max(traversal.kl, default=0.0):.2f} nats."
        )

    def _list_latents(self) -> None:
        assert self._traversal is not None
        pairs = [(latent, for_button(latent_title(latent, self._names))) for latent in self._traversal.latents]
        if [(action.data(), action.text()) for action in self.menu.actions()] == pairs:
            return
        self.menu.clear()
        for latent, words in pairs:
            action = self.menu.addAction(words)
            action.setData(latent)
            action.setCheckable(True)
            action.setChecked(latent not in self._hidden)

    def begin_run(self) -> None:
        """Show all latents of a new run."""
        self._traversal, self._changes = None, None
        self._links = {}
        self._hidden.clear()
        self.menu.clear()
        self.nothing.hide()

    def show_only(self, min_kl: float) -> None:
        """Show every latent with at least this KL."""
        self._hidden.clear()
        with QSignalBlocker(self.min_kl):
            self.min_kl.setValue(min_kl)
        for action in self.menu.actions():
            action.setChecked(True)
        self._choose()

    @Slot(QAction)
    def _toggled(self, action: QAction) -> None:
        self._hidden ^= {action.data()}
        self._choose()

    @Slot()
    def _choose(self) -> None:
        self.draw()
        self.chosen.emit()

    def _value_at(self, row: int, column: int) -> tuple[int, float | None] | None:
        """Return the latent of a cell and its value, which is None for the original."""
        traversal, shown = self._traversal, self.shown
        if traversal is None or not 0 <= row < len(shown):
            return None
        place, values = column - (traversal.original is not None), traversal.values[shown[row]]
        return traversal.latents[shown[row]], values[place] if 0 <= place < len(values) else None

    @Slot(int, int)
    def _clicked(self, row: int, column: int) -> None:
        found = self._value_at(row, column)
        if found and found[1] is not None:
            self.picked.emit(*found)

    @Slot(int, int)
    def _hovered(self, row: int, column: int) -> None:
        found = self._value_at(row, column)
        if not found:
            self.hovered.emit("")
        elif found[1] is not None:
            kind = self._traversal.kinds[self.shown[row]] if self._traversal else Latent.gaussian()
            self.hovered.emit(f"{latent_title(found[0], self._names)} = {latent_text(found[1], kind)}")
        else:
            self.hovered.emit(self.grid.rows[row].tips[column])
