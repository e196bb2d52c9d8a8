"""Codebooks: a few numbers for each latent, to the nearest of which it is rounded."""

import torch
from torch import Tensor, nn

ENDS = (-0.5, 0.5)
"""First and last value of each codebook at first; the others are spaced evenly (the authors' code)."""


class Codebook(nn.Module):
    """`codes` numbers for each of `latents`, which are trained. A code's number is its place among them by size."""

    def __init__(self, latents: int, codes: int) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.linspace(*ENDS, codes).repeat(latents, 1))

    def nearest(self, outputs: Tensor) -> Tensor:
        """Numbers of the codes nearest to numbers (n, latents), the lower of two as near: integers (n, latents)."""
        return (outputs[..., None] - self._ascending()).abs().argmin(-1)

    def of(self, numbers: Tensor) -> Tensor:
        """Values of the codes with these numbers, integers (n, latents) from 0: (n, latents)."""
        return self._ascending().t().gather(0, numbers)

    def _ascending(self) -> Tensor:
        return self.values.sort(1).values


class Quantised(nn.Module):
    """A VAE's encoder and decoder, and the codebooks between them."""

    def __init__(self, vae: nn.Module, codebook: Codebook) -> None:
        super().__init__()
        self.vae, self.codebook = vae, codebook
