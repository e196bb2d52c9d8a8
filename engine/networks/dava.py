"""The networks of DAVA (Estermann & Wattenhofer 2023), as in the authors' code, dava/models.py."""

import torch
from torch import Tensor, nn

from engine.networks.layers import Down
from engine.networks.spec import NetworkSpec
from engine.networks.vae import VAE

WIDTHS, UNITS = (32, 32, 64, 64), 256


class Discriminator(nn.Module):
    """Tells reconstructions from decodings of latents of different images; here of 64 pixels::

        layer                              output
        convolution, ReLU, instance norm   32 x 32 x 32     4x4, stride 2, padding 1
        convolution, ReLU, instance norm   32 x 16 x 16     the same
        convolution, ReLU, instance norm   64 x 8 x 8       the same
        convolution, ReLU, instance norm   64 x 4 x 4       the same
        linear, ReLU, batch norm           256
        linear                             1 (logit of being a reconstruction)

    Images of 28 pixels have three convolutions.
    """

    def __init__(self, side: int, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = channels
        for wanted in WIDTHS[: 3 if side < 32 else 4]:
            # Instance normalisation is that of groups of one channel; nn.InstanceNorm2d copies what is channels last.
            instance = nn.GroupNorm(wanted, wanted, affine=False)
            layers += [Down(width, wanted, 4, 2, 1), nn.ReLU(inplace=True), instance]
            width, side = wanted, side // 2
        self.layers = nn.Sequential(
            *layers,
            nn.Flatten(),
            nn.Linear(width * side**2, UNITS),
            nn.ReLU(inplace=True),
            nn.BatchNorm1d(UNITS),
            nn.Linear(UNITS, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images (n, channels, side, side) in 0..1 to logits (n,)."""
        logits: Tensor = self.layers(images)[:, 0]
        return logits


class DavaNetworks(nn.Module):
    """A VAE and the discriminator; and by how many steps the capacity has moved forward."""

    moves: Tensor

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        side, _, channels = spec.image_shape
        self.vae = VAE(spec)
        self.discriminator = Discriminator(side, channels)
        self.register_buffer("moves", torch.zeros((), dtype=torch.int64))
