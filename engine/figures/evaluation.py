"""Figures of metrics for papers: scatter plots, bars, matrices, sweeps, compared reconstructions."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.catalogue import Column
from engine.evaluation.charts import Bar, Point, courses, places
from engine.evaluation.costs import STEPS
from engine.evaluation.matrices import Matrix
from engine.figures.looks import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure

    from engine.evaluation.sweeps import Sweep

INK, GREY, ORANGE = "#1b1e23", "#636a75", "#D55E00"

MARKERS = ("o", "s", "^", "D")
"""Markers of the shapes of looks."""

CELL = 0.55
"""Side of a picture in a grid, in inches."""


def scatter_figure(
    points: Sequence[Point], titles: Sequence[str], looks: Sequence[Look], x: Column, y: Column, caption: str = ""
) -> "Figure":
    """Draw a scatter plot of runs of one data set by two metrics, or by a metric and their cost.

    `titles` and `looks` are by row of the table. The evaluations of a run are joined by lines, and the legend lists the
    rows by supervision.
    """
    figure = new_figure(5.2, 3.8)
    axes = figure.subplots()
    labels = {point.line: point.row.supervision for point in points}
    lines = sorted(labels, key=lambda line: labels[line].rank)
    dots = {}
    for line in lines:
        own, (colour, shape) = [point for point in points if point.line == line], looks[line]
        joined = courses(own)
        for course in joined:
            axes.plot([p.x for p in course], [p.y for p in course], color=colour, alpha=0.6, lw=1.0)
        dots[line] = axes.scatter([p.x for p in own], [p.y for p in own], s=14 if joined else 42, color=colour,
                                  marker=MARKERS[shape], alpha=0.85, linewidths=0)  # fmt: skip
    axes.set_xlabel(x.heading, fontsize=9)
    axes.set_ylabel(y.heading, fontsize=9)
    if x is STEPS:
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.locator_params(axis="x", nbins=6)
    cleaned(axes)
    if lines:
        _explain(figure, [(label, [line for line in lines if labels[line] == label]) for label in
                          dict.fromkeys(labels[line] for line in lines)], dots, titles)  # fmt: skip
    if caption:
        figure.supxlabel(caption, fontsize=7, color=GREY, parse_math=False)
    return figure


def bars_figure(bars: Sequence[Bar], looks: Sequence[Look], column: Column, caption: str = "") -> "Figure":
    """Draw a bar for each row, the first at the top, with its error bar; the report's value is a diamond.

    Bars are below a heading that names their supervision.
    """
    at, headings = places(bars)
    figure = new_figure(5.2, 1.1 + 0.32 * max(1, len(at) + len(headings)))
    axes = figure.subplots()
    axes.barh(at, [b.value for b in bars], height=0.62, color=[looks[b.line].colour for b in bars])
    for place, bar in zip(at, bars, strict=True):
        if bar.low is not None and bar.high is not None:
            ends = [[bar.value - bar.low], [bar.high - bar.value]]
            axes.errorbar(bar.value, place, xerr=ends, color=INK, capsize=3, lw=1.1)
        if bar.printed is not None:
            axes.plot(bar.printed, place, marker="D", ms=6, mfc="white", mec=INK, ls="")
    axes.set_yticks([*at, *headings])
    for number, label in enumerate(axes.set_yticklabels([*(bar.title for bar in bars), *headings.values()])):
        label.set_parse_math(False)
        if number >= len(bars):
            label.set(style="italic", color=GREY)
    axes.invert_yaxis()
    axes.set_xlabel(column.heading, fontsize=9)
    cleaned(axes)
    if caption:
        figure.supxlabel(caption, fontsize=7, color=GREY, parse_math=False)
    return figure


def matrix_figure(matrix: Matrix, caption: str = "") -> "Figure":
    """Draw a value for each latent and factor, darker if larger, in grey for idle latents."""
    from matplotlib.colors import LinearSegmentedColormap

    rows, columns = matrix.values.shape
    figure = new_figure(1.2 + 0.8 * columns, 1.1 + 0.34 * rows)
    axes = figure.subplots()
    top = float(matrix.values.max()) or 1.0
    tints = [LinearSegmentedColormap.from_list("tint", ["#f4f5f7", colour]) for colour in (ORANGE, GREY)]
    axes.imshow(
        [tints[idle](values / top) for values, idle in zip(matrix.values, matrix.idle, strict=True)], aspect="auto"
    )
    for row in range(rows):
        for column in range(columns):
            value = float(matrix.values[row, column])
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8,
                      color="white" if value > 0.6 * top else INK)  # fmt: skip
    axes.set_xticks(range(columns))
    for label in axes.set_xticklabels(matrix.factors, fontsize=8):
        label.set_parse_math(False)
    axes.set_yticks(range(rows), matrix.latents, fontsize=8)
    axes.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    unit = f" ({matrix.unit})" if matrix.unit else ""
    axes.set_title(f"{matrix.title}{unit}", fontsize=9)
    if caption:
        figure.supxlabel(caption, fontsize=7, color=GREY, parse_math=False)
    return figure


def sweeps_figure(sweeps: "Sequence[Sweep]", names: Mapping[int, str] | None = None, caption: str = "") -> "Figure":
    """Draw inferred against true values: a panel for each factor, a line for each image that it was swept from.

    `names` are those of latents.
    """
    columns = min(3, len(sweeps))
    rows = -(-len(sweeps) // columns)
    figure = new_figure(0.3 + 2.3 * columns, 0.3 + 1.9 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for sweep, axes in zip(sweeps, panels, strict=False):
        for means in sweep.means:
            axes.plot(sweep.places, means, color=ORANGE, lw=0.9, alpha=0.55, marker="o", ms=2, mew=0)
        axes.set_title(sweep.heading, fontsize=8, parse_math=False)
        axes.set_ylabel(sweep.axis_title(names or {}), fontsize=8, parse_math=False)
        if sweep.names:
            axes.set_xticks(sweep.places)
            for label in axes.set_xticklabels(sweep.names):
                label.set_parse_math(False)
        cleaned(axes)
    for axes in list(panels):
        axes.set_axis_off()
    if caption:
        figure.supxlabel(caption, fontsize=7, color=GREY, parse_math=False)
    return figure


def compared_figure(rows: Sequence[tuple[str, NDArray[np.uint8]]]) -> "Figure":
    """Draw rows of images, uint8 (n, height, width, channels), with text on the left; the originals come first."""
    columns = max(len(images) for _, images in rows)
    left, width = 1.9, 1.9 + columns * CELL + 0.05
    height = len(rows) * CELL + 0.1
    figure = new_figure(width, height, constrained=False)
    for number, (words, images) in enumerate(rows):
        bottom = height - 0.05 - (number + 1) * CELL
        for column, image in enumerate(images):
            place = ((left + column * CELL) / width, bottom / height, 0.94 * CELL / width, 0.94 * CELL / height)
            axes = figure.add_axes(place)
            axes.set_axis_off()
            grey = image.shape[-1] == 1
            shown = image[..., 0] if grey else image
            axes.imshow(shown, cmap="gray" if grey else None, vmin=0, vmax=255, interpolation="nearest")
        figure.text((left - 0.08) / width, (bottom + 0.47 * CELL) / height, words, ha="right", va="center",
                    fontsize=6.5, parse_math=False)  # fmt: skip
    return figure


def _explain(
    figure: "Figure",
    groups: Sequence[tuple[str, Sequence[int]]],
    dots: Mapping[int, "PathCollection"],
    titles: Sequence[str],
) -> None:
    """Draw a legend of rows, by their numbers, each group of them below its heading."""
    from matplotlib.lines import Line2D

    handles: list[Any] = []
    words: list[tuple[str, bool]] = []
    for heading, lines in groups:
        handles += [Line2D([], [], ls=""), *(dots[line] for line in lines)]
        words += [(heading, True), *((titles[line], False) for line in lines)]
    # Names are set afterwards, since the legend would leave out one that begins with "_".
    legend = figure.legend(handles, ["row"] * len(handles), loc="outside right upper", fontsize=7, frameon=False)
    for text, (name, above) in zip(legend.get_texts(), words, strict=True):
        text.set_parse_math(False)
        text.set_text(name)
        if above:
            text.set(style="italic", color=GREY)


def cleaned(axes: "Axes") -> None:
    """Give axes the plain look of all charts."""
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e7e9ed", lw=0.7)
    axes.set_axisbelow(True)


def new_figure(width: float, height: float, *, constrained: bool = True) -> "Figure":
    """Return an empty figure of this size in inches, drawn without a screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure: Figure = Figure(figsize=(width, height), layout="constrained" if constrained else None)
    FigureCanvasAgg(figure)
    return figure
