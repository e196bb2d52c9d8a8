"""Figures of settings against results for papers: parallel axes over many runs, and a scatter plot of two axes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from engine.evaluation.dimensions import Dimension
from engine.figures.evaluation import GREY, INK, cleaned, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EACH = 1.15
"""Inches between two parallel axes."""

LONGEST = 18
"""Characters of a heading, above which it is broken into lines."""


def parallel_figure(
    dimensions: Sequence[Dimension], colours: Mapping[int, str], names: Sequence[str], caption: str = ""
) -> "Figure":
    """Draw each run as a line over parallel axes; a line ends where its run has no value.

    `colours` are those of the runs to show in colour, by number; the legend names them. The others are grey.
    """
    figure = new_figure(max(3.0, 1.0 + EACH * len(dimensions)), 3.4)
    axes = figure.subplots()
    at = np.arange(len(dimensions))
    places = np.stack([dimension.places for dimension in dimensions], axis=1)
    for number, heights in sorted(enumerate(places), key=lambda run: run[0] in colours):
        own = number in colours
        width, alpha = (1.4, 1.0) if own else (0.7, 0.35 if colours else 0.7)
        axes.plot(at, heights, color=colours.get(number, GREY), marker="o", ms=2.2, mew=0, lw=width, alpha=alpha)
    for place, dimension in zip(at, dimensions, strict=True):
        axes.axvline(float(place), color=INK, lw=0.8)
        for height, words in dimension.ticks:
            axes.text(place + 0.04, height, words, fontsize=6.5, va="center", color=GREY, parse_math=False,
                      bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.4})  # fmt: skip
    axes.set_xticks(at)
    for label in axes.set_xticklabels([_broken(dimension.title) for dimension in dimensions]):
        label.set(fontsize=7.5, parse_math=False)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_ylim(-0.04, 1.04)
    axes.set_xlim(-0.15, len(dimensions) - 1 + 0.6)
    _finish(figure, colours, names, caption)
    return figure


def pair_figure(
    x: Dimension, y: Dimension, colours: Mapping[int, str], names: Sequence[str], caption: str = ""
) -> "Figure":
    """Draw each run as a point over two dimensions; see `parallel_figure` for `colours` and `names`."""
    figure = new_figure(5.2, 3.8)
    axes = figure.subplots()
    for number, (across, up) in enumerate(zip(x.places, y.places, strict=True)):
        own = number in colours
        axes.plot(across, up, ls="", marker="o", ms=6 if own else 4, mew=0, color=colours.get(number, GREY),
                  alpha=0.9 if own or not colours else 0.45, zorder=3 if own else 2)  # fmt: skip
    for axis, dimension in ((axes.xaxis, x), (axes.yaxis, y)):
        axis.set_ticks([place for place, _ in dimension.ticks], [words for _, words in dimension.ticks])
        for label in axis.get_ticklabels():
            label.set_parse_math(False)
        axis.set_label_text(dimension.title, fontsize=9, parse_math=False)
    cleaned(axes)
    _finish(figure, colours, names, caption)
    return figure


def _finish(figure: "Figure", colours: Mapping[int, str], names: Sequence[str], caption: str) -> None:
    """Add the legend of the runs in colour, and the caption."""
    from matplotlib.lines import Line2D

    if colours:
        handles = [Line2D([], [], color=colour, lw=2) for colour in colours.values()]
        # Names are set afterwards, since the legend would leave out one that begins with "_".
        legend = figure.legend(handles, ["run"] * len(handles), loc="outside right upper", fontsize=7, frameon=False)
        for text, number in zip(legend.get_texts(), colours, strict=True):
            text.set_parse_math(False)
            text.set_text(names[number])
    if caption:
        figure.supxlabel(caption, fontsize=7, color=GREY, parse_math=False)


def _broken(title: str) -> str:
    """A heading with a line break before its unit or last word if it is long."""
    if len(title) <= LONGEST or " " not in title:
        return title
    cut = title.find(" (")
    cut = cut if cut > 0 else title.rfind(" ", 0, LONGEST + 1)
    cut = cut if cut > 0 else title.find(" ")
    return f"{title[:cut]}\n{title[cut + 1 :]}"
