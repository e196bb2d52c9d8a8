"""InfoGAN-CR (Lin et al., "InfoGAN-CR and ModelCentrality", ICML 2020), with the networks and numbers of the authors'
program for dSprites (fjxmlzn/InfoGAN-CR).

Until its contrast starts, or throughout if that has no weight, it is their "InfoGAN (modified)":
InfoGAN with spectral normalisation in discriminator and recogniser, and codes that are all uniform in -1..1. The
contrastive regulariser is a further network R that sees a pair of generated images with one code, i, in common, and
tells which. Networks minimise, with codes c, noise n and weights lambda and alpha

    R:            CE = -E[log R(i | G(n, c), G(n, c'))], c and c' agreeing in code i alone
    D and Q:      -E[log D(x)] - E[log(1 - D(G(n, c)))] - lambda I
    generator:    -E[log D(G(n, c))] - lambda I + alpha CE
    I = a lower bound on the mutual information of codes and image, as of InfoGAN.
"""

from typing import TYPE_CHECKING, NamedTuple

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
from engine.system.schedule import Schedule

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.networks.info_gan_cr import InfoGanCrNetworks
    from engine.settings.run_config import RunConfig

UPDATES = 2
"""Updates of the generator in each step (the authors' code)."""

OF_CONTRAST = ("contrast_loss", "contrast_accuracy")
"""The terms that exist only with a contrast."""


class InfoGanCrSettings(MethodSettings):
    """The codes, the weight of the information about them, and the contrast between them."""

    information_weight: Weight = setting(
        0.05, "λ", "Weight of the mutual information between codes and image.", ge=0, le=1000
    )
    contrast_weight: Weight = setting(
        Schedule(0, 2, 288_000, "steps", "jump"),
        "α",
        "Weight of the contrastive regulariser. When it jumps, this network and its optimiser are reset; while it is 0 "
        "they do nothing. 0 for the complete run is the authors' “InfoGAN (modified)”.",
        ge=0,
        le=1000,
    )
    gap: Weight = setting(
        0.0,
        "Gap",
        "Smallest difference between the two images of a pair in each code that they do not share. Codes range from "
        "−1 to 1; the larger the gap, the easier the task. When it jumps, the contrastive network is reset. The "
        "authors use 0 for dSprites, and a jump from 1.9 to 0 for other images.",
        ge=0,
        le=2,
    )
    continuous_codes: int = setting(
        5, "Codes", "Number of codes, uniform from −1 to 1. dSprites has five factors.", ge=2, le=64
    )
    noise: int = setting(
        5,
        "Noise",
        "Number of noise variables, uniform from −1 to 1, from which images are generated but which are not recovered.",
        ge=1,
        le=1024,
    )
    generator_rate: float = setting(
        1e-3, "Rate of G", "Learning rate of the Adam optimiser of the generator.", ge=1e-7, le=1
    )
    discriminator_rate: float = setting(
        2e-3, "Rate of D and Q", "Learning rate of the Adam optimiser of discriminator and recogniser.", ge=1e-7, le=1
    )
    contrast_rate: float = setting(
        2e-3, "Rate of R", "Learning rate of the Adam optimiser of the contrastive regulariser.", ge=1e-7, le=1
    )


class Contrast(NamedTuple):
    """The generator's inputs for both images of each pair, (n, noise + codes), and the code that they share, (n,)."""

    first: "Tensor"
    second: "Tensor"
    shared: "Tensor"


