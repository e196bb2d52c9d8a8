"""InfoGAN (X. Chen et al., "InfoGAN: Interpretable Representation Learning by Information Maximizing Generative
Adversarial Nets", NeurIPS 2016), with the networks and numbers of the authors' code for MNIST.

Noise and codes are drawn and an image is generated from them; a discriminator D tells generated images from real ones,
and a recogniser Q, which shares all but D's last layer, recovers the codes of a generated image. One code is
categorical, the others uniform in -1..1. The networks minimise (Eqs. 5 and 6; the generator in its non-saturating form)

    D and Q:      -E[log D(x)] - E[log(1 - D(G(z, c)))] - lambda I
    generator:    -E[log D(G(z, c))] - lambda I
    I = sum over codes of H(c) + E[log Q(c | G(z, c))], a lower bound on their mutual information with the image.
"""

import math
from typing import TYPE_CHECKING

from engine.methods.base import Batch, Context, MethodSettings, Posterior, Term
from engine.methods.code_gan import (
    BETA_1,
    DISCRIMINATOR,
    GENERATOR,
    CodeGan,
    discriminator_loss,
    generator_loss,
    information_of_uniform,
)
from engine.methods.latents import Latent
from engine.methods.updates import update
from engine.system.fields import Weight, setting
from engine.system.numbers import exact_text

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.networks.info_gan import InfoGanNetworks
    from engine.settings.run_config import RunConfig


class InfoGanSettings(MethodSettings):
    """The codes, and the weight of the information about them."""

    information_weight: Weight = setting(
        1.0,
        "λ",
        "Weight of the mutual information between codes and image. 0 is a plain GAN, whose codes have no meaning.",
        ge=0,
        le=1000,
    )
    categories: int = setting(
        10, "Categories", "Number of values of the categorical code. MNIST has ten digits.", ge=2, le=64
    )
    continuous_codes: int = setting(
        2,
        "Continuous codes",
        "Number of codes besides the category, uniform from −1 to 1, for properties such as slant and width.",
        ge=0,
        le=64,
    )
    noise: int = setting(
        62,
        "Noise",
        "Number of noise variables, uniform from −1 to 1, from which images are generated but which are not recovered.",
        ge=1,
        le=1024,
    )
    discriminator_rate: float = setting(
        2e-4, "Rate of D and Q", "Learning rate of the Adam optimiser of discriminator and recogniser.", ge=1e-7, le=1
    )
    generator_rate: float = setting(
        1e-3, "Rate of G", "Learning rate of the Adam optimiser of the generator.", ge=1e-7, le=1
    )


