"""The Traversal page: an image, a slider for each latent, and the grid of traversals."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSettings, Signal, Slot
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QHideEvent,
    QKeySequence,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QWidget

from engine.methods.latents import Latent, draws_words
from engine.methods.registry import METHODS
from engine.runs.latent_names import latent_names
from gui.bridge import LatestWorker
from gui.runs.store import RunItem
from gui.traversal.answering import Answer, Answerer, Classes, Latents, Walk, decode_one
from gui.traversal.coder import Coder
from gui.traversal.directions_desk import DirectionsDesk
from gui.traversal.export import Exports
from gui.traversal.grid_card import CLASSES, COMPARE, MAP, SAMPLES, WALK, GridCard
from gui.traversal.incoming import Incoming
from gui.traversal.map_desk import MapDesk
from gui.traversal.player import Moving, Player
from gui.traversal.requests import (
    ClassesWanted,
    CompareWanted,
    ImageAt,
    LatentsWanted,
    MapWanted,
    Request,
    SamplesWanted,
    WalkWanted,
    Wanted,
    Weights,
)
from gui.traversal.samples_desk import SamplesDesk
from gui.traversal.sliders_card import SlidersCard
from gui.traversal.source_card import SourceCard
from gui.widgets.drop_hint import DropHint
from gui.widgets.keys import add_shortcut
from gui.widgets.theme import px

NOTHING = "Select a run on the left, or train one.\n\nIts latent space appears here."
MOST_COMPARED = 12
"""Maximum number of runs compared at once, each in its own grid."""
NARROW = 1045
"""Width in pixels below which the sliders move below the image."""
NARROWEST = 740
"""Minimum width of the page in pixels, with the sliders below the image."""


class TraversalPage(QWidget):
    """Shows the first selected run, and the others in the comparison.

    Emits `named(path, names)` when the user names a latent: the run's names by latent number.
    """

    named = Signal(object, object)

    def __init__(self, settings: QSettings) -> None:
        super().__init__()
        self.setProperty("helpTopic", "traversal")
        self.setMinimumWidth(px(NARROWEST))
        self._items: list[RunItem] = []
        self._asked: Request | None = None
        self._answer: Answer | None = None
        self._shown: Request | None = None
        self._names: dict[int, str] = {}
        self._answerer = Answerer()
        self.worker = LatestWorker(self)
        self.worker.answered.connect(self._answered)
        self.worker.failed.connect(self._failed)
        self.decoder = LatestWorker(self)
        self.decoder.answered.connect(self._decode_arrived)
        self.decoder.failed.connect(self._decode_failed)
        self.incoming = Incoming(self, settings)
        self.player = Player(self)
        self.player.step.connect(self._play_step)
        self.player.changed.connect(self._playing_changed)

        self.source, self.sliders, self.card = SourceCard(), SlidersCard(), GridCard(settings)
        self.coder = Coder(self)
        self.map = MapDesk(self, self.card.map, self.coder)
        self.samples = SamplesDesk(self, self.card.samples)
        self.directions = DirectionsDesk(self, self.sliders.directions, self.coder, settings)
        self.source.setProperty("helpTopic", "traversal#source")
        self.sliders.setProperty("helpTopic", "traversal#sliders")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        self._left = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._left.setSpacing(8)
        self._left.addWidget(self.source)
        self._left.addWidget(self.sliders)
        layout.addLayout(self._left)
        layout.addWidget(self.card, 1)
        self.exports = Exports(self, settings)
        self.exports.fill(self.card.export_menu)
        self._connect()
        self.hint = DropHint(self)
        self.setAcceptDrops(True)
        paste = QKeySequence.StandardKey.Paste
        add_shortcut(self, "Paste an image", paste, self.incoming.paste, within=True)
        self._say(NOTHING)

    def _connect(self) -> None:
        self.source.changed.connect(self._ask)
        self.source.open_asked.connect(self.incoming.ask)
        self.incoming.arrived.connect(self.source.give_picture)
        self.incoming.failed.connect(self.source.say)
        self.sliders.moved.connect(self._decode)
        self.sliders.named.connect(self._named)
        self.sliders.play.connect(self._play_one)
        card = self.card
        card.changed.connect(self._grid_changed)
        card.play.connect(self._play_all)
        card.latents.picked.connect(self._take_value)
        card.latents.chosen.connect(self._rows_chosen)
        card.classes.picked.connect(self._take_class)
        card.classes.changed.connect(self._ask)
        card.walk.changed.connect(self._ask)
        card.walk.take_source.connect(self._end_walk_here)
        card.walk.picked.connect(self._take_latents)
        self.map.image_picked.connect(self.source.choose_image)
        self.map.code_picked.connect(self._take_latents)
        card.samples.changed.connect(self._ask)
        self.directions.offered.connect(self.sliders.offer_directions)
        self.samples.code_picked.connect(self._take_sample)
        self.samples.image_picked.connect(self.source.choose_image)
        self.sliders.set_range(*card.range.span)

    # The run

    @property
    def item(self) -> RunItem | None:
        """The displayed run."""
        return self._items[0] if self._items else None

    @property
    def answer(self) -> Answer | None:
        """The displayed answer; None while there is nothing to show."""
        return self._answer

    @property
    def request(self) -> Request | None:
        """The request that led to the displayed answer."""
        return self._shown

    @property
    def names(self) -> dict[int, str]:
        """The names of the run's latents."""
        return self._names

    def show_runs(self, items: list[RunItem]) -> None:
        """Show the first of these runs with its latest weights, and compare it with the others if requested."""
        before = self.item
        self._items = items
        item = self.item
        if item is None or before is None or item.path != before.path:
            self.player.stop()
            self._answer = self._asked = self._shown = None
            self.source.begin_run(item)
            self.sliders.clear()
            self.card.begin_run(_kinds(item))
            self.coder.cancel()
            self.map.begin_run()
            self.samples.begin_run()
            self.directions.begin_run()
        if item is None or not item.decodes:
            self._asked = None
            self._say(_why_none(item, before))
            return
        self.source.list_weights(item)
        self.sliders.fix_names(item.shipped)
        self.sliders.show_name(item.name if len(items) > 1 else "")
        self._show_names(latent_names(item.run.marks()))
        if self.isVisible():
            self._ask()

    def apply_theme(self) -> None:
        """Apply the current colour scheme to what does not follow the style sheet."""
        self.card.map.apply_theme()

    def forget_models(self) -> None:
        """Load models again when they are needed next: their code may have changed."""
        self._answerer = Answerer()
        self._answer = self._asked = self._shown = None

    def close_worker(self) -> None:
        """End the background work."""
        self.player.stop()
        self.map.close()
        self.samples.close()
        self.coder.close()
        self.incoming.close()
        for worker in (self.decoder, self.worker):
            worker.close()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with changes made while the page was hidden."""
        self._ask()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop playing when hidden."""
        self.player.stop()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Move the sliders below the image in a narrow window."""
        self._place_sliders()

    def _place_sliders(self) -> None:
        """Put the sliders beside the image or, in a narrow window, below it; a comparison has their room beside it."""
        narrow = self.width() < px(NARROW)
        self.sliders.setVisible(narrow or self.card.view != COMPARE)
        self._left.setDirection(QBoxLayout.Direction.TopToBottom if narrow else QBoxLayout.Direction.LeftToRight)
        self.source.set_narrow(narrow, self.sliders.width())

    # Asking

    def _wanted(self, item: RunItem) -> Wanted:
        card, view = self.card, self.card.view
        if view == CLASSES and item.run.config.conditional:
            return ClassesWanted(card.classes.latent, card.range)
        if view == WALK:
            return WalkWanted(card.walk.end, card.range.steps)
        if view == MAP:
            return MapWanted()
        if view == SAMPLES:
            return SamplesWanted(*card.samples.chosen)
        others = [other for other in self._items[1:] if other.decodes]
        card.compare.say_left_out(max(0, len(others) + 1 - MOST_COMPARED))
        if view == COMPARE and others:
            compared = others[: MOST_COMPARED - 1]
            weights = tuple(Weights(other.path, None, other.weights_stamp, other.data_stamp) for other in compared)
            return CompareWanted(weights, card.range)
        return LatentsWanted(card.range)

    @Slot()
    def _ask(self) -> None:
        item = self.item
        if item is None or not item.decodes:
            return
        kept = self.source.checkpoint
        weights = Weights(item.path, kept, item.weights_stamp if kept is None else None, item.data_stamp)
        request = Request(weights, self.source.source, self.source.chosen_label, self._wanted(item))
        if request == self._asked:
            return
        self._asked = request
        if self._answer is None:
            self._say("Loading the model…")
        answerer = self._answerer
        self.worker.ask(request, lambda: answerer(request))

    @Slot(object, object)
    def _answered(self, request: Request, answer: Answer) -> None:
        if request != self._asked or self.item is None:
            return
        if answer.index is not None and request.source == ImageAt(None):
            request = self._asked = replace(request, source=ImageAt(answer.index))  # the typical image is now known
        before = self._shown
        same_run = before is not None and (before.weights.run, before.weights.checkpoint) == (
            request.weights.run,
            request.weights.checkpoint,
        )
        keep = same_run and before is not None and before.source == request.source
        self._answer, self._shown = answer, request
        loaded, start = answer.loaded, answer.start
        self.source.show_classes(loaded.class_names)
        self.source.show_data(loaded.dataset, loaded.gone)
        self.source.warn_of_data(loaded.trained.notes)
        if answer.index is not None:
            self.source.show_image(answer.index)
        else:
            self.source.say(_about(answer))
        self.card.walk.list_images(0 if loaded.dataset is None else len(loaded.dataset))
        deviation = None if start.original is None else start.deviation
        shown = (loaded.kl, loaded.kl_over, loaded.order, loaded.kinds)
        self.sliders.show_latents(*shown, start.mean, deviation, keep=keep)
        self.source.show_priors(draws_words(loaded.kinds))
        self.sliders.show_step(self._step_text(loaded.trained.step))
        self.directions.show(loaded)
        self._show_names(self._names)
        self.sliders.show_links(loaded.links)
        self.source.show_pictures(start.original, answer.decoded)
        if self.sliders.touched:
            self._decode()
        self._show_result(answer)
        if loaded.gone and request.source != self.source.source:
            self._ask()

    def _step_text(self, step: int) -> str:
        item = self.item
        if item is not None and item.untrainable:
            return "not trained here"
        live = item is not None and item.state.active and self.source.checkpoint is None
        return f"step {step:,}{' · live' if live else ''}"

    def _show_result(self, answer: Answer) -> None:
        card, result = self.card, answer.result
        card.classes.list_latents(answer.loaded.order, self._names)
        if card.view == CLASSES and not answer.loaded.class_names:
            card.say("This model is not conditional: its decoder gets no class. Train one with “Conditional” on.")
            return
        if card.view == COMPARE and self._asked is not None and not isinstance(self._asked.wanted, CompareWanted):
            card.say("Select two or more runs in the list (with Ctrl or Shift) to see them side by side.")
            return
        if card.view == MAP:
            self.map.show(answer, self.sliders.code, self._names, card.range)
        elif isinstance(result, Latents):
            card.latents.show_traversal(result.traversal, result.changes, self._names, answer.loaded.links)
        elif isinstance(result, Classes):
            card.classes.show_grid(result.images, result.latent, result.values, answer.loaded.class_names)
        elif isinstance(result, Walk):
            card.walk.show_walk(result.images, result.paths, (answer.start.original, result.end.original))
        elif isinstance(result, tuple):
            card.compare.show_runs(result, card.latents.min_kl.value())
        elif result is not None and self._shown is not None:
            self.samples.show(answer, self._shown, result)
        card.show_grid()

    @Slot(object, str)
    def _failed(self, request: Request, message: str) -> None:
        if request == self._asked:
            self._answer = self._shown = None
            self.sliders.clear()
            self._say(message)

    def _say(self, text: str) -> None:
        """Show a message instead of the grid."""
        self.player.stop()
        self.card.say(text)
        self.source.clear()
        if self._answer is None:
            self.sliders.clear()

    # The sliders

    @Slot()
    def _decode(self) -> None:
        """Decode the values of the sliders; a new request replaces the one that is waiting."""
        answer = self._answer
        if answer is None or not len(self.sliders.rows):
            return
        z, loaded, label = self.sliders.code, answer.loaded, answer.label
        self.map.show_code(z)
        self.decoder.ask(answer, lambda: decode_one(loaded, z, label))

    @Slot(object, object)
    def _decode_arrived(self, answer: Answer, decoded: NDArray[np.uint8]) -> None:
        self.player.waiting = False
        if answer is self._answer:
            self.source.show_pictures(answer.start.original, decoded)

    @Slot(object, str)
    def _decode_failed(self, answer: Answer, message: str) -> None:
        self.player.stop()
        if answer is self._answer:
            self.card.words.setText(message)

    @Slot(int, float)
    def _take_value(self, latent: int, value: float) -> None:
        """Set the sliders to a cell of the grid: one latent's value there, the others' from the image."""
        if self._answer is not None:
            z = self._answer.start.mean.copy()
            z[latent] = value
            self.sliders.put(z)

    @Slot(int, float, int)
    def _take_class(self, latent: int, value: float, number: int) -> None:
        self._take_value(latent, value)
        self.source.label_box.setCurrentIndex(self.source.label_box.findData(number))

    @Slot(object, object)
    def _take_sample(self, z: NDArray[np.float64], label: int | None) -> None:
        self.sliders.put(z)
        if label is not None:
            self.source.label_box.setCurrentIndex(self.source.label_box.findData(label))

    @Slot(object)
    def _take_latents(self, z: NDArray[np.float64]) -> None:
        self.sliders.put(z)

    @Slot()
    def _grid_changed(self) -> None:
        self.sliders.set_range(*self.card.range.span)
        self._place_sliders()
        self._ask()
        if self._answer is not None:
            self._show_result(self._answer)

    @Slot()
    def _rows_chosen(self) -> None:
        if self._answer is not None and self.card.view == COMPARE:
            self._show_result(self._answer)

    @Slot()
    def _end_walk_here(self) -> None:
        source = self.source.source
        index = self._answer.index if self._answer is not None else None
        self.card.walk.end_at(source if index is None else ImageAt(index))

    # Playing

    @Slot(int)
    def _play_one(self, latent: int) -> None:
        if self.player.playing:
            self.player.stop()
        else:
            self._play([latent])

    @Slot()
    def _play_all(self) -> None:
        if self.player.playing:
            self.player.stop()
            return
        latents, answer = self.card.latents, self._answer
        if answer is not None and isinstance(answer.result, Latents):
            self._play([answer.result.traversal.latents[row] for row in latents.shown])
        else:
            self._play(list(self.sliders.order))

    def _play(self, latents: list[int]) -> None:
        span, rows = self.card.range.span, self.sliders.rows
        moving = [(rows[latent].kind, latent) for latent in latents] if rows else []
        self.player.start(
            [Moving(latent, rows[latent].number, *kind.ends(span), integer=kind.integer) for kind, latent in moving]
        )

    @Slot(int, float)
    def _play_step(self, latent: int, value: float) -> None:
        self.sliders.set_latent(latent, value)

    @Slot()
    def _playing_changed(self) -> None:
        self.card.show_playing(self.player.playing)

    # Names

    @Slot(int, str)
    def _named(self, latent: int, name: str) -> None:
        if self.item is not None:
            names = {**self._names, latent: name}
            self.named.emit(self.item.path, {number: text for number, text in sorted(names.items()) if text})

    def _show_names(self, names: dict[int, str]) -> None:
        changed = names != self._names
        self._names = names
        self.sliders.show_names(names)
        if changed and self._answer is not None:
            self._show_result(self._answer)

    # Images from outside

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept images; everything else is left to the window."""
        welcome = self.incoming.welcomes(event.mimeData())
        event.setAccepted(welcome)
        if welcome:
            self.hint.invite("Drop the image to encode it with this run")

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Withdraw the invitation."""
        self.hint.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take a dropped image."""
        self.hint.hide()
        event.setAccepted(self.incoming.take(event.mimeData()))


