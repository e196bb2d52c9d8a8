"""Curves of runs as a figure for a paper, drawn without a screen."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from engine.evaluation.catalogue import METRICS
from engine.evaluation.grouping import experiment_titles
from engine.figures.drawing import blank_figure
from engine.methods.base import Term, terms_by_unit
from engine.methods.registry import METHODS
from engine.runs.alike import experiment_key, seed_groups
from engine.runs.bands import BandReader
from engine.runs.colours import FURTHER, PALETTE, distinct
from engine.runs.curves import Values, View, logarithms, smooth, value_range
from engine.runs.latent_names import latent_names, latent_title
from engine.runs.metrics_file import SCORES, MetricsReader
from engine.runs.run import Run, distinct_names
from engine.system.fields import unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES = ("-", "-.", ":")
"""Line styles of curves that share a colour; dashes are reserved for the capacity and the weights."""

COLUMNS = {"loss": "Loss", "reconstruction": "Reconstruction", "kl": "KL"}
"""Titles of the panels shared by several runs."""

ALONG = {"step": "step", "epoch": "epoch", "seconds": "training time (min)"}


def curves_figure(*runs: Run, view: View | None = None, smoothing: float = 0.0, spread: str = "") -> "Figure":
    """Draw loss and reconstruction, KL with the capacity C dashed, KL per latent, the method's own terms, those of its
    weights that follow a schedule, dashed, and scores if there are any.

    Several runs share the panels, each in its own colour, except for the terms, which are left out; only KL per latent
    has a panel for every run, and each score has a panel.

    Parameters
    ----------
    view
        Quantity on the x axis, whether the y axis is logarithmic, and whether outliers are ignored; by default, curves
        are drawn as recorded.
    smoothing
        Factor of the debiased exponential average, from 0 to below 1; recorded points are shown faintly behind it.
    spread
        With one of `SPREADS`, runs that are alike but for the seed are one curve with this spread; KL per latent is
        that of the first seed.
    """
    drawing = _Drawing(view or View(), smoothing)
    if len(runs) == 1:
        return drawing.one(runs[0], _read(runs[0].metrics_file))
    groups = seed_groups(runs, experiment_key, lambda run: run.config.seed) if spread else [[run] for run in runs]
    return drawing.several(_subjects(groups, spread))


class _Subject(NamedTuple):
    """What a line is drawn of: a run, or several of different seeds, given by the first."""

    run: Run
    name: str
    metrics: MetricsReader | BandReader
    scores: MetricsReader | BandReader
    first: MetricsReader
    """The metrics of the first run."""
    first_name: str


def _subjects(groups: Sequence[Sequence[Run]], spread: str) -> list[_Subject]:
    titles = experiment_titles([group[0].config for group in groups])
    names = distinct_names([group[0] for group in groups])
    found = []
    for group, title, name in zip(groups, titles, names, strict=True):
        metrics, scores = [_read(run.metrics_file) for run in group], [_read(run.scores_file) for run in group]
        alone = len(group) == 1
        found.append(
            _Subject(
                group[0],
                name if alone else f"{title} · {len(group)} seeds",
                metrics[0] if alone else BandReader(metrics, spread),
                scores[0] if alone else BandReader(scores, spread),
                metrics[0],
                name,
            )
        )
    return found


def _read(file: Path) -> MetricsReader:
    reader = MetricsReader(file)
    reader.refresh()
    return reader


class _Drawing:
    """Draws every panel with the same view."""

    def __init__(self, view: View, smoothing: float) -> None:
        self._view, self._smoothing = view, smoothing

    def one(self, run: Run, reader: MetricsReader) -> "Figure":
        method = METHODS[run.config.objective]
        panels = [self._losses, *([self._divergence, self._latents] if method.has("kl") else [])]
        groups = terms_by_unit([term for term in method.terms if term.name in reader.own])
        panels += [partial(self._terms, group) for group in groups]
        panels += [self._weights] if method.scheduled(reader.own) else []
        panels += [self._scores] if len(_read(run.scores_file)) else []
        figure = blank_figure(3.6 * len(panels), 3.2)
        for axes, panel in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
            panel(axes, run, reader)
        figure.suptitle(run.name, fontsize=10, parse_math=False)
        return figure

    def _losses(self, axes: "Axes", run: Run, reader: MetricsReader) -> None:
        reconstructs = METHODS[run.config.objective].has("reconstruction")
        self._plot(axes, reader, "loss", color="#999999", label="loss")
        if reconstructs:
            self._plot(axes, reader, "reconstruction", color=_colour(run), label="reconstruction")
        self._finish(axes, "Loss and reconstruction" if reconstructs else "Loss")
        _explain(axes, reader, "upper right")

    def _divergence(self, axes: "Axes", run: Run, reader: MetricsReader) -> None:
        self._plot(axes, reader, "kl", color=_colour(run), label="KL")
        if _has_capacity(reader):
            self._plot(axes, reader, "capacity", color="#333333", ls="--", label="capacity C", plain=True)
        self._finish(axes, "KL divergence")
        _explain(axes, reader, "lower right")

    def _latents(self, axes: "Axes", run: Run, reader: MetricsReader) -> None:
        self._plot_latents(axes, reader, latent_names(run.marks()))
        self._finish(axes, "KL per latent")

    def _terms(self, terms: Sequence[Term], axes: "Axes", run: Run, reader: MetricsReader) -> None:
        for number, term in enumerate(terms):
            self._plot(axes, reader, term.name, color=PALETTE[number % len(PALETTE)], label=term.title)
        self._finish(axes, terms[0].title if len(terms) == 1 else "Terms", unit=terms[0].unit)
        _explain(axes, reader, "upper right")

    def _weights(self, axes: "Axes", run: Run, reader: MetricsReader) -> None:
        method = METHODS[run.config.objective]
        fields = {name: method.Settings.model_fields[name] for name in method.scheduled(reader.own)}
        for number, (name, field) in enumerate(fields.items()):
            colour = PALETTE[number % len(PALETTE)]
            self._plot(axes, reader, name, color=colour, ls="--", label=field.title or name, plain=True)
        units = dict.fromkeys(unit for field in fields.values() if (unit := unit_of(field)))
        self._finish(axes, "Weights", unit=", ".join(units))
        _explain(axes, reader, "upper right")

    def _scores(self, axes: "Axes", run: Run, reader: MetricsReader) -> None:
        scores = _read(run.scores_file)
        for number, name in enumerate(SCORES):
            colour = PALETTE[number % len(PALETTE)]
            self._plot(axes, scores, name, color=colour, marker=".", label=METRICS[name].title, plain=True)
        self._finish(axes, "Scores", unit="")
        _explain(axes, scores, "lower right")

    def several(self, subjects: Sequence[_Subject]) -> "Figure":
        runs, readers = [each.run for each in subjects], [each.metrics for each in subjects]
        having = {column: [METHODS[run.config.objective].has(column) for run in runs] for column in COLUMNS}
        divergent = [each for each, has in zip(subjects, having["kl"], strict=True) if has]
        methods = [METHODS[run.config.objective] for run in runs]
        weights = {
            weight: method.Settings.model_fields[weight]
            for method, reader in zip(methods, readers, strict=True)
            for weight in method.scheduled(reader.own)
        }
        scored = [each.scores for each in subjects]
        scores = SCORES if any(map(len, scored)) else ()
        rows = 1 + math.ceil((len(divergent) + len(weights) + len(scores)) / 3)
        figure = blank_figure(11, 0.3 * math.ceil(len(runs) / 4) + 2.9 * rows)
        grid = figure.add_gridspec(rows, 3)
        columns = [column for column, has in having.items() if any(has)]
        shared = {column: figure.add_subplot(grid[0, number]) for number, column in enumerate(columns)}
        ends = []
        for number, (reader, (colour, style)) in enumerate(zip(readers, _lines(runs), strict=True)):
            lines = {
                column: self._plot(axes, reader, column, color=colour, ls=style)
                for column, axes in shared.items()
                if having[column][number]
            }
            ends.append(lines["loss"])
            if _has_capacity(reader):
                self._plot(shared["kl"], reader, "capacity", color=colour, ls="--", alpha=0.7, plain=True)
        first = None
        for number, each in enumerate(divergent):
            axes = figure.add_subplot(grid[1 + number // 3, number % 3], sharex=first, sharey=first)
            first = first or axes
            self._plot_latents(axes, each.first, latent_names(each.run.marks()))
            self._finish(axes, "KL per latent", each.first_name)
        for number, (weight, field) in enumerate(weights.items(), len(divergent)):
            axes = figure.add_subplot(grid[1 + number // 3, number % 3])
            for run, reader, (colour, _) in zip(runs, readers, _lines(runs), strict=True):
                if weight in METHODS[run.config.objective].scheduled(reader.own):
                    self._plot(axes, reader, weight, color=colour, ls="--", plain=True)
            self._finish(axes, f"{field.title or weight}, dashed", unit=unit_of(field))
        for number, name in enumerate(scores, len(divergent) + len(weights)):
            axes = figure.add_subplot(grid[1 + number // 3, number % 3])
            for reader, (colour, style) in zip(scored, _lines(runs), strict=True):
                self._plot(axes, reader, name, color=colour, ls=style, marker=".", plain=True)
            self._finish(axes, METRICS[name].title, unit="")
        annealed = any(map(_has_capacity, readers))
        for column, axes in shared.items():
            self._finish(axes, "KL, capacity C dashed" if annealed and column == "kl" else COLUMNS[column])
        # Names are set afterwards, since the legend would leave out one that begins with "_".
        legend = figure.legend(
            ends, ["run"] * len(ends), loc="outside upper center", ncols=min(4, len(runs)), fontsize=8, frameon=False
        )
        for text, each in zip(legend.get_texts(), subjects, strict=True):
            text.set_parse_math(False)
            text.set_text(each.name)
        return figure

    def _plot(
        self, axes: "Axes", reader: MetricsReader | BandReader, column: str, *, plain: bool = False, **look: Any
    ) -> Any:
        """Draw a curve, smoothed unless `plain`, with its spread if it is that of several runs; return its line."""
        x, y = reader.column(self._view.column), reader.column(column)
        if self._view.column == "seconds":
            x = x / 60
        if self._smoothing and not plain:
            axes.plot(x, y, color=look["color"], lw=0.6, alpha=0.25)
            y = smooth(y, self._smoothing) if isinstance(reader, MetricsReader) else y
        if isinstance(reader, BandReader):
            factor = 0.0 if plain else self._smoothing
            each = [smooth(own.column(column), factor) for own in reader.readers]
            band = reader.band(column, factor, lambda: each)
            y = band.mean
            axes.fill_between(x, band.low, band.high, color=look["color"], alpha=0.2, lw=0)
        [line] = axes.plot(x, y, **({"lw": 1.1} | look))
        return line

    def _plot_latents(self, axes: "Axes", reader: MetricsReader, names: Mapping[int, str]) -> None:
        lines = [
            self._plot(
                axes,
                reader,
                f"kl_{latent}",
                color=PALETTE[latent % len(PALETTE)],
                ls=STYLES[latent // len(PALETTE) % len(STYLES)],
                label=latent_title(latent, names),
            )
            for latent in range(reader.latents)
        ]
        if not len(reader.column("step")):
            return
        legend = axes.legend(
            handles=lines,
            fontsize=6.5,
            loc="upper left",
            bbox_to_anchor=(0, -0.2),
            borderaxespad=0,
            frameon=False,
            handlelength=1.4,
            columnspacing=1,
            ncols=2 if names else 5,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)

    def _finish(self, axes: "Axes", title: str, name: str = "", unit: str = "nats") -> None:
        """Set the title, axes and y range of a panel."""
        from matplotlib.ticker import LogFormatter, MaxNLocator

        axes.set_title(
            (f"{title} ({unit})" if unit else title) + (f"\n{name}" if name else ""),
            fontsize=9 if name else 10,
            parse_math=False,
        )
        axes.set_xlabel(ALONG[self._view.column], fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        if self._view.logarithmic:
            axes.set_yscale("log", nonpositive="mask")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.5)))
        if self._view.ignore_outliers:
            self._cut(axes)

    def _cut(self, axes: "Axes") -> None:
        """Limit the y range to the middle of the curves, as in the window."""
        curves: list[Values] = [np.asarray(line.get_ydata(), dtype=np.float64) for line in axes.get_lines()]
        if self._view.logarithmic:
            curves = [logarithms(values) for values in curves]
        shown = value_range(curves, ignore_outliers=True)
        if shown is not None:
            low, high = shown
            axes.set_ylim((10**low, 10**high) if self._view.logarithmic else (low, high))


def _colour(run: Run) -> str:
    return PALETTE[run.colour_in(run.marks())]


def _explain(axes: "Axes", reader: MetricsReader, place: str) -> None:
    """Add a legend at a fixed position: finding the best one takes seconds for a long run."""
    if len(reader.column("step")):
        axes.legend(fontsize=7, frameon=False, loc=place)


def _has_capacity(reader: MetricsReader | BandReader) -> bool:
    """Whether the curves have a capacity C."""
    return bool(np.isfinite(reader.column("capacity")).any())


def _lines(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Colour and style of each run's line, as in the window: its own colour, another if an earlier run has the same."""
    order = sorted(range(len(runs)), key=lambda place: (runs[place].created, runs[place].path.name))
    lent = distinct([runs[place].colour_in(runs[place].marks()) for place in order])
    palette = PALETTE + FURTHER
    numbers = dict(zip(order, lent, strict=True))
    return [
        (palette[numbers[place] % len(palette)], STYLES[numbers[place] // len(palette) % len(STYLES)])
        for place in range(len(runs))
    ]
