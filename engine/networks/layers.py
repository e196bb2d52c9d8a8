"""The convolutions of the two networks, each computed in the way that is fastest."""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional


class Down(nn.Conv2d):
    """A convolution. One whose kernel covers the whole input is computed as the matrix product that it is.

    For that case oneDNN takes more than twice as long on a CPU.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(n, in_channels, height, width) to (n, out_channels, height, width)."""
        if self.padding != (0, 0) or input.shape[2:] != self.kernel_size:
            return super().forward(input)
        pixels: Tensor = functional.linear(_rows(input), _rows(self.weight), self.bias)
        return pixels[:, :, None, None]


class Up(nn.ConvTranspose2d):
    """A transposed convolution. From a single pixel, or to a single channel, it is a matrix product on a CPU.

    The second sums overlapping pieces afterwards. oneDNN takes half as long again, or more, for these two cases.
    Groups and dilation are not provided for.
    """

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(n, in_channels, height, width) to (n, out_channels, height, width)."""
        padding = cast(tuple[int, ...], self.padding)  # never a word here, as it may be in Conv2d
        if input.shape[2:] == (1, 1) and padding == self.output_padding == (0, 0) and self.bias is None:
            pixels = input.flatten(1) @ _rows(self.weight)
            images: Tensor = pixels.unflatten(1, (*self.kernel_size, self.out_channels))
            return images.permute(0, 3, 1, 2)
        if self.out_channels == 1 and input.device.type == "cpu":
            pieces = functional.linear(input.permute(0, 2, 3, 1), self.weight.flatten(1).t())
            sides = tuple(
                (side - 1) * self.stride[i] - 2 * padding[i] + self.kernel_size[i] + self.output_padding[i]
                for i, side in enumerate(input.shape[2:])
            )
            columns = pieces.flatten(1, 2).transpose(1, 2)
            image: Tensor = functional.fold(columns, sides, self.kernel_size, padding=padding, stride=self.stride)
            return image if self.bias is None else image + self.bias
        return super().forward(input, output_size)


def _rows(images: Tensor) -> Tensor:
    """Flatten all but the first dimension, channels last: a view of what lies so in memory."""
    return images.permute(0, 2, 3, 1).flatten(1)