def _about(answer: Answer) -> str:
    """Describe a start that is not from the data set, and say why the data set is missing, if it is."""
    words = answer.start.words
    if answer.loaded.class_names and answer.label is not None:
        words += f", decoded as {answer.loaded.class_names[answer.label]}"
    return f"{words[0].upper()}{words[1:]}. {answer.loaded.gone}".strip()


def _why_none(item: RunItem | None, before: RunItem | None) -> str:
    """Return why there is nothing to show for a run, or that none is selected; `before` was shown until now."""
    if item is None:
        gone = before is not None and not before.path.exists()
        return f"The folder of {before.name} has been moved or deleted. {NOTHING}" if before and gone else NOTHING
    if item.has_weights:
        return f"{item.name} cannot be traversed: {METHODS[item.run.config.objective].lacks['reconstruction']}."
    if item.state.state == "failed" and item.state.message:
        return f"{item.name} failed before its first checkpoint: {item.state.message}"
    return (
        f"{item.name} has no weights yet. They are saved with its first checkpoint, after "
        f"{item.run.config.checkpoint_steps:,} steps or when the run is stopped."
    )


def _kinds(item: RunItem | None) -> tuple[Latent, ...]:
    """Return the kinds of a run's latents; empty without a run."""
    return () if item is None else METHODS[item.run.config.objective].latents_of(item.run.config)
