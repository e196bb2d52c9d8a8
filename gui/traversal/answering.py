"""Answers the Traversal page's requests with the engine, outside the window's thread.

The engine's modules that load torch are imported on the first request, so that the window opens at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.data import Dataset
from engine.errors import ConfigError, RunError, StudioError
from engine.jobs.events import Link
from engine.methods.latents import Latent
from engine.runs.latent_names import followed, latent_names
from engine.runs.run import Run
from gui.traversal.alignment import Compared
from gui.traversal.requests import (
    ClassesWanted,
    CompareWanted,
    FromPrior,
    GivenPicture,
    ImageAt,
    LatentsWanted,
    MapWanted,
    Range,
    Request,
    SamplesWanted,
    Source,
    WalkWanted,
    Weights,
)

if TYPE_CHECKING:
    from engine.runs.trained import TrainedModel
    from engine.traversal import Samples, Start, Traversal

KEPT = 8
"""Maximum number of models kept in memory, a few MB each."""


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A loaded model, the mean KL of each latent (nats), what it is a mean over, and the latents ordered by it.

    Without a KL it is NaN, and `kl_over` is empty. `links` are what latents follow, by latent. `gone` says why the data
    set is missing; empty if it is there. A model of the gallery has a sample of its data set, with the posterior
    `means` of all its images, and the `start`, the position of the image shown first.
    """

    weights: Weights
    trained: "TrainedModel"
    kl: NDArray[np.float64]
    kl_over: str
    order: tuple[int, ...]
    links: Mapping[int, Link]
    gone: str
    means: NDArray[np.float32] | None = None
    start: int | None = None

    @property
    def dataset(self) -> Dataset | None:
        """The data set; None if it is missing."""
        return self.trained.dataset if self.trained.has_data else None

    @property
    def kinds(self) -> tuple[Latent, ...]:
        """The kind of each latent."""
        return self.trained.model.kinds

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of a conditional model; empty for other models."""
        return self.trained.dataset.label_names if self.trained.model.classes else ()


@dataclass(frozen=True, slots=True, eq=False)
class Latents:
    """A traversal of every latent, and what each one changes, uint8 (latents, height, width, channels)."""

    traversal: "Traversal"
    changes: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """A traversal of one latent for every class, uint8 (classes, values, height, width, channels)."""

    images: NDArray[np.uint8]
    latent: int
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """Interpolations to another image, linear and, where possible, spherical: images, and the latents (steps, latents)
    that they are decoded from.
    """

    images: NDArray[np.uint8]
    paths: tuple[NDArray[np.float64], ...]
    end: "Start"


Result: TypeAlias = "Latents | Classes | Walk | Samples | tuple[Compared, ...] | None"
"""What a view shows; None for the map, which is made elsewhere."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The answer to a request. `index` is the position of an image from the data set."""

    loaded: Loaded
    start: "Start"
    index: int | None
    label: int | None
    decoded: NDArray[np.uint8]
    result: Result


class Answerer:
    """Answers requests and caches the most recent models. Used from one thread only."""

    def __init__(self) -> None:
        self._models: dict[Weights, Loaded] = {}
        self._data: dict[object, Dataset] = {}

    def __call__(self, request: Request) -> Answer:
        """Load what is needed, and decode. Raises StudioError."""
        loaded = self._load(request.weights)
        start, index = _start(loaded, request.source, request.label)
        label = _label(loaded, start, request.label)
        decoded = decode_one(loaded, start.mean, label)
        return Answer(loaded, start, index, label, decoded, self._result(request, loaded, start, label))

    def _load(self, weights: Weights) -> Loaded:
        if not weights.run.is_dir():
            raise RunError(f"The folder of {weights.run.name} has been moved or deleted.")
        found = self._models.pop(weights, None)
        if found is None:
            found = _load(weights, self._data)
        # Superseded weights of a run in training are not requested again.
        self._models = {
            key: kept
            for key, kept in list(self._models.items())[-KEPT + 1 :]
            if (key.run, key.checkpoint) != (weights.run, weights.checkpoint)
        } | {weights: found}
        return found

    def _result(self, request: Request, loaded: Loaded, start: "Start", label: int | None) -> Result:
        from engine.traversal import class_grid, difference, draw_samples, path, traverse_from, walk, ways

        trained, wanted = loaded.trained, request.wanted
        match wanted:
            case LatentsWanted(range=chosen):
                grid = traverse_from(trained, start, loaded.order, loaded.kl, chosen.span, chosen.steps, label)
                return Latents(grid, np.stack([difference(grid.row(n)) for n in range(len(grid.latents))]))
            case ClassesWanted(latent=latent, range=chosen):
                latent = loaded.order[0] if latent is None else latent
                values = trained.model.kinds[latent].values(chosen.span, chosen.steps)
                return Classes(class_grid(trained, start, latent, chosen.span, chosen.steps), latent, values)
            case WalkWanted(end=source, steps=steps):
                end, _ = _start(loaded, source, request.label)
                end = replace(end, label=_label(loaded, end, request.label))
                begin, possible = replace(start, label=label), ways(trained.model.kinds)
                images = np.stack([walk(trained, begin, end, steps, spherical=way) for way in possible])
                return Walk(images, tuple(path(trained, start, end, steps, spherical=way) for way in possible), end)
            case MapWanted():
                return None
            case SamplesWanted(number=number, seed=seed, label=of):
                return draw_samples(trained, number, seed, _possible(loaded, of))
            case CompareWanted(others=others, range=chosen):
                return (
                    _compared(loaded, start, label, chosen),
                    *(self._other(other, loaded, start, request, chosen) for other in others),
                )

    def _other(self, weights: Weights, first: Loaded, start: "Start", request: Request, chosen: Range) -> Compared:
        """Return the same image's traversal in another run, or the reason why there is none."""
        try:
            loaded = self._load(weights)
            begin = _same_start(loaded, first, start, request)
            return _compared(loaded, begin, _label(loaded, begin, request.label), chosen)
        except StudioError as error:
            return Compared(weights.run.name, {}, None, error=str(error))


