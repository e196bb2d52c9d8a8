"""Collects Python's cyclic garbage in the window's thread only."""

import gc

from PySide6.QtCore import QObject, QTimerEvent

INTERVAL_MS = 1000


class Collector(QObject):
    """Replaces Python's automatic garbage collection, which runs in whichever thread happens to allocate.

    Most widgets are part of a reference cycle (a signal connected to one of their methods), so the garbage collector
    frees them. Python may run it in any thread, including a training one, and destroying a widget outside the window's
    thread crashes the process. Python's own thresholds decide, once a second, what is collected.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        self._timer = self.startTimer(INTERVAL_MS)

    def timerEvent(self, event: QTimerEvent) -> None:
        """Collect the oldest generation that is due."""
        due = [
            age
            for age, (count, most) in enumerate(zip(gc.get_count(), gc.get_threshold(), strict=True))
            if count > most
        ]
        if due:
            gc.collect(due[-1])

    def close(self) -> None:
        """Turn Python's automatic garbage collection back on."""
        self.killTimer(self._timer)
        gc.enable()
