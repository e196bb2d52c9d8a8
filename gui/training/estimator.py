"""Estimates time and disk space of a run, shown in the form: from earlier runs, else by timing a few steps."""

import shutil
from dataclasses import replace
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
"""Maximum number of similar runs, newest first, whose pace is considered."""

PATIENCE_MS = 700
"""Delay after the last edit before steps are timed, so that not every keystroke starts a measurement."""


class Estimator(QObject):
    """Answers `ask(config)` with `estimated(config, Estimate or None)`, at once or after measuring."""

    estimated = Signal(object, object)
    _measured: ClassVar[dict[tuple[Any, ...], Pace | None]] = {}
    """Paces measured since the application started, by `pace_key`; None if measuring failed."""

    _beside: ClassVar[dict[tuple[Any, ...], Pace]] = {}
    """Paces measured while something else was training: upper bounds."""

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
        """Estimate a run with these settings; None cancels the estimate."""
        self._config = config
        self._timer.stop()
        if config is None:
            return
        key = pace_key(config)
        alike = (item for item in self._store.items if pace_key(item.run.config) == key)
        pace = pace_of(map(_trained, islice(alike, MOST_ALIKE)), config) or self._measured.get(key)
        if pace is not None:
            self.estimated.emit(config, estimate(config, pace))
            return
        rough = self._beside.get(key)
        self.estimated.emit(config, None if rough is None else replace(estimate(config, rough), beside=True))
        if key not in self._measured and (rough is None or not self._busy):
            self._timer.start()

    def hold(self, milliseconds: int) -> None:
        """Let a measurement that is due wait so long, while there is something more urgent to load."""
        if self._timer.isActive():
            self._timer.start(milliseconds)

    def data_prepared(self) -> None:
        """Measure again where that failed: it may have been for lack of data."""
        for key in [key for key, pace in self._measured.items() if pace is None]:
            del self._measured[key]
        self.ask(self._config)

    def close(self) -> None:
        """End the thread that measures."""
        self.ask(None)
        self.worker.close()

    @property
    def _busy(self) -> bool:
        return self._session.active or self._session.blocked

    @Slot()
    def _measure(self) -> None:
        self._timer.setInterval(PATIENCE_MS)
        config = self._config
        if config is None or (ENTRIES[config.dataset].own and config.data_folder is None):
            return
        before = self._busy

        def measured() -> tuple[Pace | None, bool]:
            return measure_pace_apart(config, lambda: self.worker.overtaken), before

        self.worker.ask(config, measured)

    @Slot(object, object)
    def _answered(self, config: RunConfig, answer: tuple[Pace | None, bool]) -> None:
        pace, beside = answer
        if pace is not None and (beside or self._busy):
            self._beside[pace_key(config)] = pace
        elif pace is not None:
            self._measured[pace_key(config)] = pace
        self.ask(self._config)

    @Slot(object, str)
    def _failed(self, config: RunConfig, message: str) -> None:
        self._measured[pace_key(config)] = None  # Start will say what is wrong


def room_left(folder: Path) -> float:
    """Return the free bytes on the disk of a folder, which need not exist; infinite if unknown."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return float("inf")


def too_large(needed: Estimate, folder: Path) -> str:
    """Return a warning if a run will not fit on its disk; empty if it will."""
    left = room_left(folder)
    if needed.disk < left:
        return ""
    return f"The run needs about {needed.disk / 1e6:,.0f} MB, but only {left / 1e6:,.0f} MB is free in the runs folder."


def _trained(item: RunItem) -> tuple[RunConfig, int, float, int]:
    steps = item.last("step") or 0
    return item.run.config, max(1, int(steps)), item.seconds, item.weights_size
