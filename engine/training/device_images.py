"""The images of a step on the training device: moved there once if they fit, else batch by batch."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data.dataset import BitStore, Dataset, Indices
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
        Bytes that images may take there. If all fit, they are kept there, and a step moves only positions: as uint8 or,
        where the data set has them so, as packed bits, an eighth of that.
    """

    def __init__(self, dataset: Dataset, indices: Indices, device: torch.device, room: int) -> None:
        self._dataset, self._device = dataset, device
        self._bits = dataset.store.bits if isinstance(dataset.store, BitStore) else None
        self._kept: Tensor | None = None
        size = int(np.prod(dataset.image_shape)) if self._bits is None else self._bits.shape[1]
        if 0 < len(indices) * size <= room:
            self._kept = torch.empty((len(indices), size), dtype=torch.uint8, device=device)
            for start in range(0, len(indices), PART):
                part = indices[start : start + PART]
                rows = dataset.images(part).reshape(len(part), size) if self._bits is None else self._bits[part]
                self._kept[start : start + len(part)] = torch.from_numpy(rows).to(device)
            self._shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=device)  # the first pixel is the highest
            self._places = np.full(len(dataset), len(indices))  # indexing an image that is not kept is an error
            self._places[indices] = np.arange(len(indices))

    @property
    def kept(self) -> bool:
        """Whether all images are kept on the device."""
        return self._kept is not None

    def images(self, chosen: Indices) -> Tensor:
        """Return the training images at positions of the data set, float32 (n, channels, height, width) in 0..1."""
        if self._kept is None:
            return to_floats(self._moved(self._dataset.images(chosen)))
        rows, shape = self._kept[self._moved(self._places[chosen])], (-1, *self._dataset.image_shape)
        if self._bits is None:
            return to_floats(rows.view(shape))
        return (rows[:, :, None] >> self._shifts & 1).view(shape).permute(0, 3, 1, 2).to(torch.float32)

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
