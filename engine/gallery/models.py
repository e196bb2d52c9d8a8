"""The models of the gallery as cards show them: title, story, numbers and pictures. Loads no torch.

Every number comes from the model's evaluation: stories name values in braces, such as {mig}, which are filled in here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter

from engine.errors import ConfigError, RunError, StudioError
from engine.evaluation.catalogue import METRICS
from engine.evaluation.rows import Row, read_row
from engine.runs.divergence import is_active
from engine.runs.run import Run
from engine.runs.shipped import GALLERY_FILE
from engine.system.numbers import rounded_text
from engine.system.paths import RESOURCES
from engine.system.plain_text import one_line
from engine.system.reading import MB, DamagedError, Text, checked, read_object, reason_of

GALLERY = RESOURCES / "gallery"
STRIP = "strip.png"
CODES = "codes.npy.xz"

DCI = ("dci_disentanglement", "dci_fast_disentanglement")
"""Metrics that come with the importance of each latent for each factor."""

MIXED = 0.5
"""Importance of a second factor for a latent, as a share of that of the first, from which it mixes both."""


class _Cell(BaseModel):
    """A row of the strip: the latent, or the class if it is None, and what it changes."""

    latent: Annotated[int, Field(ge=0, lt=1024)] | None
    words: Text


class _File(BaseModel):
    order: int
    title: Annotated[Text, Field(min_length=1)]
    story: Text
    numbers: list[Text]
    sample: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    start: Annotated[int, Field(ge=0)]
    frames: Annotated[int, Field(ge=1, le=100)]
    cells: Annotated[list[_Cell], Field(min_length=1, max_length=8)]
    largest_difference: Annotated[int, Field(ge=0, le=255)]
    mean_difference: Annotated[float, Field(ge=0, le=255)]


_FILE = TypeAdapter(_File)


@dataclass(frozen=True, slots=True)
class Cell:
    """A traversal that a card plays: the latent that moves, None for the class, and what it changes."""

    latent: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Value:
    """A metric's value as text, with the metric's short and full title and its explanation."""

    metric: str
    title: str
    full: str
    text: str
    about: str


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model of the gallery.

    `strip` is a picture with a row of `frames` images for each of `cells`. `sample` names the images it is shown with,
    `start` is the position of the first one shown. `largest_difference` and `mean_difference` are those between pixels
    of pictures decoded with packed weights and with the original ones, in grey levels of 255.
    """

    run: Run
    order: int
    title: str
    story: str
    values: tuple[Value, ...]
    strip: Path
    frames: int
    cells: tuple[Cell, ...]
    sample: str
    start: int
    largest_difference: int
    mean_difference: float


def model_folders(gallery: Path = GALLERY) -> list[Path]:
    """Return the folders of the gallery's models, sorted by name."""
    try:
        return sorted(file.parent for file in gallery.glob(f"*/{GALLERY_FILE}"))
    except OSError:
        return []


def read_gallery(gallery: Path = GALLERY) -> tuple[list[Model], list[str]]:
    """Return the models in their order, and a sentence for each that is damaged."""
    models, problems = [], []
    for folder in model_folders(gallery):
        try:
            models.append(read_model(folder))
        except StudioError as error:
            problems.append(str(error))
    return sorted(models, key=lambda model: model.order), problems


def read_model(folder: Path) -> Model:
    """Read a model. Raises RunError, with a sentence that names the file, if it is damaged."""
    file = folder / GALLERY_FILE
    try:
        about = checked(_FILE, read_object(file, MB))
    except (OSError, DamagedError) as error:
        raise RunError(f"The gallery's model {folder.name} cannot be shown: {file.name} {reason_of(error)}.") from None
    try:
        run = Run.open(folder)
    except (RunError, ConfigError) as error:
        raise RunError(f"The gallery's model {folder.name} cannot be shown: {error}") from None
    if not (folder / STRIP).is_file():
        raise RunError(f"The gallery's model {folder.name} cannot be shown: {STRIP} is missing.")
    row = read_row(run)
    return Model(
        run,
        about.order,
        one_line(about.title),
        story_of(about.story, row),
        values_of(row, about.numbers),
        folder / STRIP,
        about.frames,
        tuple(Cell(cell.latent, one_line(cell.words)) for cell in about.cells),
        about.sample,
        about.start,
        about.largest_difference,
        about.mean_difference,
    )


def values_of(row: Row, metrics: Sequence[str]) -> tuple[Value, ...]:
    """Return the values of those of these metrics that the evaluation has."""
    found = []
    for name in metrics:
        value = row.value(name)
        if name in METRICS and value is not None:
            column = METRICS[name]
            found.append(Value(name, column.title, column.name, value_text(name, value), column.about))
    return tuple(found)


def value_text(metric: str, value: float) -> str:
    """Return a value as cards and help show it, e.g. "0.31" or "4.8 %"."""
    unit = METRICS[metric].unit
    if unit:
        return f"{rounded_text(value, 3)} {unit}"
    return str(round(value)) if float(value).is_integer() and value > 1 else f"{value:.2f}"


def story_of(text: str, row: Row) -> str:
    """Return a story with the numbers of the evaluation. Raises RunError if it names one that is not there."""
    try:
        return one_line(text.format_map(counts_of(row) | _Words(row)))
    except (KeyError, ValueError, IndexError, TypeError):
        raise RunError(f"{row.name} cannot be shown: its story names a number that its evaluation lacks.") from None


class _Words(dict[str, str]):
    """Values of metrics as text, by name."""

    def __init__(self, row: Row) -> None:
        known = {name: row.value(name) for name in METRICS}
        super().__init__({name: value_text(name, value) for name, value in known.items() if value is not None})


def counts_of(row: Row) -> dict[str, str]:
    """Return what stories may count: all `latents`, those `active`, and of these those `mixed` and `clean`.

    A latent mixes factors if the second most important one for it, by DCI's importance, has at least `MIXED` of the
    importance of the first.
    """
    counts = {"latents": str(row.config.latents)}
    if row.kl_per_latent:
        counts |= {"latents": str(len(row.kl_per_latent)), "active": str(sum(map(is_active, row.kl_per_latent)))}
    mixed = mixed_latents(row)
    if mixed is not None:
        counts |= {"mixed": str(len(mixed)), "clean": str(int(counts["active"]) - len(mixed))}
    return counts


def mixed_latents(row: Row) -> Mapping[int, tuple[str, ...]] | None:
    """Return the factors of each active latent that mixes several, by number; None without DCI and KL.

    DCI may be that of the reference or, where that was not computed, the fast one, whose importances are close to it.
    """
    kept = next((found for name in DCI if (found := row.metrics.get(name, {}).get("importance"))), None)
    if not isinstance(kept, dict) or not row.kl_per_latent:
        return None
    table: Mapping[str, Any] = kept
    mixed = {}
    for latent, importance in enumerate(table["latents"]):
        largest = max(importance)
        factors = [str(f) for f, value in zip(table["factors"], importance, strict=True) if value >= MIXED * largest]
        if is_active(row.kl_per_latent[latent]) and largest > 0 and len(factors) > 1:
            mixed[latent] = tuple(factors)
    return mixed