class InfoGan(CodeGan):
    """InfoGAN, with a categorical code and continuous ones.

    z is the number of the category, then the continuous codes.

    D and Q see real and generated images in separate batches, each with its own batch normalisation. Their running
    statistics are those of real images only, since `encode` is applied to real images; the generator's are those of
    generated images.
    """

    title = short = "InfoGAN"
    about = "a GAN whose codes can be read from its images"
    formula = "losses of generator and discriminator − λ I(c; image)"
    source = "Chen et al. 2016; I is a lower bound on the mutual information between codes and image"
    Settings = InfoGanSettings
    terms = (
        DISCRIMINATOR,
        GENERATOR,
        Term(
            "category_information",
            "Category",
            "nats",
            "Lower bound on the information that an image carries about its category. 0: none; log of the number of "
            "categories (2.30 for ten): the category can always be recovered.",
        ),
        Term(
            "continuous_information",
            "Continuous codes",
            "nats",
            "The same for the continuous codes, computed as in the authors' code, with entropies of N(0, 1): at most "
            "1/6 per code, if each is recovered exactly.",
        ),
    )

    networks: "InfoGanNetworks"
    settings: InfoGanSettings

    # What it is

    @classmethod
    def latents_of(cls, config: "RunConfig") -> tuple[Latent, ...]:
        """The category, then the continuous codes, traversed in the same number of steps."""
        own: InfoGanSettings = config.method
        return (Latent.categorical(own.categories), *[Latent.uniform(own.categories)] * own.continuous_codes)

    @classmethod
    def rate_words(cls, config: "RunConfig") -> str:
        """Both learning rates."""
        own: InfoGanSettings = config.method
        generator, others = exact_text(own.generator_rate), exact_text(own.discriminator_rate)
        return f"{generator} for the generator and {others} for discriminator and recogniser"

    @classmethod
    def optimiser_words(cls, config: "RunConfig") -> str:
        """Two optimisers."""
        rates = cls.rate_words(config)
        return f"Adam (β1 = {BETA_1:g}) with a learning rate of {rates}, which took steps in turn"

    @classmethod
    def network_words(cls, config: "RunConfig", side: int) -> str:
        """Generator, discriminator and recogniser."""
        own: InfoGanSettings = config.method
        maps = f"128 × {side // 4} × {side // 4}" if side else "128 maps of a quarter of the side"
        continuous = f", {own.continuous_codes} codes from U(−1, 1)" if own.continuous_codes else ""
        return (
            f"The generator takes {own.noise} noise variables from U(−1, 1){continuous} and a category of "
            f"{own.categories} as one-hot: layers of 1,024 and {maps} units, then transposed convolutions (64 channels "
            "and the image's; kernels of 4 pixels, stride 2), batch normalisation and ReLU after all but the last, "
            "which ends in a sigmoid. Discriminator and recogniser share two convolutions (64-128 channels, kernels of "
            "4 pixels, stride 2) and a layer of 1,024 units, leaky ReLU after each, batch normalisation after all but "
            "the first; the recogniser has a further layer of 128 units and gives probabilities of the categories and "
            "means of the continuous codes, their standard deviation fixed at 1."
        )

    # Its networks

    def build(self) -> "InfoGanNetworks":
        """Generator, and discriminator with recogniser."""
        from engine.networks.info_gan import InfoGanNetworks

        side, _, channels = self.spec.image_shape
        return InfoGanNetworks(self.settings.noise, self._inputs, side, channels)

    @property
    def _inputs(self) -> int:
        """Number of the generator's inputs for codes."""
        return self.settings.categories + self.settings.continuous_codes

    def initialise(self, generator: "torch.Generator") -> None:
        """Draw all weights as the authors' code does, and the fixed noise."""
        self.networks.initialise(generator)

    # Its training

    def optimisers(self) -> "dict[str, torch.optim.Optimizer]":
        """Return one for discriminator and recogniser, and one for the generator."""
        from torch.optim import Adam

        parts = {
            "recogniser": (self.networks.recogniser, self.settings.discriminator_rate),
            "generator": (self.networks.generator, self.settings.generator_rate),
        }
        return {
            name: Adam(part.parameters(), lr=rate, betas=(BETA_1, 0.999), fused=True)
            for name, (part, rate) in parts.items()
        }

    def step(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """Update discriminator and recogniser once, then the generator with new noise and codes."""
        of_discriminator, objective = self.recogniser_losses(batch.images, context.noise)
        update(context.optimisers["recogniser"], objective)
        of_generator, information = self.generator_losses(len(batch.images), context.noise)
        update(context.optimisers["generator"], of_generator - self._weight * sum(information))
        category, continuous = information
        found = {
            "loss": of_discriminator + of_generator - self._weight * (category + continuous),
            "discriminator_loss": of_discriminator,
            "generator_loss": of_generator,
            "category_information": category,
            "continuous_information": continuous,
        }
        return {name: value.detach() for name, value in found.items()}

    @property
    def _weight(self) -> float:
        return self.settings.information_weight

    def recogniser_losses(self, images: "Tensor", noise: "torch.Generator") -> "tuple[Tensor, Tensor]":
        """Return the discriminator's loss, and what D and Q minimise, scalars in nats; `images` (n, ...) are real."""
        import torch

        from engine.networks.info_gan import unrecorded

        inputs = self.draw(len(images), noise)
        with torch.no_grad():
            generated = self.networks.generator(inputs).sigmoid()
        real, _ = self.networks.recogniser(images)
        with unrecorded(self.networks.recogniser):
            fake, said = self.networks.recogniser(generated)
        loss = discriminator_loss(real, fake)
        return loss, loss - self._weight * sum(self.information(said, inputs))

    def generator_losses(self, number: int, noise: "torch.Generator") -> "tuple[Tensor, tuple[Tensor, Tensor]]":
        """Return the generator's loss on this number of images, and `information` of their codes, scalars in nats."""
        from engine.networks.info_gan import unrecorded

        inputs = self.draw(number, noise)
        with unrecorded(self.networks.recogniser):
            fake, said = self.networks.recogniser(self.networks.generator(inputs).sigmoid())
        return generator_loss(fake), self.information(said, inputs)

    def draw(self, number: int, noise: "torch.Generator") -> "Tensor":
        """Draw the generator's inputs: noise, one-hot categories, continuous codes; (n, noise + codes)."""
        import torch
        from torch.nn import functional

        own, device = self.settings, self.networks.fixed_noise.device
        drawn = torch.empty(number, own.noise + own.continuous_codes, device=device).uniform_(-1, 1, generator=noise)
        category = torch.randint(own.categories, (number,), generator=noise, device=device)
        one_hot = functional.one_hot(category, own.categories).to(drawn.dtype)
        return torch.cat([drawn[:, : own.noise], one_hot, drawn[:, own.noise :]], dim=1)

    def information(self, said: "Tensor", inputs: "Tensor") -> "tuple[Tensor, Tensor]":
        """Return bounds on the mutual information of image and category, and of image and continuous codes, in nats.

        `said` (n, codes) is Q's output for images generated from `inputs` (n, noise + codes). For the category it is
        log K + E[log Q].
        """
        k = self.settings.categories
        given = inputs[:, self.settings.noise :]
        category = math.log(k) + (said[:, :k].log_softmax(1) * given[:, :k]).sum(1).mean()
        return category, information_of_uniform(given[:, k:], said[:, k:])

    # Its codes

    def encode(self, images: "Tensor") -> Posterior:
        """Q's output for images: the most likely category, and the means of the continuous codes, with deviation 1."""
        import torch

        _, said = self.networks.recogniser(images)
        k = self.settings.categories
        mean = torch.cat([said[:, :k].argmax(1, keepdim=True).to(said.dtype), said[:, k:]], dim=1)
        return Posterior(mean, torch.zeros_like(mean))

    def logits(self, z: "Tensor", labels: "Tensor | None" = None) -> "Tensor":
        """Codes (n, latents) to logits (n, channels, side, side), with the fixed noise; the category is rounded."""
        import torch
        from torch.nn import functional

        k = self.settings.categories
        category = z[:, 0].round().long().clamp(0, k - 1)
        fixed = self.networks.fixed_noise.expand(z.shape[0], -1)
        inputs = torch.cat([fixed, functional.one_hot(category, k).to(z.dtype), z[:, 1:]], dim=1)
        logits: Tensor = self.networks.generator(inputs)
        return logits
