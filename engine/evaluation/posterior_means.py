"""Posterior means of a data set's images: each encoded once, when first asked for, then looked up."""

from collections.abc import Generator

import numpy as np
import torch
from numpy.typing import NDArray

from engine.evaluation.forward import require_finite
from engine.jobs.events import Event, Progress, Request
from engine.runs.trained import TrainedModel

BATCH = 64
"""Images at a time. More are slower: their feature maps leave the processor's cache."""


class PosteriorMeans:
    """`means` is float32 (images, latents), NaN where an image was not encoded yet."""

    def __init__(self, trained: TrainedModel) -> None:
        self._trained = trained
        self._fused = trained.fused()
        self.means = np.full((len(trained.dataset), trained.model.latents), np.nan, np.float32)

    def encode(self, images: NDArray[np.int64], what: str) -> Generator[Event, Request | None, None]:
        """Encode those of these images, by position, that were not yet. Yields Progress in images.

        Raises RunError when the weights give values that are not finite.
        """
        asked = np.zeros(len(self.means), bool)
        asked[images.ravel()] = True
        missing = np.flatnonzero(asked & np.isnan(self.means[:, 0]))
        for start in range(0, len(missing), BATCH):
            chosen = missing[start : start + BATCH]
            self.means[chosen] = self._encode(chosen)
            yield Progress(start + len(chosen), len(missing), what, "images")

    @torch.inference_mode()
    def _encode(self, images: NDArray[np.int64]) -> NDArray[np.float32]:
        mean: NDArray[np.float32] = self._fused.encode(self._trained.dataset.images(images)).mean.numpy()
        require_finite(self._trained, mean)
        return mean
