"""The networks of InfoGAN (Chen et al. 2016, appendix C.1, as in the authors' code for MNIST)."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from engine.networks.layers import Down, Up

LEAK = 0.01
"""Slope of the leaky ReLU below 0: the authors' code; the paper's table says 0.1."""

UNITS = 1024
"""Units of the fully connected layers."""

DEVIATION = 0.02
"""Standard deviation of all initial weights, and of the initial scales of normalisations around 1."""

Normalisation = nn.BatchNorm1d | nn.BatchNorm2d


class Generator(nn.Module):
    """From noise and codes to logits of an image, for a side that is a multiple of four::

        layer                       output
        linear, batch norm, ReLU    1,024
        linear, batch norm, ReLU    128 x side/4 x side/4
        transposed convolution       64 x side/2 x side/2     4x4, stride 2, padding 1; batch norm, ReLU
        transposed convolution       channels x side x side   4x4, stride 2, padding 1 (logits)

    The normalisation after the second linear layer is per unit, not per channel.
    """

    def __init__(self, inputs: int, side: int, channels: int) -> None:
        super().__init__()
        self.start = (128, side // 4, side // 4)
        units = 128 * (side // 4) ** 2
        self.hidden = nn.Sequential(
            nn.Linear(inputs, UNITS),
            nn.BatchNorm1d(UNITS),
            nn.ReLU(inplace=True),
            nn.Linear(UNITS, units),
            nn.BatchNorm1d(units),
            nn.ReLU(inplace=True),
        )
        self.pixels = nn.Sequential(
            Up(128, 64, 4, 2, 1), nn.BatchNorm2d(64), nn.ReLU(inplace=True), Up(64, channels, 4, 2, 1)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Noise and codes (n, inputs) to logits (n, channels, side, side)."""
        maps = self.hidden(inputs).unflatten(1, self.start).contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.pixels(maps)
        return logits


class Recogniser(nn.Module):
    """The discriminator D and the recogniser Q, which share all but their last layers::

    layer                          output
    convolution, leaky ReLU         64 x side/2 x side/2   4x4, stride 2, padding 1
    convolution                    128 x side/4 x side/4   4x4, stride 2, padding 1; batch norm, leaky ReLU
    linear, batch norm, leaky ReLU 1,024
    D: linear                      1 (logit of being real)
    Q: linear, batch norm, leaky ReLU   128
       linear                      codes
    """

    def __init__(self, codes: int, side: int, channels: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            Down(channels, 64, 4, 2, 1),
            nn.LeakyReLU(LEAK, inplace=True),
            Down(64, 128, 4, 2, 1),
            nn.BatchNorm2d(128),
            nn.LeakyReLU(LEAK, inplace=True),
        )
        self.hidden = nn.Sequential(
            nn.Linear(128 * (side // 4) ** 2, UNITS), nn.BatchNorm1d(UNITS), nn.LeakyReLU(LEAK, inplace=True)
        )
        self.real = nn.Linear(UNITS, 1)
        self.codes = nn.Sequential(
            nn.Linear(UNITS, 128), nn.BatchNorm1d(128), nn.LeakyReLU(LEAK, inplace=True), nn.Linear(128, codes)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (n, channels, side, side) in 0..1 to the logits of being real, (n,), and Q's output, (n, codes)."""
        hidden = self.hidden(torch.flatten(self.features(images), 1))
        return self.real(hidden)[:, 0], self.codes(hidden)


class InfoGanNetworks(nn.Module):
    """Generator, discriminator with recogniser, and the fixed noise with which codes are decoded.

    `noise` is the number of noise variables, which Q does not recover; `inputs` is the number of the generator's code
    inputs, with the category as one-hot, and of Q's outputs.
    """

    fixed_noise: Tensor

    def __init__(self, noise: int, inputs: int, side: int, channels: int) -> None:
        super().__init__()
        self.generator = Generator(noise + inputs, side, channels)
        self.recogniser = Recogniser(inputs, side, channels)
        self.register_buffer("fixed_noise", torch.zeros(1, noise))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the weights as the authors' code does, all from N(0, 0.02²), those of convolutions truncated at ±0.04.

        Biases are 0; scales of normalisations are drawn from N(1, 0.02²). Then the fixed noise is drawn.
        """
        for layer in self.modules():
            if isinstance(layer, Down):
                nn.init.trunc_normal_(layer.weight, 0, DEVIATION, -2 * DEVIATION, 2 * DEVIATION, generator=generator)
            elif isinstance(layer, nn.Linear | Up):
                nn.init.normal_(layer.weight, 0, DEVIATION, generator=generator)
            elif isinstance(layer, Normalisation):
                nn.init.normal_(layer.weight, 1, DEVIATION, generator=generator)
            else:
                continue
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        nn.init.uniform_(self.fixed_noise, -1, 1, generator=generator)


@contextmanager
def unrecorded(network: nn.Module) -> Iterator[None]:
    """Within the block, normalise by batch as usual in training, but leave the running statistics unchanged."""
    layers = [layer for layer in network.modules() if isinstance(layer, Normalisation)]
    before = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, before, strict=True):
            layer.momentum = momentum
