"""A trained model, ready to look at: weights of one of a run's checkpoints, in eval mode, with its data set."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.checkpoints import fill, load_weights
from engine.data import Dataset
from engine.models.vae import VAE, build
from engine.runs import Run


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """A model at a step, on the CPU and in eval mode."""

    run: Run
    dataset: Dataset
    model: VAE
    step: int

    def labels(self, indices: NDArray[np.int64]) -> Tensor | None:
        """Class numbers that the decoder is given for these images; None for a model without labels."""
        if not self.model.classes or self.dataset.labels is None:
            return None
        return torch.from_numpy(self.dataset.labels[indices])


def load_model(run: Run, dataset: Dataset, step: int | None = None) -> TrainedModel:
    """Load a run's last checkpoint, or the one kept at a step. Raises CheckpointError or ConfigError."""
    weights = load_weights(run.checkpoint_folder, step)
    model = build(run.config, dataset)
    fill(model, weights, run.name)
    return TrainedModel(run, dataset, model.eval().to(memory_format=torch.channels_last), weights.step)
