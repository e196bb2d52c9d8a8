"""Traversals of several runs side by side: the same image and range, each with its own latents ordered by KL."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from gui.traversal.labels import column_headings, tips_of
from gui.widgets.image_grid import ImageGrid, Row
from gui.widgets.layouts import label
from gui.widgets.words import count

if TYPE_CHECKING:
    from engine.traversal import Traversal

NARROWEST = 400
"""Minimum width of a run in pixels; if there is less, the next run goes below."""


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """A run's traversal, or a sentence that says why there is none."""

    name: str
    names: dict[int, str]
    traversal: "Traversal | None"
    error: str = ""


class CompareView(QWidget):
    """A panel for each run, as many side by side as fit."""

    def __init__(self) -> None:
        super().__init__()
        self._layout = QGridLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setHorizontalSpacing(18)
        self._layout.setVerticalSpacing(14)
        self.panels: list[QWidget] = []
        self.grids: list[ImageGrid] = []
        self.left_out = label("", "muted")
        self.left_out.hide()

    def say_left_out(self, number: int) -> None:
        """Show how many selected runs are left out."""
        self.left_out.setVisible(number > 0)
        self.left_out.setText(f"{count(number, 'more selected run')} not shown: too many to compare at once.")

    def show_runs(self, runs: Sequence[Compared], min_kl: float) -> None:
        """Show the traversals of these runs."""
        for panel in self.panels:
            self._layout.removeWidget(panel)
            panel.deleteLater()
        self.panels, self.grids = [], []
        for run in runs:
            self.panels.append(self._panel(run, min_kl))
        self._arrange()

    def _panel(self, run: Compared, min_kl: float) -> QWidget:
        panel = QWidget()
        column = QGridLayout(panel)
        column.setContentsMargins(0, 0, 0, 0)
        title = label(run.name, "title", wrap=True)
        column.addWidget(title, 0, 0)
        if run.traversal is None:
            column.addWidget(label(run.error, "warning", wrap=True), 1, 0)
        else:
            grid = ImageGrid(side=64, head=True, largest=72, opens=True)
            grid.setAccessibleName(f"Latents of {run.name}")
            grid.show_rows(_rows(run, min_kl), _headings(run.traversal), framed=_framed(run.traversal))
            column.addWidget(grid, 1, 0)
            self.grids.append(grid)
        column.setRowStretch(2, 1)
        return panel

    def _arrange(self) -> None:
        columns = max(1, min(len(self.panels), self.width() // NARROWEST))
        for number, panel in enumerate(self.panels):
            self._layout.removeWidget(panel)
            self._layout.addWidget(panel, number // columns, number % columns)
        self._layout.addWidget(self.left_out, -(-len(self.panels) // columns), 0, 1, columns)
        for column in range(self._layout.columnCount()):
            self._layout.setColumnStretch(column, 1 if column < columns else 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Place as many panels side by side as fit."""
        super().resizeEvent(event)
        self._arrange()

    def minimumSizeHint(self) -> QSize:
        """Return a small size, so that the panels shrink with the window."""
        return QSize(200, 100)


def _rows(run: Compared, min_kl: float) -> list[Row]:
    traversal = run.traversal
    assert traversal is not None
    rows = []
    for number, (latent, kl) in enumerate(zip(traversal.latents, traversal.kl, strict=True)):
        if kl < min_kl:
            continue
        images, tips = traversal.row(number), tips_of(traversal, number)
        if traversal.original is not None:
            images = np.concatenate([traversal.original[None], images])
            tips.insert(0, "The image")
        rows.append(Row(images, f"z{latent}", run.names.get(latent) or traversal.note(number), tips))
    return rows


def _headings(traversal: "Traversal") -> list[str]:
    words = column_headings(traversal)
    return words if traversal.original is None else ["original", *words]


def _framed(traversal: "Traversal") -> int | None:
    return None if traversal.original is None else 0
