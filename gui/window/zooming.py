"""Zooming the window: all text, fields and pictures at once, as for a projector."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QSettings, Signal, Slot
from PySide6.QtWidgets import QApplication, QWidget

from gui.widgets import theme

FACTORS = (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5)
KEPT = "zoom"

UNLIMITED = (1 << 24) - 1
"""Qt's QWIDGETSIZE_MAX: the maximum of a widget that has none."""

SIZES: dict[str, tuple[Callable[[QWidget], int], Callable[[QWidget, int], object]]] = {
    "least-width": (QWidget.minimumWidth, QWidget.setMinimumWidth),
    "least-height": (QWidget.minimumHeight, QWidget.setMinimumHeight),
    "most-width": (QWidget.maximumWidth, QWidget.setMaximumWidth),
    "most-height": (QWidget.maximumHeight, QWidget.setMaximumHeight),
}


class Zoom(QObject):
    """Emits `changed` after everything has been scaled. The factor is remembered."""

    changed = Signal()

    def __init__(self, window: QWidget, settings: QSettings) -> None:
        super().__init__(window)
        self._window, self._settings = window, settings

    @Slot()
    def larger(self) -> None:
        """Go to the next larger factor."""
        self._zoom(next((factor for factor in FACTORS if factor > theme.zoom()), FACTORS[-1]))

    @Slot()
    def smaller(self) -> None:
        """Go to the next smaller factor."""
        self._zoom(next((factor for factor in reversed(FACTORS) if factor < theme.zoom()), FACTORS[0]))

    @Slot()
    def usual(self) -> None:
        """Go back to 100 %."""
        self._zoom(1.0)

    def _zoom(self, factor: float) -> None:
        app, before = QApplication.instance(), theme.zoom()
        assert isinstance(app, QApplication)
        self._settings.setValue(KEPT, factor)
        if factor != before:
            theme.remember_zoom(app, factor)
            theme.apply(app, lambda: rescale(self._window, before, factor))
            self.changed.emit()


def kept_zoom(settings: QSettings) -> float:
    """Return the factor of the last session; 1 if there is none that is valid."""
    kept = str(settings.value(KEPT, ""))
    return next((factor for factor in FACTORS if str(factor) == kept), 1.0)


def rescale(window: QWidget, before: float, after: float) -> None:
    """Scale all sizes that were set for the widgets in a window from one zoom to another.

    What a size is at 100 % is remembered as long as nothing else sets it, so that rounding does not add up.
    """
    for widget in window.findChildren(QWidget):
        if widget.objectName().startswith("qt_"):
            continue  # Qt sizes the holders of its scroll bars itself
        for name, (size_of, set_size) in SIZES.items():
            size = size_of(widget)
            if not 0 < size < UNLIMITED:
                continue
            known: Any = widget.property(name)
            at_100 = known[1] if known and known[0] == size else size / before
            set_size(widget, round(at_100 * after))
            widget.setProperty(name, [round(at_100 * after), at_100])
