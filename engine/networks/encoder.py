"""The encoder: an image to the mean and log-variance of its posterior."""

import torch
from torch import Tensor, nn

from engine.networks.architectures import LayeredNetwork
from engine.networks.layers import Down, Residual, connected, normalised
from engine.networks.spec import NetworkSpec


class Encoder(nn.Module):
    """Convolutions, normalisation and ReLU after each, then linear layers to 2 x latents.

    The report's (and Higgins et al. 2017) for 64 x 64; "plain" has the same layers::

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

    Those for other sides and the other networks are in `engine.networks.architectures`. Convolutions before a
    normalisation have no bias of their own: the normalisation adds one.
    """

    def __init__(self, spec: NetworkSpec, network: LayeredNetwork) -> None:
        super().__init__()
        side, _, width = spec.image_shape
        if network.units:
            self.features: nn.Module = nn.Identity()
            sizes = [side * side * width, network.units, network.units]
        else:
            architecture = network.layers[side]
            layers: list[nn.Module] = []
            for c in architecture.convolutions:
                bias = spec.normalisation == "none"
                convolution = Down(width, c.width, c.kernel, c.stride, c.padding, bias=bias)
                layers += [*normalised(convolution, c.width, spec.normalisation), nn.ReLU(inplace=True)]
                width = c.width
                if architecture.residual:
                    layers.append(Residual(width, spec.normalisation))
            self.features = nn.Sequential(*layers)
            sizes = [width * architecture.sides(side)[-1] ** 2, *architecture.hidden]
        self.hidden = connected(sizes, nn.ReLU)
        self.statistics = nn.Linear(sizes[-1], 2 * spec.latents)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (n, channels, side, side) in 0..1 to mean and log-variance, each (n, latents)."""
        statistics = self.statistics(self.hidden(torch.flatten(self.features(images), 1)))
        mean, log_variance = statistics.chunk(2, dim=1)
        return mean, log_variance
