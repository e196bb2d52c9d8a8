"""The variational autoencoder: encoder and decoder joined, plain or conditional."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.networks.decoder import Decoder
from engine.networks.encoder import Encoder


class VAE(nn.Module):
    """A VAE with Gaussian posterior and Bernoulli pixels (Kingma & Welling 2014).

    With `classes` > 0 it is conditional: the one-hot label joins the latents before the decoder; the encoder
    does not see it (the report's section 2.4). The sigmoid lives in the loss and in `decode`.

    Parameters
    ----------
    image_shape
        Height, width, channels; height and width equal and 28, 32, 64 or 128; 1 or 3 channels.
    latents
        Number of latent variables.
    classes
        Number of label classes the decoder is given; 0 for none.
    """

    def __init__(self, image_shape: tuple[int, int, int], latents: int, classes: int = 0) -> None:
        super().__init__()
        side, _, channels = image_shape
        self.image_shape = image_shape
        self.latents = latents
        self.classes = classes
        self.encoder = Encoder(channels, side, latents)
        self.decoder = Decoder(channels, side, latents + classes)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (n, channels, side, side) in 0..1 to posterior mean and log-variance, each (n, latents)."""
        mean, log_variance = self.encoder(images)
        return mean, log_variance

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images in 0..1 to logits of their reconstructions at the posterior mean, (n, channels, side, side)."""
        return self.logits(self.encode(images)[0], labels)

    def logits(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents (n, latents), and class numbers (n,) if conditional, to logits (n, channels, side, side)."""
        if self.classes:
            if labels is None:
                raise ValueError("a conditional model decodes latents together with labels")
            z = torch.cat([z, functional.one_hot(labels, self.classes).to(z.dtype)], dim=1)
        logits: Tensor = self.decoder(z)
        return logits

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents to pixel probabilities in 0..1, (n, channels, side, side)."""
        return torch.sigmoid(self.logits(z, labels))


def sample(mean: Tensor, log_variance: Tensor, generator: torch.Generator) -> Tensor:
    """Draw z from the posterior: mean + sigma * noise (the reparameterisation), (n, latents)."""
    noise = torch.empty_like(mean).normal_(generator=generator)
    return torch.addcmul(mean, torch.exp(0.5 * log_variance), noise)


def initialise(model: nn.Module, generator: torch.Generator) -> None:
    """Draw all weights as PyTorch does by default, but from this generator instead of the global one.

    Kaiming-uniform with a = sqrt(5), that is uniform within 1 / sqrt(fan in), for weights and biases.
    """
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
            if layer.bias is not None:
                bound = 1 / math.sqrt(layer.weight[0].numel())
                nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
