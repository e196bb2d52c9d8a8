"""What a run will take on this machine, shown in the form: from earlier runs, else from a few steps tried beside."""

import shutil
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from engine.data import ENTRIES
from engine.settings.run_config import RunConfig
from engine.training.pace import Estimate, Pace, estimate, measure_pace_apart, pace_key, pace_of
from gui.bridge import LatestWorker
from gui.runs.store import RunItem, RunStore
from gui.training.session import TrainingSession

MOST_ALIKE = 24
"""Runs of the same size that are looked at for their pace, the newest."""

PATIENCE_MS = 700
"""Time after the last edit before steps are tried: nobody wants that for each letter typed."""


class Estimator(QObject):
    """Answers `ask(config)` with `estimated(config, Estimate or None)`, now or when it was measured."""

    estimated = Signal(object, object)
    _measured: ClassVar[dict[tuple[Any, ...], Pace | None]] = {}
    """What was measured since the application started, by `pace_key`; None: it could not be."""

    def __init__(self, store: RunStore, session: TrainingSession, parent: QObject) -> None:
        super().__init__(parent)
        self._store, self._session = store, session
        self._config: RunConfig | None = None
        self.worker = LatestWorker(self)
        self.worker.answered.connect(self._answered)
        self.worker.failed.connect(self._failed)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PATIENCE_MS)
        self._timer.timeout.connect(self._measure)

    def ask(self, config: RunConfig | None) -> None:
        """Estimate a run with these settings; None: there is nothing to estimate now."""
        self._config = config
        self._timer.stop()
        if config is None:
            return
        key = pace_key(config)
        alike = (item for item in self._store.items if pace_key(item.run.config) == key)
        pace = pace_of(map(_trained, islice(alike, MOST_ALIKE)), config) or self._measured.get(key)
        if pace is not None:
            self.estimated.emit(config, estimate(config, pace))
        else:
            self.estimated.emit(config, None)
            if key not in self._measured:
                self._timer.start()

    def close(self) -> None:
        """End the thread that measures."""
        self.ask(None)
        self.worker.close()

    @Slot()
    def _measure(self) -> None:
        config = self._config
        # Beside a run that trains, a few steps would be slow and would slow it.
        busy = self._session.active or self._session.blocked
        if config is None or busy or (ENTRIES[config.dataset].own and config.data_folder is None):
            return
        self.worker.ask(config, lambda: measure_pace_apart(config, lambda: self.worker.overtaken))

    @Slot(object, object)
    def _answered(self, config: RunConfig, pace: Pace | None) -> None:
        if pace is not None:
            self._measured[pace_key(config)] = pace
        self.ask(self._config)

    @Slot(object, str)
    def _failed(self, config: RunConfig, message: str) -> None:
        self._measured[pace_key(config)] = None  # Start will say what is wrong


def room_left(folder: Path) -> float:
    """Free bytes on the disk that a folder is, or will be, on; infinite where it cannot be told."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return float("inf")


def too_large(needed: Estimate, folder: Path) -> str:
    """A sentence when a run will not fit on its disk; empty when it will."""
    left = room_left(folder)
    if needed.disk < left:
        return ""
    return f"The run needs about {needed.disk / 1e6:,.0f} MB, and {left / 1e6:,.0f} MB are free where runs are kept."


def _trained(item: RunItem) -> tuple[RunConfig, int, float, int]:
    steps = item.last("step") or 0
    return item.run.config, max(1, int(steps)), item.seconds, item.weights_size
