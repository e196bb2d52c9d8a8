"""Python's cyclic garbage, collected in the window's thread and nowhere else."""

import gc

from PySide6.QtCore import QObject, QTimerEvent

INTERVAL_MS = 1000


class Collector(QObject):
    """Takes the collection of cyclic garbage over from whichever thread happens to allocate.

    Most widgets are part of a reference cycle (a signal connected to a method of their own), so the collector
    frees them. Python starts it in any thread, a training one among them, and a widget that is destroyed outside
    the window's thread crashes the process. Python's own thresholds decide what is collected, once a second.
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
        """Give the collection back to Python."""
        self.killTimer(self._timer)
        gc.enable()
