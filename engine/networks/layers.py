"""Layers of the networks, with convolutions computed in the fastest way."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

from torch import Tensor, nn
from torch.nn import functional
from torch.onnx import is_in_onnx_export

from engine.networks.architectures import GROUPS


class Down(nn.Conv2d):
    """A convolution, computed as a matrix product if its kernel covers the complete input.

    In that case oneDNN takes more than twice as long on a CPU.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(n, in_channels, height, width) to (n, out_channels, height, width)."""
        if self.padding != (0, 0) or input.shape[2:] != self.kernel_size:
            return super().forward(input)
        pixels: Tensor = functional.linear(_rows(input), _rows(self.weight), self.bias)
        return pixels[:, :, None, None]


class Up(nn.ConvTranspose2d):
    """A transposed convolution, computed as a matrix product from a single pixel and, on a CPU, to a single channel.

    The latter then sums overlapping pieces, for which ONNX has no operator. In these two cases oneDNN takes half as
    long again, or more. Groups and dilation are not supported.
    """

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(n, in_channels, height, width) to (n, out_channels, height, width)."""
        padding = cast(tuple[int, ...], self.padding)  # never a string, unlike Conv2d's
        if input.shape[2:] == (1, 1) and padding == self.output_padding == (0, 0):
            pixels = (input.flatten(1) @ _rows(self.weight)).unflatten(1, (*self.kernel_size, self.out_channels))
            images: Tensor = pixels if self.bias is None else pixels + self.bias
            return images.permute(0, 3, 1, 2)
        if self.out_channels == 1 and input.device.type == "cpu" and not is_in_onnx_export():
            pieces = functional.linear(input.permute(0, 2, 3, 1), self.weight.flatten(1).t())
            sides = tuple(
                (side - 1) * self.stride[i] - 2 * padding[i] + self.kernel_size[i] + self.output_padding[i]
                for i, side in enumerate(input.shape[2:])
            )
            columns = pieces.flatten(1, 2).transpose(1, 2)
            image: Tensor = functional.fold(columns, sides, self.kernel_size, padding=padding, stride=self.stride)
            return image if self.bias is None else image + self.bias
        return super().forward(input, output_size)


class Residual(nn.Module):
    """Two 3x3 convolutions with normalisation whose output is added to their input (He et al. 2016)."""

    def __init__(self, width: int, normalisation: str) -> None:
        super().__init__()
        first, second = (nn.Conv2d(width, width, 3, 1, 1, bias=normalisation == "none") for _ in range(2))
        self.layers = nn.Sequential(
            *normalised(first, width, normalisation),
            nn.ReLU(inplace=True),
            *normalised(second, width, normalisation),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(n, width, height, width) to the same shape, not negative."""
        sum: Tensor = maps + self.layers(maps)
        return functional.relu(sum)


class GaussianEncoder(nn.Module):
    """Features of an image, then a linear layer to the mean and log-variance of its posterior.

    `features` maps images (n, channels, side, side) to (n, size), or to a shape that flattens to it.
    """

    def __init__(self, features: nn.Module, size: int, latents: int) -> None:
        super().__init__()
        self.features = features
        self.statistics = nn.Linear(size, 2 * latents)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images to mean and log-variance, each (n, latents)."""
        mean, log_variance = self.statistics(self.features(images).flatten(1)).chunk(2, dim=1)
        return mean, log_variance


def normalised(convolution: nn.Module, width: int, normalisation: str) -> list[nn.Module]:
    """Return a convolution and the normalisation of its `width` channels ("none", "batch" or "group")."""
    if normalisation == "none":
        return [convolution]
    return [convolution, nn.BatchNorm2d(width) if normalisation == "batch" else nn.GroupNorm(GROUPS, width)]


def connected(sizes: Sequence[int], activation: type[nn.Module]) -> nn.Sequential:
    """Return fully connected layers between these sizes, each with its activation; no layers for a single size."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), activation(inplace=True) if activation is nn.ReLU else activation()]
    return nn.Sequential(*layers)


def _rows(images: Tensor) -> Tensor:
    """Flatten all but the first dimension, channels last; a view if the memory has that order."""
    return images.permute(0, 2, 3, 1).flatten(1)
