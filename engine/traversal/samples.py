"""Images decoded from samples of the prior."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.runs.trained import TrainedModel
from engine.traversal.coding import decode
from engine.traversal.start import checked_label


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples from the prior: latents float64 (n, latents), the images decoded from them, uint8 (n, h, w, c).

    `labels` are the class numbers that a conditional decoder was given, int64 (n,); None for other models.
    """

    z: NDArray[np.float64]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None


def draw_samples(trained: TrainedModel, number: int, seed: int, label: int | None = None) -> Samples:
    """Draw latents from their priors and decode them; a seed always gives the same ones, however many are drawn.

    A conditional model decodes all of them as class `label`, or each as a class drawn at random if that is None. Raises
    ConfigError if there is no such label.
    """
    checked_label(trained, label, 0)
    kinds, classes = trained.model.kinds, trained.model.classes
    rng, of_classes = (np.random.default_rng([seed, stream]) for stream in (0, 1))
    z = np.array([[kind.draw(rng) for kind in kinds] for _ in range(number)]).reshape(number, len(kinds))
    labels = None
    if classes:
        labels = of_classes.integers(classes, size=number) if label is None else np.full(number, label, np.int64)
    return Samples(z, decode(trained, z, labels), labels)
