"""Keeps the directions of each data set, and computes them for the weights shown."""

import hashlib
import json
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QSettings, Signal, Slot

from engine.errors import ConfigError
from gui.traversal.answering import Loaded
from gui.traversal.coder import Coder
from gui.traversal.directions_panel import Direction, DirectionsPanel
from gui.traversal.requests import Weights

MOST_KEPT = 20
"""Number of directions kept for a data set."""


class DirectionsDesk(QObject):
    """Fills the panel of directions. Emits `offered(reason)`: why no direction can be added, empty if one can."""

    offered = Signal(str)

    def __init__(self, parent: QObject, panel: DirectionsPanel, coder: Coder, settings: QSettings) -> None:
        super().__init__(parent)
        self._panel, self._coder, self._settings = panel, coder, settings
        self._loaded: Loaded | None = None
        panel.changed.connect(self._changed)
        coder.found.connect(self._found)
        coder.failed.connect(self._failed)

    def begin_run(self) -> None:
        """Forget the previous run."""
        self._loaded = None
        self._panel.close_form()
        self._panel.show_directions([])
        self.offered.emit("There is no model yet.")

    def show(self, loaded: Loaded) -> None:
        """Show the directions kept for the data set of these weights, and compute them if there are any."""
        from engine.traversal import groupings

        same = self._loaded is not None and self._loaded.weights == loaded.weights
        self._loaded = loaded
        found = () if loaded.dataset is None else groupings(loaded.dataset, np.empty(0, np.int64))
        self._panel.offer({grouping.title: grouping.names for grouping in found})
        reason = loaded.gone or "" if found else loaded.gone or "The data have neither classes nor factors."
        if not any(kind.quantity for kind in loaded.kinds):
            found, reason = (), "All latents are categories, between which there are no directions."
        self.offered.emit(reason)
        self._panel.show_directions(self._kept() if found else [])
        if not same or self._coder.of(loaded.weights) is None:
            self._compute()

    def _compute(self) -> None:
        """Compute the directions, after the codes where those are not known yet."""
        loaded = self._loaded
        if loaded is None or not self._panel.rows:
            return
        if self._coder.of(loaded.weights) is None:
            for row in self._panel.rows:
                row.show_vector(None, "The mean codes are being computed.")
            self._coder.ask(loaded)
        else:
            self._found(loaded.weights)

    @Slot(object)
    def _found(self, weights: Weights) -> None:
        loaded, codes = self._loaded, self._coder.of(weights)
        if loaded is None or codes is None or weights != loaded.weights:
            return
        from engine.traversal import find_direction

        by_title = {grouping.title: grouping for grouping in codes.groupings}
        for row in self._panel.rows:
            wanted, grouping = row.direction, by_title.get(row.direction.of)
            if grouping is None or not {wanted.start, wanted.end} <= set(grouping.names):
                row.show_vector(None, f"The data have no {wanted.words}.")
                continue
            ends = grouping.names.index(wanted.start), grouping.names.index(wanted.end)
            try:
                row.show_vector(find_direction(codes.means, grouping, *ends, loaded.kinds))
            except ConfigError as error:
                row.show_vector(None, str(error))
        if self._panel.touched:
            self._panel.moved.emit()

    @Slot(object, str)
    def _failed(self, weights: Weights, message: str) -> None:
        if self._loaded is not None and weights == self._loaded.weights:
            for row in self._panel.rows:
                row.show_vector(None, message)

    @Slot()
    def _changed(self) -> None:
        """Keep the directions, and compute new ones."""
        if self._loaded is not None:
            kept = [[d.of, d.start, d.end, d.name] for d in self._panel.directions[:MOST_KEPT]]
            self._settings.setValue(self._key(self._loaded), json.dumps(kept))
            self._compute()

    @staticmethod
    def _key(loaded: Loaded) -> str:
        """The settings key of a data set: its name, and a digest of its folder or file."""
        name, *which = loaded.trained.run.config.data
        return f"traversal/directions-{name}-{hashlib.sha256(str(which).encode()).hexdigest()[:12]}"

    def _kept(self) -> list[Direction]:
        """The directions kept for the data set; those that cannot be read are left out."""
        assert self._loaded is not None
        try:
            kept: Any = json.loads(str(self._settings.value(self._key(self._loaded), "[]")))
        except ValueError:
            return []
        rows = kept if isinstance(kept, list) else []
        return [
            Direction(*row)
            for row in rows[:MOST_KEPT]
            if isinstance(row, list) and len(row) == 4 and all(isinstance(part, str) for part in row)
        ]
