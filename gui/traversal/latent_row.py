"""One latent as a row: name, what it follows, KL, slider and exact value."""

from PySide6.QtCore import QRectF, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from engine.jobs.events import Link
from engine.methods.latents import Latent
from engine.runs.divergence import is_active
from engine.runs.latent_names import MAX_CHARACTERS, link_text, link_words
from engine.system.plain_text import one_line
from gui.traversal.labels import latent_text, value_text
from gui.traversal.track import TICKS, LatentTrack
from gui.widgets.layouts import label
from gui.widgets.number_box import NumberBox
from gui.widgets.plain import as_plain, for_button
from gui.widgets.theme import px, tokens

FIXED = "Latents of the gallery's models cannot be named; those of a copy among your runs can."


class LatentRow(QWidget):
    """Emits `moved(latent)` for each new value, `named(latent, name)` and `play(latent)`."""

    moved = Signal(int)
    named = Signal(int, str)
    play = Signal(int)

    def __init__(self, latent: int, kind: Latent) -> None:
        super().__init__()
        self.latent, self.kind = latent, kind
        self._mean = 0.0
        self._name = ""
        self.title = label(f"z{latent}", "title")
        self.name = QLineEdit()
        self.name.setObjectName("inplace")
        self.name.setMaxLength(MAX_CHARACTERS)
        self.name.setAccessibleName(f"Name of latent {latent}")
        self.name.editingFinished.connect(self._named)
        self._link: Link | None = None
        self.link = QPushButton()
        self.link.setObjectName("followed")
        self.link.setCursor(Qt.CursorShape.PointingHandCursor)
        self.link.hide()
        self.bar = KlBar()
        self.track = LatentTrack(integer=kind.integer)
        self.track.setAccessibleName(f"Latent {latent}")
        self.value: NumberBox = NumberBox(0) if kind.integer else SignedBox(2)
        self.value.setObjectName("inplace")
        self.value.setButtonSymbols(SignedBox.ButtonSymbols.NoButtons)
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.value.setRange(*(kind.ends() if kind.integer else (-20, 20)))
        self.value.setSingleStep(1 if kind.integer else 0.1)
        self.value.setFixedWidth(px(56))
        self.value.setKeyboardTracking(False)
        self.value.setAccessibleName(f"Value of latent {latent}")
        self.value.setToolTip(f"Exact value, {kind.unit}")
        self.play_button = QPushButton("▶")
        self.play_button.setObjectName("small")
        self.play_button.setFixedWidth(px(18))
        self.play_button.setAccessibleName(f"Play latent {latent}")
        self.play_button.setToolTip(f"Move z{latent} back and forth over the range")
        self.fix_name(False)
        self._lay_out()
        self.track.valueChanged.connect(self._slid)
        self.track.reset.connect(self.reset)
        self.value.valueChanged.connect(self._typed)
        self.play_button.clicked.connect(self._play)
        self.link.clicked.connect(self._take_link)

    def _lay_out(self) -> None:
        words = QHBoxLayout()
        words.setSpacing(4)
        words.addWidget(self.title)
        words.addWidget(self.name, 1)
        words.addWidget(self.link)
        controls = QHBoxLayout()
        controls.setSpacing(6)
        controls.addWidget(self.bar)
        controls.addWidget(self.track, 1)
        controls.addWidget(self.value)
        controls.addWidget(self.play_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 2)
        layout.setSpacing(0)
        layout.addLayout(words)
        layout.addLayout(controls)

    def show_latent(self, kl: float, over: str, highest: float, mean: float, deviation: float | None) -> None:
        """Show a latent's mean KL and the image's posterior; `deviation` is None for latents from the prior.

        KL is in nats; `over` says what it is a mean over; `highest` fills the bar. A KL of NaN hides the bar.
        """
        self._mean = mean
        known = kl == kl
        active = not known or is_active(kl)
        self.bar.setVisible(known)
        if known:
            self.bar.show_kl(kl, over, highest)
        self.title.setEnabled(active)
        self.track.show_posterior(None if deviation is None else mean, deviation or 0.0, active=active)
        own = latent_text(mean, self.kind)
        tip = f"z{self.latent}, {self.kind.unit}. Double-click to reset to {own}."
        if deviation is not None and self.kind.integer:
            tip += f"\n{'Code' if self.kind.quantity else 'Most likely category'} of the image: {own}."
        elif deviation is not None:
            tip += f"\nPosterior of the image: mean {value_text(mean)}, standard deviation {deviation:.2f}."
        self.track.setToolTip(tip)

    def fix_name(self, fixed: bool) -> None:
        """Let the name be edited, or not."""
        self.name.setReadOnly(fixed)
        self.name.setPlaceholderText("" if fixed else "name")
        usual = "Name this latent, for example “thickness”; the name is saved with the run"
        self.name.setToolTip(FIXED if fixed else usual)
        self.link.setEnabled(not fixed)

    def show_name(self, name: str) -> None:
        """Show the latent's name, unless it is being edited."""
        self._name = name
        if not self.name.hasFocus():
            self.name.setText(name)
            self.name.setCursorPosition(0)

    def show_link(self, link: Link | None) -> None:
        """Show what the latent follows, which a click takes as its name; None if it follows nothing."""
        self._link = link
        self.link.setVisible(link is not None)
        self.link.setText("" if link is None else for_button(link_text(link)))
        self.link.setToolTip("" if link is None else as_plain(f"{link_words(link)}\nClick to take it as the name."))
        self.link.setAccessibleName("" if link is None else f"Name latent {self.latent} {link.factor}")

    def set_range(self, low: float, high: float) -> None:
        """Set the slider's range; a category or code keeps its own."""
        with QSignalBlocker(self.track):
            self.track.set_range(*self.kind.ends((low, high)))
            self.track.setValue(round(self.value.value() * TICKS))

    @property
    def number(self) -> float:
        """The value."""
        return self.value.value()

    def put(self, number: float) -> None:
        """Set the value without emitting `moved`."""
        with QSignalBlocker(self.track), QSignalBlocker(self.value):
            self.value.setValue(number)
            self.track.setValue(round(number * TICKS))

    @Slot()
    def reset(self) -> None:
        """Reset to the image's own value."""
        self.put(self._mean)
        self.moved.emit(self.latent)

    @Slot(int)
    def _slid(self, ticks: int) -> None:
        if self.kind.integer and ticks % TICKS:  # the style's slider may stop between categories
            ticks = TICKS * round(ticks / TICKS)
        with QSignalBlocker(self.value):
            self.value.setValue(ticks / TICKS)
        self.moved.emit(self.latent)

    @Slot(float)
    def _typed(self, number: float) -> None:
        with QSignalBlocker(self.track):
            self.track.setValue(round(number * TICKS))
        self.moved.emit(self.latent)

    @Slot()
    def _named(self) -> None:
        name = one_line(self.name.text(), MAX_CHARACTERS)
        if name != self._name:
            self._name = name
            self.named.emit(self.latent, name)

    @Slot()
    def _take_link(self) -> None:
        if self._link is not None and self._link.factor != self._name:
            self.named.emit(self.latent, one_line(self._link.factor, MAX_CHARACTERS))

    @Slot()
    def _play(self) -> None:
        self.play.emit(self.latent)


