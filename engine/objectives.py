"""What is minimised: reconstruction plus a function of the KL divergence, in nats.

Kingma & Welling 2014 (VAE); Higgins et al. 2017 (beta-VAE); Burgess et al. 2018 (capacity C); the equations
are numbered as in Nguyen & Qiu, "Understanding Disentangled Representation in Variational Autoencoders".
Nothing is rescaled by image or batch size, so beta and gamma mean what they mean in the papers.
"""

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor
from torch.nn import functional

from engine.config import RunConfig

Penalty: TypeAlias = Callable[[Tensor, float, RunConfig], Tensor]


def reconstruction_per_image(logits: Tensor, images: Tensor) -> Tensor:
    """Binary cross-entropy summed over the pixels of each image, in nats, (n,).

    `logits` and `images` (0..1) are (n, channels, height, width).
    """
    loss = functional.binary_cross_entropy_with_logits(logits, images, reduction="none")
    return loss.flatten(1).sum(1)


def kl_per_latent(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of each latent's posterior from N(0, 1), in nats, (n, latents).

    Closed form for Gaussians: (mean^2 + variance - 1 - log variance) / 2 (Kingma & Welling 2014, appendix B).
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def _vae(kl: Tensor, capacity: float, config: RunConfig) -> Tensor:
    """Eq. 3."""
    return kl


def _beta_vae(kl: Tensor, capacity: float, config: RunConfig) -> Tensor:
    """Eq. 4."""
    return config.beta * kl


def _annealed_abs(kl: Tensor, capacity: float, config: RunConfig) -> Tensor:
    """Eq. 5."""
    return config.gamma * (kl - capacity).abs()


def _annealed_relu(kl: Tensor, capacity: float, config: RunConfig) -> Tensor:
    """Eq. 6."""
    return config.gamma * functional.relu(kl - capacity)


PENALTIES: dict[str, Penalty] = {
    "vae": _vae,
    "beta-vae": _beta_vae,
    "annealed-abs": _annealed_abs,
    "annealed-relu": _annealed_relu,
}


def objective(reconstruction: Tensor, kl: Tensor, capacity: float | None, config: RunConfig) -> Tensor:
    """Return the loss to minimise from the batch means of reconstruction and KL, all scalars in nats."""
    return reconstruction + PENALTIES[config.objective](kl, capacity or 0.0, config)
