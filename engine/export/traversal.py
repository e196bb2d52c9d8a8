"""Traversals as figures, animations and arrays, and the latents of a complete data set."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from engine.data import Dataset, fingerprint_of
from engine.errors import ConfigError, RunError
from engine.evaluation.forward import require_finite
from engine.evaluation.posterior_means import BATCH
from engine.figures.drawing import FORMATS, check_format, save, traversal_figure
from engine.jobs.events import Finished, Job, Progress, Warned
from engine.runs.latent_names import latent_title
from engine.runs.run import Run
from engine.runs.trained import load_model, prepared_dataset_of
from engine.system.files import place_folder, replacing, scratch_folder
from engine.system.numbers import exact_text
from engine.traversal import Traversal

ENDINGS = (*FORMATS, "gif", "npz")
FRAME_SIDE = 280
"""Approximate side of a frame in pixels, unless a width is given."""

FRAME_MILLISECONDS = 80
CENTIMETRES = 2.54
"""Centimetres per inch."""

LARGEST = 20_000
"""Largest width of a figure in pixels."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a traversal is drawn: width in cm (None: default size), dots per inch, labels, caption, names of latents."""

    width: float | None = None
    dpi: int = 200
    labels: bool = True
    caption: str = ""
    names: Mapping[int, str] = field(default_factory=dict)

    def check(self) -> None:
        """Raise ConfigError if the size is out of range."""
        if self.width is not None and not 1 <= self.width <= 200:
            raise ConfigError(f"The width is {exact_text(self.width)} cm; it must be from 1 to 200.")
        if not 20 <= self.dpi <= 2400:
            raise ConfigError(f"The resolution is {self.dpi} dots per inch; it must be from 20 to 2,400.")
        if self.width is not None and self.width / CENTIMETRES * self.dpi > LARGEST:
            size = f"{exact_text(self.width)} cm at {self.dpi} dots per inch"
            raise ConfigError(f"{size} is more than {LARGEST:,} pixels.")


def save_traversal(traversal: Traversal, path: Path, look: Look) -> None:
    """Write a traversal; the extension decides: the grid (.png, .svg, .pdf), an animation (.gif) or arrays (.npz).

    Raises ConfigError for another extension or size, RunError if the file cannot be written.
    """
    kind = check_format(path, ENDINGS)
    look.check()
    if kind == "gif":
        save_animation(frames(traversal, look), path, look.caption)
    elif kind == "npz":
        write_arrays(path, _arrays(traversal, look))
    else:
        caption = look.caption if look.labels else ""
        figure = traversal_figure(traversal, caption, look.names, labels=look.labels, width=look.width)
        save(figure, path, look.dpi, look.caption)


def save_frames(traversal: Traversal, folder: Path, look: Look) -> None:
    """Write the frames of the animation to a new folder, as 0001.png, ...

    Raises ConfigError for a size out of range, RunError if the folder exists or cannot be written to.
    """
    look.check()
    write_frames(frames(traversal, look), folder)


def save_animation(pictures: list[Image.Image], path: Path, caption: str) -> None:
    """Write frames as an endless GIF animation. Raises RunError."""
    first, *others = pictures
    with _writing(path) as temporary:
        first.save(
            temporary,
            "gif",
            save_all=True,
            append_images=others,
            duration=FRAME_MILLISECONDS,
            loop=0,
            comment=caption.encode(),
        )


def write_frames(pictures: list[Image.Image], folder: Path) -> None:
    """Write frames to a new folder, as 0001.png, ... Raises RunError if it exists or cannot be written to."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            raise RunError(f"{folder} exists already; choose a new folder for the frames.")
        with scratch_folder(folder) as temporary:
            for number, frame in enumerate(pictures, 1):
                frame.save(temporary / f"{number:04d}.png")
            place_folder(temporary, folder)
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error.strerror or error}.") from None


def frames(traversal: Traversal, look: Look) -> list[Image.Image]:
    """Return the frames of an animation: each latent in turn goes through its values and back.

    Pixels are enlarged by an integer factor; with labels, the latent and its value are shown below.
    """
    height, width, channels = traversal.reconstruction.shape
    wanted = FRAME_SIDE if look.width is None else look.width / CENTIMETRES * look.dpi
    scale = max(1, round(wanted / width))
    size = (width * scale, height * scale)
    strip = max(14, size[0] // 12) if look.labels else 0
    font = label_font(strip * 0.6) if look.labels else None
    found = []
    for row, latent in enumerate(traversal.latents):
        there = range(len(traversal.values[row]))
        for column in (*there, *there[-2:0:-1]):
            pixels = traversal.images[row, column]
            picture = Image.fromarray(pixels[..., 0] if channels == 1 else pixels).resize(
                size, Image.Resampling.NEAREST
            )
            frame = Image.new(picture.mode, (size[0], size[1] + strip), "white")
            frame.paste(picture, (0, 0))
            if font:
                value = traversal.values[row][column]
                shown = f"{value:.0f}" if traversal.kinds[row].integer else f"{value:+.2f}"
                words = f"{latent_title(latent, look.names)} = {shown}"
                ImageDraw.Draw(frame).text((size[0] / 2, size[1] + strip / 2), words, "black", font, anchor="mm")
            found.append(frame)
    return found


def label_font(size: float) -> ImageFont.FreeTypeFont:
    """Return Matplotlib's font, which covers the scripts of most languages."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", size)


