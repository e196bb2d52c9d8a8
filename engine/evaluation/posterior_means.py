"""Posterior means of a data set's images, each encoded once, when first needed."""

from collections.abc import Generator

import numpy as np
import torch
from numpy.typing import NDArray

from engine.evaluation.forward import require_finite
from engine.jobs.events import Event, Progress, Request
from engine.runs.trained import TrainedModel

BATCH = 64
"""Images at a time. More are slower, since their feature maps exceed the processor's cache."""


class PosteriorMeans:
    """Posterior means of a model: `means` is float32 (images, latents), NaN where an image is not encoded yet."""

    def __init__(self, trained: TrainedModel) -> None:
        self._trained = trained
        self._fused = trained.fused()
        self.means = np.full((len(trained.dataset), trained.model.latents), np.nan, np.float32)

    def encode(self, images: NDArray[np.int64], what: str) -> Generator[Event, Request | None, None]:
        """Encode images, given by position, that are not encoded yet. Yields Progress in images.

        Raises RunError if the weights give values that are not finite.
        """
        wanted = np.zeros(len(self.means), bool)
        wanted[images.ravel()] = True
        missing = np.flatnonzero(wanted & np.isnan(self.means[:, 0]))
        for start in range(0, len(missing), BATCH):
            chosen = missing[start : start + BATCH]
            self.means[chosen] = self._encode(chosen)
            yield Progress(start + len(chosen), len(missing), what, "images")

    @torch.inference_mode()
    def _encode(self, images: NDArray[np.int64]) -> NDArray[np.float32]:
        mean: NDArray[np.float32] = self._fused.posterior_of(images).mean.numpy()
        require_finite(self._trained, mean)
        return mean
