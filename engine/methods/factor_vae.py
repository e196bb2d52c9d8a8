"""FactorVAE (Kim & Mnih, "Disentangling by Factorising", ICML 2018)."""

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, cast

from engine.methods.autoencoder import AutoencoderMethod
from engine.methods.base import Batch, Context, MethodSettings, Term
from engine.methods.gaussian import GaussianMethod
from engine.methods.samplers import Sampler, TwoBatches
from engine.methods.updates import update
from engine.system.fields import Weight, setting
from engine.system.numbers import exact_text

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from engine.data.dataset import Dataset
    from engine.networks.vae import VAE
    from engine.settings.run_config import RunConfig

HIDDEN, UNITS, LEAK = 6, 1000, 0.2
"""The discriminator's hidden layers, their units, and the slope of their leaky ReLU below 0 (appendix A)."""

MOMENTS = (0.5, 0.9)
"""Adam's decay rates for the discriminator (appendix A)."""


class FactorSettings(MethodSettings):
    """The weight of the total correlation, and how fast the discriminator learns."""

    gamma: Weight = setting(
        10.0,
        "γ",
        "Weight of the total correlation of the latents, as estimated by the discriminator; KL has weight 1. "
        "Published models of dSprites use 10 to 40.",
        ge=0,
        le=100_000,
    )
    discriminator_rate: float = setting(
        1e-4, "Discriminator's rate", "Learning rate of the discriminator's own Adam optimiser.", ge=1e-7, le=1
    )


class Factorising(AutoencoderMethod):
    """A VAE whose latents a discriminator cannot tell from independent ones.

    A base class to be listed before the class that defines the posterior.

    The discriminator classifies z drawn for images (class 0) and z whose latents were each permuted across the images
    of another batch, which makes them independent (class 1). The difference of its logits estimates the logarithm of
    the density ratio, and its mean the total correlation (Eq. 3 and algorithm 2 of the paper). In each step the VAE is
    updated first, then the discriminator.
    """

    batches_per_step = 2
    Settings = FactorSettings
    terms: ClassVar[tuple[Term, ...]] = (
        Term(
            "total_correlation",
            "Total correlation",
            "nats",
            "Dependence between the latents, as estimated by the discriminator. It is also low if the discriminator "
            "has not learned to detect a dependence, so read it together with the discriminator's loss.",
        ),
        Term(
            "discriminator_loss",
            "Discriminator",
            "nats",
            "Its cross-entropy. At ln 2 = 0.69 it cannot distinguish latents of one image from latents combined from "
            "several images; well below that, the latents still depend on each other.",
        ),
    )

    @classmethod
    def optimiser_words(cls, config: "RunConfig") -> str:
        """Both optimisers, and what the discriminator is."""
        rate, (first, second) = exact_text(config.method.discriminator_rate), MOMENTS
        return (
            f"{super().optimiser_words(config)}, and for the discriminator ({HIDDEN} layers of {UNITS:,} units, leaky "
            f"ReLU of slope {LEAK}) Adam with a rate of {rate} and decay rates of {first} and {second}"
        )

    @property
    def vae(self) -> "VAE":
        """Encoder and decoder."""
        return cast("VAE", self._parts["vae"])

    @property
    def discriminator(self) -> "nn.Module":
        """Latents (n, latents) to logits (n, 2): drawn for one image, permuted across images."""
        return self._parts["discriminator"]

    @property
    def _parts(self) -> "nn.ModuleDict":
        return cast("nn.ModuleDict", self.networks)

    def build(self) -> "nn.Module":
        """Return the VAE and the discriminator."""
        from torch import nn

        sizes = [self.latents, *[UNITS] * HIDDEN]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(LEAK, inplace=True)]
        return nn.ModuleDict({"vae": super().build(), "discriminator": nn.Sequential(*layers, nn.Linear(UNITS, 2))})

    def optimisers(self) -> "dict[str, torch.optim.Optimizer]":
        """Return an Adam for each network."""
        from torch.optim import Adam

        rate = self.settings.discriminator_rate
        return {
            "vae": Adam(self.vae.parameters(), lr=self.config.learning_rate, fused=True),
            "discriminator": Adam(self.discriminator.parameters(), lr=rate, betas=MOMENTS, fused=True),
        }

    def sampler(self, dataset: "Dataset", indices: "NDArray[np.int64]") -> Sampler:
        """Return two batches per step: the VAE learns from the first, the latents of the second are permuted."""
        config = self.config
        return TwoBatches(indices, config.batch_size, config.seed, config.steps_per_epoch(len(indices)))

    def step(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """Update the VAE once, then the discriminator."""
        import torch

        from engine.methods.terms import reconstruction_per_image

        images, others = batch.images.chunk(2)
        labels = None if batch.labels is None else batch.labels[: len(images)]
        posterior = self.encode(images)
        z = self.draw(posterior, context.noise)
        reconstruction = reconstruction_per_image(self.logits(z, labels), images).mean()
        kl_each = self.kl(posterior).mean(0)
        judged = self.discriminator(z)
        correlation = (judged[:, 0] - judged[:, 1]).mean()
        loss = reconstruction + kl_each.sum() + self.settings.gamma * correlation
        update(context.optimisers["vae"], loss, keep_graph=True)
        with torch.no_grad():
            independent = permuted(self.draw(self.encode(others), context.noise), context.noise)
        wrong = discrimination(judged, self.discriminator(independent))
        update(context.optimisers["discriminator"], wrong)
        found = {"loss": loss, "reconstruction": reconstruction, "kl": kl_each.sum(), "kl_per_latent": kl_each}
        found |= {"total_correlation": correlation, "discriminator_loss": wrong}
        found |= self.observed(posterior, images, labels)
        return {name: value.detach() for name, value in found.items()}


class FactorVae(Factorising, GaussianMethod):
    """FactorVAE with Gaussian posteriors."""

    title = short = "FactorVAE"
    about = "total correlation, estimated by a discriminator, is weighted by γ"
    formula = "reconstruction loss + KL + γ TC"
    source = "Kim & Mnih 2018; TC is the total correlation, estimated by a discriminator"
    colour = 5


def permuted(z: "Tensor", noise: "torch.Generator") -> "Tensor":
    """Permute each latent across the rows, independently of the others: (n, latents) to the same shape."""
    import torch

    order = torch.rand(z.shape, generator=noise, device=z.device).argsort(0)
    return z.gather(0, order)


def discrimination(of_images: "Tensor", shuffled: "Tensor") -> "Tensor":
    """Mean cross-entropy of a classifier with logits (n, 2): the first belong to class 0, the others to class 1."""
    from torch.nn.functional import cross_entropy

    first = cross_entropy(of_images, of_images.new_zeros(len(of_images)).long())
    second = cross_entropy(shuffled, shuffled.new_ones(len(shuffled)).long())
    return (first + second) / 2
