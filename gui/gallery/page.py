"""The gallery's page: what greets a new user, and is reached from the menu later."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSettings, QSize, Qt, Signal, Slot
from PySide6.QtGui import QImage, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from engine.gallery import GALLERY, Model, read_gallery
from engine.settings.presets import quick_preset
from engine.settings.run_config import RunConfig
from engine.training.pace import Estimate
from gui.bridge import LatestWorker
from gui.gallery.card import ModelCard
from gui.gallery.tour import TOUR_OVER
from gui.training.quick import quick_time
from gui.widgets.layouts import Card, label
from gui.widgets.theme import px

NARROWEST = 285
"""Least width of a card in pixels at 100 %; as many as fit are side by side."""

GAP = 12
MEASURING = "Its time on this machine is being measured…"


class GalleryPage(QWidget):
    """Shows the models as cards.

    Emits `opened(path)` for a model that is to be shown, `train_asked` for the preset that trains before one's eyes,
    `tour_asked`, and `help_asked(topic)`.
    """

    opened = Signal(object)
    train_asked = Signal()
    tour_asked = Signal()
    help_asked = Signal(str)

    def __init__(self, settings: QSettings, gallery: Path = GALLERY) -> None:
        super().__init__()
        self.setProperty("helpTopic", "gallery")
        self._settings, self._gallery = settings, gallery
        self.cards: list[ModelCard] = []
        self._columns = 0
        self._asked = False
        self._reader = LatestWorker(self)
        self._reader.answered.connect(self._arrived)
        self._reader.failed.connect(self._failed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(px(8), px(10), px(8), 0)
        layout.setSpacing(px(14))
        layout.addLayout(self._head())
        self.problems = label("", "error", wrap=True)
        self.problems.hide()
        layout.addWidget(self.problems)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, px(10))
        self._grid = QGridLayout()
        self._grid.setSpacing(px(GAP))
        column.addLayout(self._grid)
        column.addStretch(1)
        self._area = QScrollArea()
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setWidget(inside)
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout.addWidget(self._area, 1)

    def _head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(px(24))
        words = QVBoxLayout()
        words.setSpacing(px(4))
        words.addWidget(label("Look into a latent space", "headline"))
        self.about = label(
            "Each of these models learned to describe images with a few numbers, its latents. Rest the pointer on a "
            "card to move them one by one; open it to move them yourself.",
            "lead",
            wrap=True,
        )
        words.addWidget(self.about)
        links = QHBoxLayout()
        links.setSpacing(px(16))
        self.guide = _link("What to look for", "Read what mixed and clean latents look like, and what MIG and DCI say")
        self.guide.clicked.connect(self._ask_help)
        self.tour = _link("Take the tour", "Five cards through the application; Escape leaves it at any time")
        self.tour.clicked.connect(self.tour_asked)
        for link in (self.guide, self.tour):
            links.addWidget(link)
        links.addStretch(1)
        words.addLayout(links)
        words.addStretch(1)
        row.addLayout(words, 3)
        row.addWidget(self._train_card(), 2)
        return row

    def _train_card(self) -> Card:
        card = Card("Or watch one learn")
        line = QHBoxLayout()
        line.setSpacing(px(12))
        self.cost = label("", "muted", wrap=True)
        line.addWidget(self.cost, 1)
        self.train_button = QPushButton("Train one now")
        self.train_button.setObjectName("primary")
        preset = quick_preset()
        self.train_button.setToolTip(f"{preset.title}. {preset.description}")
        self.train_button.clicked.connect(self.train_asked)
        line.addWidget(self.train_button, 0, Qt.AlignmentFlag.AlignVCenter)
        card.body.addLayout(line)
        self._say_cost(MEASURING)
        return card

    def _say_cost(self, words: str) -> None:
        self.cost.setText(f"An annealed VAE on dSprites, from nothing. {words}")

    # Displaying

    def showEvent(self, event: QShowEvent) -> None:
        """Read the models when first shown."""
        super().showEvent(event)
        self.tour.setVisible(not self._settings.value(TOUR_OVER, False, type=bool))
        if not self._asked:
            self._asked = True
            gallery = self._gallery
            self._reader.ask(None, lambda: _read(gallery))

    def take_estimate(self, config: RunConfig, estimate: Estimate | None) -> None:
        """Say how long the preset takes on this machine, once that has been measured."""
        if words := quick_time(config, estimate):
            self._say_cost(f"It takes {words} on this machine.")

    def apply_theme(self) -> None:
        """Fit the cards to the current size of text."""
        self._place()
        for card in self.cards:
            card.strip.updateGeometry()

    def close_worker(self) -> None:
        """End the thread that reads."""
        self._reader.close()
        for card in self.cards:
            card.strip.stop()

    @Slot(object, object)
    def _arrived(self, key: object, found: tuple[Sequence[tuple[Model, QImage]], Sequence[str]]) -> None:
        models, problems = found
        for model, picture in models:
            card = ModelCard(model, picture)
            card.opened.connect(self.opened)
            self.cards.append(card)
        self.problems.setText("\n".join(problems))
        self.problems.setVisible(bool(problems))
        self._place()
        if self.cards and self.isVisible():
            self.cards[0].button.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot(object, str)
    def _failed(self, key: object, message: str) -> None:
        self.problems.setText(message)
        self.problems.show()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put as many cards side by side as fit."""
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        room = self._area.viewport().width() + px(GAP)
        columns = max(1, room // (px(NARROWEST) + px(GAP)))
        if columns == self._columns and self._grid.count() == len(self.cards):
            return
        for column in range(max(columns, self._columns)):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)
        self._columns = columns
        for number, card in enumerate(self.cards):
            self._grid.addWidget(card, number // columns, number % columns)

    @Slot()
    def _ask_help(self) -> None:
        self.help_asked.emit("gallery")

    def sizeHint(self) -> QSize:
        """Return a usual size; the cards scroll."""
        return QSize(px(1000), px(600))


def _link(text: str, words: str) -> QPushButton:
    made = QPushButton(text)
    made.setObjectName("inline")
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    made.setToolTip(words)
    return made


def _read(gallery: Path) -> tuple[list[tuple[Model, QImage]], list[str]]:
    """Read the models and their pictures; called in a thread."""
    models, problems = read_gallery(gallery)
    found = []
    for model in models:
        picture = QImage(str(model.strip))
        if picture.width() < model.frames or picture.height() < len(model.cells):
            name = model.run.path.name
            problems.append(f"The gallery's model {name} cannot be shown: {model.strip.name} is damaged.")
        else:
            found.append((model, picture))
    return found, problems