class SignedBox(NumberBox):
    """A number that always shows its sign, except for 0."""

    def textFromValue(self, value: float) -> str:
        """Return the number as displayed."""
        return value_text(value).replace("−", "-")


class KlBar(QWidget):
    """The mean KL of a latent as a bar."""

    def __init__(self) -> None:
        super().__init__()
        self._share = 0.0
        self._active = True
        self.setFixedSize(34, 16)

    def show_kl(self, kl: float, over: str, highest: float) -> None:
        """Show `kl` in nats, with what it is a mean `over`; the bar is full at `highest`."""
        self._share = min(1.0, max(0.0, kl / highest)) if highest > 0 else 0.0
        self._active = is_active(kl)
        self.setToolTip(f"Mean KL: {kl:.2f} nats over {over}")
        self.setAccessibleDescription(self.toolTip())
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the bar."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        colours = tokens()
        painter.setBrush(QColor(colours.faint))
        painter.drawRoundedRect(QRectF(0, 5, self.width(), 6), 3, 3)
        painter.setBrush(QColor(colours.runs[0]))
        painter.setOpacity(1.0 if self._active else 0.5)
        if self._share > 0:
            painter.drawRoundedRect(QRectF(0, 5, max(2.0, self._share * self.width()), 6), 3, 3)
