"""The card on the right: latents, classes, a walk, several runs, the latent map, or samples."""

from collections.abc import Sequence

from PySide6.QtCore import QSettings, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPixmap
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QScrollArea,
    QStackedLayout,
    QStackedWidget,
    QWidget,
)

from engine.methods.latents import Kind, Latent
from engine.system.reading import LARGEST_INTEGER
from gui.traversal.classes_view import ClassesView
from gui.traversal.compare_view import CompareView
from gui.traversal.latents_view import LatentsView
from gui.traversal.map_view import MapView
from gui.traversal.requests import Range
from gui.traversal.samples_view import SamplesView
from gui.traversal.walk_view import WalkView
from gui.widgets.flow import FlowLayout
from gui.widgets.layouts import Card, empty_state, label
from gui.widgets.number_box import NumberBox, WholeNumberBox
from gui.widgets.theme import px, tokens

LATENTS, CLASSES, WALK, COMPARE, MAP, SAMPLES = range(6)
VIEWS = (
    ("Latents", "One row per latent, with the others fixed"),
    ("Classes", "One latent against all classes of a conditional model"),
    ("Walk", "Interpolate from this image to another"),
    ("Compare", "The selected runs side by side, with the latents that follow the same factor in one row"),
    ("Map", "The codes of the data in a plane, coloured by class or factor"),
    ("Samples", "Images decoded from samples of the prior, and the training images nearest to them"),
)


