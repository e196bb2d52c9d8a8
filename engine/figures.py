"""Figures as a paper would print them, drawn without a screen: curves, reconstructions, traversals."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError, RunError
from engine.files import replacing
from engine.metrics_file import MetricsReader
from engine.runs import Run
from engine.traversal import Traversal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
OKABE_ITO = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#CC79A7",
    "#56B4E9",
    "#999999",
    "#B8A800",
    "#333333",
    "#8C510A",
)
"""Colours that colour-blind people tell apart (Okabe & Ito 2008), the yellow darkened for white paper."""

CELL = 0.55
"""Side of a picture in a grid, in inches."""


def check_format(path: Path, formats: Sequence[str] = FORMATS) -> str:
    """Return the format that a file's name asks for. Raises ConfigError when it is none of these."""
    suffix = path.suffix.lower().lstrip(".")
    if suffix not in formats:
        raise ConfigError(f"{path.name} has no ending that says the format; use one of .{', .'.join(formats)}.")
    return suffix


def save(figure: "Figure", path: Path, dpi: int = 200) -> None:
    """Write a figure in the format of its name, atomically. Raises ConfigError or RunError."""
    suffix = check_format(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            figure.savefig(temporary, format=suffix, dpi=dpi)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}.") from None


def traversal_figure(traversal: Traversal, caption: str = "", names: dict[int, str] | None = None) -> "Figure":
    """Draw the grid of the report's Figures 2-5: the original first, then one row a latent over the range."""
    rows, columns = traversal.images.shape[:2]
    head = [None, *(f"{v:+.1f}" for v in traversal.values)]
    side = [
        f"z{i}" + (f"\n{names[i]}" if names and i in names else f"\n{k:.2f} nats")
        for i, k in zip(traversal.latents, traversal.kl, strict=True)
    ]
    tiles = np.concatenate(
        [np.broadcast_to(traversal.original, (rows, 1, *traversal.original.shape)), traversal.images], 1
    )
    head[0] = "original"
    return _grid(tiles, columns + 1, [str(h) for h in head], side, caption)


def reconstructions_figure(
    originals: NDArray[np.uint8], reconstructions: NDArray[np.uint8], caption: str = ""
) -> "Figure":
    """Draw originals above their reconstructions, each uint8 (n, height, width, channels)."""
    tiles = np.stack([originals, reconstructions])
    return _grid(tiles, len(originals), [""] * len(originals), ["originals", "recon-\nstructions"], caption)


def curves_figure(run: Run) -> "Figure":
    """Draw reconstruction, KL with the capacity C, and KL per latent against the step."""
    reader = MetricsReader(run.metrics_file)
    reader.refresh()
    figure = _figure(11, 3.2)
    left, middle, right = figure.subplots(1, 3)
    step = reader.column("step")
    left.plot(step, reader.column("loss"), color="#999999", lw=1, label="loss")
    left.plot(step, reader.column("reconstruction"), color=OKABE_ITO[0], lw=1.2, label="reconstruction")
    middle.plot(step, reader.column("kl"), color=OKABE_ITO[0], lw=1.2, label="KL")
    if run.config.annealed:
        middle.plot(step, reader.column("capacity"), color="#333333", ls="--", lw=1, label="capacity C")
    for latent in range(reader.latents):
        right.plot(
            step, reader.column(f"kl_{latent}"), color=OKABE_ITO[latent % len(OKABE_ITO)], lw=1, label=f"z{latent}"
        )
    for axes, title in ((left, "Loss and reconstruction"), (middle, "KL divergence"), (right, "KL per latent")):
        axes.set_title(f"{title} (nats)", fontsize=10)
        axes.set_xlabel("step", fontsize=9)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        if len(step):
            axes.legend(fontsize=7, frameon=False, ncols=2 if axes is right and reader.latents > 5 else 1)
    return figure


def _grid(tiles: NDArray[np.uint8], columns: int, head: list[str], side: list[str], caption: str) -> "Figure":
    """Lay uint8 tiles (rows, columns, height, width, channels) out with headings above and beside."""
    rows = len(tiles)
    left, top, bottom = 0.75, 0.25, 0.35 if caption else 0.05
    width, height = left + columns * CELL + 0.05, top + rows * CELL + bottom
    figure = _figure(width, height, constrained=False)
    for row in range(rows):
        for column in range(columns):
            box = (
                (left + column * CELL) / width,
                (bottom + (rows - 1 - row) * CELL) / height,
                0.94 * CELL / width,
                0.94 * CELL / height,
            )
            axes = figure.add_axes(box)
            axes.set_axis_off()
            tile = tiles[row, column]
            grey = tile.shape[-1] == 1
            axes.imshow(
                tile[..., 0] if grey else tile, cmap="gray" if grey else None, vmin=0, vmax=255, interpolation="nearest"
            )
        figure.text(
            (left - 0.08) / width,
            (bottom + (rows - row - 0.53) * CELL) / height,
            side[row],
            ha="right",
            va="center",
            fontsize=6.5,
            parse_math=False,
        )
    for column, text in enumerate(head):
        figure.text(
            (left + (column + 0.47) * CELL) / width,
            (height - top + 0.06) / height,
            text,
            ha="center",
            fontsize=6.5,
            parse_math=False,
        )
    if caption:
        figure.text(0.08 / width, 0.1 / height, caption, fontsize=6.5, color="#444444", parse_math=False)
    return figure


def _figure(width: float, height: float, *, constrained: bool = True) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure: Figure = Figure(figsize=(width, height), layout="constrained" if constrained else None)
    FigureCanvasAgg(figure)
    return figure
