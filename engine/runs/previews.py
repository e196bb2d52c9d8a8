"""The history of a run's previews, in its folder.

A preview is saved as one viewable PNG: a row of originals, a row of reconstructions, then one row per latent. Its text
chunk describes the layout, and says what the latents follow.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from pydantic import BaseModel, Field, TypeAdapter

from engine.jobs.events import Link, Preview
from engine.methods.latents import Latent
from engine.runs.divergence import is_active, latents_by_kl
from engine.runs.latent_names import MAX_CHARACTERS
from engine.system.files import replacing
from engine.system.plain_text import one_line
from engine.system.reading import MB, DamagedError, Number, Steps, checked, open_regular, parse_json

LATENT_ROWS = 10
"""Largest number of latents shown: as many as the report uses, so that inactive ones are seen, too."""
COLUMNS = 8
"""Images in a row, unless a category or code has more values."""

MAX_COLUMNS = 64

EARLY = (1, 10, 20, 50, 100, 200, 500)
"""Steps with a preview at the start of a run, so that there is something to see within seconds."""

TEXT = "disentangle-studio"

MAX_PREVIEWS = 400
"""Largest number of previews a run keeps: some tens of megabytes."""


MAX_BYTES = 64 * MB
"""Largest size of a file in bytes."""

MAX_PIXELS = 40_000_000
"""Largest number of pixels of a file: 256 rows of 8 images of 128 x 128."""

_Side = Annotated[int, Field(strict=True, ge=1, le=1024)]


class _Link(BaseModel):
    """What a latent follows, as in `engine.jobs.events.Link`."""

    latent: Annotated[int, Field(strict=True, ge=0, lt=1024)]
    factor: str
    share: Annotated[Number, Field(ge=0, le=1)]
    images: Annotated[int, Field(strict=True, ge=1)]
    majority: tuple[str, ...] = ()

    def link(self) -> Link:
        """Return it with names that can be shown."""
        values = tuple(one_line(value, MAX_CHARACTERS) for value in self.majority)
        return Link(self.latent, one_line(self.factor, MAX_CHARACTERS), self.share, self.images, values)


class _About(BaseModel):
    """Layout of a file: `tile` is the height, width and channels of an image, `kl` has a value for every latent.

    `kl` is empty for a method without KL. Version 1.0.0 always had `COLUMNS` columns and did not record them, nor
    links.
    """

    step: Steps
    tile: tuple[_Side, _Side, Annotated[int, Field(strict=True, ge=1, le=3)]]
    images: Annotated[int, Field(strict=True, ge=1, le=COLUMNS)]
    latents: tuple[Annotated[int, Field(strict=True, ge=0, lt=1024)], ...]
    kl: tuple[Number, ...]
    columns: Annotated[int, Field(strict=True, ge=COLUMNS, le=MAX_COLUMNS)] = COLUMNS
    links: tuple[_Link, ...] = ()


_ABOUT = TypeAdapter(_About)


def is_due(step: int, every: int) -> bool:
    """Return whether a run with a preview every so many steps has one at a step; at first they are closer."""
    return step % every == 0 or step == 1 or (step in EARLY and 4 * step <= every)


def rows_for(before: Sequence[int], kl: Sequence[float], latents: int) -> tuple[int, ...]:
    """Return the latents to show, in the order of their rows, given those of the previous preview (empty: none).

    A latent keeps its row. If there are more latents than rows, those that become active take the rows of inactive
    ones, the one with the largest KL first. `kl` is in nats, empty for a method without KL.
    """
    rows = list(before) or list(range(min(latents, LATENT_ROWS)))
    free = [row for row, latent in enumerate(rows) if kl and not is_active(kl[latent])]
    waiting = [i for i in latents_by_kl(np.array(kl)).tolist() if is_active(kl[i]) and i not in rows]
    for row, latent in zip(free, waiting, strict=False):
        rows[row] = latent
    return tuple(rows)


def columns_for(latents: Sequence[Latent]) -> int:
    """Return the number of images in a row: `COLUMNS`, or that of the values of a category or code if larger."""
    return max([COLUMNS, *(latent.steps for latent in latents if latent.integer)])


def preview_path(folder: Path, step: int) -> Path:
    """Return the file of the preview at a step."""
    return folder / f"{step:09d}.png"


def save_preview(folder: Path, preview: Preview) -> None:
    """Save a preview as `<step>.png`, and thin out previews to at most `MAX_PREVIEWS`. Raises OSError."""
    folder.mkdir(exist_ok=True)
    count, height, width, channels = preview.originals.shape
    columns = preview.traversal.shape[1]
    rows = [_padded(preview.originals, columns), _padded(preview.reconstructions, columns), *preview.traversal]
    grid = np.stack(rows).transpose(0, 2, 1, 3, 4).reshape(len(rows) * height, columns * width, channels)
    text = PngImagePlugin.PngInfo()
    text.add_text(
        TEXT,
        json.dumps(
            {
                "step": preview.step,
                "tile": [height, width, channels],
                "images": count,
                "latents": preview.latents,
                "kl": [round(v, 4) for v in preview.kl_per_latent],
                "columns": columns,
                "links": [asdict(link) for link in preview.links],
            }
        ),
    )
    with replacing(preview_path(folder, preview.step)) as temporary:
        Image.fromarray(grid.squeeze(-1) if channels == 1 else grid).save(temporary, "png", pnginfo=text)
    _thin_out(folder)


def _thin_out(folder: Path) -> None:
    """Remove previews down to `MAX_PREVIEWS`, each time the one whose neighbours are closest, never the first or last.

    This keeps them about evenly spaced over a run of any length.
    """
    kept = list_previews(folder)
    while len(kept) > MAX_PREVIEWS:
        steps = np.array([int(path.stem) for path in kept])
        kept.pop(1 + int(np.argmin(steps[2:] - steps[:-2]))).unlink(missing_ok=True)


def drop_after(folder: Path, step: int) -> None:
    """Remove the previews after a step, which a resumed run makes again. Raises OSError."""
    for path in list_previews(folder):
        if int(path.stem) > step:
            path.unlink(missing_ok=True)


def list_previews(folder: Path) -> list[Path]:
    """Return the saved previews, oldest first."""
    return sorted(path for path in folder.glob("[0-9]*.png") if re.fullmatch(r"[0-9]{1,12}", path.stem))


def is_preview(path: Path) -> bool:
    """Return whether a file is a preview, judging by its header and text chunk only."""
    try:
        with _opened(path):
            return True
    except _DAMAGED:
        return False


def load_links(path: Path) -> tuple[Link, ...]:
    """Read what latents follow from a saved preview, without its pixels; empty if the file is not one."""
    try:
        with _opened(path) as (_, about):
            return tuple(link.link() for link in about.links)
    except _DAMAGED:
        return ()


def load_preview(path: Path) -> Preview | None:
    """Read a saved preview; None if the file is not one or is damaged.

    If it shows all latents, they are in order; version 1.0.0 ordered them by KL, so that they changed places.
    """
    try:
        with _opened(path) as (image, about):
            pixels = np.asarray(image, dtype=np.uint8)
        height, width, channels = about.tile
        rows = pixels.reshape(-1, height, about.columns, width, channels).transpose(0, 2, 1, 3, 4)
    except _DAMAGED:
        return None
    order = np.arange(len(about.latents))
    if len(about.latents) == len(about.kl):
        order = np.argsort(about.latents, kind="stable")
    return Preview(
        step=about.step,
        originals=rows[0, : about.images],
        reconstructions=rows[1, : about.images],
        traversal=rows[2:][order],
        latents=tuple(about.latents[row] for row in order),
        kl_per_latent=about.kl,
        links=tuple(link.link() for link in about.links),
    )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Image.Image, _About]]:
    """Open a preview's file and its layout. Raises one of `_DAMAGED`."""
    with open_regular(path) as file, Image.open(file, formats=("PNG",)) as image:
        about = checked(_ABOUT, parse_json(image.info[TEXT]))
        height, width, _ = about.tile
        if image.width * image.height > MAX_PIXELS:
            raise DamagedError("it has too many pixels")
        if (image.width, image.height) != (about.columns * width, (2 + len(about.latents)) * height):
            raise DamagedError("its size is not that of its images")
        if about.kl and max(about.latents, default=-1) >= len(about.kl):
            raise DamagedError("it has latents without a KL")
        yield image, about


_DAMAGED = (OSError, LookupError, ValueError, TypeError, SyntaxError, Image.DecompressionBombError)
"""Exceptions of Pillow, and of this module, for a file that is damaged or not a PNG."""


def _padded(images: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    missing = columns - len(images)
    return np.concatenate([images, np.zeros((missing, *images.shape[1:]), np.uint8)]) if missing else images
