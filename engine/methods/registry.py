"""The methods: what each minimises, in words and as a function, and the settings that it looks at.

The one place where a method is described; the form, the command line, the help, tables and studies take it from here.
Kingma & Welling 2014 (VAE); Higgins et al. 2017 (beta-VAE); Burgess et al. 2018 (capacity C); Chen et al. 2018
(beta-TCVAE). The equations are numbered as in Nguyen & Qiu, "Understanding Disentangled Representation in Variational
Autoencoders". Nothing is rescaled by image or batch size, so beta and gamma mean what they mean in the papers.

The functions use torch's tensors through their own methods, so that describing the methods does not load torch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

    from engine.settings.run_config import RunConfig

CAPACITY = ("gamma", "capacity_max", "capacity_epochs")
"""The settings of a method that holds KL at a capacity C."""

PAIR_BYTES = 25
"""Memory that the β-TCVAE takes for a latent of two images of a batch, as measured with a batch of 2,048."""


@dataclass(frozen=True, slots=True)
class Codes:
    """What the encoder says of a batch, and the capacity; all but `kl` and `capacity` are (n, latents).

    `kl` is the KL divergence from N(0, 1), summed over latents, mean over the batch, a scalar in nats; `capacity` is C
    in nats, 0 for methods without one; `z` was drawn from the posterior N(mean, exp(log_variance)); the batch was drawn
    from `images` training images.
    """

    kl: "Tensor"
    capacity: float
    mean: "Tensor"
    log_variance: "Tensor"
    z: "Tensor"
    images: int


Penalty: TypeAlias = "Callable[[Codes, RunConfig], Tensor]"
"""What is minimised beside the reconstruction loss: a scalar in nats."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method: `title`, and `short` for narrow places; `formula` and `source` say what it minimises.

    `settings` are those settings, by their names in RunConfig, that it looks at and not all others do; the first is the
    weight that stands in its formula. `warning` gives a sentence where valid settings do not go with the method or
    cost much, else nothing.
    """

    title: str
    short: str
    formula: str
    source: str
    penalty: Penalty
    settings: tuple[str, ...] = ()
    warning: "Callable[[RunConfig], str] | None" = None

    @property
    def annealed(self) -> bool:
        """Whether it has a capacity C."""
        return "capacity_max" in self.settings


def total_correlation(codes: Codes) -> "Tensor":
    """Total correlation of z over all training images, estimated from the batch, a scalar in nats.

    R. T. Q. Chen et al., "Isolating Sources of Disentanglement in VAEs", NeurIPS 2018, minibatch stratified sampling
    (appendix C): in the mixture q(z) each image's own posterior weighs 1/N, the others of the batch the rest, here
    evenly, so that q(z) is estimated without bias, and exact when the batch is the whole data set.
    """
    n = len(codes.z)
    deviations = (codes.z[:, None] - codes.mean) * (-0.5 * codes.log_variance).exp()
    densities = -0.5 * (deviations.square() + codes.log_variance + math.log(2 * math.pi))
    weights = codes.z.new_full((n, n), math.log((codes.images - 1) / (codes.images * (n - 1))))
    weights.fill_diagonal_(-math.log(codes.images))
    joint = (densities.sum(2) + weights).logsumexp(1)
    product = (densities + weights[:, :, None]).logsumexp(1).sum(1)
    return (joint - product).mean()


def _vae(codes: Codes, config: "RunConfig") -> "Tensor":
    return codes.kl


def _beta_vae(codes: Codes, config: "RunConfig") -> "Tensor":
    return config.beta * codes.kl


def _annealed_abs(codes: Codes, config: "RunConfig") -> "Tensor":
    return config.gamma * (codes.kl - codes.capacity).abs()


def _annealed_relu(codes: Codes, config: "RunConfig") -> "Tensor":
    return config.gamma * (codes.kl - codes.capacity).relu()


def _beta_tcvae(codes: Codes, config: "RunConfig") -> "Tensor":
    return codes.kl + (config.beta - 1) * total_correlation(codes)


def _pairs(config: "RunConfig") -> str:
    """Say how much memory the pairs of a batch take, where it is more than a GB."""
    taken = PAIR_BYTES * config.batch_size**2 * config.latents
    if taken <= 1e9:
        return ""
    return (
        f"The β-TCVAE compares every two images of a batch: with {config.batch_size:,} this takes about "
        f"{taken / 1e9:.1f} GB of memory."
    )


METHODS: dict[str, Method] = {
    "vae": Method("VAE", "VAE", "reconstruction loss + KL", "Eq. 3", _vae),
    "beta-vae": Method("β-VAE", "β-VAE", "reconstruction loss + β KL", "Eq. 4", _beta_vae, ("beta",)),
    "annealed-abs": Method(
        "Annealed VAE (abs)",
        "annealed abs",
        "reconstruction loss + γ |KL − C|",
        "Eq. 5, with C rising from 0",
        _annealed_abs,
        CAPACITY,
    ),
    "annealed-relu": Method(
        "Annealed VAE (ReLU)",
        "annealed ReLU",
        "reconstruction loss + γ ReLU(KL − C)",
        "Eq. 6, with C rising from 0",
        _annealed_relu,
        CAPACITY,
    ),
    "beta-tcvae": Method(
        "β-TCVAE",
        "β-TCVAE",
        "reconstruction loss + KL + (β − 1) TC",
        "Chen et al. 2018, TC the total correlation of the latents",
        _beta_tcvae,
        ("beta",),
        warning=_pairs,
    ),
}
"""By the name that `--objective` and config.json have."""


def unused_settings(name: str) -> frozenset[str]:
    """The settings that other methods look at and this one does not."""
    return frozenset(s for method in METHODS.values() for s in method.settings) - {*METHODS[name].settings}
