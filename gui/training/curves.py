"""The plots of the Training page: reconstruction, KL with capacity C, KL per latent, the method's own terms, its
weights that follow a schedule, and scores.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic.fields import FieldInfo
from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from engine.evaluation.catalogue import METRICS
from engine.jobs.events import Link
from engine.methods.base import CAPACITY, Term, terms_by_unit
from engine.methods.registry import METHODS
from engine.runs.bands import Band, BandReader
from engine.runs.curves import Smoothing, View
from engine.runs.latent_names import followed, latent_title, link_text
from engine.runs.metrics_file import SCORES, MetricsReader
from engine.runs.previews import list_previews, load_links
from engine.system.fields import unit_of
from gui.runs.delegate import run_colour
from gui.runs.store import RunItem
from gui.training.seed_band import SeedBand, Subject
from gui.training.view_options import ViewOptions
from gui.widgets.curve_plot import Curve, CurvePlot
from gui.widgets.plain import tip
from gui.widgets.readout import value_text
from gui.widgets.theme import tokens
from gui.widgets.words import shortened

STYLES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)
LEAST_FACTOR = 1e-4

TURN_MS = 40
"""Time between two plots of one redraw; drawing all at once would make the frame too long."""

MOST_ROWS = 4
"""Plots that there is room for, one below the other."""

TERM_PLOTS = 3
"""Maximum number of plots of terms. Every method needs at most two; terms of further units share the last plot."""

MOST_AT_ONCE = 4
"""Number of runs up to which all plots are drawn at once; with more they are drawn one by one."""


class SmoothColumn:
    """A smoothed column of a run's metrics, updated incrementally."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._version = -1
        self._restart(1)

    def _restart(self, stride: int) -> None:
        # If a row stands for several, the average decays as much as it would have over all of them.
        factor = self._factor**stride
        self._average = Smoothing(factor if factor > LEAST_FACTOR else 0.0)
        self._values, self._count = np.empty(256), 0

    def follow(self, metrics: MetricsReader, name: str) -> NDArray[np.float64]:
        """Return the smoothed column, a view."""
        if metrics.version != self._version:
            self._version = metrics.version
            self._restart(metrics.stride)
        new = metrics.column(name)[self._count :]
        needed = self._count + len(new)
        if needed > len(self._values):
            grown = np.empty(max(needed, 2 * len(self._values)))
            grown[: self._count] = self._values[: self._count]
            self._values = grown
        self._values[self._count : needed] = self._average.append(new)
        self._count = needed
        return self._values[:needed]


