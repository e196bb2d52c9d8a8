"""The classes, walk, comparison and samples views as a sheet of images that can be saved."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.runs.latent_names import latent_title, link_text
from gui.traversal.alignment import Compared, aligned
from gui.traversal.answering import Answer, Classes, Walk
from gui.traversal.labels import column_headings, heading_texts
from gui.traversal.walk_view import WAYS, with_ends

if TYPE_CHECKING:
    from engine.export.sheets import Sheet


def sheet_of(answer: Answer, names: Mapping[int, str], min_kl: float) -> "Sheet | None":
    """Return what is shown; None for the grid of latents, or if there is nothing."""
    from engine.export.sheets import Sheet
    from engine.traversal import Samples

    run, start, result = answer.loaded.trained.run, answer.start, answer.result
    about = f"{run.name}, step {answer.loaded.trained.step:,}, {start.words}"
    match result:
        case Classes(images=images, latent=latent, values=values):
            words = f"{about}: {latent_title(latent, names)} from {values[0]:+g} to {values[-1]:+g} in every class"
            numbers = {"values": np.array(values), "latent": np.array(latent)}
            return Sheet(images, heading_texts(values), list(answer.loaded.class_names), words, numbers=numbers)
        case Walk(images=images, end=end, paths=paths):
            tiles, head = with_ends(images, start.original, end.original)
            points = {"latents": np.stack(paths)}
            between = slice(start.original is not None, len(head) - (end.original is not None))
            return Sheet(tiles, head, list(WAYS[: len(tiles)]), f"{about}, to {end.words}", between, points)
        case Samples(z=z, images=images, labels=labels):
            side = round(len(images) ** 0.5)
            drawn = {"latents": z} | ({} if labels is None else {"labels": labels})
            words = f"{run.name}, step {answer.loaded.trained.step:,}: {len(images)} samples from the prior"
            blank = [""] * side
            return Sheet(images.reshape(side, side, *images.shape[1:]), blank, blank, words, numbers=drawn)
        case tuple():
            return _compared(result, start.words, min_kl)
    return None


def _compared(runs: tuple[Compared, ...], start: str, min_kl: float) -> "Sheet | None":
    """Return the rows of all runs, those that follow the same factor one below the other."""
    from engine.export.sheets import Sheet

    tiles: list[NDArray[np.uint8]] = []
    side: list[str] = []
    head: list[str] = []
    for line in aligned(runs, min_kl):
        for run, row in zip(runs, line.rows, strict=True):
            grid = run.traversal
            if grid is None or row is None:
                continue
            first = grid.reconstruction if grid.original is None else grid.original
            words = ["start" if grid.original is None else "original", *column_headings(grid)]
            head = max(head, words, key=len)
            latent = grid.latents[row]
            link = run.links.get(latent)
            tiles.append(np.concatenate([first[None], grid.images[row]]))
            follows = f" {link_text(link)}" if link else ""
            side.append(f"{run.name}\n{latent_title(latent, run.names)}{follows}")
    # A category may have more values than the others: shorter rows are padded with black.
    missing = [(0, len(head) - len(row)) for row in tiles]
    tiles = [np.pad(row, [room, (0, 0), (0, 0), (0, 0)]) for row, room in zip(tiles, missing, strict=True)]
    return Sheet(np.stack(tiles), head, side, start, slice(1, None)) if tiles else None
