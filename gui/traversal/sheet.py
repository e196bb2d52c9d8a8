"""What the views beside the grid of latents show, as a sheet of pictures that can be saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.latent_names import latent_title
from gui.traversal.answering import Answer, Classes, Walk
from gui.traversal.compare_view import Compared
from gui.traversal.labels import heading_words
from gui.traversal.walk_view import WAYS, with_ends


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """Pictures, uint8 (rows, columns, height, width, channels), with words above, beside and below."""

    tiles: NDArray[np.uint8]
    head: list[str]
    side: list[str]
    caption: str

    def save(self, path: Path, width: float | None, dpi: int, *, labels: bool) -> None:
        """Write the sheet, `width` cm wide. Raises ConfigError or RunError."""
        from engine.export_traversal import Look
        from engine.figures import pictures_figure, save

        Look(width, dpi).check()
        caption = self.caption if labels else ""
        save(pictures_figure(self.tiles, self.head, self.side, caption, labels=labels, width=width), path, dpi, caption)


def sheet_of(answer: Answer, names: Mapping[int, str], min_kl: float) -> Sheet | None:
    """Return what is shown; None where that is nothing, or the grid of latents."""
    run, start, result = answer.loaded.trained.run, answer.start, answer.result
    about = f"{run.name}, step {answer.loaded.trained.step:,}, {start.words}"
    match result:
        case Classes(images=images, latent=latent, values=values):
            words = f"{about}: {latent_title(latent, names)} from {values[0]:+g} to {values[-1]:+g} in every class"
            return Sheet(images, heading_words(values), list(answer.loaded.class_names), words)
        case Walk(images=images, end=end):
            tiles, head = with_ends(images, start.original, end.original)
            return Sheet(tiles, head, list(WAYS), f"{about}, to {end.words}")
        case tuple():
            return _compared(result, start.words, min_kl)
    return None


def _compared(runs: tuple[Compared, ...], start: str, min_kl: float) -> Sheet | None:
    """All runs below each other."""
    tiles, side, head = [], [], []
    for run in runs:
        grid = run.traversal
        if grid is None:
            continue
        first = grid.reconstruction if grid.original is None else grid.original
        head = ["start" if grid.original is None else "original", *heading_words(grid.values)]
        for latent, kl, images in zip(grid.latents, grid.kl, grid.images, strict=True):
            if kl >= min_kl:
                tiles.append(np.concatenate([first[None], images]))
                side.append(f"{run.name}\n{latent_title(latent, run.names)}")
    return Sheet(np.stack(tiles), head, side, start) if tiles else None
