"""The decoder: latents, and a label where the model is conditional, to the logits of an image."""

from torch import Tensor, nn

from engine.networks.architectures import LayeredNetwork
from engine.networks.layers import Residual, Up, connected, normalised
from engine.networks.spec import NetworkSpec


class Decoder(nn.Module):
    """The encoder mirrored: linear layers, then transposed convolutions, the last without ReLU.

    The report's for 64 x 64; "plain" has the same layers::

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

    Those for other sides and the other networks are in `engine.networks.architectures`. Normalisation and ReLU follow
    each transposed convolution but the last.
    """

    def __init__(self, spec: NetworkSpec, network: LayeredNetwork) -> None:
        super().__init__()
        side, _, channels = spec.image_shape
        inputs = spec.latents + spec.classes
        if network.units:
            self.hidden = connected([inputs, *[network.units] * 3], nn.Tanh)
            self.start: tuple[int, ...] = (network.units,)
            pixels = nn.Linear(network.units, side * side * channels)
            self.pixels = nn.Sequential(pixels, nn.Unflatten(1, (channels, side, side)))
            return
        architecture = network.layers[side]
        sides = architecture.sides(side)
        widths = [channels, *(c.width for c in architecture.convolutions)]
        self.hidden = connected([inputs, *reversed(architecture.hidden), widths[-1] * sides[-1] ** 2], nn.ReLU)
        self.start = (widths[-1], sides[-1], sides[-1])
        layers: list[nn.Module] = []
        for i in reversed(range(len(architecture.convolutions))):
            c = architecture.convolutions[i]
            if architecture.residual:
                layers.append(Residual(widths[i + 1], spec.normalisation))
            missing = sides[i] - ((sides[i + 1] - 1) * c.stride - 2 * c.padding + c.kernel)
            bias = i == 0 or spec.normalisation == "none"
            convolution = Up(widths[i + 1], widths[i], c.kernel, c.stride, c.padding, output_padding=missing, bias=bias)
            if i:
                layers += [*normalised(convolution, widths[i], spec.normalisation), nn.ReLU(inplace=True)]
            else:
                layers.append(convolution)
        self.pixels = nn.Sequential(*layers)

    def forward(self, inputs: Tensor) -> Tensor:
        """Latents and one-hot label (n, inputs) to logits (n, channels, side, side)."""
        logits: Tensor = self.pixels(self.hidden(inputs).unflatten(1, self.start))
        return logits
