"""DAVA (Estermann & Wattenhofer, "DAVA: Disentangling Adversarial Variational Autoencoder", ICLR 2023), as in the
authors' code (besterma/dava, train_dava.py): an annealed VAE that sets its own pace.

A discriminator sees reconstructions, and decodings of latents that were each taken from another image of the batch: of
the factorised aggregate posterior. While it cannot tell them apart, images put together from any latents look like
those put together from latents that belong together, and the latents may carry more.
"""

import math
from typing import TYPE_CHECKING, cast

from engine.methods.base import CAPACITY, Batch, Context, MethodSettings, Term
from engine.methods.gaussian import GaussianMethod
from engine.methods.updates import update
from engine.system.fields import Weight, setting
from engine.system.numbers import exact_text
from engine.system.schedule import weight_text

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from engine.networks.dava import DavaNetworks
    from engine.networks.vae import VAE
    from engine.settings.run_config import RunConfig

CHANCE, TELLING = 0.501, 0.51
"""Accuracies up to which the capacity rises, and above which it falls."""

CONFIDENCE = 0.6
"""Probability from which the discriminator decides on "reconstruction", and range of its targets from 0 or 1.

One that knows nothing outputs 0.5, thus always decides on "not a reconstruction", and is right for exactly half of the
images.
"""

DEGREE = 4
"""Power of the distance between KL and capacity."""

NORM = 1.0
"""Largest norm of a gradient, of all weights of the VAE or of the discriminator; larger ones are scaled down to it."""


class DavaSettings(MethodSettings):
    """How strongly KL is held at the capacity, how the capacity changes, and the weights of the other objectives."""

    gamma: Weight = setting(
        500.0,
        "γ",
        "Weight of the distance between KL and the capacity C, both per latent, to the fourth power.",
        ge=0,
        le=100_000,
    )
    capacity_step: float = setting(
        4e-5,
        "Step of C",
        "How far the capacity changes in a training step, per latent: it rises while the discriminator is at chance, "
        "and falls while it can tell the images apart.",
        unit="nats",
        ge=1e-9,
        le=10,
    )
    capacity_limit: float = setting(
        8.0, "Largest C", "Upper limit of the capacity, per latent.", unit="nats", ge=0.01, le=100
    )
    adversarial_weight: Weight = setting(
        0.3,
        "Weight of the encoder's objective",
        "Weight of making reconstructions look to the discriminator like decodings of latents from several images, for "
        "each per cent of its accuracy above 50. 0: the discriminator only controls the capacity.",
        ge=0,
        le=1000,
    )
    decoder_weight: float = setting(
        1e-3,
        "Weight of the decoder's objective",
        "The same for the decoder: weight of making decodings of latents from several images look like "
        "reconstructions; constant from an accuracy of 51 % on.",
        ge=0,
        le=1000,
    )
    discriminator_rate: float = setting(
        1e-4, "Discriminator's rate", "Learning rate of the discriminator's own Adam optimiser.", ge=1e-7, le=1
    )


