"""The history of a run's live pictures, in its folder.

A preview is kept as one PNG that people can look at: a row of originals, a row of reconstructions, then one
row a latent. Its text chunk says how to take it apart again.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from engine.events import Preview
from engine.files import replacing

COLUMNS = 8
"""Images in a row."""

TEXT = "disentangle-studio"

MOST = 400
"""Pictures that a run keeps: some tens of megabytes at most, and more than anybody watches."""


def save_preview(folder: Path, preview: Preview) -> None:
    """Keep a preview as `<step>.png`, and of more than `MOST` about evenly spaced ones. Raises OSError."""
    folder.mkdir(exist_ok=True)
    count, height, width, channels = preview.originals.shape
    rows = [_padded(preview.originals), _padded(preview.reconstructions), *preview.traversal]
    grid = np.stack(rows).transpose(0, 2, 1, 3, 4).reshape(len(rows) * height, COLUMNS * width, channels)
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
            }
        ),
    )
    with replacing(folder / f"{preview.step:09d}.png") as temporary:
        Image.fromarray(grid.squeeze(-1) if channels == 1 else grid).save(temporary, "png", pnginfo=text)
    _thin_out(folder)


def _thin_out(folder: Path) -> None:
    """Bring the pictures down to `MOST`: the one whose neighbours are closest goes, never the first or the newest.

    So they stay about evenly spaced over the run, however long it becomes.
    """
    kept = list_previews(folder)
    while len(kept) > MOST:
        steps = np.array([int(path.stem) for path in kept])
        kept.pop(1 + int(np.argmin(steps[2:] - steps[:-2]))).unlink(missing_ok=True)


def drop_after(folder: Path, step: int) -> None:
    """Remove the pictures of steps that a resumed run has yet to do again. Raises OSError."""
    for path in list_previews(folder):
        if int(path.stem) > step:
            path.unlink(missing_ok=True)


def list_previews(folder: Path) -> list[Path]:
    """Kept previews, oldest first."""
    return sorted(path for path in folder.glob("[0-9]*.png") if path.stem.isdecimal())


def load_preview(path: Path) -> Preview | None:
    """Read a kept preview; None when the file is not one, or damaged."""
    try:
        with Image.open(path) as image:
            about = json.loads(getattr(image, "text", {})[TEXT])
            pixels = np.asarray(image, dtype=np.uint8)
        height, width, channels = (int(v) for v in about["tile"])
        rows = pixels.reshape(-1, height, COLUMNS, width, channels).transpose(0, 2, 1, 3, 4)
        count = int(about["images"])
        return Preview(
            step=int(about["step"]),
            originals=rows[0, :count],
            reconstructions=rows[1, :count],
            traversal=rows[2:],
            latents=tuple(about["latents"]),
            kl_per_latent=tuple(about["kl"]),
        )
    except (
        *(OSError, LookupError, ArithmeticError, ValueError, TypeError, SyntaxError, RecursionError),
        Image.DecompressionBombError,
    ):
        return None


def _padded(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    missing = COLUMNS - len(images)
    return np.concatenate([images, np.zeros((missing, *images.shape[1:]), np.uint8)]) if missing else images
