"""The latent map as a figure: points in a plane, coloured by class or factor, with the manifold behind them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.figures.drawing import blank_figure
from engine.runs.colours import CLASSES
from engine.traversal import Grouping, mosaic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ENTRIES = 24
"""Largest number of classes that fit into the legend."""


def map_figure(
    points: NDArray[np.float64],
    titles: tuple[str, str],
    grouping: Grouping | None,
    visible: NDArray[np.bool_],
    behind: tuple[NDArray[np.uint8], tuple[float, float, float, float]] | None,
    caption: str = "",
    *,
    labels: bool = True,
    width: float | None = None,
) -> "Figure":
    """Draw the visible points, (n, 2), in the colours of their groups, with a legend or a scale.

    `behind` are the images of the manifold, (rows, columns, height, width, channels) with the highest first, and where
    they lie: left, right, bottom, top. `width` is in cm.
    """
    wide = 5.6 if width is None else width / 2.54
    figure = blank_figure(wide, 0.78 * wide)
    axes = figure.subplots()
    if behind is not None:
        axes.imshow(
            mosaic(behind[0]), cmap="gray", vmin=0, vmax=255, extent=behind[1], aspect="auto", interpolation="nearest"
        )
    order = np.random.default_rng(0).permutation(len(points))
    order = order[visible[order]]
    x, y = points[order].T
    style: dict[str, Any] = {"s": 5, "linewidths": 0, "rasterized": True}
    if grouping is None:
        axes.scatter(x, y, color=CLASSES[0], **style)
    elif grouping.ordered and grouping.values is not None:
        drawn = axes.scatter(x, y, c=grouping.values[grouping.numbers[order]], cmap="viridis", **style)
        if labels:
            figure.colorbar(drawn, ax=axes).set_label(grouping.title, fontsize=8)
    else:
        axes.scatter(x, y, c=[CLASSES[number % len(CLASSES)] for number in grouping.numbers[order]], **style)
        shown = [number for number in range(len(grouping.names)) if (grouping.numbers[order] == number).any()]
        for number in shown[:MOST_ENTRIES]:
            axes.scatter([], [], s=18, color=CLASSES[number % len(CLASSES)], label=grouping.names[number])
        if labels:
            legend = figure.legend(loc="outside right upper", fontsize=7, frameon=False, title=grouping.title)
            for text in (*legend.get_texts(), legend.get_title()):
                text.set_parse_math(False)
    axes.set_xlabel(titles[0], fontsize=9, parse_math=False)
    axes.set_ylabel(titles[1], fontsize=9, parse_math=False)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    if labels and caption:
        figure.supxlabel(caption, fontsize=7, color="#636a75", parse_math=False)
    return figure
