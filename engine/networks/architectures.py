"""The shapes of the two networks, as tables. Loads no torch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Convolution:
    """One convolution of the encoder; the decoder runs them in reverse, transposed."""

    width: int
    kernel: int
    stride: int
    padding: int


@dataclass(frozen=True, slots=True)
class Architecture:
    """Four convolutions and the size of the fully connected layer behind them (0: none)."""

    convolutions: tuple[Convolution, ...]
    hidden: int

    def sides(self, side: int) -> list[int]:
        """Side of the square feature maps: the image's, then after each convolution."""
        sides = [side]
        for c in self.convolutions:
            sides.append((sides[-1] + 2 * c.padding - c.kernel) // c.stride + 1)
        return sides


def _halving(*widths: int) -> tuple[Convolution, ...]:
    return tuple(Convolution(width, 4, 2, 1) for width in widths)


ARCHITECTURES: dict[int, Architecture] = {
    28: Architecture((*_halving(32, 64), Convolution(128, 3, 2, 1), Convolution(256, 4, 1, 0)), hidden=0),
    32: Architecture(_halving(32, 32, 64, 64), hidden=256),
    64: Architecture(_halving(32, 32, 64, 64), hidden=256),
    128: Architecture(_halving(32, 32, 64, 64), hidden=256),
}
"""By the side of the image in pixels. 28 and 64 are the report's; 32 and 128 use the layers of 64."""
