"""The common part of InfoGAN and its relatives: a GAN whose codes can be recovered from its images.

Noise and codes are drawn and an image is generated from them; a discriminator D tells generated images from real ones,
and a recogniser Q, which shares D's first layers, recovers the codes of a generated image.
"""

from types import MappingProxyType
from typing import TYPE_CHECKING

from engine.methods.base import Method, Term
from engine.system.schedule import weight_text

if TYPE_CHECKING:
    from torch import Tensor

    from engine.settings.run_config import RunConfig

BETA_1 = 0.5
"""First decay rate of all Adam optimisers (the authors' code)."""

NO_RECONSTRUCTION = "{} has no reconstruction loss: it recovers only the codes of an image, not its noise"
NO_KL = "{} has no posterior with a KL divergence: its recogniser estimates which codes are likely"

DISCRIMINATOR = Term(
    "discriminator_loss",
    "Discriminator",
    "nats",
    "−log D(real) − log(1 − D(generated)). 2 log 2 = 1.39 if it cannot tell them apart, 0 if it can.",
)
GENERATOR = Term(
    "generator_loss",
    "Generator",
    "nats",
    "−log D(generated). log 2 = 0.69 if the discriminator cannot tell; the more certain it is, the larger. "
    "Neither loss converges to a minimum: each network improves at the other's expense.",
)


class CodeGan(Method):
    """A generative adversarial network whose codes can be recovered from its images.

    Its settings have `information_weight`, λ. Images are decoded with one fixed noise, given by the seed, so that a
    traversal changes only codes.
    """

    ignores = frozenset({"learning_rate", "latents", "network", "normalisation", "conditional"})
    conditional = False
    colour = 6
    decoding = "All images are decoded with the same noise, so they differ in their codes alone."

    def __init_subclass__(cls) -> None:
        """Name the method in the reasons for what it lacks."""
        super().__init_subclass__()
        reasons = {"reconstruction": NO_RECONSTRUCTION, "kl": NO_KL}
        cls.lacks = MappingProxyType({name: reason.format(cls.title) for name, reason in reasons.items()})

    @classmethod
    def advice(cls, config: "RunConfig") -> str:
        """Suggest a smaller lambda."""
        return f" or a smaller λ (it is {weight_text(config.method.information_weight)})"


# Losses, scalars in nats; -log sigmoid(l) = softplus(-l), -log(1 - sigmoid(l)) = softplus(l)


def discriminator_loss(real: "Tensor", generated: "Tensor") -> "Tensor":
    """-E[log D(x)] - E[log(1 - D(G))], from D's logits (n,)."""
    from torch.nn.functional import softplus

    return softplus(-real).mean() + softplus(generated).mean()


def generator_loss(generated: "Tensor") -> "Tensor":
    """-E[log D(G)], the non-saturating form, from D's logits (n,)."""
    from torch.nn.functional import softplus

    return softplus(-generated).mean()


def information_of_uniform(codes: "Tensor", means: "Tensor") -> "Tensor":
    """Return a bound on the mutual information of image and continuous codes, given `codes` and Q's means, (n, codes).

    Q is normal with standard deviation 1, and the entropy is also computed from densities of N(0, 1), which leaves
    E[(c² - (c - mean)²) / 2], summed over codes (the authors' code).
    """
    return 0.5 * (codes.square() - (codes - means).square()).sum(1).mean()
