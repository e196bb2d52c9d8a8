"""The card with live pictures: originals, reconstructions, and a traversal of the latents with what they follow.

A slider moves through their history, and a button plays it.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSlider, QStackedLayout, QVBoxLayout, QWidget

from engine.jobs.events import Link, Preview
from engine.methods.base import CAPACITY
from engine.methods.latents import Latent
from engine.methods.registry import METHODS
from engine.runs.divergence import is_active
from engine.runs.latent_names import followed, latent_title, link_text, link_words
from engine.runs.previews import list_previews, load_preview
from engine.settings.run_config import RunConfig
from engine.system.numbers import rounded_text
from gui.bridge import LatestWorker
from gui.runs.store import RunItem
from gui.widgets.image_grid import ImageGrid, Row
from gui.widgets.layouts import Card, empty_state, label
from gui.widgets.plain import as_plain
from gui.widgets.theme import px, reduced_motion
from gui.widgets.words import shortened

ORIGINALS = "Originals"
TRAVERSAL = (
    "Each row varies one latent; the others stay at the encoding of the first original. Next to its number: the name "
    "you gave it, or the factor or class that it follows at this step and how closely, from 0 to 1"
)
BY_KL = (
    ", or its KL in nats as recorded in the curves, the mean over the steps since the previous point. A latent with a "
    "KL of at most 0.1 nats is inactive, and its number grey."
)
LONGEST_NAME = 20
"""Longest displayed name of a run, in characters; the tooltip has the full name."""

SECONDS = 20
"""Approximate duration of playing a history."""


class LivePictures(Card):
    """Shows the previews of a run: the latest as they arrive, or older ones chosen with the slider.

    Emits `named(path, names)` when the user takes what a latent follows as its name: the run's names by latent number.
    Earlier pictures are read in a separate thread, so that the slider never waits for the disk. The owner of the card
    calls `close_worker` at the end.
    """

    named = Signal(object, object)

    def __init__(self) -> None:
        super().__init__("Live")
        self.step = label("", "pill")
        self.head.insertWidget(1, self.step)
        self.originals = ImageGrid(largest=56, opens=True)
        self.reconstructions = ImageGrid(largest=56, opens=True)
        self.traversal = ImageGrid(side=44, largest=56, above=True, opens=True)
        self.traversal.title_clicked.connect(self._take_link)
        for grid, name in (
            (self.originals, ORIGINALS),
            (self.reconstructions, "Reconstructions"),
            (self.traversal, "Latents"),
        ):
            grid.setAccessibleName(name)
        self.play = QPushButton("▶")
        self.play.setFixedWidth(px(38))
        self.play.setToolTip("Play the history (Space)")
        self.play.setAccessibleName("Play the history")
        self.play.clicked.connect(self._play_or_stop)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("History of the pictures")
        self.slider.setToolTip("Move left for earlier pictures, also with the arrow keys; the right end is live")
        self.slider.valueChanged.connect(self._show_chosen)
        self._stack = QStackedLayout()
        self._stack.addWidget(empty_state("Pictures appear here while a run trains."))
        self._stack.addWidget(self._lay_out())
        self.body.addLayout(self._stack, 1)
        self._item: RunItem | None = None
        self._names: dict[int, str] = {}
        self._links: dict[int, Link] = {}
        self._paths: list[Path] = []
        self._asked: Path | None = None
        self._arrived: Path | None = None
        self.preview: Preview | None = None
        self._worker = LatestWorker(self)
        self._worker.answered.connect(self._answered)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._next)
        self._show(None)

    def _lay_out(self) -> QWidget:
        shown = QWidget()
        layout = QVBoxLayout(shown)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        self._first_title, self._second_title, self._third_title = (label("", "muted") for _ in range(3))
        for title, grid in (
            (self._first_title, self.originals),
            (self._second_title, self.reconstructions),
            (self._third_title, self.traversal),
        ):
            layout.addWidget(title)
            layout.addWidget(grid)
        scrubber = QHBoxLayout()
        scrubber.setSpacing(8)
        scrubber.addWidget(self.play)
        scrubber.addWidget(self.slider, 1)
        layout.addSpacing(4)
        layout.addLayout(scrubber)
        layout.addStretch(1)
        return shown

    def show_run(self, item: RunItem | None, *, named: bool = False) -> None:
        """Show the previews of this run; while the slider is at its right end, the latest.

        `named` adds the run's name, if several are selected.
        """
        whose = f" · {shortened(item.name, LONGEST_NAME)}" if item and named else ""
        self._first_title.setText(f"{ORIGINALS}{whose}")
        self._first_title.setToolTip(as_plain(item.name) if item and named else "")
        paths = list_previews(item.run.previews_folder) if item else []
        another = item is None or self._item is None or item.path != self._item.path
        names = item.latent_names if item else {}
        if names != self._names:
            self._names = names
            if not another:
                self._show(self.preview)
        if paths == self._paths and not another:
            return
        following = another or self.live
        chosen = self._paths[self.slider.value()] if self._paths and not following else None
        self._item, self._paths = item, paths
        with QSignalBlocker(self.slider):
            self.slider.setMaximum(max(0, len(paths) - 1))
            earlier = [path for path in paths if chosen and path.name <= chosen.name]
            self.slider.setValue(len(earlier) - 1 if earlier else len(paths) - 1)
        for control in (self.play, self.slider):
            control.setEnabled(len(paths) > 1)
        if another:
            self._stop()
            self._asked = self._arrived = None
            self._show(None)
        if paths:
            self._show_chosen()

    @property
    def live(self) -> bool:
        """Whether the latest pictures are shown as they arrive."""
        return self.slider.value() == self.slider.maximum()

    def close_worker(self) -> None:
        """End the reading thread."""
        self._stop()
        self._worker.close()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop playing when hidden."""
        super().hideEvent(event)
        self._stop()

    @Slot()
    def _play_or_stop(self) -> None:
        if self._timer.isActive():
            self._stop()
            return
        if self.live:
            self.slider.setValue(0)
        pace = min(250, max(40, 1000 * SECONDS // len(self._paths)))
        self._timer.start(1000 if reduced_motion() else pace)
        self.play.setText("❚❚")

    def _stop(self) -> None:
        self._timer.stop()
        self.play.setText("▶")

    @Slot()
    def _next(self) -> None:
        if self._arrived == self._asked:
            self.slider.setValue(self.slider.value() + 1)
        if self.live:
            self._stop()

    @Slot()
    def _show_chosen(self) -> None:
        if not self._paths:
            return
        path = self._paths[self.slider.value()]
        self.title.setText("Live" if self.live else "History")
        if path == self._asked:
            return
        self._asked = path
        if self.live:
            self._answered(path, load_preview(path))  # a single file that was just written: a few milliseconds
        else:
            self._worker.ask(path, lambda: load_preview(path))

    @Slot(object, object)
    def _answered(self, path: Path, preview: Preview | None) -> None:
        """Show a preview that was read, even if another has been requested meanwhile, unless it is of another run."""
        if self._asked is None or path.parent != self._asked.parent or (self.live and path != self._asked):
            return
        self._arrived = path
        if preview is not None:  # a damaged preview is skipped
            self._show(preview)

    def _show(self, preview: Preview | None) -> None:
        """Show these pictures, or that there are none."""
        self.preview = preview
        self._stack.setCurrentIndex(0 if preview is None else 1)
        self.step.setVisible(preview is not None)
        if preview is None:
            return
        self.step.setText(f"step {preview.step:,}{self._weight_text(preview.step)}")
        self.originals.show_rows([Row(preview.originals)])
        self.reconstructions.show_rows([Row(preview.reconstructions)])
        config = self._item.run.config if self._item is not None else RunConfig()
        method, kinds = METHODS[config.objective], METHODS[config.objective].latents_of(config)
        self._second_title.setText("Reconstructions" if method.has("reconstruction") else "Generated from the codes")
        self._third_title.setText(f"Latents, {_ranges(kinds)}")
        self.traversal.setToolTip(TRAVERSAL + (BY_KL if method.has("kl") else "."))
        self._links = followed(preview.links)
        rows = zip(preview.traversal, preview.latents, strict=True)
        self.traversal.show_rows([self._row(images, latent, kinds, preview) for images, latent in rows])

    def _row(self, images: NDArray[np.uint8], latent: int, kinds: Sequence[Latent], preview: Preview) -> Row:
        """Return a latent's row with its name, what it follows or its KL next to its number."""
        kind = kinds[latent] if latent < len(kinds) else Latent.gaussian()
        images = images[: kind.steps] if kind.integer else images
        known, link = preview.kl_per_latent, self._links.get(latent)
        note = self._names.get(latent) or (link_text(link) if link else f"{known[latent]:.1f}" if known else "")
        words = f"{latent_title(latent, self._names)}, {f'{known[latent]:.2f} nats' if known else kind.prior}"
        tips = [words] * len(images)
        if link and link.majority:
            tips = [f"{words}, category {n}: {value or 'no image'}" for n, value in enumerate(link.majority)]
        fixed = self._item is not None and self._item.shipped
        button = link is not None and link.factor != self._names.get(latent) and not fixed
        about = f"{words}\n{link_words(link)}" if link else words
        if button and link:
            about += f"\nClick to name z{latent} “{link.factor}”."
        pale = bool(known) and not is_active(known[latent])
        return Row(images, f"z{latent}", note, tips, about=about, button=button, pale=pale)

    @Slot(int)
    def _take_link(self, row: int) -> None:
        """Take what a row's latent follows as its name."""
        if self._item is not None and self.preview is not None:
            link = self._links[self.preview.latents[row]]
            names = self._item.latent_names | {link.latent: link.factor}
            self.named.emit(self._item.path, dict(sorted(names.items())))

    def _weight_text(self, step: int) -> str:
        """Return the values at a step of C, for a run that has a capacity, and of weights that follow a schedule."""
        if self._item is None or not len(self._item.metrics):
            return ""
        metrics, method = self._item.metrics, METHODS[self._item.run.config.objective]

        def then(name: str) -> float:
            return float(np.interp(step, metrics.column("step"), metrics.column(name)))

        words = [f"C {then(CAPACITY):.1f}"] if np.isfinite(then(CAPACITY)) else []
        for name in method.scheduled(metrics.own):
            title = method.Settings.model_fields[name].title or name
            words += [f"{title} {rounded_text(then(name))}"] if np.isfinite(then(name)) else []
        return "".join(f" · {part}" for part in words)


def _ranges(kinds: Sequence[Latent]) -> str:
    """Return the ranges of latents of these kinds, e.g. "from −3 to +3", or "10 categories, from −2 to +2"."""
    return ", ".join(dict.fromkeys(kind.range_words for kind in kinds))
