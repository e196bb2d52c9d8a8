"""Between uint8 images, as data sets and pictures have them, and the tensors that networks work on."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_tensor(images: NDArray[np.uint8], device: torch.device | str = "cpu") -> Tensor:
    """Images uint8 (n, height, width, channels) to float32 in 0..1, (n, channels, height, width).

    The memory keeps its order (channels last), which is what convolutions on a CPU work fastest on.
    """
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).to(torch.float32).div_(255)


def to_images(pixels: Tensor) -> NDArray[np.uint8]:
    """Probabilities in 0..1, (..., channels, height, width), to uint8 (..., height, width, channels), rounded."""
    images: NDArray[np.uint8] = pixels.detach().mul(255).round_().to(torch.uint8).movedim(-3, -1).cpu().numpy()
    return images


def choose_device(name: str) -> torch.device:
    """Return the device a setting names; "auto" takes a GPU where there is one, else the CPU."""
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
