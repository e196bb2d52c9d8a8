"""The latent map as a figure, a table of its points, or arrays."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import RunError
from engine.export.traversal import Look, write_arrays
from engine.figures.drawing import FORMATS, check_format, save
from engine.figures.latent_map import map_figure
from engine.system.files import write_bytes
from engine.system.spreadsheet import csv_text
from engine.traversal import Codes, Grouping

ENDINGS = (*FORMATS, "csv", "npz")


@dataclass(frozen=True, slots=True, eq=False)
class Manifold:
    """Images, uint8 (rows, columns, height, width, channels), the highest first; where they lie in the plane.

    `extent` is left, right, bottom, top.
    """

    tiles: NDArray[np.uint8]
    extent: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class MapPicture:
    """A map as shown: codes at `points`, (n, 2), between axes with `titles`.

    `visible` and `selected` are (n,); the latter is None if no points are selected.
    """

    codes: Codes
    points: NDArray[np.float64]
    titles: tuple[str, str]
    grouping: Grouping | None
    visible: NDArray[np.bool_]
    selected: NDArray[np.bool_] | None
    manifold: Manifold | None
    caption: str

    def save(self, path: Path, look: Look) -> None:
        """Write the map; the extension decides: figure (.png, .svg, .pdf), table of the points (.csv) or arrays (.npz).

        Raises ConfigError for another extension or size, RunError if the file cannot be written.
        """
        kind = check_format(path, ENDINGS)
        look.check()
        if kind == "csv":
            try:
                write_bytes(path, csv_text(self._rows(), "\n").encode())
            except OSError as error:
                raise RunError(f"{path} cannot be written: {error.strerror or error}.") from None
        elif kind == "npz":
            write_arrays(path, self._arrays())
        else:
            behind = None if self.manifold is None else (self.manifold.tiles, self.manifold.extent)
            figure = map_figure(
                self.points, self.titles, self.grouping, self.visible, behind,
                self.caption, labels=look.labels, width=look.width,
            )  # fmt: skip
            save(figure, path, look.dpi, self.caption)

    def _rows(self) -> Iterator[list[str]]:
        """Return the table: a row for each point, with the values of its groups by name."""
        codes, groups = self.codes, self.codes.groupings
        latents = range(codes.means.shape[1])
        chosen = [] if self.selected is None else ["selected"]
        yield ["image", "x", "y", *(f"z{latent}" for latent in latents), *(g.title for g in groups), *chosen]
        for row, image in enumerate(codes.images):
            numbers = (*self.points[row], *codes.means[row])
            named = [g.names[g.numbers[row]] for g in groups]
            mark = [] if self.selected is None else [str(int(self.selected[row]))]
            yield [str(image), *(f"{number:.6g}" for number in numbers), *named, *mark]

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays: positions, points, codes, groups, and the manifold with its extent."""
        found: dict[str, NDArray[np.generic]] = {
            "images": self.codes.images,
            "points": self.points,
            "means": self.codes.means,
            "axes": np.array(self.titles, np.str_),
            "step": np.array(self.codes.step),
            "caption": np.array(self.caption, np.str_),
        }
        for number, grouping in enumerate(self.codes.groupings):
            found[f"group_{number}"] = grouping.numbers
            found[f"group_{number}_title"] = np.array(grouping.title, np.str_)
            found[f"group_{number}_names"] = np.array(grouping.names, np.str_)
        if self.selected is not None:
            found["selected"] = self.selected
        if self.manifold is not None:
            found |= {"manifold": self.manifold.tiles, "extent": np.array(self.manifold.extent)}
        return found
