"""Spectral normalisation (Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR 2018)."""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrize

Layer = TypeVar("Layer", bound=nn.Module)


class SpectralNorm(nn.Module):
    """Divides a weight by its largest singular value, as one power iteration from a kept vector u estimates it.

    The matrix of a convolution has a row for each output channel. The vectors of the estimate count as constants in the
    gradient. `settle` replaces u by what the iteration led to: a network is used with the same weights, however often,
    until it is called, in training and in evaluation.
    """

    u: Tensor

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.register_buffer("u", torch.ones(rows) / rows**0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """Weight, (rows, ...), to one of the same shape."""
        matrix = _matrix(weight)
        u, v = self._iterated(matrix.detach())
        return weight / (u @ matrix @ v)

    @torch.no_grad()
    def settle(self, weight: Tensor) -> None:
        """Take a power iteration with a weight, (rows, ...)."""
        self.u.copy_(self._iterated(_matrix(weight))[0])

    def _iterated(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        v = normalize(self.u @ matrix, dim=0)
        return normalize(matrix @ v, dim=0), v


def _matrix(weight: Tensor) -> Tensor:
    """A weight as a matrix; that of a convolution is a view of what is channels last in memory."""
    return weight.permute(0, 2, 3, 1).flatten(1) if weight.ndim == 4 else weight


def spectral(layer: Layer) -> Layer:
    """Normalise the weight of a linear layer or a convolution; return the layer."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    parametrize.register_parametrization(layer, "weight", SpectralNorm(len(weight)))
    return layer


def settle(network: nn.Module) -> None:
    """Let every normalised weight of a network take a power iteration, once a step of training."""
    for weights in network.modules():
        if isinstance(weights, parametrize.ParametrizationList):
            for each in weights:
                if isinstance(each, SpectralNorm):
                    each.settle(weights.original)


def draw_vectors(network: nn.Module, generator: torch.Generator) -> None:
    """Draw the vectors that power iterations start from."""
    for layer in network.modules():
        if isinstance(layer, SpectralNorm):
            layer.u.normal_(generator=generator)
            layer.u.copy_(normalize(layer.u, dim=0))
