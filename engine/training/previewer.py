"""Previews of a model during training."""

from pathlib import Path

import numpy as np
import torch

from engine.data.dataset import Dataset
from engine.evaluation.factor_links import Follower
from engine.jobs.events import Preview
from engine.methods.base import Method
from engine.methods.building import spec_of
from engine.methods.registry import make
from engine.networks.tensors import to_images, to_tensor
from engine.runs.previews import COLUMNS, columns_for, list_previews, load_preview, rows_for
from engine.settings.run_config import RunConfig


class EvaluationCopy:
    """A copy of the model in training, in eval mode; using it does not affect training."""

    def __init__(self, config: RunConfig, dataset: Dataset, device: torch.device) -> None:
        self._model = make(config, spec_of(config, dataset)).to(device).eval()

    @property
    def latents(self) -> int:
        """Number of latents."""
        return self._model.latents

    def __call__(self, model: Method) -> Method:
        """Return the copy with the model's current weights."""
        self._model.networks.load_state_dict(model.networks.state_dict())
        return self._model


class Previewer:
    """Makes previews of a few fixed images with a copy of the model, so that training is not disturbed."""

    def __init__(self, config: RunConfig, dataset: Dataset, device: torch.device) -> None:
        rng = np.random.default_rng((config.seed, 2**31))
        split = dataset.splits[dataset.headline_split]
        chosen = np.sort(rng.choice(split, min(COLUMNS, len(split)), replace=False))
        self._originals = dataset.images(chosen)
        self._labels = None
        if config.conditional and dataset.labels is not None:
            self._labels = torch.from_numpy(dataset.labels[chosen]).to(device)
        self._copy = EvaluationCopy(config, dataset, device)
        self._follower = Follower(dataset)
        self._rows: tuple[int, ...] = ()
        self._device = device

    def continue_from(self, folder: Path) -> None:
        """Keep the rows of the last preview in a folder, so that they do not move when a run is resumed."""
        before = list_previews(folder)[-1:]
        last = load_preview(before[0]) if before else None
        known = last is not None and max(last.latents, default=0) < self._copy.latents
        self._rows = last.latents if last is not None and known else ()

    @torch.no_grad()
    def __call__(self, model: Method, step: int, kl: tuple[float, ...]) -> Preview:
        """Reconstruct the originals, traverse latents from the first original, and find what the latents follow."""
        frozen = self._copy(model)
        mean, _ = frozen.encode(to_tensor(self._originals, self._device))
        latents = self._rows = rows_for(self._rows, kl, frozen.latents)
        columns = columns_for(frozen.kinds)
        z = mean[:1].repeat(len(latents) * columns, 1)
        filled = np.ones((len(latents), columns), bool)
        for number, latent in enumerate(latents):
            values = frozen.kinds[latent].values(steps=columns)
            first = number * columns
            z[first : first + len(values), latent] = torch.tensor(values, device=self._device)
            filled[number, len(values) :] = False
        label = self._labels[:1].repeat(len(z)) if self._labels is not None else None
        traversal = to_images(frozen.decode(z, label))
        traversal[~filled.ravel()] = 0
        return Preview(
            step=step,
            originals=self._originals,
            reconstructions=to_images(frozen.decode(mean, self._labels)),
            traversal=traversal.reshape(len(latents), columns, *traversal.shape[1:]),
            latents=latents,
            kl_per_latent=kl,
            links=self._follower.links(frozen, kl),
        )
