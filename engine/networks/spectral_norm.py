"""Spectral normalisation (Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR 2018)."""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrize

Layer = TypeVar("Layer", bound=nn.Module)


class SpectralNorm(nn.Module):
    """Divides a weight by its largest singular value, as estimated by one power iteration from a stored vector u.

    The matrix of a convolution has a row for each output channel. The vectors of the estimate count as constants in the
    gradient. `settle` replaces u by the result of the iteration; until it is called, a network keeps the same weights,
    however often it is used, in training and in evaluation. (torch's own `spectral_norm` iterates at every forward pass
    in training, and so several times in a step of a GAN.)
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
    """A weight as a matrix; that of a convolution is a view if the memory is channels last."""
    return weight.permute(0, 2, 3, 1).flatten(1) if weight.ndim == 4 else weight


def spectral(layer: Layer) -> Layer:
    """Normalise the weight of a linear layer or a convolution; return the layer."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    parametrize.register_parametrization(layer, "weight", SpectralNorm(len(weight)))
    return layer


def settle(network: nn.Module) -> None:
    """Take a power iteration for every normalised weight of a network, once per training step."""
    for weights in network.modules():
        if isinstance(weights, parametrize.ParametrizationList):
            for each in weights:
                if isinstance(each, SpectralNorm):
                    each.settle(weights.original)


def draw_vectors(network: nn.Module, generator: torch.Generator) -> None:
    """Draw the vectors from which power iterations start."""
    for layer in network.modules():
        if isinstance(layer, SpectralNorm):
            layer.u.normal_(generator=generator)
            layer.u.copy_(normalize(layer.u, dim=0))
