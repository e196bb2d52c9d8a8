"""The networks of InfoGAN-CR (Lin et al. 2020), as in the authors' code for dSprites, gan/network.py."""

import torch
from torch import Tensor, nn

from engine.networks.layers import Down, Up
from engine.networks.spectral_norm import draw_vectors, spectral

LEAK = 0.2
"""Slope of the leaky ReLU below 0."""

UNITS = 128
"""Units of all fully connected layers but the generator's second, which makes feature maps."""

SMALLEST = 4
"""Side to which the discriminator halves images, if possible (28 pixels: 7)."""

DEVIATION = 0.02
"""Standard deviation of all initial weights; those of convolutions are truncated at twice that."""

GENERATED, DISCRIMINATED = (64, 32, 32, 32), (32, 32, 64, 64, 64)
"""Channels of the feature maps, of which larger images need more: for 64 pixels three and four."""


def halvings(side: int) -> int:
    """Return how often the networks halve a side: 64 pixels four times."""
    number = 0
    while side % 2 == 0 and side // 2 >= SMALLEST:
        side, number = side // 2, number + 1
    return number


class Generator(nn.Module):
    """From noise and codes to logits of an image, here of 64 pixels::

        layer                       output
        linear, ReLU, batch norm    128
        linear, ReLU, batch norm    64 x 4 x 4
        transposed convolution      64 x 8 x 8       4x4, stride 2, padding 1; leaky ReLU, batch norm
        transposed convolution      32 x 16 x 16     the same
        transposed convolution      32 x 32 x 32     the same
        transposed convolution      channels x 64 x 64   (logits)

    The normalisation after the second linear layer is per unit, not per channel.
    """

    def __init__(self, inputs: int, side: int, channels: int) -> None:
        super().__init__()
        number = halvings(side)
        first, small = GENERATED[0], side // 2**number
        self.start = (first, small, small)
        units = first * small**2
        self.hidden = nn.Sequential(
            nn.Linear(inputs, UNITS),
            nn.ReLU(inplace=True),
            nn.BatchNorm1d(UNITS),
            nn.Linear(UNITS, units),
            nn.ReLU(inplace=True),
            nn.BatchNorm1d(units),
        )
        layers: list[nn.Module] = []
        width = first
        for wanted in GENERATED[: number - 1]:
            layers += [Up(width, wanted, 4, 2, 1), nn.LeakyReLU(LEAK, inplace=True), nn.BatchNorm2d(wanted)]
            width = wanted
        self.pixels = nn.Sequential(*layers, Up(width, channels, 4, 2, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """Noise and codes (n, inputs) to logits (n, channels, side, side)."""
        maps = self.hidden(inputs).unflatten(1, self.start).contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.pixels(maps)
        return logits


def _features(side: int, channels: int) -> nn.Sequential:
    """Convolutions (4x4, stride 2, padding 1), then a linear layer, each with spectral norm and leaky ReLU."""
    layers: list[nn.Module] = []
    width = channels
    for wanted in DISCRIMINATED[: halvings(side)]:
        layers += [spectral(Down(width, wanted, 4, 2, 1)), nn.LeakyReLU(LEAK, inplace=True)]
        width = wanted
    small = side // 2 ** halvings(side)
    linear = spectral(nn.Linear(width * small**2, UNITS))
    return nn.Sequential(*layers, nn.Flatten(), linear, nn.LeakyReLU(LEAK, inplace=True))


class Recogniser(nn.Module):
    """The discriminator D and the recogniser Q, with spectral norm on every layer; for an image of 64 pixels::

    layer                          output
    convolution, leaky ReLU        32 x 32 x 32     4x4, stride 2, padding 1
    convolution, leaky ReLU        32 x 16 x 16     the same
    convolution, leaky ReLU        64 x 8 x 8       the same
    convolution, leaky ReLU        64 x 4 x 4       the same
    linear, leaky ReLU             128
    D: linear                      1 (logit of being real)
    Q: linear, leaky ReLU          128
       linear                      codes
    """

    def __init__(self, codes: int, side: int, channels: int) -> None:
        super().__init__()
        self.features = _features(side, channels)
        self.real = spectral(nn.Linear(UNITS, 1))
        self.codes = nn.Sequential(
            spectral(nn.Linear(UNITS, UNITS)), nn.LeakyReLU(LEAK, inplace=True), spectral(nn.Linear(UNITS, codes))
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (n, channels, side, side) in 0..1 to the logits of being real, (n,), and Q's output, (n, codes)."""
        hidden = self.features(images)
        return self.real(hidden)[:, 0], self.codes(hidden)


class PairNetwork(nn.Module):
    """The contrastive regulariser: layers like D's for two stacked images, then logits of the codes.

    The last layer alone has no spectral norm.
    """

    def __init__(self, codes: int, side: int, channels: int) -> None:
        super().__init__()
        self.features = _features(side, 2 * channels)
        self.codes = nn.Linear(UNITS, codes)

    def forward(self, pairs: Tensor) -> Tensor:
        """Pairs (n, 2 x channels, side, side) to logits of the code that both images share, (n, codes)."""
        logits: Tensor = self.codes(self.features(pairs))
        return logits


class InfoGanCrNetworks(nn.Module):
    """Generator, D with Q, the pair network if there is a contrast, and the fixed noise with which codes are decoded.

    `noise` is the number of the generator's inputs that Q does not recover.
    """

    fixed_noise: Tensor

    def __init__(self, noise: int, codes: int, side: int, channels: int, *, contrast: bool) -> None:
        super().__init__()
        self.generator = Generator(noise + codes, side, channels)
        self.recogniser = Recogniser(codes, side, channels)
        self.pair = PairNetwork(codes, side, channels) if contrast else None
        self.register_buffer("fixed_noise", torch.zeros(1, noise))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw all weights, the vectors of spectral norms, and the fixed noise."""
        initialise(self, generator)
        nn.init.uniform_(self.fixed_noise, -1, 1, generator=generator)


def initialise(network: nn.Module, generator: torch.Generator) -> None:
    """Draw weights as the authors' code does: N(0, 0.02²), of convolutions cut off at 0.04; biases are 0."""
    for layer in network.modules():
        if isinstance(layer, Down):
            nn.init.trunc_normal_(_weight(layer), 0, DEVIATION, -2 * DEVIATION, 2 * DEVIATION, generator=generator)
        elif isinstance(layer, nn.Linear | Up):
            nn.init.normal_(_weight(layer), 0, DEVIATION, generator=generator)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    draw_vectors(network, generator)


def _weight(layer: nn.Module) -> Tensor:
    """The weight of a layer, before its spectral norm if it has one."""
    normalised = getattr(layer, "parametrizations", None)
    weight = layer.weight if normalised is None else normalised.weight.original
    assert isinstance(weight, Tensor)
    return weight
