"""What takes the training steps of a run: the method, its data on the device, batches and optimisers."""

import torch
from torch import Tensor

from engine.data.dataset import Dataset
from engine.data.subsets import training_positions
from engine.methods.base import Batch, Supervision
from engine.methods.building import build
from engine.networks.tensors import to_tensor
from engine.settings.run_config import RunConfig
from engine.training.device_images import DeviceImages, room_on
from engine.training.own_code import CHECKED_IMAGES, check_codes
from engine.training.sharing import Sharing
from engine.training.stepper import Stepper


class Steps:
    """Takes steps, alone or as one of several processes that share each step.

    Raises ConfigError if the data do not suit the settings, PluginError if the method of a plug-in fails.
    """

    def __init__(
        self, config: RunConfig, dataset: Dataset, device: torch.device, sharing: Sharing | None = None
    ) -> None:
        self._config, self._dataset, self._device = config, dataset, device
        self.indices = training_positions(dataset, config)
        self.method = build(config, dataset).to(device)
        check_codes(self.method, self._few())
        self._images = DeviceImages(dataset, self.indices, device, room_on(device))
        self.sampler = self.method.sampler(dataset, self.indices)
        self.per_epoch = self.sampler.steps_per_epoch
        self.total = config.total_steps(len(self.indices))
        self.stepper = Stepper(self.method, device, len(self.indices), self.per_epoch, self.total, sharing)

    def take(self, step: int) -> Tensor:
        """Take step `step`, counted from 1; return the values of the stepper's `names`, which may not be finite."""
        return self.stepper(self.batch(step - 1), step)

    def batch(self, step: int) -> Batch:
        """The images of a step, counted from 0: with labels for a conditional model, with factors if supervised."""
        chosen = self.sampler(step)
        labelled = self._config.conditional and self._dataset.labels is not None
        supervised = self.method.supervision is Supervision.FULL and self._dataset.factors is not None
        return Batch(
            self._images.images(chosen),
            self._images.labels(chosen) if labelled else None,
            self._images.factors(chosen) if supervised else None,
        )

    def _few(self) -> Batch:
        """The first images, to see whether the method takes them."""
        chosen = self.indices[:CHECKED_IMAGES]
        labels = self._dataset.labels if self._config.conditional else None
        given = None if labels is None else torch.from_numpy(labels[chosen]).to(self._device)
        return Batch(to_tensor(self._dataset.images(chosen), self._device), given)
