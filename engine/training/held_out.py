"""held_out.csv: losses during training on images that are not used for training."""

import numpy as np
import torch

from engine.data.dataset import Dataset
from engine.methods.base import Method
from engine.methods.terms import reconstruction_per_image
from engine.networks.tensors import to_tensor
from engine.runs.metrics_file import HELD_OUT_COLUMNS, add_row, begin_rows, cut_back
from engine.runs.previews import is_due
from engine.runs.run import Run
from engine.training.previewer import EvaluationCopy

IMAGES = 512
"""Test images evaluated for each row."""

BATCH = 128
HEADER = ",".join(HELD_OUT_COLUMNS)


class HeldOut:
    """Reconstruction loss and KL, in nats, on a fixed sample of the test split, with a row at each preview.

    The method must have a reconstruction loss; without a KL, those cells are empty. Images and noise depend only on the
    seed, so that rows differ only by the weights. A copy of the model in eval mode is used, so that training is not
    disturbed.
    """

    def __init__(self, run: Run, dataset: Dataset, device: torch.device) -> None:
        config, test = run.config, dataset.splits["test"]
        rng = np.random.default_rng((config.seed, 2**31 + 1))
        chosen = np.sort(rng.choice(test, min(IMAGES, len(test)), replace=False))
        self._images = dataset.images(chosen)
        self._labels = None
        if config.conditional and dataset.labels is not None:
            self._labels = torch.from_numpy(dataset.labels[chosen]).to(device)
        self._seed = int(rng.integers(2**31))
        self._copy = EvaluationCopy(config, dataset, device)
        self._device = device
        self._path = run.held_out_file
        self._every = config.preview_steps
        self._newest = -1

    def cut_back(self, step: int) -> None:
        """Remove rows after a step, and the extra row written at the end of a run. Raises OSError."""
        cut_back(self._path, lambda kept: kept <= step and is_due(kept, self._every))

    def record(self, model: Method, step: int, epoch: float, seconds: float) -> None:
        """Write a row, replacing an earlier one for the same step. Raises OSError."""
        begin_rows(self._path, HEADER)
        if step == self._newest:
            cut_back(self._path, lambda kept: kept < step)
        self._newest = step
        reconstruction, kl = self.measure(model)
        last = "" if kl is None else f"{kl:.9g}"
        add_row(self._path, f"{step},{epoch:.9g},{seconds:.9g},{reconstruction:.9g},{last}")

    @torch.no_grad()
    def measure(self, model: Method) -> tuple[float, float | None]:
        """Return the mean reconstruction loss (z sampled) and KL over the images, in nats; KL is None without one."""
        frozen = self._copy(model)
        noise = torch.Generator(self._device).manual_seed(self._seed)
        sums = torch.zeros(2, dtype=torch.float64)
        for start in range(0, len(self._images), BATCH):
            part = slice(start, start + BATCH)
            images = to_tensor(self._images[part], self._device)
            posterior = frozen.encode(images)
            labels = None if self._labels is None else self._labels[part]
            logits = frozen.logits(frozen.sample(posterior, noise), labels)
            losses = reconstruction_per_image(logits, images).cpu().double().sum()
            divergence = frozen.kl(posterior).cpu().double().sum() if frozen.has("kl") else torch.zeros(())
            sums += torch.stack([losses, divergence.double()])
        reconstruction, kl = (sums / len(self._images)).tolist()
        return reconstruction, kl if frozen.has("kl") else None