class Dava(GaussianMethod):
    """An annealed VAE whose capacity is controlled by a discriminator of images.

    In a step, the VAE is updated on reconstruction loss + gamma ((KL - C) / latents)^4, then the discriminator, then
    the capacity, and then the VAE again, with the first gradient plus those of the encoder's and the decoder's own
    objectives, as in the authors' code. Unlike there, the discriminator sees its images in one batch instead of two
    that are mixed alike, and the capacity does not fall below 0.
    """

    title = short = "DAVA"
    about = "KL is held at a capacity that rises while a discriminator is at chance"
    formula = "reconstruction loss + γ ((KL − C) / latents)⁴, where C rises while a discriminator is at chance"
    source = "Estermann & Wattenhofer 2023"
    colour = 3
    Settings = DavaSettings
    terms = (
        Term(
            CAPACITY,
            "Capacity C",
            "nats",
            "The value at which KL is held. It rises while the discriminator is at chance, stays while its accuracy is "
            "just above 50 %, and falls above 51 %: a plateau means that more information would make the latents "
            "depend on each other.",
        ),
        Term(
            "discriminator_accuracy",
            "Discriminator, accuracy",
            "",
            "Share of images that it correctly classifies as reconstructions or as decodings of latents from several "
            "images. 0.5: it cannot tell them apart, and C rises; well above: the latents depend on each other, and C "
            "falls.",
        ),
        Term(
            "discriminator_loss",
            "Discriminator",
            "nats",
            "Its cross-entropy with targets drawn from 0.4 to 1 and from 0 to 0.6. ln 2 = 0.69 if it cannot tell, 0.61 "
            "if it always can.",
        ),
    )

    settings: DavaSettings

    @classmethod
    def advice(cls, config: "RunConfig") -> str:
        """Suggest a smaller gamma."""
        return f" or a smaller γ (it is {weight_text(config.method.gamma)})"

    @classmethod
    def optimiser_words(cls, config: "RunConfig") -> str:
        """Both optimisers, and what the discriminator is."""
        return (
            f"{super().optimiser_words(config)}, two steps for each batch, and for the discriminator (four "
            "convolutions of 32-32-64-64 channels with ReLU and instance normalisation, and a layer of 256 units with "
            f"ReLU and batch normalisation) Adam with {exact_text(config.method.discriminator_rate)}; gradients were "
            f"scaled down to a norm of {NORM:g}"
        )

    # Its networks

    @property
    def _parts(self) -> "DavaNetworks":
        return cast("DavaNetworks", self.networks)

    @property
    def vae(self) -> "VAE":
        """Encoder and decoder."""
        return self._parts.vae

    @property
    def discriminator(self) -> "nn.Module":
        """Images (n, channels, side, side) in 0..1 to logits (n,) of being a reconstruction."""
        return self._parts.discriminator

    def build(self) -> "nn.Module":
        """The VAE and the discriminator."""
        from engine.networks.dava import DavaNetworks

        return DavaNetworks(self.spec)

    def optimisers(self) -> "dict[str, torch.optim.Optimizer]":
        """One Adam for each network."""
        from torch.optim import Adam

        rate = self.settings.discriminator_rate
        return {
            "vae": Adam(self.vae.parameters(), lr=self.config.learning_rate, fused=True),
            "discriminator": Adam(self.discriminator.parameters(), lr=rate, fused=True),
        }

    # The capacity

    @property
    def capacity(self) -> float:
        """The capacity of all latents, in nats."""
        own = self.settings
        return self.latents * min(own.capacity_limit, int(self._parts.moves) * own.capacity_step)

    def pace(self, accuracy: float) -> None:
        """Move the capacity a step forward, back, or not, by the discriminator's accuracy in a batch, 0..1."""
        most = math.ceil(self.settings.capacity_limit / self.settings.capacity_step)
        by = 1 if accuracy <= CHANCE else 0 if accuracy <= TELLING else -1
        self._parts.moves.add_(by).clamp_(0, most)

    # Its training

    def step(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """An update of the VAE, one of the discriminator, a move of the capacity, and a second update of the VAE."""
        found = self._learn(batch, context)
        found["capacity"] = found["loss"].new_tensor(self.capacity)
        self.vae.eval()  # the discriminator's images are decoded in evaluation mode, as in the authors' code
        posterior = self.encode(batch.images)
        z = self.sample(posterior, context.noise)
        reconstructed = self.decode(z, batch.labels)
        mixtures = self.decode(mixed_latents(z.detach(), context.noise), batch.labels)
        self.vae.train()
        wrong, accuracy = self._discriminate(reconstructed.detach(), mixtures.detach(), context)
        self.pace(accuracy)
        self._deceive(reconstructed, mixtures, accuracy)
        context.optimisers["vae"].step()
        found |= {"discriminator_loss": wrong, "discriminator_accuracy": wrong.new_tensor(accuracy)}
        return {name: value.detach() for name, value in found.items()}

    def _learn(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """Update the VAE on its own objective, and return that and its terms."""
        from engine.methods.terms import kl_per_latent, reconstruction_per_image

        posterior = self.encode(batch.images)
        z = self.sample(posterior, context.noise)
        reconstruction = reconstruction_per_image(self.logits(z, batch.labels), batch.images).mean()
        kl_each = kl_per_latent(*posterior).mean(0)
        distance = (kl_each.sum() - self.capacity) / self.latents
        loss = reconstruction + self.settings.gamma * distance**DEGREE
        update(context.optimisers["vae"], loss, largest=NORM)
        return {"loss": loss, "reconstruction": reconstruction, "kl": kl_each.sum(), "kl_per_latent": kl_each}

    def _discriminate(self, reconstructed: "Tensor", mixtures: "Tensor", context: Context) -> "tuple[Tensor, float]":
        """Update the discriminator on images (n, ...) of both kinds; return its loss per image and its accuracy."""
        import torch

        judged = self.discriminator(torch.cat([reconstructed, mixtures]))
        wrong = discrimination(judged, len(reconstructed), context.noise)
        update(context.optimisers["discriminator"], wrong.sum(), largest=NORM)
        return wrong.mean(), accuracy_of(judged, len(reconstructed))

    def _deceive(self, reconstructed: "Tensor", mixtures: "Tensor", accuracy: float) -> None:
        """Add the gradients of the encoder's and the decoder's own objectives, by the discriminator's accuracy."""
        import torch
        from torch.nn.functional import softplus

        own, above = self.settings, max(0.0, 100 * (accuracy - 0.5))
        weights = own.adversarial_weight * above, own.decoder_weight * min(1.0, above)
        encoder, decoder = (list(part.parameters()) for part in (self.vae.encoder, self.vae.decoder))
        if any(weights):
            number = len(reconstructed)
            self.discriminator.eval()
            judged = self.discriminator(torch.cat([reconstructed, mixtures]))
            self.discriminator.train()
            # Cross-entropies, summed over images, with the other kind: 0 of reconstructions, 1 of the others.
            (weights[0] * softplus(judged[:number]).sum()).backward(inputs=encoder, retain_graph=True)
            (weights[1] * softplus(-judged[number:]).sum()).backward(inputs=decoder)
        torch.nn.utils.clip_grad_norm_(encoder, NORM)


def mixed_latents(z: "Tensor", noise: "torch.Generator") -> "Tensor":
    """Give each row latents of rows drawn for each, with replacement: (n, latents) to the same shape.

    A draw from the factorised aggregate posterior of the batch.
    """
    import torch

    return z.gather(0, torch.randint(len(z), z.shape, generator=noise, device=z.device))


def discrimination(judged: "Tensor", reconstructions: int, noise: "torch.Generator") -> "Tensor":
    """Cross-entropy of each image, (n,), in nats, from logits (n,) of which the first belong to reconstructions.

    Targets are drawn evenly: of reconstructions from 1 - `CONFIDENCE` to 1, of the others from 0 to `CONFIDENCE`.
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    targets = CONFIDENCE * torch.rand(len(judged), generator=noise, device=judged.device)
    targets[:reconstructions] = 1 - targets[:reconstructions]
    return binary_cross_entropy_with_logits(judged, targets, reduction="none")


def accuracy_of(judged: "Tensor", reconstructions: int) -> float:
    """Share of logits, (n,), on the right side of `CONFIDENCE`, of which the first belong to reconstructions."""
    said = judged.detach() >= math.log(CONFIDENCE / (1 - CONFIDENCE))
    right = said[:reconstructions].sum() + (~said[reconstructions:]).sum()
    return int(right) / len(judged)
