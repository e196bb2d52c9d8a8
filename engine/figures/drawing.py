"""Figures for papers, drawn without a screen: grids of pictures, reconstructions, traversals."""

import math
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError, RunError
from engine.system.files import replacing
from engine.traversal import Traversal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
CELL = 0.55
"""Side of a picture in a grid, in inches."""

GAP = 0.06
"""Gap between pictures in a grid, as a share of a cell."""

SMALLEST = 0.07
"""Smallest side of a picture in a grid, in inches."""

EDGE = 0.08
"""Margin around a grid with text, in inches."""

LINE = 6.5 / 72
"""Font size of a grid's text, in inches."""

LETTER = 0.052
"""Width of a letter of a grid's text, in inches."""

METADATA = {"png": "Description", "svg": "Description", "pdf": "Subject"}
"""Metadata field for the caption in each format, so that it stays with a figure that does not show it."""


def check_format(path: Path, formats: Sequence[str] = FORMATS) -> str:
    """Return the format given by a file's extension. Raises ConfigError if it is not one of `formats`."""
    suffix = path.suffix.lower().lstrip(".")
    if suffix not in formats:
        raise ConfigError(f"{path.name} does not end in a known format; use one of .{', .'.join(formats)}.")
    return suffix


def save(figure: "Figure", path: Path, dpi: int = 200, caption: str = "") -> None:
    """Write a figure atomically, in the format of its file name. Raises ConfigError or RunError.

    An SVG keeps text as text, which can be searched and edited, and separate pictures separate. A caption is also
    stored in the file's metadata. A character that the font lacks is drawn as a box. Long lines are drawn in pieces,
    which is faster.
    """
    import matplotlib

    suffix = check_format(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            replacing(path) as temporary,
            matplotlib.rc_context({"svg.fonttype": "none", "agg.path.chunksize": 1000, "image.composite_image": False}),
            warnings.catch_warnings(action="ignore"),
        ):
            figure.savefig(temporary, format=suffix, dpi=dpi, metadata={METADATA[suffix]: caption} if caption else None)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}.") from None


def traversal_figure(
    traversal: Traversal,
    caption: str = "",
    names: Mapping[int, str] | None = None,
    *,
    labels: bool = True,
    width: float | None = None,
) -> "Figure":
    """Draw the grid of the report's Figures 2-5: in a row for each latent, the original, then its values.

    Without an original, i.e. from the prior, the decoded start comes first. `width` is in cm. Raises ConfigError if it
    is too narrow.
    """
    rows = len(traversal.images)
    original, first = (
        (traversal.reconstruction, "start") if traversal.original is None else (traversal.original, "original")
    )
    columns = traversal.columns
    decimals = 1 if np.allclose(columns, np.round(columns, 1)) else 2
    above = [
        f"{value:.0f}" if all(k.integer for k in traversal.kinds) else f"{value:+.{decimals}f}" for value in columns
    ]
    head = [first, *above, *[""] * (traversal.images.shape[1] - len(above))]
    side = [
        f"z{latent}\n{names[latent] if names and latent in names else traversal.note(row)}"
        for row, latent in enumerate(traversal.latents)
    ]
    tiles = np.concatenate([np.broadcast_to(original, (rows, 1, *original.shape)), traversal.images], 1)
    return _grid(tiles, head, side, caption, labels=labels, width=None if width is None else width / 2.54)


def reconstructions_figure(
    originals: NDArray[np.uint8], reconstructions: NDArray[np.uint8], caption: str = ""
) -> "Figure":
    """Draw originals above their reconstructions, each uint8 (n, height, width, channels)."""
    tiles = np.stack([originals, reconstructions])
    return _grid(tiles, [""] * len(originals), ["originals", "recon-\nstructions"], caption)


def pictures_figure(
    tiles: NDArray[np.uint8],
    head: list[str],
    side: list[str],
    caption: str = "",
    *,
    labels: bool = True,
    width: float | None = None,
) -> "Figure":
    """Draw a grid of pictures, uint8 (rows, columns, height, width, channels), with text above and beside it.

    `width` is in cm. Raises ConfigError if it is too narrow.
    """
    return _grid(tiles, head, side, caption, labels=labels, width=None if width is None else width / 2.54)