def decode_one(loaded: Loaded, z: NDArray[np.float64], label: int | None) -> NDArray[np.uint8]:
    """Decode latents (latents,) into an image, uint8 (height, width, channels)."""
    from engine.traversal import decode

    decoded: NDArray[np.uint8] = decode(loaded.trained, z[None], None if label is None else np.array([label]))[0]
    return decoded


def _load(weights: Weights, data: dict[object, Dataset]) -> Loaded:
    from engine.data import load_dataset
    from engine.errors import DataError
    from engine.evaluation.factor_links import Follower
    from engine.runs.divergence import latents_by_kl
    from engine.runs.trained import load_model, load_model_without_data
    from engine.traversal import latent_kl

    run, gone = Run.open(weights.run), ""
    if run.shipped:
        return _open_shipped(weights)
    try:
        key = run.data, weights.data
        dataset = data.pop(key, None) or load_dataset(*run.data)
        data[key] = dataset
        while len(data) > 2:
            data.pop(next(iter(data)))
        trained = load_model(run, dataset, weights.checkpoint)
    except DataError as error:
        gone = f"{error} Image files, drawings and the prior still work."
        trained = load_model_without_data(run, weights.checkpoint)
    kl, over = latent_kl(trained)
    links = followed(Follower(trained.dataset).links(trained.model, kl.tolist()))
    return Loaded(weights, trained, kl, over, tuple(int(latent) for latent in latents_by_kl(kl)), links, gone)


def _open_shipped(weights: Weights) -> Loaded:
    """Open a model of the gallery."""
    from engine.gallery.opening import open_model
    from engine.runs.divergence import latents_by_kl
    from engine.traversal.grid import EVALUATED

    opened = open_model(weights.run)
    kl = opened.kl
    order = tuple(int(latent) for latent in latents_by_kl(kl))
    over = "" if np.isnan(kl).all() else EVALUATED
    return Loaded(
        weights, opened.trained, kl, over, order, followed(opened.links), "", opened.means, opened.model.start
    )


def _start(loaded: Loaded, source: Source, label: int | None) -> "tuple[Start, int | None]":
    """Return the start of the traversal, and the image's position if it is from the data set."""
    from engine.data.input_pictures import fit_picture, style_of
    from engine.evaluation.sampling import sample_of
    from engine.traversal import start_from_image, start_from_picture, start_from_prior

    trained, dataset = loaded.trained, loaded.dataset
    match source:
        case ImageAt(index=index) if dataset is not None:
            if index is None and loaded.start is not None:
                index = loaded.start
            elif index is None:
                index = int(sample_of(dataset, dataset.headline_split, 1)[0])
            index = min(index, len(dataset) - 1)
            return start_from_image(trained, index), index
        case GivenPicture(pixels=pixels, words=words):
            picture = fit_picture(pixels, trained.model.image_shape, style_of(trained.run.config.dataset))
            chosen = _possible(loaded, label)
            start = start_from_picture(trained, picture, words, chosen)
            return replace(start, label=_best_label(loaded, start) if chosen is None else chosen), None
    seed = source.seed if isinstance(source, FromPrior) else 0
    return start_from_prior(trained, seed, _possible(loaded, label)), None


def _best_label(loaded: Loaded, start: "Start") -> int | None:
    """Return the class that reconstructs an image best, by the sum of squared errors; None without classes."""
    classes = loaded.trained.model.classes
    if not classes or start.original is None:
        return None
    pictures = np.stack([decode_one(loaded, start.mean, label) for label in range(classes)])
    errors = ((pictures.astype(float) - start.original) ** 2).sum(axis=(1, 2, 3))
    return int(errors.argmin())


def _possible(loaded: Loaded, label: int | None) -> int | None:
    """Return a label if the model has this class, else None."""
    return label if label is not None and label < loaded.trained.model.classes else None


def _label(loaded: Loaded, start: "Start", label: int | None) -> int | None:
    """Return the class given to the decoder: the chosen one, or that of the start."""
    chosen = _possible(loaded, label)
    return start.label if chosen is None else chosen


def _same_start(loaded: Loaded, first: Loaded, start: "Start", request: Request) -> "Start":
    """Return the start of one run's traversal for another run. Raises ConfigError if its images have another shape."""
    from engine.traversal import start_from_picture

    trained, other = loaded.trained, first.trained
    same = trained.run.data == other.run.data and len(trained.dataset) == len(other.dataset)  # not of a sample and all
    if start.original is None or (isinstance(request.source, ImageAt) and same):
        return _start(loaded, request.source, request.label)[0]
    if trained.model.image_shape != start.original.shape:
        mine, its = (
            "{} × {}, {} channels".format(*shape) for shape in (trained.model.image_shape, start.original.shape)
        )
        raise ConfigError(f"This model takes images of {mine}; the image is {its}.".replace(", 1 channels", ""))
    begin = start_from_picture(trained, start.original, start.words)
    return replace(begin, label=_best_label(loaded, begin))


def _compared(loaded: Loaded, start: "Start", label: int | None, chosen: Range) -> Compared:
    from engine.traversal import traverse_from

    run = loaded.trained.run
    grid = traverse_from(loaded.trained, start, loaded.order, loaded.kl, chosen.span, chosen.steps, label)
    return Compared(run.name, latent_names(run.marks()), grid, loaded.links)
