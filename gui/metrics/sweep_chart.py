"""Inferred against true factors on the screen: a small plot for each factor."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pyqtgraph as pg
from PySide6.QtWidgets import QGridLayout, QWidget

from gui.metrics.charts import Chart
from gui.widgets.layouts import label
from gui.widgets.plot import axis_font
from gui.widgets.theme import px, tokens

if TYPE_CHECKING:
    from engine.evaluation.sweeps import Sweep

COLUMNS = 3
HEIGHT = 100
"""Smallest height of a plot, in pixels."""


class SweepChart(QWidget):
    """Plots of a latent's posterior mean over a factor's values, a line for each image that it was swept from."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(6)
        self._sweeps: Sequence[Sweep] = ()
        self._names: Mapping[int, str] = {}
        self.charts: list[Chart] = []

    def show_sweeps(self, sweeps: "Sequence[Sweep]", names: Mapping[int, str]) -> None:
        """Draw these sweeps; `names` are those of latents."""
        self._sweeps, self._names = sweeps, names
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.charts = []
        for number, sweep in enumerate(sweeps):
            row, column = divmod(number, COLUMNS)
            self._grid.addWidget(label(sweep.heading, "muted"), 2 * row, column)
            chart = self._chart(sweep)
            self.charts.append(chart)
            self._grid.addWidget(chart, 2 * row + 1, column)
            self._grid.setRowStretch(2 * row + 1, 1)
        self.setMinimumHeight(px(HEIGHT + 20) * -(-len(sweeps) // COLUMNS))

    def apply_theme(self) -> None:
        """Apply the current colour scheme."""
        self.show_sweeps(self._sweeps, self._names)

    def _chart(self, sweep: "Sweep") -> Chart:
        chart = Chart()
        chart.setMinimumSize(px(90), px(HEIGHT))
        title = sweep.axis_title(self._names)
        chart.setAccessibleName(f"{title} along {sweep.factor}")
        chart.setToolTip(f"Posterior mean of {title}, against the true value of {sweep.factor}")
        chart.up.setLabel(title)
        if sweep.names:
            chart.across.setTicks([list(zip(sweep.places.tolist(), sweep.names, strict=True))])
            chart.across.setTickFont(axis_font(0.75))
            chart.plot.setXRange(-0.4, len(sweep.names) - 0.6, padding=0)  # so that no name is cut off
        colour = pg.mkColor(tokens().runs[0])
        colour.setAlpha(140)
        for means in sweep.means:
            chart.addItem(
                pg.PlotDataItem(
                    sweep.places, means, pen=pg.mkPen(colour, width=1), symbol="o", symbolSize=3, symbolPen=None,
                    symbolBrush=colour, connect="finite",
                )
            )  # fmt: skip
        return chart