class GridCard(Card):
    """Emits `changed` when the view or the range changes, and `play` to start or stop playing the latents."""

    changed = Signal()
    play = Signal()

    def __init__(self, settings: QSettings) -> None:
        super().__init__("")
        self.title.hide()
        self.note.hide()
        self._settings = settings
        self._kind = Latent.gaussian()
        """The kind of latents that the range applies to."""
        self._fixed = False
        """Whether all latents of the run have values of their own, so that there is no range to choose."""
        self.latents, self.classes, self.walk, self.compare = LatentsView(), ClassesView(), WalkView(), CompareView()
        self.map, self.samples = MapView(settings), SamplesView(settings)
        self.views = QButtonGroup(self)
        self._build_head()
        self._build_options()
        self.words = label("", "muted")
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._views = QStackedWidget()
        parts = (self.latents, self.classes, self.walk, self.compare, self.map, self.samples)
        for view, (title, _) in zip(parts, VIEWS, strict=True):
            self._views.addWidget(_scrolled(view, title))
        self.message = empty_state("")
        holder = QWidget()
        self._stack = QStackedLayout(holder)
        self._stack.addWidget(self.message)
        self._stack.addWidget(self._views)
        self.body.addWidget(holder, 1)
        self.body.addWidget(self.words)
        for view in (self.latents, self.classes, self.walk, self.map, self.samples):
            view.hovered.connect(self._hovered)
        self.map.manifold_changed.connect(self._show_options)
        self._load()
        self.views.idToggled.connect(self._view_chosen)
        self._show_options()

    def _build_head(self) -> None:
        segments = QHBoxLayout()
        segments.setSpacing(0)
        for number, (title, tip) in enumerate(VIEWS):
            button = QPushButton(title)
            button.setObjectName("segment")
            button.setCheckable(True)
            button.setProperty("last", number == len(VIEWS) - 1)
            button.setToolTip(tip)
            self.views.addButton(button, number)
            segments.addWidget(button)
        self.play_button = QPushButton("▶ Play")
        self.play_button.setObjectName("compact")
        self.play_button.setToolTip("Move the latents back and forth, one after another (Ctrl+Space)")
        self.play_button.setAccessibleName("Play the latents")
        self.play_button.setShortcut("Ctrl+Space")
        self.play_button.clicked.connect(self.play)
        self.export = QPushButton("Export")
        self.export.setObjectName("compact")
        self.export.setToolTip("Save this view, in a style for papers (Ctrl+E)")
        self.export.setShortcut("Ctrl+E")
        self.export_menu = QMenu(self.export)
        self.export.setMenu(self.export_menu)
        self.head.insertLayout(0, segments)
        self.head.addWidget(self.export)

    def _build_options(self) -> None:
        options = QWidget()
        flow = FlowLayout(options, spacing=10)
        self._range = QWidget()
        row = QHBoxLayout(self._range)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(5)
        self.low, self.high, self.steps = NumberBox(2, 1), NumberBox(2, 1), WholeNumberBox()
        for box, which in ((self.low, "Minimum"), (self.high, "Maximum")):
            box.setRange(-20, 20)
            box.setSingleStep(0.5)
            box.setFixedWidth(px(66))
            box.setAccessibleName(f"{which} value")
        self.steps.setRange(2, 31)
        self.steps.setFixedWidth(px(56))
        self.steps.setAccessibleName("Steps")
        self.steps.setToolTip("Number of values in the range")
        self._range_parts = (label("Range", "muted"), self.low, label("to", "muted"), self.high)
        for widget in (*self._range_parts, label("Steps", "muted"), self.steps):
            row.addWidget(widget)
        flow.addWidget(self._range)
        flow.addWidget(self.play_button)
        for view in (self.latents, self.classes, self.walk, self.map, self.samples):
            flow.addWidget(view.options)
        self.body.addWidget(options)

    def _load(self) -> None:
        """Restore the range of the last session."""
        self._show_range()
        for box in (self.low, self.high, self.steps):
            box.valueChanged.connect(self._range_changed)
        self.views.button(LATENTS).setChecked(True)

    def _show_range(self) -> None:
        """Show the range last used for latents of this kind, or its default."""
        kind = self._kind
        default = Range() if kind.kind is Kind.GAUSSIAN else Range(kind.low, kind.high, len(kind.values()))
        low, high, steps = (self._kept(name, getattr(default, name)) for name in ("low", "high", "steps"))
        self.set_range(Range(low, high, int(steps)))
        for box, which in ((self.low, "Minimum"), (self.high, "Maximum")):
            box.setToolTip(f"{which} value of a latent, {kind.unit}")

    def _key(self, name: str) -> str:
        """Return the settings key of a number of the range; Gaussian latents use that of version 1.0.0."""
        return f"traversal/{name}" if self._kind.kind is Kind.GAUSSIAN else f"traversal/{self._kind.kind}-{name}"

    def _kept(self, name: str, default: float) -> float:
        try:
            kept = float(str(self._settings.value(self._key(name), default)))
        except ValueError:
            return default
        return kept if abs(kept) <= LARGEST_INTEGER else default

    @property
    def range(self) -> Range:
        """The range of values, minimum first."""
        ends = sorted((self.low.value(), self.high.value()))
        return Range(ends[0], ends[1], self.steps.value())

    @property
    def view(self) -> int:
        """The current view."""
        return max(LATENTS, self.views.checkedId())

    def set_range(self, wanted: Range) -> None:
        """Set the range as the user would."""
        self.low.setValue(wanted.low)
        self.high.setValue(wanted.high)
        self.steps.setValue(wanted.steps)

    def show_view(self, view: int) -> None:
        """Switch to a view as the user would."""
        self.views.button(view).setChecked(True)

    def begin_run(self, kinds: Sequence[Latent]) -> None:
        """Forget the previous run, and show the range for the new run's kind of latents."""
        for view in (self.latents, self.classes, self.walk):
            view.begin_run()
        self._fixed = bool(kinds) and all(kind.integer for kind in kinds)
        kind = next((kind for kind in kinds if not kind.integer), self._kind)
        if kind != self._kind:
            self._kind = kind
            with QSignalBlocker(self.low), QSignalBlocker(self.high), QSignalBlocker(self.steps):
                self._show_range()
            self.changed.emit()
        self._show_options()

    def say(self, text: str) -> None:
        """Show a sentence instead of the grid."""
        self.message.setText(text)
        self._stack.setCurrentIndex(0)
        self.words.setText("")
        self._enable()

    def show_grid(self) -> None:
        """Show the current view."""
        self._stack.setCurrentIndex(1)
        self._enable()

    def picture(self) -> QPixmap:
        """Return the current view as on the screen, with what a scroll bar hides."""
        view = (self.latents, self.classes, self.walk, self.compare, self.map, self.samples)[self.view]
        found = QPixmap(view.size() * view.devicePixelRatioF())
        found.setDevicePixelRatio(view.devicePixelRatioF())
        found.fill(QColor(tokens().card))
        view.render(found, renderFlags=QWidget.RenderFlag.DrawChildren)
        return found

    def show_playing(self, playing: bool) -> None:
        """Update the button's text."""
        self.play_button.setText("❚❚ Stop" if playing else "▶ Play")

    def _enable(self) -> None:
        shown = self._stack.currentIndex() == 1
        for widget in (self.play_button, self.export):
            widget.setEnabled(shown)

    @Slot()
    def _show_options(self) -> None:
        own = (
            (LATENTS, self.latents.options),
            (CLASSES, self.classes.options),
            (WALK, self.walk.options),
            (MAP, self.map.options),
            (SAMPLES, self.samples.options),
        )
        for view, options in own:
            options.setVisible(view == self.view or (view == LATENTS and self.view == COMPARE))
        for button in (self.latents.latents, self.latents.difference):
            button.setVisible(self.view == LATENTS)
        for widget in self._range_parts:
            widget.setVisible(self.view != WALK)
        needed = not self._fixed or self.view in (WALK, COMPARE)
        if self.view in (MAP, SAMPLES):
            needed = self.view == MAP and self.map.manifold.isChecked()
        self._range.setVisible(needed)

    @Slot(int, bool)
    def _view_chosen(self, number: int, checked: bool) -> None:
        if checked:
            self._views.setCurrentIndex(number)
            self._show_options()
            self._enable()
            self.changed.emit()

    @Slot()
    def _range_changed(self) -> None:
        for box, name in ((self.low, "low"), (self.high, "high"), (self.steps, "steps")):
            self._settings.setValue(self._key(name), box.value())
        self.changed.emit()

    @Slot(str)
    def _hovered(self, words: str) -> None:
        self.words.setText(words)


def _scrolled(view: QWidget, name: str) -> QScrollArea:
    area = QScrollArea()
    area.setObjectName("scrolled")
    area.setAccessibleName(name)
    area.setWidget(view)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area
