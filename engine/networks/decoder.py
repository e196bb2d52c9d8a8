"""The decoder: latents, and a label where the model is conditional, to the logits of an image."""

from torch import Tensor, nn

from engine.networks.architectures import ARCHITECTURES
from engine.networks.layers import Up


class Decoder(nn.Module):
    """The encoder mirrored: linear layers, then four transposed convolutions, the last without ReLU.

    64 x 64::

        layer                       output          parameters of the kernel
        linear, ReLU                256
        linear, ReLU                64 x  4 x  4
        transposed convolution      64 x  8 x  8    4x4, stride 2, padding 1
        transposed convolution      32 x 16 x 16    4x4, stride 2, padding 1
        transposed convolution      32 x 32 x 32    4x4, stride 2, padding 1
        transposed convolution       1 x 64 x 64    4x4, stride 2, padding 1 (logits)

    28 x 28::

        linear, ReLU                256 x  1 x  1
        transposed convolution      128 x  4 x  4   4x4, stride 1, padding 0
        transposed convolution       64 x  7 x  7   3x3, stride 2, padding 1
        transposed convolution       32 x 14 x 14   4x4, stride 2, padding 1
        transposed convolution        1 x 28 x 28   4x4, stride 2, padding 1 (logits)

    32 x 32 and 128 x 128 have the layers of 64 x 64; their maps are half or twice as wide. Batch normalisation and ReLU
    follow each transposed convolution but the last.
    """

    def __init__(self, channels: int, side: int, inputs: int) -> None:
        super().__init__()
        architecture = ARCHITECTURES[side]
        sides = architecture.sides(side)
        widths = [channels, *(c.width for c in architecture.convolutions)]
        size = widths[-1] * sides[-1] ** 2
        hidden = architecture.hidden
        linear = [nn.Linear(inputs, hidden), nn.ReLU(inplace=True)] if hidden else []
        self.hidden = nn.Sequential(*linear, nn.Linear(hidden or inputs, size), nn.ReLU(inplace=True))
        self.start = (widths[-1], sides[-1], sides[-1])

        layers: list[nn.Module] = []
        for i in reversed(range(len(architecture.convolutions))):
            c = architecture.convolutions[i]
            plain = (sides[i + 1] - 1) * c.stride - 2 * c.padding + c.kernel
            layers.append(
                Up(
                    widths[i + 1],
                    widths[i],
                    c.kernel,
                    c.stride,
                    c.padding,
                    output_padding=sides[i] - plain,
                    bias=i == 0,
                )
            )
            if i:
                layers += [nn.BatchNorm2d(widths[i]), nn.ReLU(inplace=True)]
        self.pixels = nn.Sequential(*layers)

    def forward(self, inputs: Tensor) -> Tensor:
        """Latents and one-hot label (n, inputs) to logits (n, channels, side, side)."""
        logits: Tensor = self.pixels(self.hidden(inputs).unflatten(1, self.start))
        return logits
