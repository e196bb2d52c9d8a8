"""Conversion between uint8 images and the tensors of networks, and the device that computes."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.errors import ConfigError


def to_tensor(images: NDArray[np.uint8], device: torch.device | str = "cpu") -> Tensor:
    """Images uint8 (n, height, width, channels) to float32 in 0..1, (n, channels, height, width).

    The memory keeps its order (channels last), in which convolutions are fastest on a CPU.
    """
    return to_floats(torch.from_numpy(images).to(device))


def to_floats(pixels: Tensor) -> Tensor:
    """Images uint8 (n, height, width, channels), on any device, as `to_tensor` gives them."""
    return pixels.permute(0, 3, 1, 2).to(torch.float32).div_(255)


def to_images(pixels: Tensor) -> NDArray[np.uint8]:
    """Probabilities in 0..1, (..., channels, height, width), to uint8 (..., height, width, channels), rounded."""
    images: NDArray[np.uint8] = pixels.detach().mul(255).round_().to(torch.uint8).movedim(-3, -1).cpu().numpy()
    return images


def choose_device(name: str) -> torch.device:
    """Return the device that a setting names; "auto" is a GPU if there is one, else the CPU.

    Raises ConfigError if PyTorch does not find the device on this machine.
    """
    if name == "auto":
        name = next((gpu for gpu in ("cuda", "mps") if is_available(gpu)), "cpu")
    if not is_available(name):
        raise ConfigError(f"device is {name}, and PyTorch finds none on this machine. Choose the device cpu or auto.")
    return torch.device(name)


def is_available(device: str) -> bool:
    """Return whether PyTorch finds a device ("cpu", "cuda", "mps") on this machine."""
    backends = {"cpu": torch.cpu, "cuda": torch.cuda, "mps": torch.backends.mps}
    return device in backends and bool(backends[device].is_available())
