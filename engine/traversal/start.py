"""Start of a traversal: an image of the data set, the user's picture, or the prior."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError, DataError
from engine.methods.latents import start_words
from engine.runs.trained import TrainedModel
from engine.traversal.coding import encode


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A point in latent space and its origin.

    `original` is uint8 (height, width, channels), None for the prior. `mean` and `deviation`, (latents,), are those of
    the posterior, or the point itself and 1 for the prior. `label` is the class given to the decoder of a conditional
    model, None for other models. `words` describe it in a caption: "image 1,234", "drawn", "file seven.png", "the
    prior".
    """

    original: NDArray[np.uint8] | None
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    label: int | None
    words: str


def start_from_image(trained: TrainedModel, index: int) -> Start:
    """Start from an image of the data set, with its own label; its words say if the data have changed.

    Raises ConfigError if there is no such image.
    """
    dataset = trained.dataset
    if not 0 <= index < len(dataset):
        raise ConfigError(f"There is no image {index}; {dataset.title} has {len(dataset):,}, numbered from 0.")
    where = np.array([index])
    labels = trained.labels(where)
    words = f"image {index:,}{' of changed data' if trained.data_note else ''}"
    return _start(trained, dataset.images(where)[0], None if labels is None else int(labels[0]), words)


def start_from_picture(
    trained: TrainedModel, picture: NDArray[np.uint8], words: str, label: int | None = None
) -> Start:
    """Start from a picture with the model's image shape, uint8 (height, width, channels).

    A conditional model uses `label`, by default class 0. Raises ConfigError if there is no such label, DataError for
    another shape.
    """
    if picture.shape != trained.model.image_shape:
        raise DataError(f"The picture is {picture.shape}; {trained.run.name} takes {trained.model.image_shape}.")
    return _start(trained, picture, checked_label(trained, label, 0), words)


def start_from_prior(trained: TrainedModel, draw: int | None = None, label: int | None = None) -> Start:
    """Start from the middle of the prior, z = 0 (or a category's or code's number), or from a sample, by its number.

    Needs no data set. A conditional model uses `label`, by default class 0. Raises ConfigError if there is no such
    label.
    """
    kinds, rng = trained.model.kinds, np.random.default_rng(draw)
    mean = np.array([kind.middle if draw is None else kind.draw(rng) for kind in kinds])
    return Start(None, mean, np.ones(len(kinds)), checked_label(trained, label, 0), start_words(kinds, draw))


def checked_label(trained: TrainedModel, label: int | None, otherwise: int | None) -> int | None:
    """Return the label to decode with: `label` if given, else `otherwise`; None for a model without labels.

    Raises ConfigError if there is no such label.
    """
    classes = trained.model.classes
    if label is not None and not classes:
        raise ConfigError(f"{trained.run.name} is not conditional: it takes no label.")
    if label is not None and not 0 <= label < classes:
        raise ConfigError(f"There is no label {label}; {trained.dataset.title} has {classes}, numbered from 0.")
    if not classes:
        return None
    return otherwise if label is None else label


def label_named(trained: TrainedModel, name: str) -> int:
    """Return the number of a class by its name, ignoring case unless that is ambiguous.

    Raises ConfigError for a model without labels, or if no class has the name.
    """
    checked_label(trained, 0, None)
    names = trained.dataset.label_names
    same = [i for i, known in enumerate(names) if known == name]
    same = same or [i for i, known in enumerate(names) if known.casefold() == name.strip().casefold()]
    if len(same) != 1:
        shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
        raise ConfigError(f"There is no class {name!r} in {trained.dataset.title}. Its classes are: {shown}.")
    return same[0]


def _start(trained: TrainedModel, picture: NDArray[np.uint8], label: int | None, words: str) -> Start:
    posterior = encode(trained, picture[None])
    return Start(picture, posterior.mean[0], posterior.deviation[0], label, words)
