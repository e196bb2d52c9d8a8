"""The discriminator of PIPE (Estermann & Wattenhofer 2023), as in the authors' code, pipe/pipe_metric.py."""

from torch import Tensor, nn

from engine.networks.layers import Down

WIDTHS, UNITS = (32, 32, 64, 64), 512


class PipeDiscriminator(nn.Module):
    """Tells decodings of independent latents from reconstructions; here of 64 pixels::

        layer                              output
        convolution, batch norm, ReLU      32 x 32 x 32     4x4, stride 2, padding 1
        convolution, batch norm, ReLU      32 x 16 x 16     the same
        convolution, batch norm, ReLU      64 x 8 x 8       the same
        convolution, batch norm, ReLU      64 x 4 x 4       the same
        convolution, batch norm, ReLU      512 x 1 x 1      4x4
        convolution                        1 (logit of being a decoding of independent latents)

    The last 4x4 convolution is as large as its input for images of other sizes; those of 28 pixels have three before.
    """

    def __init__(self, side: int, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = channels
        for wanted in WIDTHS[: 3 if side < 32 else 4]:
            layers += [Down(width, wanted, 4, 2, 1), nn.BatchNorm2d(wanted), nn.ReLU(inplace=True)]
            width, side = wanted, side // 2
        layers += [Down(width, UNITS, side), nn.BatchNorm2d(UNITS), nn.ReLU(inplace=True), nn.Conv2d(UNITS, 1, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Images (n, channels, side, side) in 0..1 to logits (n,)."""
        logits: Tensor = self.layers(images)[:, 0, 0, 0]
        return logits
