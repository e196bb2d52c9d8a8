"""The encoder: an image to the mean and log-variance of its posterior."""

import torch
from torch import Tensor, nn

from engine.networks.architectures import ARCHITECTURES
from engine.networks.layers import Down


class Encoder(nn.Module):
    """Four convolutions, batch normalisation and ReLU after each, then linear layers to 2 x latents.

    64 x 64 (Higgins et al. 2017; the report's section 3.1)::

        layer                       output          parameters of the kernel
        convolution                 32 x 32 x 32    4x4, stride 2, padding 1
        convolution                 32 x 16 x 16    4x4, stride 2, padding 1
        convolution                 64 x  8 x  8    4x4, stride 2, padding 1
        convolution                 64 x  4 x  4    4x4, stride 2, padding 1
        linear, ReLU                256
        linear                      2 x latents

    28 x 28::

        convolution                  32 x 14 x 14   4x4, stride 2, padding 1
        convolution                  64 x  7 x  7   4x4, stride 2, padding 1
        convolution                 128 x  4 x  4   3x3, stride 2, padding 1
        convolution                 256 x  1 x  1   4x4, stride 1, padding 0
        linear                      2 x latents

    32 x 32 and 128 x 128 have the layers of 64 x 64; their maps are half or twice as wide. The convolutions have no
    bias of their own: batch normalisation adds one.
    """

    def __init__(self, channels: int, side: int, latents: int) -> None:
        super().__init__()
        architecture = ARCHITECTURES[side]
        layers: list[nn.Module] = []
        width = channels
        for c in architecture.convolutions:
            layers += [
                Down(width, c.width, c.kernel, c.stride, c.padding, bias=False),
                nn.BatchNorm2d(c.width),
                nn.ReLU(inplace=True),
            ]
            width = c.width
        self.features = nn.Sequential(*layers)
        size = width * architecture.sides(side)[-1] ** 2
        hidden = architecture.hidden
        self.hidden = nn.Sequential(nn.Linear(size, hidden), nn.ReLU(inplace=True)) if hidden else nn.Identity()
        self.statistics = nn.Linear(hidden or size, 2 * latents)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (n, channels, side, side) in 0..1 to mean and log-variance, each (n, latents)."""
        statistics = self.statistics(self.hidden(torch.flatten(self.features(images), 1)))
        mean, log_variance = statistics.chunk(2, dim=1)
        return mean, log_variance
