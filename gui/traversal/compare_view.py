"""Several runs side by side: traversals of the same image over the same range, aligned by what the latents follow."""

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from engine.runs.latent_names import latent_title, link_text, link_words
from gui.traversal.alignment import Compared, Line, aligned
from gui.traversal.labels import column_headings, tips_of
from gui.widgets.image_grid import GAP, ImageGrid, Row
from gui.widgets.layouts import label
from gui.widgets.plain import as_plain
from gui.widgets.theme import px
from gui.widgets.words import count

if TYPE_CHECKING:
    from engine.traversal import Traversal

MOST_BESIDE = 4
"""Maximum number of runs side by side; further ones go below."""

NARROWEST = 150
"""Minimum width of a run in pixels; if there is less, the next run goes below."""

SMALLEST, LARGEST = 30, 72
"""Side of an image in pixels; if it would be smaller, values of the range are left out."""

WIDEST_HEADING = 42
"""Width of a heading in pixels; if columns are narrower, every other one has none."""

BETWEEN = 18
"""Space between two runs in pixels."""


class Panel(QWidget):
    """One run: its name, the image with its reconstruction, and its rows."""

    def __init__(self, run: Compared) -> None:
        super().__init__()
        self.run = run
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self.title = label(run.name, "title")
        self.title.setToolTip(as_plain(run.name))
        column.addWidget(self.title)
        self.image = ImageGrid(largest=LARGEST, opens=True)
        self.grid = ImageGrid(titled=True, head=True, largest=LARGEST, opens=True)
        self.grid.setAccessibleName(f"Latents of {run.name}")
        self.nothing = label("No latent is active.", "muted", wrap=True)
        if run.traversal is None:
            column.addWidget(label(run.error, "warning", wrap=True))
        else:
            column.addWidget(self.image)
            column.addWidget(self.grid)
            column.addWidget(self.nothing)
        column.addStretch(1)

    def show_lines(self, lines: Sequence[Line], number: int, width: int, columns: int) -> None:
        """Show the rows of this run, which has this number among the runs, with so many columns of the given width."""
        self.setFixedWidth(width)
        self.title.setText(self.title.fontMetrics().elidedText(self.run.name, Qt.TextElideMode.ElideMiddle, width))
        traversal = self.run.traversal
        if traversal is None:
            return
        first = [] if traversal.original is None else [traversal.original]
        tips = ["The image", "Its reconstruction"] if first else ["The start"]
        self.image.show_rows([Row(np.stack([*first, traversal.reconstruction]), tips=tips)])
        said = {line.factor for line in lines if line.rows[number] is not None} | {""}
        rows = []
        for line in lines:
            row = line.rows[number]
            rows.append(_nothing(line.factor, said) if row is None else self._row(traversal, row, columns))
            said.add(line.factor)
        self.nothing.setVisible(not any(len(row.images) for row in rows))
        headings = column_headings(traversal)[: len(traversal.columns)]
        headings = [headings[n] for n in _some(len(headings), columns)]
        every = 1 if width // max(1, columns) >= px(WIDEST_HEADING) else 2
        shown = [words if n % every == 0 else "" for n, words in enumerate(headings)]
        self.grid.show_rows(rows, shown, columns=columns)

    def _row(self, traversal: "Traversal", number: int, columns: int) -> Row:
        latent, images, tips = traversal.latents[number], traversal.row(number), tips_of(traversal, number)
        shown = _some(len(images), columns)
        link = self.run.links.get(latent)
        name = latent_title(latent, self.run.names)
        note = link_text(link) if link else traversal.note(number)
        about = f"{name}, {traversal.note(number)}" + (f"\n{link_words(link)}" if link else "")
        return Row(images[shown], name, note, [tips[n] for n in shown], about=about)


class CompareView(QWidget):
    """A panel for each run, up to four side by side, with the latents that follow the same factor in one row."""

    def __init__(self) -> None:
        super().__init__()
        self._layout = QGridLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setHorizontalSpacing(px(BETWEEN))
        self._layout.setVerticalSpacing(14)
        self.panels: list[Panel] = []
        self.lines: list[Line] = []
        self.left_out = label("", "muted")
        self.left_out.hide()

    @property
    def grids(self) -> list[ImageGrid]:
        """The rows of each run that has any."""
        return [panel.grid for panel in self.panels if panel.run.traversal is not None]

    def say_left_out(self, number: int) -> None:
        """Show how many selected runs are left out."""
        self.left_out.setVisible(number > 0)
        self.left_out.setText(f"{count(number, 'more selected run')} not shown: too many to compare at once.")

    def show_runs(self, runs: Sequence[Compared], min_kl: float) -> None:
        """Show the traversals of these runs, without inactive latents and those with a KL below `min_kl` nats."""
        for panel in self.panels:
            self._layout.removeWidget(panel)
            panel.deleteLater()
        self.panels, self.lines = [Panel(run) for run in runs], aligned(runs, min_kl)
        self._arrange()

    def _arrange(self) -> None:
        beside = (self.width() + px(BETWEEN)) // (px(NARROWEST) + px(BETWEEN))
        columns = max(1, min(len(self.panels), MOST_BESIDE, beside))
        width = (self.width() + px(BETWEEN)) // columns - px(BETWEEN)
        width = max(px(NARROWEST), width)
        values = max((p.run.traversal.images.shape[1] for p in self.panels if p.run.traversal is not None), default=0)
        room = (width + GAP) // (px(SMALLEST) + GAP)
        for number, panel in enumerate(self.panels):
            panel.show_lines(self.lines, number, width, min(values, room))
            self._layout.removeWidget(panel)
            self._layout.addWidget(panel, number // columns, number % columns)
        below = -(-len(self.panels) // columns)
        self._layout.addWidget(self.left_out, below, 0, 1, columns)
        for column in range(self._layout.columnCount()):
            self._layout.setColumnStretch(column, 1 if column < columns else 0)
        for row in range(self._layout.rowCount()):
            self._layout.setRowStretch(row, 1 if row == below + 1 else 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Place as many panels side by side as fit."""
        super().resizeEvent(event)
        self._arrange()

    def minimumSizeHint(self) -> QSize:
        """Return a small size, so that the panels shrink with the window."""
        return QSize(200, 100)


def _nothing(factor: str, said: Set[str]) -> Row:
    """Return the row of a run that has no latent for a factor, which says so unless that is said or known."""
    words = "" if factor in said else f"no latent follows {factor}"
    return Row(np.empty((0, 1, 1, 1), np.uint8), "", words, about=words)


def _some(number: int, most: int) -> list[int]:
    """Return which of so many values are shown: all, or `most` of them, about evenly spaced, with both ends."""
    return list(range(number)) if number <= most else np.rint(np.linspace(0, number - 1, most)).astype(int).tolist()
