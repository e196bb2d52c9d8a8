"""The three plots of the training page: reconstruction, KL with the capacity C, KL per latent."""

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gui.run_store import RunItem
from gui.runs.delegate import run_colour
from gui.theme import tokens
from gui.widgets.curve_plot import Curve, CurvePlot


class Curves(QWidget):
    """Curves of the selected runs, one colour a run; KL per latent of the first of them, one colour a latent."""

    def __init__(self) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        self.reconstruction = CurvePlot("Loss and reconstruction", "nats")
        self.kl = CurvePlot("KL divergence, and capacity C", "nats")
        self.latents = CurvePlot("KL per latent", "nats")
        self.plots = (self.reconstruction, self.kl, self.latents)
        for plot in self.plots:
            layout.addWidget(plot, 1)

    def apply_theme(self) -> None:
        """Take the colours of the scheme in force."""
        for plot in self.plots:
            plot.apply_theme()

    def show_runs(self, items: list[RunItem]) -> None:
        """Draw what the runs' metrics hold now."""
        items = [item for item in items if len(item.metrics)]
        self.reconstruction.show_curves([curve for item in items for curve in _losses(item, len(items) > 1)])
        self.kl.show_curves([curve for item in items for curve in _divergences(item, len(items) > 1)])
        self.latents.note.setText(f"nats · {items[0].name}" if len(items) > 1 else "nats")
        self.latents.show_curves(_per_latent(items[0]) if items else [])


def _losses(item: RunItem, several: bool) -> list[Curve]:
    step = item.metrics.column("step")
    title = item.name if several else "reconstruction"
    loss = Curve(f"loss {item.path}", "loss", step, item.metrics.column("loss"), tokens().muted, in_legend=not several)
    reconstruction = Curve(f"rec {item.path}", title, step, item.metrics.column("reconstruction"), run_colour(item))
    # With several runs, or a loss that is nearly all penalty, the second curve would only be in the way.
    return [reconstruction] if several else [loss, reconstruction]


def _divergences(item: RunItem, several: bool) -> list[Curve]:
    step = item.metrics.column("step")
    curves = [
        Curve(f"kl {item.path}", item.name if several else "KL", step, item.metrics.column("kl"), run_colour(item))
    ]
    if item.run.config.annealed:
        curves.append(
            Curve(
                f"c {item.path}",
                "C",
                step,
                item.metrics.column("capacity"),
                tokens().text,
                dashed=True,
                in_legend=not several,
            )
        )
    return curves


def _per_latent(item: RunItem) -> list[Curve]:
    """One curve a latent; the legend names the ones that carry most now."""
    step, kl = item.metrics.column("step"), item.metrics.kl_per_latent
    palette = tokens().runs
    first = set(np.argsort(-kl[-1], kind="stable")[:5].tolist())
    return [
        Curve(
            f"z{i} {item.path}",
            f"z{i}",
            step,
            kl[:, i],
            palette[i % len(palette)],
            dashed=i >= len(palette),
            in_legend=i in first,
        )
        for i in range(item.metrics.latents)
    ]
