"""A sheet of pictures over values from left to right, saved as a figure, an animation or arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from engine.export.traversal import CENTIMETRES, ENDINGS, Look, label_font, save_animation, write_arrays, write_frames
from engine.figures.drawing import check_format, pictures_figure, save

PICTURE_SIDE = 140
"""Approximate side of each picture of an animation in pixels, unless a width is given."""


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """Pictures, uint8 (rows, columns, height, width, channels), with text above, beside and below.

    `moving` are the columns of an animation; `numbers` are further arrays for the .npz file.
    """

    tiles: NDArray[np.uint8]
    head: list[str]
    side: list[str]
    caption: str
    moving: slice = field(default_factory=lambda: slice(None))
    numbers: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def save(self, path: Path, look: Look) -> None:
        """Write the sheet; the extension decides the format, as in `save_traversal`. Raises ConfigError or RunError."""
        kind = check_format(path, ENDINGS)
        look.check()
        if kind == "gif":
            save_animation(self.frames(look), path, self.caption)
        elif kind == "npz":
            words = {"columns": self.head, "rows": self.side, "caption": self.caption}
            write_arrays(
                path, {"images": self.tiles, **{k: np.array(v, np.str_) for k, v in words.items()}, **self.numbers}
            )
        else:
            caption = self.caption if look.labels else ""
            figure = pictures_figure(self.tiles, self.head, self.side, caption, labels=look.labels, width=look.width)
            save(figure, path, look.dpi, caption)

    def save_frames(self, folder: Path, look: Look) -> None:
        """Write the frames of the animation to a new folder. Raises ConfigError or RunError."""
        look.check()
        write_frames(self.frames(look), folder)

    def frames(self, look: Look) -> list[Image.Image]:
        """Return the frames of an animation: all rows side by side, through the columns and back."""
        rows, _, height, width, channels = self.tiles.shape
        across = min(rows, 5)
        wanted = PICTURE_SIDE if look.width is None else look.width / CENTIMETRES * look.dpi / across
        scale = max(1, round(wanted / width))
        cell = np.array([width, height]) * scale
        strip = max(14, int(cell[0]) // 8) if look.labels else 0
        columns = range(*self.moving.indices(len(self.head)))
        found = []
        for column in (*columns, *columns[-2:0:-1]):
            size = (across * int(cell[0]), -(-rows // across) * (int(cell[1]) + strip) + strip)
            frame = Image.new("L" if channels == 1 else "RGB", size, "white")
            words = ImageDraw.Draw(frame)
            for row in range(rows):
                pixels = self.tiles[row, column]
                picture = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
                place = int(cell[0]) * (row % across), (int(cell[1]) + strip) * (row // across)
                frame.paste(picture.resize(tuple(cell), Image.Resampling.NEAREST), place)
                if look.labels:
                    middle = place[0] + cell[0] / 2, place[1] + cell[1] + strip / 2
                    text = self.side[row].replace("\n", ", ")
                    words.text(middle, text, "black", _fitting(text, strip, float(cell[0])), anchor="mm")
            if look.labels:
                text = self.head[column]
                words.text((size[0] / 2, size[1] - strip / 2), text, "black", label_font(strip * 0.6), anchor="mm")
            found.append(frame)
        return found


def _fitting(text: str, strip: int, width: float) -> Any:
    """The font in which text is no wider than its picture."""
    font = label_font(strip * 0.6)
    return label_font(max(6, strip * 0.6 * min(1, 0.95 * width / max(1, font.getlength(text)))))
