"""Moves latents back and forth, one after another, until stopped."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from gui.widgets.theme import reduced_motion

INTERVAL_MS = 40
TICKS = 72
"""Frames per latent, about three seconds."""

STILL_TICKS = 12
"""Frames per latent, a second each, with reduced motion."""


class Player(QObject):
    """Emits `step(latent, value)` for each frame, and `changed` when it starts or stops."""

    step = Signal(int, float)
    changed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._path: Iterator[tuple[int, float]] = iter(())
        self.waiting = False
        """Whether the last frame has not been decoded yet: the next step waits for it."""
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._next)

    @property
    def playing(self) -> bool:
        """Whether latents are moving."""
        return self._timer.isActive()

    def start(self, latents: Sequence["Moving"]) -> None:
        """Move these latents, each from its value to `high`, to `low` and back, in an endless loop."""
        if latents:
            still = reduced_motion()
            self._path = _paths(latents, STILL_TICKS if still else TICKS)
            self._timer.setInterval(1000 if still else INTERVAL_MS)
            self.waiting = False
            self._timer.start()
            self.changed.emit()

    def stop(self) -> None:
        """Stop at the current values."""
        if self.playing:
            self._timer.stop()
            self.changed.emit()

    @Slot()
    def _next(self) -> None:
        if not self.waiting:
            self.waiting = True
            self.step.emit(*next(self._path))


@dataclass(frozen=True, slots=True)
class Moving:
    """A latent that moves from its own value between two ends, in integer steps if `integer`."""

    latent: int
    own: float
    low: float
    high: float
    integer: bool = False


def _paths(latents: Sequence[Moving], ticks: int) -> Iterator[tuple[int, float]]:
    for moving in cycle(latents):
        own, low, high = moving.own, moving.low, moving.high
        way = abs(high - own) + (high - low) + abs(own - low)
        for begin, end in ((own, high), (high, low), (low, own)):
            count = max(2, round(ticks * abs(end - begin) / way)) if way else 2
            for value in np.linspace(begin, end, count + 1)[1:]:
                yield moving.latent, float(round(value) if moving.integer else value)