class Curves(QWidget):
    """Curves of the selected runs, one colour per run; KL per latent of the first, one colour per latent.

    Runs that are alike but for the seed may come as one `SeedBand`; emits `fold_asked(key)` to open or close one.
    Terms of the methods' own have a plot for each unit. A plot is hidden if no selected run has its values, such as
    terms, weights that follow a schedule, or scores.

    The plots pan and zoom along x together and share a crosshair. Growing curves are redrawn at most every `redraw_ms`
    milliseconds.
    """

    fold_asked = Signal(object)

    def __init__(self, redraw_ms: int) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        self.reconstruction = CurvePlot("Loss and reconstruction", "nats")
        self.kl = CurvePlot("KL divergence", "nats")
        self.latents = CurvePlot("KL per latent", "nats")
        self.terms = tuple(CurvePlot("Terms", "nats") for _ in range(TERM_PLOTS))
        self.weights = CurvePlot("Weights", "")
        self.scores = CurvePlot("Scores", "")
        self.plots = (self.reconstruction, self.kl, self.latents, *self.terms, self.weights, self.scores)
        topics = ("reconstruction", "kl", "latents", *["terms"] * TERM_PLOTS, "weights", "scores")
        for plot, topic in zip(self.plots, topics, strict=True):
            plot.setParent(self)
            plot.setVisible(plot in self.plots[:3])
            plot.setProperty("helpTopic", f"curves#{topic}")
            plot.canvas.zoomed.connect(self._zoom)
            plot.canvas.all_asked.connect(self._show_all)
            plot.canvas.pointed.connect(self._point)
            plot.readout.setParent(self)
            plot.legend.fold_asked.connect(self._fold)
        self._rows = [QHBoxLayout() for _ in range(MOST_ROWS)]
        for row in self._rows:
            row.setSpacing(8)
            layout.addLayout(row, 1)
        self._placed: list[list[CurvePlot]] = []
        self._place()
        self._items: Sequence[Subject] = ()
        self._options = ViewOptions()
        self._held_out: dict[Path, MetricsReader | BandReader] = {}
        self._of_scores: dict[Path, MetricsReader | BandReader] = {}
        self._smooth: dict[tuple[Path, str], SmoothColumn] = {}
        self._links: tuple[Path, dict[int, Link]] | None = None
        self._zoomed: tuple[float, float] | None = None
        self.redraw_ms = redraw_ms
        self._turn = QTimer(self)
        self._turn.setSingleShot(True)
        self._turn.timeout.connect(self._draw_next)
        self._drawing = (
            self._draw_losses,
            self._draw_divergences,
            self._draw_latents,
            self._draw_terms,
            self._draw_weights,
            self._draw_scores,
        )
        self._next = 0
        self._stale = False
        self._drawn_at = 0.0

    def close_timer(self) -> None:
        """Stop redrawing, before the window closes."""
        self._turn.stop()

    def apply_theme(self) -> None:
        """Apply the current colour scheme."""
        for plot in self.plots:
            plot.apply_theme()
        self._draw()

    def show_options(self, options: ViewOptions) -> None:
        """Apply view options."""
        if options.smoothing != self._options.smoothing:
            self._smooth = {}
        if options.view.column != self._options.view.column:
            self._zoomed = None
        self._options = options
        self._draw()

    def show_runs(self, items: Sequence[Subject]) -> None:
        """Draw the runs' current metrics: at once if the runs have changed, else when the next redraw is due."""
        before = [_identity(item) for item in self._items]
        self._items = [item for item in items if len(item.metrics)]
        runs = {run.path: run for item in self._items for run in _runs_of(item)}
        self._smooth = {key: kept for key, kept in self._smooth.items() if key[0] in runs}
        self._held_out = self._followed(self._held_out, {path: item.run.held_out_file for path, item in runs.items()})
        self._of_scores = self._followed(self._of_scores, {path: item.run.scores_file for path, item in runs.items()})
        if before != [_identity(item) for item in self._items]:
            if len(self._items) > MOST_AT_ONCE:
                self._next = 0
                self._turn.stop()
                self._draw_next()
            else:
                self._draw()
        elif not self._turn.isActive():
            self._draw_later()
        elif self._next:
            self._stale = True  # the first plots of this redraw are already drawn

    def _followed(
        self, before: Mapping[Path, MetricsReader | BandReader], files: Mapping[Path, Path]
    ) -> dict[Path, MetricsReader | BandReader]:
        """Return readers of these files by run, read up to their ends, and those of bands over them."""
        found: dict[Path, MetricsReader | BandReader] = {}
        for path, file in files.items():
            kept = before.get(path)
            own = kept if isinstance(kept, MetricsReader) else MetricsReader(file)
            own.refresh()
            found[path] = own
        for band in self._items:
            if isinstance(band, SeedBand):
                each = [reader for run in band.members if isinstance(reader := found[run.path], MetricsReader)]
                found[band.path] = BandReader(each, band.spread)
        return found

    @Slot(str)
    def _fold(self, group: str) -> None:
        """Ask to open or close the band of a legend entry."""
        for item in self._items:
            if isinstance(item, SeedBand) and str(item.path) == group:
                self.fold_asked.emit(item.key)

    def _draw_later(self) -> None:
        """Draw the plots one by one when the next redraw is due."""
        self._next, self._stale = 0, False
        since = 1000 * (time.monotonic() - self._drawn_at)
        self._turn.start(max(TURN_MS, round(self.redraw_ms - since)))

    def _draw(self) -> None:
        """Draw all plots now."""
        self._turn.stop()
        for number in range(len(self._drawing)):
            self._draw_plots(number)

    @Slot()
    def _draw_next(self) -> None:
        """Draw one kind of plot, and give the window some time before the next."""
        self._draw_plots(self._next)
        self._next += 1
        if self._next < len(self._drawing):
            self._turn.start(TURN_MS)
        elif self._stale:
            self._draw_later()

    def _draw_plots(self, number: int) -> None:
        self._drawn_at = time.monotonic()
        self._drawing[number](self._items, self._options.view, self._zoomed or self._all())
        self._place()

    def _draw_losses(self, items: Sequence[Subject], view: View, across: tuple[float, float]) -> None:
        """Draw reconstruction, or the loss if no run has a reconstruction."""
        several, having = _several(items), _having("reconstruction", items)
        title = "Reconstruction" if several else "Loss and reconstruction"
        self.reconstruction.title.setText(title if having or not items else "Loss")
        curves = [c for item in having for c in self._losses(item, several)]
        for item in items if not having else ():
            colour, words = run_colour(item), item.name if several else "loss"
            curves.append(self._curve(item, "loss", words, colour, group=str(item.path) if several else ""))
        self.reconstruction.show_curves(curves, view, across)

    def _draw_divergences(self, items: Sequence[Subject], view: View, across: tuple[float, float]) -> None:
        several, shown = _several(items), items
        items = _having("kl", items)
        self.kl.setVisible(bool(items) or not shown)
        annealed = any(_has_capacity(item) for item in items)
        own = {
            term.help for item in items for term in METHODS[item.run.config.objective].terms if term.name == CAPACITY
        }
        self.kl.title.setToolTip(tip(*(f"Capacity C: {words}" for words in sorted(own))))
        self.kl.title.setText("KL and capacity C" if annealed else "KL divergence")
        self.kl.show_curves([c for item in items for c in self._divergences(item, several)], view, across)

    def _draw_latents(self, items: Sequence[Subject], view: View, across: tuple[float, float]) -> None:
        several, shown = _several(items), items
        items = _having("kl", items)
        self.latents.setVisible(bool(items) or not shown)
        first = _runs_of(items[0])[0] if items else None
        self.latents.note.setText(f"nats · {shortened(first.name, 24)}" if several and first else "nats")
        self.latents.show_curves(self._per_latent(first) if first else [], view, across)

    def _draw_terms(self, items: Sequence[Subject], view: View, across: tuple[float, float]) -> None:
        """Draw the methods' own terms, those of each unit in a plot: one colour per run, or one per term of a run."""
        groups = terms_by_unit(*([term for term in _terms(item) if _begun(item, term)] for item in items))
        groups[TERM_PLOTS - 1 :] = [[term for group in groups[TERM_PLOTS - 1 :] for term in group]]
        groups = [group for group in groups if group]
        for number, plot in enumerate(self.terms):
            group = groups[number] if number < len(groups) else []
            plot.setVisible(bool(group))
            plot.title.setText(group[0].title if len(group) == 1 else "Terms")
            plot.title.setToolTip(tip(*(f"{_named(term)}: {term.help}" for term in group if term.help)))
            units = ", ".join(dict.fromkeys(term.unit for term in group if term.unit))
            plot.note.setText(units)
            plot.note.setVisible(bool(units))
            plot.show_curves([c for it in items for c in self._own_terms(it, group, _several(items))], view, across)

    def _own_terms(self, item: Subject, group: Sequence[Term], several: bool) -> list[Curve]:
        palette, own = tokens().runs, {term.name for term in _terms(item)}
        curves, alone = [], len(group) == 1
        for number, term in enumerate(term for term in group if term.name in own):
            colour = run_colour(item) if several or alone else palette[number % len(palette)]
            words = (item.name if alone else f"{item.name} · {term.title}") if several else term.title
            style = STYLES[number % len(STYLES)] if several else STYLES[0]
            whose = str(item.path) if several else ""
            name = item.name if several else ""
            curve = self._curve(
                item, term.name, words, colour, style=style, group=whose, group_title=name,
                in_legend=several or not alone,  # the plot's title is the name of a single curve
            )  # fmt: skip
            curves.append(curve)
        return curves

    def _draw_weights(self, items: Sequence[Subject], view: View, across: tuple[float, float]) -> None:
        """Draw the scheduled weights, dashed: one colour per run, or one per weight for a single run."""
        fields = {name: field for item in items for name, field in _weights(item).items()}
        units = dict.fromkeys(unit for field in fields.values() if (unit := unit_of(field)))
        self.weights.setVisible(bool(fields))
        words = (f"{field.title or name}: {field.description or ''}" for name, field in fields.items())
        self.weights.title.setToolTip(tip(*words))
        self.weights.note.setText(", ".join(units))
        self.weights.note.setVisible(bool(units))
        several, alone = _several(items), len(fields) == 1
        curves = [c for item in items for c in self._own_weights(item, several=several, alone=alone)]
        self.weights.show_curves(curves, view, across)

    def _draw_scores(self, items: Sequence[Subject], view: View, across: tuple[float, float]) -> None:
        """Draw the scores: one colour per run, or one per score for a single run."""
        having, several = [item for item in items if len(self._of_scores[item.path])], _several(items)
        self.scores.setVisible(bool(having))
        self.scores.title.setToolTip(tip(*(f"{METRICS[name].name}: {METRICS[name].about}" for name in SCORES)))
        self.scores.show_curves([c for item in having for c in self._own_scores(item, several=several)], view, across)

    def _own_scores(self, item: Subject, *, several: bool) -> list[Curve]:
        palette, reader = tokens().runs, self._of_scores[item.path]
        return [
            self._recorded(
                item,
                reader,
                name,
                f"{item.name} · {METRICS[name].title}" if several else METRICS[name].title,
                run_colour(item) if several else palette[number % len(palette)],
                style=STYLES[number % len(STYLES)] if several else STYLES[0],
                marked=True,
                group=str(item.path) if several else "",
                group_title=item.name if several else "",
            )
            for number, name in enumerate(SCORES)
        ]

    def _place(self) -> None:
        """Place the shown plots in rows of equal height.

        Each has a row of its own if there is room. Otherwise terms, weights and scores share rows, and if these would
        be too narrow, so do reconstruction and KL.
        """
        shown = [[plot] for plot in self.plots if not plot.isHidden()]
        if len(shown) > MOST_ROWS:
            rows, more = ([row for row in shown if (row[0] in self.plots[:3]) is first] for first in (True, False))
            if len(rows) == 3 and len(more) > 2:
                rows = [rows[0] + rows[1], rows[2]]
            room = MOST_ROWS - len(rows)
            for number in range(room):
                rows.append([plot for [plot] in more[number * len(more) // room : (number + 1) * len(more) // room]])
            shown = rows
        if shown == self._placed:
            return
        self._placed = shown
        for number, row in enumerate(self._rows):
            while row.count():
                row.takeAt(0)
            for plot in shown[number] if number < len(shown) else []:
                row.addWidget(plot, 1)

    def _own_weights(self, item: Subject, *, several: bool, alone: bool) -> list[Curve]:
        palette, fields = tokens().runs, _weights(item)
        curves = []
        for number, (name, field) in enumerate(fields.items()):
            title = field.title or name
            colour = run_colour(item) if several or alone else palette[number % len(palette)]
            curves.append(
                self._recorded(
                    item,
                    item.metrics,
                    name,
                    (item.name if alone else f"{item.name} · {title}") if several else title,
                    colour,
                    style=Qt.PenStyle.DashLine,
                    group=str(item.path) if several else "",
                    group_title=item.name if several else "",
                )
            )
        return curves

    def _all(self) -> tuple[float, float]:
        """Return the range of x over all displayed runs."""
        columns = [item.metrics.column(self._options.view.column) for item in self._items]
        ends = [value for column in columns for value in (column[0], column[-1]) if np.isfinite(value)]
        low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
        # Start at the origin: a run begins at step 0, though its first point comes later.
        low = 0.0 if low > 0 else float(low)
        return low, float(high) if high > low else low + 1.0

    def _curve(self, item: Subject, column: str, title: str, colour: str, **drawn: object) -> Curve:
        """Return a column as a smoothed curve, with the raw one behind it."""
        recorded = self._recorded(item, item.metrics, column, title, colour, **drawn)  # type: ignore[arg-type]
        if not self._options.smoothing:
            return recorded
        if isinstance(item, SeedBand):
            band = item.metrics.band(
                column, self._options.smoothing, lambda: [self._smoothed(run, column) for run in item.members]
            )
            return replace(recorded, y=band.mean, raw=recorded.y, spread=(band.low, band.high))
        return replace(recorded, y=self._smoothed(item, column), raw=recorded.y)

    def _smoothed(self, item: RunItem, column: str) -> NDArray[np.float64]:
        kept = self._smooth.setdefault((item.path, column), SmoothColumn(self._options.smoothing))
        return kept.follow(item.metrics, column)

    def _recorded(
        self,
        item: Subject,
        reader: MetricsReader | BandReader,
        column: str,
        title: str,
        colour: str,
        *,
        key: str = "",
        **drawn: object,
    ) -> Curve:
        """Return a column of a reader as a curve, with the spread of a band; `key` is the column's, if it differs."""
        curve = Curve(
            f"{key or column} {item.path}",
            title,
            reader.column(self._options.view.column),
            reader.column(column),
            colour,
            **drawn,  # type: ignore[arg-type]
        )
        if not isinstance(item, SeedBand) or not isinstance(reader, BandReader):
            return curve
        band = reader.band(column)
        return replace(
            curve, spread=(band.low, band.high), notes=partial(_note, band, item.spread), folded=not item.opened,
            about=item.about,
        )  # fmt: skip

    def _losses(self, item: Subject, several: bool) -> list[Curve]:
        group = str(item.path) if several else ""
        title = item.name if several else "reconstruction"
        reconstruction = self._curve(item, "reconstruction", title, run_colour(item), group=group)
        # With several runs a second curve for each would only clutter the plot.
        curves = [reconstruction] if several else [self._curve(item, "loss", "loss", tokens().muted), reconstruction]
        held_out = self._held_out[item.path]
        if len(held_out):
            drawn = self._recorded(
                item,
                held_out,
                "reconstruction",
                "held-out",
                run_colour(item),
                key="held-out",
                style=Qt.PenStyle.DotLine,
                marked=True,
                group=group,
                in_legend=not several,
                read=not several,
            )
            curves.append(drawn)
        return curves

    def _divergences(self, item: Subject, several: bool) -> list[Curve]:
        group = str(item.path) if several else ""
        curves = [self._curve(item, "kl", item.name if several else "KL", run_colour(item), group=group)]
        if _has_capacity(item):
            curves.append(
                self._recorded(
                    item,
                    item.metrics,
                    "capacity",
                    "C",
                    run_colour(item) if several else tokens().text,
                    style=Qt.PenStyle.DashLine,
                    group=group,
                    in_legend=not several,
                    read=not several,
                )
            )
        return curves

    def _per_latent(self, item: RunItem) -> list[Curve]:
        palette, links = tokens().runs, self._links_of(item)

        def title(latent: int) -> str:
            named = latent in item.latent_names or latent not in links
            whole = latent_title(latent, item.latent_names)
            return shortened(whole, 24) if named else f"{whole} {link_text(links[latent])}"

        return [
            self._curve(
                item,
                f"kl_{latent}",
                title(latent),
                palette[latent % len(palette)],
                style=STYLES[latent // len(palette) % len(STYLES)],
            )
            for latent in range(item.metrics.latents)
        ]

    def _links_of(self, item: RunItem) -> dict[int, Link]:
        """Return what a run's latents follow at its newest preview, by latent; its file is read once."""
        newest = next(reversed(list_previews(item.run.previews_folder)), None)
        if newest is None:
            return {}
        if self._links is None or self._links[0] != newest:
            self._links = newest, followed(load_links(newest))
        return self._links[1]

    @Slot(float, float)
    def _zoom(self, low: float, high: float) -> None:
        self._zoomed = low, high
        for plot in self.plots:
            plot.show_range(low, high)

    @Slot()
    def _show_all(self) -> None:
        self._zoomed = None
        for plot in self.plots:
            plot.show_range(*self._all())

    @Slot(object)
    def _point(self, x: float | None) -> None:
        pointed = self.sender()
        shown = [plot for plot in self.plots if not plot.isHidden()]
        for plot in sorted(shown, key=lambda plot: plot.canvas is pointed):  # its readout ends up on top
            plot.point_at(x, here=plot.canvas is pointed)


def _identity(item: Subject) -> object:
    """Return what tells whether the same curves are drawn as before."""
    if isinstance(item, SeedBand):
        return item.spread, item.opened, *(run.path for run in item.members)
    return item.path


def _runs_of(item: Subject) -> Sequence[RunItem]:
    return item.members if isinstance(item, SeedBand) else (item,)


def _several(items: Sequence[Subject]) -> bool:
    """Return whether curves are told apart by their run: even a single band can be opened."""
    return len(items) > 1 or any(isinstance(item, SeedBand) for item in items)


def _note(band: Band, spread: str, point: int) -> str:
    """Return the spread of a band at a point, and over how many runs, e.g. "± 0.51, n = 5 (1 interpolated)"."""
    low, high, mean = float(band.low[point]), float(band.high[point]), float(band.mean[point])
    ends = f"± {value_text(high - mean)}" if spread == "std" else f"[{value_text(low)}, {value_text(high)}]"
    between = int(band.interpolated[point])
    n = f"n = {band.n[point]}" + (f" ({between} interpolated)" if between else "")
    return ", ".join([ends, n]) if np.isfinite(low) else n


def _having(name: str, items: Sequence[Subject]) -> list[Subject]:
    """Return the runs whose method has "reconstruction" or "kl"."""
    return [item for item in items if METHODS[item.run.config.objective].has(name)]


def _has_capacity(item: Subject) -> bool:
    """Return whether a run's curves have a capacity C."""
    return bool(np.isfinite(item.metrics.column("capacity")).any())


def _weights(item: Subject) -> dict[str, FieldInfo]:
    """Return the weights with their own curves, by name."""
    method = METHODS[item.run.config.objective]
    return {name: method.Settings.model_fields[name] for name in method.scheduled(item.metrics.own)}


def _begun(item: Subject, term: Term) -> bool:
    """Return whether a run has values of a term, which may begin long after the run."""
    return any(np.isfinite(run.metrics.column(term.name)).any() for run in _runs_of(item))


def _named(term: Term) -> str:
    return f"{term.title} ({term.unit})" if term.unit else term.title


def _terms(item: Subject) -> list[Term]:
    """Return the method's own curves that are terms, also those that its present version does not have."""
    known, weights = {term.name: term for term in METHODS[item.run.config.objective].terms}, _weights(item)
    return [known.get(name) or Term(name, name, "", "") for name in item.metrics.own if name not in weights]
