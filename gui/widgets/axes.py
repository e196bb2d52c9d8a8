"""Axes of the plots: short numbers, times in minutes and hours, logarithmic values."""

import math
from typing import Any

import pyqtgraph as pg

from engine.system.numbers import grouped

TIMES = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 4 * 3600, 8 * 3600, 24 * 3600)
"""Possible distances between two ticks of time, in seconds."""

LABEL = 44
"""Smallest distance between two labels of the x axis, in pixels."""


class PlaceAxis(pg.AxisItem):
    """The x axis: steps and epochs as short numbers, seconds as times."""

    def __init__(self) -> None:
        super().__init__("bottom")
        self.enableAutoSIPrefix(False)
        # Painting lines is slow, so minor ticks have none.
        self.setStyle(maxTickLevel=0)
        self.column = "step"

    def show_column(self, column: str) -> None:
        """Set the quantity of the axis: "step", "epoch" or "seconds"."""
        self.column = column
        self.picture = None
        self.update()

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> Any:
        """Return the distance between ticks: whole seconds, minutes or hours for a time, whole steps."""
        if self.column != "seconds":
            [(distance, offset), *_] = super().tickSpacing(minVal, maxVal, size)
            distance = max(1, distance) if self.column == "step" else distance
            while distance * size < LABEL * (maxVal - minVal):
                distance *= 2
            return [(distance, offset)]
        wanted = (maxVal - minVal) / max(2, size / 70)
        return [(next((t for t in TIMES if t >= wanted), math.ceil(wanted / 86400) * 86400), 0)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Format the tick labels."""
        if self.column == "seconds":
            return [clock(v, fine=spacing < 60) if v >= 0 else "" for v in values]
        return [short(v) if v >= 0 else "" for v in values]


class ValueAxis(pg.AxisItem):
    """The y axis. If `logarithmic`, positions are exponents of ten and tick labels are the values."""

    def __init__(self) -> None:
        super().__init__("left")
        self.enableAutoSIPrefix(False)
        # Painting lines is slow, so minor ticks have none.
        self.setStyle(maxTickLevel=0)
        self.logarithmic = False

    def tickValues(self, minVal: float, maxVal: float, size: float) -> Any:
        """Return ticks at 1, 2 and 5 times the powers of ten, or only at powers if there are many."""
        if not self.logarithmic:
            return super().tickValues(minVal, maxVal, size)
        room = max(2, size / 22)
        powers = range(math.floor(minVal), math.ceil(maxVal) + 1)
        values: list[float] = []
        for steps, every in (((1, 2, 5), 1), ((1, 3), 1), ((1,), 1), ((1,), max(2, math.ceil(len(powers) / room)))):
            values = [p + math.log10(s) for p in powers[::every] for s in steps]
            values = [v for v in values if minVal <= v <= maxVal]
            if len(values) <= room:
                break
        if len(values) < 2:
            linear = super().tickValues(10**minVal, 10**maxVal, size)[:1]
            values = [math.log10(v) for _, group in linear for v in group if v > 0]
        return [(1.0, values)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Format the tick labels."""
        if not self.logarithmic:
            fine = super().tickStrings(values, scale, spacing)
            return [short(v) for v in values] if spacing >= 1 else [grouped(words) for words in fine]
        return [short(10**v) for v in values]


class NumberAxis(pg.AxisItem):
    """An axis of plain numbers."""

    def __init__(self, side: str) -> None:
        super().__init__(side)
        self.enableAutoSIPrefix(False)

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Format the tick labels."""
        return [grouped(words) for words in super().tickStrings(values, scale, spacing)]


def short(value: float) -> str:
    """Return a number in short form, e.g. "1.5k" or "2M"."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            unit = 1e3 if letter == "k" else size
            return f"{value / unit:.6g}{letter}"
    return grouped(f"{value:.6g}")


def clock(seconds: float, *, fine: bool = False) -> str:
    """Return a time since the start, e.g. "40 s", "5 min" or "1:20 h"; `fine` adds seconds to minutes."""
    rounded = round(seconds)
    if rounded < 60:
        return f"{rounded} s"
    minutes, rest = divmod(rounded, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02} min" if fine else f"{minutes} min"
    return f"{minutes // 60}:{minutes % 60:02} h"