class InfoGanCr(CodeGan):
    """A generative adversarial network whose codes change images in distinguishable ways.

    A step updates R, if there is a contrast, then D and Q, then the generator twice, all with the same codes and noise.
    The images of the first three updates are the same, and generated once. R is trained only while its weight is above
    0, since it would forget what it had learned before when it is reset.
    """

    title = short = "InfoGAN-CR"
    about = "a GAN whose codes must change images in different ways"
    formula = "losses of generator and discriminator − λ I(c; image) + α CE(i; pair)"
    source = "Lin et al. 2020; CE is the cross-entropy of a network that predicts which code two images share"
    Settings = InfoGanCrSettings
    colour = 7
    terms = (
        DISCRIMINATOR,
        GENERATOR,
        Term(
            "information",
            "Information",
            "nats",
            "Lower bound on the information that an image carries about its codes, computed as in the authors' code, "
            "with entropies of N(0, 1): 0 if none is recovered, 1/6 for each that is recovered exactly (0.83 for "
            "five).",
        ),
        Term(
            "contrast_loss",
            "Contrast",
            "nats",
            "Cross-entropy of the network that predicts which code the images of a pair share; there is none before "
            "its weight rises above 0. Log of the number of codes (1.61 for five) if it cannot tell, 0 if each code "
            "changes images in its own way.",
        ),
        Term(
            "contrast_accuracy",
            "Contrast, accuracy",
            "",
            "Share of pairs whose common code this network predicts: 1 over the number of codes (0.2 for five) by "
            "chance, 1 at best.",
        ),
    )

    networks: "InfoGanCrNetworks"
    settings: InfoGanCrSettings

    # What it is

    @classmethod
    def latents_of(cls, config: "RunConfig") -> tuple[Latent, ...]:
        """The codes."""
        own: InfoGanCrSettings = config.method
        return (Latent.uniform(),) * own.continuous_codes

    @classmethod
    def contrasts(cls, config: "RunConfig") -> bool:
        """Whether the contrast has a weight above 0 at any time."""
        weight: float | Schedule = config.method.contrast_weight
        return (max(weight.start, weight.end) if isinstance(weight, Schedule) else weight) > 0

    @classmethod
    def curves(cls, config: "RunConfig") -> tuple[str, ...]:
        """Return the names of its curves, without those of the contrast if there is none."""
        return tuple(name for name in super().curves(config) if cls.contrasts(config) or name not in OF_CONTRAST)

    @classmethod
    def rate_words(cls, config: "RunConfig") -> str:
        """The learning rates."""
        own: InfoGanCrSettings = config.method
        generator, others = exact_text(own.generator_rate), exact_text(own.discriminator_rate)
        words = f"{generator} for the generator, {others} for discriminator and recogniser"
        return f"{words}, {exact_text(own.contrast_rate)} for the pair network" if cls.contrasts(config) else words

    @classmethod
    def optimiser_words(cls, config: "RunConfig") -> str:
        """Two optimisers or three."""
        return (
            f"Adam (β1 = {BETA_1:g}) with learning rates of {cls.rate_words(config)}, which took steps in turn, the "
            "generator two"
        )

    @classmethod
    def network_words(cls, config: "RunConfig", side: int) -> str:
        """Generator, discriminator and recogniser, and the pair network."""
        from engine.networks.info_gan_cr import DISCRIMINATED, GENERATED, halvings

        own: InfoGanCrSettings = config.method
        up, down, start = "transposed convolutions", "convolutions", "the smallest"
        if side:
            number = halvings(side)
            small = side // 2**number
            up += f" ({'-'.join(map(str, GENERATED[: number - 1]))} channels and the image's)"
            down += f" ({'-'.join(map(str, DISCRIMINATED[:number]))} channels)"
            start = f"{GENERATED[0]} × {small} × {small}"
        words = (
            f"The generator takes {own.noise} noise variables and {own.continuous_codes} codes from U(−1, 1): layers "
            f"of 128 and {start} units, then {up}, kernels of 4 pixels, stride 2; ReLU after the former, leaky ReLU "
            "after the latter, and batch normalisation after all but the last, which ends in a sigmoid. "
            f"Discriminator and recogniser share {down}, kernels of 4 pixels, stride 2, and a layer of 128 units; the "
            "recogniser has a further one and gives means of the codes, their standard deviation fixed at 1; leaky "
            "ReLU, and spectral normalisation of every layer."
        )
        if cls.contrasts(config):
            words += (
                " The pair network is like the discriminator, for two images one on the other, with a last layer of "
                f"{own.continuous_codes} logits without spectral normalisation."
            )
        return words

    # Its networks

    def build(self) -> "InfoGanCrNetworks":
        """Return generator, discriminator with recogniser, and the pair network if there is a contrast."""
        from engine.networks.info_gan_cr import InfoGanCrNetworks

        own, contrast = self.settings, self.contrasts(self.config)
        side, _, channels = self.spec.image_shape
        return InfoGanCrNetworks(own.noise, own.continuous_codes, side, channels, contrast=contrast)

    def initialise(self, generator: "torch.Generator") -> None:
        """Draw all weights as the authors' code does, and the fixed noise."""
        self.networks.initialise(generator)

    # Its training

    def optimisers(self) -> "dict[str, torch.optim.Optimizer]":
        """One of discriminator and recogniser, one of the generator, and one of the pair network if there is one."""
        from torch.optim import Adam

        own, networks = self.settings, self.networks
        parts = {
            "recogniser": (networks.recogniser, own.discriminator_rate),
            "generator": (networks.generator, own.generator_rate),
            "pair": (networks.pair, own.contrast_rate),
        }
        return {
            name: Adam(part.parameters(), lr=rate, betas=(BETA_1, 0.999), fused=True)
            for name, (part, rate) in parts.items()
            if part is not None
        }

    def step(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """A step of the pair network, one of discriminator and recogniser, and two of the generator."""
        import torch

        from engine.networks.spectral_norm import settle

        own, networks, number = self.settings, self.networks, len(batch.images)
        inputs = self.draw(number, context.noise)
        contrast = self.draw_contrast(number, context.noise) if own.contrast_weight > 0 else None
        found = dict.fromkeys(OF_CONTRAST, torch.full((), torch.nan, device=inputs.device))
        generated, pairs = self.pictures(inputs), None
        if contrast is not None:
            self._begin(context)
            pairs = self.pairs(contrast)
            loss, accuracy = self.contrast_losses(pairs.detach(), contrast.shared)
            update(context.optimisers["pair"], loss)
            found = {"contrast_loss": loss, "contrast_accuracy": accuracy}
        of_discriminator, objective = self.recogniser_losses(batch.images, generated.detach(), inputs)
        update(context.optimisers["recogniser"], objective)
        for turn in range(UPDATES):
            if turn:
                generated, pairs = self.pictures(inputs), None if contrast is None else self.pairs(contrast)
            of_generator, information = self.generator_losses(generated, inputs)
            objective = of_generator - own.information_weight * information
            if pairs is not None and contrast is not None:
                objective = objective + own.contrast_weight * self.contrast_losses(pairs, contrast.shared)[0]
            update(context.optimisers["generator"], objective)
        settle(networks.recogniser)
        if contrast is not None:
            settle(self._pair)
        found |= {
            "loss": of_discriminator + of_generator - own.information_weight * information,
            "discriminator_loss": of_discriminator,
            "generator_loss": of_generator,
            "information": information,
        }
        if contrast is not None:
            found["loss"] = found["loss"] + own.contrast_weight * found["contrast_loss"]
        return {name: value.detach() for name, value in found.items()}

    @property
    def _pair(self) -> "torch.nn.Module":
        assert self.networks.pair is not None
        return self.networks.pair

    def _begin(self, context: Context) -> None:
        """Reset the pair network and its optimiser if a weight of the contrast jumps."""
        from engine.networks.info_gan_cr import initialise

        if context.jumped & {"contrast_weight", "gap"}:
            initialise(self._pair, context.noise)
            context.optimisers["pair"].state.clear()

    def pictures(self, inputs: "Tensor") -> "Tensor":
        """Images (n, channels, side, side) in 0..1 of noise and codes (n, noise + codes)."""
        images: Tensor = self.networks.generator(inputs).sigmoid()
        return images

    def pairs(self, contrast: Contrast) -> "Tensor":
        """The stacked images of pairs, (n, 2 x channels, side, side), each normalised with its own kind."""
        import torch

        return torch.cat([self.pictures(contrast.first), self.pictures(contrast.second)], dim=1)

    def recogniser_losses(self, images: "Tensor", generated: "Tensor", inputs: "Tensor") -> "tuple[Tensor, Tensor]":
        """The discriminator's loss, and what D and Q minimise, scalars in nats.

        `images` (n, ...) are real, `generated` (n, ...) from `inputs` (n, noise + codes).
        """
        import torch

        real, said = self.networks.recogniser(torch.cat([images, generated]))
        loss = discriminator_loss(real[: len(images)], real[len(images) :])
        information = self.information(said[len(images) :], inputs)
        return loss, loss - self.settings.information_weight * information

    def generator_losses(self, generated: "Tensor", inputs: "Tensor") -> "tuple[Tensor, Tensor]":
        """The generator's loss, and the `information` of its images, scalars in nats."""
        fake, said = self.networks.recogniser(generated)
        return generator_loss(fake), self.information(said, inputs)

    def contrast_losses(self, pairs: "Tensor", shared: "Tensor") -> "tuple[Tensor, Tensor]":
        """Cross-entropy in nats, and accuracy, of the pair network on pairs, (n, ...), that share a code, (n,)."""
        from torch.nn.functional import cross_entropy

        logits = self._pair(pairs)
        return cross_entropy(logits, shared), (logits.argmax(1) == shared).to(logits.dtype).mean()

    def information(self, said: "Tensor", inputs: "Tensor") -> "Tensor":
        """The bound on mutual information, a scalar, from Q's output (n, codes) and the inputs (n, noise + codes)."""
        return information_of_uniform(inputs[:, self.settings.noise :], said)

    # What images are generated from

    def draw(self, number: int, noise: "torch.Generator") -> "Tensor":
        """Draw noise and codes, (n, noise + codes), from U(-1, 1)."""
        import torch

        size = self.settings.noise + self.settings.continuous_codes
        return torch.empty(number, size, device=self.networks.fixed_noise.device).uniform_(-1, 1, generator=noise)

    def draw_contrast(self, number: int, noise: "torch.Generator") -> Contrast:
        """Draw pairs: the same noise, one code in common, and all others at least `gap` apart (the authors' code).

        A code that differs is drawn for either image from what leaves room for the gap, and half of it then added to
        the larger value and taken from the smaller.
        """
        import torch

        own, device = self.settings, self.networks.fixed_noise.device
        common = self.draw(number, noise)
        room = 1 - own.gap / 2
        first, second = torch.empty(2, number, own.continuous_codes, device=device).uniform_(
            -room, room, generator=noise
        )
        apart = torch.where(first > second, own.gap / 2, -own.gap / 2)
        shared = torch.randint(own.continuous_codes, (number,), generator=noise, device=device)
        is_shared = torch.arange(own.continuous_codes, device=device) == shared[:, None]
        same, of_noise = common[:, own.noise :], common[:, : own.noise]
        one, other = (
            torch.cat([of_noise, torch.where(is_shared, same, codes)], dim=1)
            for codes in (first + apart, second - apart)
        )
        return Contrast(one, other, shared)

    # What is seen of it

    def encode(self, images: "Tensor") -> Posterior:
        """Q's means for images, with deviation 1."""
        import torch

        _, said = self.networks.recogniser(images)
        return Posterior(said, torch.zeros_like(said))

    def logits(self, z: "Tensor", labels: "Tensor | None" = None) -> "Tensor":
        """Codes (n, latents) to logits (n, channels, side, side), with the fixed noise."""
        import torch

        fixed = self.networks.fixed_noise.expand(z.shape[0], -1)
        logits: Tensor = self.networks.generator(torch.cat([fixed, z], dim=1))
        return logits
