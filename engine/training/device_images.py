"""The images of a step on the training device: moved there once if they fit, else batch by batch."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data.dataset import Dataset, Indices
from engine.networks.tensors import to_floats

SHARE = 4
"""Images may take 1 / SHARE of a GPU's free memory: networks, optimisers and other programs need the rest."""

PART = 4096
"""Images moved at a time."""


def room_on(device: torch.device) -> int:
    """Return the bytes that images may take on a device; 0 on the CPU, and where free memory is not known."""
    return torch.cuda.mem_get_info(device)[0] // SHARE if device.type == "cuda" else 0


class DeviceImages:
    """The training images of a data set, and their labels, as tensors on a device.

    Parameters
    ----------
    dataset
        The data set.
    indices
        Positions of the training images, (images,).
    device
        The device of the training step.
    room
        Bytes that images may take there. If all fit, they are kept there as uint8, and a step moves only positions.
    """

    def __init__(self, dataset: Dataset, indices: Indices, device: torch.device, room: int) -> None:
        self._dataset, self._device = dataset, device
        self._pixels: Tensor | None = None
        if 0 < len(indices) * int(np.prod(dataset.image_shape)) <= room:
            self._pixels = torch.empty((len(indices), *dataset.image_shape), dtype=torch.uint8, device=device)
            for start in range(0, len(indices), PART):
                part = indices[start : start + PART]
                self._pixels[start : start + len(part)] = torch.from_numpy(dataset.images(part)).to(device)
            self._places = np.full(len(dataset), len(indices))  # indexing an image that is not kept is an error
            self._places[indices] = np.arange(len(indices))

    @property
    def kept(self) -> bool:
        """Whether all images are kept on the device."""
        return self._pixels is not None

    def images(self, chosen: Indices) -> Tensor:
        """Return the training images at positions of the data set, float32 (n, channels, height, width) in 0..1."""
        if self._pixels is None:
            return to_floats(self._moved(self._dataset.images(chosen)))
        return to_floats(self._pixels[self._moved(self._places[chosen])])

    def labels(self, chosen: Indices) -> Tensor:
        """Return their class numbers, int64 (n,). Requires a data set with labels."""
        assert self._dataset.labels is not None
        return self._moved(self._dataset.labels[chosen])

    def factors(self, chosen: Indices) -> Tensor:
        """Return the classes of their factors, int64 (n, factors). Requires a data set with factors."""
        assert self._dataset.factors is not None
        return self._moved(self._dataset.factors.classes(chosen))

    def _moved(self, values: NDArray[np.generic]) -> Tensor:
        """An array on the device; to a GPU, copied asynchronously from pinned memory."""
        tensor = torch.from_numpy(values)
        if self._device.type == "cuda":
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor.to(self._device)
