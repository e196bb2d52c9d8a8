"""The networks to choose from, as tables of their layers for each side of images. Loads no torch."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.networks.network import Network
from engine.networks.spec import NetworkSpec
from engine.system.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import nn

GROUPS = 8
"""Number of groups of channels in group normalisation."""

NORMALISATIONS = {"none": "None", "batch": "Batch", "group": f"Group ({GROUPS} groups)"}
"""Titles of the normalisations after each convolution but the decoder's last, by their names in settings."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """One convolution of the encoder; the decoder has them transposed, in reverse order."""

    width: int
    kernel: int
    stride: int
    padding: int


@dataclass(frozen=True, slots=True)
class Architecture:
    """Convolutions, and the sizes of the fully connected layers that follow.

    With `residual`, a residual block of two 3x3 convolutions follows each convolution.
    """

    convolutions: tuple[Convolution, ...]
    hidden: tuple[int, ...]
    residual: bool = False

    def sides(self, side: int) -> list[int]:
        """Side of the square feature maps: the image's, then after each convolution."""
        sides = [side]
        for c in self.convolutions:
            sides.append((sides[-1] + 2 * c.padding - c.kernel) // c.stride + 1)
        return sides


@dataclass(frozen=True)
class LayeredNetwork(Network):
    """A network of convolutions, mirrored in the decoder, or of fully connected layers.

    `layers` are the layers by side of the images; a network without them has fully connected layers of `units` units.
    With `glorot`, weights are initialised Glorot-uniform and biases to 0; otherwise with PyTorch's defaults.
    """

    title: str
    about: str
    layers: dict[int, Architecture] = field(default_factory=dict)
    units: int = 0
    glorot: bool = False

    @property
    def normalises(self) -> bool:  # type: ignore[override]
        """Whether there are convolutions, which normalisation can follow."""
        return bool(self.layers)

    def encoder(self, spec: NetworkSpec) -> "nn.Module":
        """Build the encoder."""
        from engine.networks.encoder import Encoder

        return Encoder(spec, self)

    def decoder(self, spec: NetworkSpec) -> "nn.Module":
        """Build the decoder."""
        from engine.networks.decoder import Decoder

        return Decoder(spec, self)

    def initialise(self, networks: "nn.Module", generator: "torch.Generator") -> None:
        """Draw all weights of linear layers and convolutions from the generator."""
        from engine.networks.vae import initialise

        initialise(networks, generator, glorot=self.glorot)

    def encoder_words(self, side: int, normalisation: str) -> str:
        """Return the encoder's layers, for a methods section; a side of 0 means that it is not known."""
        if not self.layers:
            return f"two layers of {self.units:,} units, each with ReLU"
        after = f"{normalisation} normalisation and ReLU" if normalisation != "none" else "ReLU"
        if side not in self.layers:
            return f"convolutions, {after} after each"
        architecture = self.layers[side]
        widths, kernels, strides = (
            "-".join(str(getattr(c, name)) for c in architecture.convolutions) for name in ("width", "kernel", "stride")
        )
        number = {3: "three", 4: "four", 5: "five"}[len(architecture.convolutions)]
        words = f"{number} convolutions ({widths} channels, kernels of {kernels} pixels, strides {strides}), {after}"
        words += " and a residual block after each" if architecture.residual else " after each"
        hidden = " and ".join(f"{units} units" for units in architecture.hidden)
        return f"{words}, then a layer of {hidden}" if hidden else words

    def decoder_words(self) -> str:
        """Return the decoder's layers, for a methods section."""
        return "mirrors it" if self.layers else f"has three layers of {self.units:,} units with tanh"


def _halving(*widths: int) -> tuple[Convolution, ...]:
    return tuple(Convolution(width, 4, 2, 1) for width in widths)


def _four() -> dict[int, Architecture]:
    """The report's layers for 28 and 64 pixels; those for 32 and 128 are the same as for 64."""
    small = Architecture((*_halving(32, 64), Convolution(128, 3, 2, 1), Convolution(256, 4, 1, 0)), hidden=())
    return {28: small} | {side: Architecture(_halving(32, 32, 64, 64), hidden=(256,)) for side in (32, 64, 128)}


def _burgess() -> dict[int, Architecture]:
    """Convolutions that halve the side down to 4 (from 28: to 3)."""
    return {side: Architecture(_halving(*[32] * n), (256, 256)) for side, n in {28: 3, 32: 3, 64: 4, 128: 5}.items()}


def _residual() -> dict[int, Architecture]:
    widths = {28: (32, 64, 128), 32: (32, 64, 128), 64: (32, 64, 128, 128), 128: (32, 64, 128, 128, 128)}
    return {side: Architecture(_halving(*each), (256,), residual=True) for side, each in widths.items()}


_OURS: dict[str, Network] = {
    "plain": LayeredNetwork(
        "Four convolutions",
        "Four convolutions and a layer of 256 units, mirrored in the decoder, initialised Glorot-uniform: the network "
        "behind most published scores.",
        _four(),
        glorot=True,
    ),
    "report": LayeredNetwork(
        "The report's",
        "The same layers, initialised with PyTorch's defaults; the report has batch normalisation after each "
        "convolution.",
        _four(),
    ),
    "burgess": LayeredNetwork(
        "Burgess et al. 2018",
        "Convolutions of 32 channels down to 4 × 4, then two layers of 256 units, mirrored in the decoder.",
        _burgess(),
    ),
    "mlp": LayeredNetwork(
        "Fully connected",
        "Chen et al. 2018: two layers of 1,200 units with ReLU in the encoder, three with tanh in the decoder; no "
        "normalisation.",
        units=1200,
    ),
    "residual": LayeredNetwork(
        "Residual",
        "Convolutions of 32 to 128 channels with a residual block after each: for colour and for 128 pixels. A step "
        "takes about five times as long.",
        _residual(),
    ),
}

NETWORKS: Registry[Network] = Registry(_OURS)
"""The networks by their names in settings; the first is the default."""