def _grid(
    tiles: NDArray[np.uint8],
    head: list[str],
    side: list[str],
    caption: str,
    *,
    labels: bool = True,
    width: float | None = None,
) -> "Figure":
    """Lay out uint8 tiles (rows, columns, height, width, channels) with headings above and beside; width in inches.

    Text is smaller if the tiles are.
    """
    rows, columns = tiles.shape[:2]
    edge = EDGE if labels else 0.0
    shrunk, left, cell = _layout(columns, side, width) if labels else (1.0, 0.0, _cell(columns, width))
    if cell < 2.4 * LINE * shrunk:  # no room for two lines
        side = [text.split("\n")[0] for text in side]
        shrunk, left, cell = _layout(columns, side, width) if labels else (shrunk, left, cell)
    if cell < SMALLEST:
        raise ConfigError(f"{columns} pictures side by side need more than {2.54 * (width or 0):.1f} cm.")
    letter = shrunk * LETTER
    total = left + (columns - GAP) * cell + edge
    lines = textwrap.wrap(caption, max(10, int((total - 2 * edge) / letter)))
    bottom = (0.15 + 0.12 * len(lines)) * shrunk if lines else edge
    top = bottom + (rows - GAP) * cell
    height = top + (0.22 * shrunk if labels else 0.0)
    figure = blank_figure(total, height, constrained=False)

    def write(x: float, y: float, text: str, **how: Any) -> None:
        figure.text(x / total, y / height, text, fontsize=72 * LINE * shrunk, parse_math=False, **how)

    for row, column in np.ndindex(rows, columns):
        x, y, shown = left + column * cell, bottom + (rows - 1 - row) * cell, (1 - GAP) * cell
        _show(figure, tiles[row, column], (x / total, y / height, shown / total, shown / height))
    if labels:
        for row, text in enumerate(side):
            write(left - edge, bottom + (rows - row - 0.53) * cell, text, ha="right", va="center")
        every = max(1, math.ceil(letter * (2 + max(map(len, head[1:]), default=0)) / cell))
        for column, text in enumerate(head):
            if column == 0 and letter * len(text) > cell:
                write(left + (1 - GAP) * cell, top + 0.07 * shrunk, text, ha="right")
            elif column == 0 or (column - 1) % every == 0:
                write(left + (column + 0.47) * cell, top + 0.07 * shrunk, text, ha="center")
    if lines:
        write(edge, edge, "\n".join(lines), color="#444444")
    return figure


def _layout(columns: int, side: list[str], width: float | None) -> tuple[float, float, float]:
    """Scale of a grid's text, and its left margin and the side of its cells in inches."""
    letters = max(len(line) for text in side for line in text.split("\n"))

    def margin(shrunk: float) -> float:
        return max(0.75 * shrunk, 2 * EDGE + LETTER * shrunk * letters)

    shrunk = min(1.0, max(0.6, _cell(columns, width, margin(0.8) + EDGE) / 0.4))
    return shrunk, margin(shrunk), _cell(columns, width, margin(shrunk) + EDGE)


def _cell(columns: int, width: float | None, margins: float = 0.0) -> float:
    return CELL if width is None else (width - margins) / (columns - GAP)


def _show(figure: "Figure", tile: NDArray[np.uint8], box: tuple[float, float, float, float]) -> None:
    """Draw a picture in a box, in shares of the figure. Separate axes would take ten times as long."""
    from matplotlib.colors import Normalize
    from matplotlib.image import BboxImage
    from matplotlib.transforms import Bbox, TransformedBbox

    place = TransformedBbox(Bbox.from_bounds(*box), figure.transFigure)
    image = BboxImage(place, cmap="gray", norm=Normalize(0, 255), interpolation="nearest", origin="upper")
    image.set_data(tile[..., 0] if tile.shape[-1] == 1 else tile)
    figure.add_artist(image)


def blank_figure(width: float, height: float, *, constrained: bool = True) -> "Figure":
    """Return an empty figure that needs no screen, width and height in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure: Figure = Figure(figsize=(width, height), layout="constrained" if constrained else None)
    FigureCanvasAgg(figure)
    return figure
