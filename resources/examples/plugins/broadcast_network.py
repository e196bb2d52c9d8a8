"""A network: a convolutional encoder, and a decoder that broadcasts the latents over the image.

Watters et al., "Spatial Broadcast Decoder", 2019: each pixel sees all latents and its own position, so that positions
need not be built up from small maps. It represents positions well, but is slow: all its layers have the image's size.
"""

from engine.plugins.interface import INTERFACE, Network, Plugin

WIDTH = 32


class Broadcast(Network):
    """Convolutions down to 4 x 4 (from 28 pixels: 3 x 3); the decoder is three convolutions at the image's size."""

    title = "Spatial broadcast"
    about = "Watters et al. 2019: a decoder of convolutions over the latents and the position of each pixel."
    sides = (28, 32, 64)

    def encoder(self, spec):
        """Return convolutions that halve the image, and a layer of 256 units."""
        from torch import nn

        from engine.plugins.interface import GaussianEncoder

        side, _, channels = spec.image_shape
        layers = []
        while side > 4:
            layers += [nn.Conv2d(channels, WIDTH, 4, 2, 1), nn.ReLU()]
            side, channels = side // 2, WIDTH
        layers += [nn.Flatten(), nn.Linear(channels * side * side, 256), nn.ReLU()]
        return GaussianEncoder(nn.Sequential(*layers), 256, spec.latents)

    def decoder(self, spec):
        """Return a module that gives each pixel the latents and its position, and convolutions."""
        from torch import nn

        side, _, channels = spec.image_shape
        return nn.Sequential(
            spatial_broadcast(side),
            nn.Conv2d(spec.latents + spec.classes + 2, WIDTH, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(WIDTH, WIDTH, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(WIDTH, channels, 3, 1, 1),
        )

    def encoder_words(self, side, normalisation):
        """Return what the encoder has."""
        return f"convolutions of {WIDTH} channels (4 x 4, stride 2) and a layer of 256 units, with ReLU after each"

    def decoder_words(self):
        """Return what the decoder does."""
        return "is a spatial broadcast decoder (Watters et al. 2019) of three convolutions"


def spatial_broadcast(side):
    """Return a module from latents (n, k) to maps (n, k + 2, side, side): the latents and position at each pixel."""
    import torch
    from torch import nn

    class SpatialBroadcast(nn.Module):
        def __init__(self):
            super().__init__()
            steps = torch.linspace(-1, 1, side)
            positions = torch.stack(torch.meshgrid(steps, steps, indexing="ij"))
            self.register_buffer("positions", positions, persistent=False)

        def forward(self, z):
            maps = z[:, :, None, None].expand(-1, -1, side, side)
            return torch.cat([maps, self.positions.expand(len(z), -1, -1, -1)], dim=1)

    return SpatialBroadcast()


PLUGIN = Plugin(
    name="broadcast",
    version="1.0",
    interface=INTERFACE,
    networks={"broadcast": Broadcast()},
    about="The spatial broadcast decoder of Watters et al. 2019.",
)
