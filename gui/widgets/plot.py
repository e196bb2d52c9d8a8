"""What all plots have in common: the theme's colours, one context menu, and the same keys and wheel."""

import pyqtgraph as pg
from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QFont, QFontInfo, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QApplication, QSizePolicy

from gui.widgets.plot_menu import PlotMenu
from gui.widgets.theme import tokens, zoom


class Plot(pg.PlotWidget):
    """A plot in the theme's colours. The wheel zooms, dragging pans; a double-click or Home shows all.

    `lines` says on which axes the grid has lines.
    """

    def __init__(
        self, across: pg.AxisItem, up: pg.AxisItem, *, lines: str = "xy", box: pg.ViewBox | None = None
    ) -> None:
        # Without the library's own menus, which are not shown and take as long to create as all the rest.
        box = box or pg.ViewBox(enableMenu=False)
        super().__init__(viewBox=box, axisItems={"bottom": across, "left": up}, enableMenu=False)
        self._axes, self._lines = (across, up), lines
        self.plot = self.getPlotItem()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.hideButtons()
        self.setObjectName("plot")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.menu = PlotMenu(self, fit=self.show_all)
        self.apply_theme()

    def apply_theme(self) -> None:
        """Apply the current colour scheme and zoom."""
        colours = tokens()
        self.setBackground(colours.card)
        for axis in self._axes:
            axis.setPen(colours.border)
            axis.setTextPen(colours.muted)
            axis.setTickFont(axis_font())
            axis.label.setFont(axis_font())
        self.showGrid(x="x" in self._lines, y="y" in self._lines, alpha=0.12)

    @Slot()
    def show_all(self) -> None:
        """Show everything."""
        self.plot.autoRange()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show everything."""
        self.show_all()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Show everything on Home."""
        if event.key() == Qt.Key.Key_Home:
            self.show_all()
        else:
            event.ignore()


def axis_font(share: float = 1.0) -> QFont:
    """Return the desktop's font at the window's zoom; text drawn into plots has no style sheet."""
    font = QFont(QApplication.font())
    font.setPixelSize(max(1, round(share * zoom() * QFontInfo(font).pixelSize())))
    return font
