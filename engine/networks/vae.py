"""The variational autoencoder: encoder and decoder joined, plain or conditional."""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.networks.architectures import NETWORKS
from engine.networks.spec import NetworkSpec


class VAE(nn.Module):
    """A VAE with Gaussian posterior and Bernoulli pixels (Kingma & Welling 2014).

    With classes it is conditional: the one-hot label joins the latents before the decoder; the encoder does not see
    it (the report's section 2.4). The sigmoid is part of the loss and of `decode`. Images are square, their side one of
    `engine.networks.network.SIDES`, with 1 or 3 channels.

    For a method with another posterior `outputs` is how many numbers the encoder gives of an image: the network is
    asked for mean and log-variance of half as many latents, and `outputs_of` returns them as they are.
    """

    def __init__(self, spec: NetworkSpec, outputs: int | None = None) -> None:
        super().__init__()
        self.classes = spec.classes
        self.outputs = 2 * spec.latents if outputs is None else outputs
        network = NETWORKS[spec.network]
        self.encoder = network.encoder(replace(spec, latents=-(-self.outputs // 2)))
        self.decoder = network.decoder(spec)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (n, channels, side, side) in 0..1 to posterior mean and log-variance, each (n, latents)."""
        mean, log_variance = self.encoder(images)
        return mean, log_variance

    def outputs_of(self, images: Tensor) -> Tensor:
        """Images (n, channels, side, side) in 0..1 to the encoder's numbers, (n, outputs)."""
        return torch.cat(self.encode(images), dim=1)[:, : self.outputs]

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


def initialise(model: nn.Module, generator: torch.Generator, *, glorot: bool) -> None:
    """Draw all weights from this generator, never from the global one.

    With `glorot` uniformly within sqrt(6 / (fan in + fan out)), biases 0 (Glorot & Bengio 2010); else as PyTorch does:
    Kaiming-uniform with a = sqrt(5), that is uniform within 1 / sqrt(fan in), for weights and biases.
    """
    for layer in model.modules():
        if not isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            continue
        if glorot:
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        else:
            nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
            if layer.bias is not None:
                bound = 1 / math.sqrt(layer.weight[0].numel())
                nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
