"""A plot of curves against the step, with a legend, in the theme's colours."""

from dataclasses import dataclass
from html import escape

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSizePolicy

from gui.theme import tokens
from gui.widgets.layouts import Card, label


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One curve: what it is called, its points, and how it is drawn."""

    key: str
    title: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    colour: str
    dashed: bool = False
    in_legend: bool = True


class CurvePlot(Card):
    """A card with a title, a legend in words, and curves. `show_curves` replaces what is shown."""

    def __init__(self, title: str, unit: str, x_title: str = "step") -> None:
        super().__init__(title, unit)
        self.legend = label("")
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        # A long legend is cut; it must not push the window's other parts aside.
        self.legend.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.legend.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.head.takeAt(self.head.count() - 1)
        self.head.addWidget(self.legend, 1)
        self.plot = pg.PlotWidget()
        self.plot.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.plot.setMinimumHeight(90)
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.getPlotItem().layout.setContentsMargins(0, 4, 8, 0)
        self.plot.getAxis("bottom").enableAutoSIPrefix(False)
        self.plot.getAxis("left").enableAutoSIPrefix(False)
        self.plot.getAxis("left").setWidth(44)
        self.plot.setToolTip(f"{title} ({unit}) by {x_title}. Wheel: zoom. Drag: move. Double-click: show all.")
        self.body.addWidget(self.plot, 1)
        self._items: dict[str, pg.PlotDataItem] = {}
        self.apply_theme()

    def mouseDoubleClickEvent(self, event: object) -> None:
        """Show all of every curve again."""
        self.plot.enableAutoRange()

    def apply_theme(self) -> None:
        """Take the colours of the scheme in force."""
        colours = tokens()
        self.plot.setBackground(colours.card)
        for side in ("left", "bottom"):
            axis = self.plot.getAxis(side)
            axis.setPen(colours.border)
            axis.setTextPen(colours.muted)
        self.plot.showGrid(x=False, y=True, alpha=0.12)

    def show_curves(self, curves: list[Curve]) -> None:
        """Show these curves; those shown before under the same key are moved, not made anew."""
        for key in set(self._items) - {curve.key for curve in curves}:
            self.plot.removeItem(self._items.pop(key))
        for curve in curves:
            item = self._items.get(curve.key)
            if item is None:
                # Given data at once, an item with clipToView raises in pyqtgraph 0.14 with Qt 6.10.
                item = pg.PlotDataItem(autoDownsample=True, clipToView=True, connect="finite")
                self._items[curve.key] = item
                self.plot.addItem(item)
            style = Qt.PenStyle.DashLine if curve.dashed else Qt.PenStyle.SolidLine
            item.setPen(pg.mkPen(curve.colour, width=1, style=style))
            item.setSymbol("o" if len(curve.x) == 1 else None)
            item.setSymbolSize(4)
            item.setSymbolBrush(curve.colour)
            item.setData(curve.x, curve.y)
        self.legend.setText(
            "&nbsp;&nbsp; ".join(
                f'<span style="color:{curve.colour}">{"┅" if curve.dashed else "━"}</span> '
                f'<span style="color:{tokens().muted}">{escape(curve.title)}</span>'
                for curve in curves
                if curve.in_legend
            )
        )