def _arrays(traversal: Traversal, look: Look) -> dict[str, Any]:
    arrays = {
        "images": traversal.images,
        "reconstruction": traversal.reconstruction,
        "latents": np.array(traversal.latents, np.int64),
        "latent_names": np.array([look.names.get(i, "") for i in traversal.latents], np.str_),
        "values": _values(traversal),
        "kl": np.array(traversal.kl),
        "mean": traversal.mean,
        "deviation": traversal.deviation,
        "step": np.array(traversal.step),
        "caption": np.array(look.caption),
    }
    if traversal.original is not None:
        arrays["original"] = traversal.original
    if traversal.label is not None:
        arrays |= {"label": np.array(traversal.label), "label_name": np.array(traversal.label_name)}
    return arrays


def _values(traversal: Traversal) -> NDArray[np.float64]:
    """The values shared by all rows, (values,); if rows differ, those of each, (latents, values), padded with NaN."""
    if len(set(traversal.values)) == 1:
        return np.array(traversal.values[0])
    found = np.full(traversal.images.shape[:2], np.nan)
    for row, values in zip(found, traversal.values, strict=True):
        row[: len(values)] = values
    return found


def save_latents(run: Run, path: Path, step: int | None = None) -> Job:
    """Write the posteriors of a complete data set, with labels and factors of its images, as .npz.

    The arrays are means and log_variances, float32 (images, latents), for a category or code its number and 0; labels
    and label_names; factors, the class of every factor, (images, factors), factor_values, factor_names and, of those
    whose values are names, named_factors; split, a number for every image, and split_names; data, the fingerprint of
    the data set as JSON. The file can be scored like a representation from elsewhere. Yields Progress in images, Warned
    if the run was trained on other data, then Finished. Raises ConfigError for another extension,
    CheckpointError, DataError or RunError.
    """
    check_format(path, ("npz",))
    dataset = yield from prepared_dataset_of(run)
    trained = load_model(run, dataset, step)
    if trained.notes:
        yield Warned(trained.notes)
    count = len(dataset)
    fused = trained.fused()
    statistics = np.empty((2, count, trained.model.latents), np.float32)
    for first in range(0, count, BATCH):
        chosen = np.arange(first, min(first + BATCH, count))
        with torch.inference_mode():
            found = fused.posterior_of(chosen)
        statistics[0, chosen], statistics[1, chosen] = (tensor.numpy() for tensor in found)
        require_finite(trained, statistics[:, chosen])
        yield Progress(first + len(chosen), count, f"Encoding {dataset.title}", "images")
    arrays = {"means": statistics[0], "log_variances": statistics[1], "step": np.array(trained.step)}
    write_arrays(path, arrays | _known(dataset), compress=False)
    yield Finished(run.path, trained.step, message=f"The latents of {count:,} images are in {path}")


def _known(dataset: Dataset) -> dict[str, Any]:
    """Splits, labels and factors of a data set's images, as arrays."""
    everything = np.arange(len(dataset))
    split = np.zeros(len(dataset), np.uint8)
    for number, where in enumerate(dataset.splits.values()):
        split[where] = number
    known = {"split": split, "split_names": np.array(list(dataset.splits), np.str_)}
    known["data"] = np.array(json.dumps(fingerprint_of(dataset).values()))
    if dataset.labels is not None:
        known |= {"labels": dataset.labels, "label_names": np.array(dataset.label_names, np.str_)}
    if dataset.factors is not None:
        classes = dataset.factors.classes(everything)
        named = [name for name in dataset.factors.names if dataset.factors.value_names.get(name)]
        values = [of[column] for of, column in zip(dataset.factors.values, classes.T, strict=True)]
        known |= {
            "factors": classes,
            "factor_values": np.stack(values, axis=1),
            "factor_names": np.array(dataset.factors.names, np.str_),
            "named_factors": np.array(named, np.str_),
        }
    return known


def write_arrays(path: Path, arrays: dict[str, Any], *, compress: bool = True) -> None:
    """Write arrays as .npz. Raises RunError."""
    with _writing(path) as temporary, temporary.open("wb") as file:
        (np.savez_compressed if compress else np.savez)(file, **arrays)


@contextmanager
def _writing(path: Path) -> Iterator[Path]:
    """Yield a temporary path whose file atomically replaces `path`. Raises RunError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}.") from None
