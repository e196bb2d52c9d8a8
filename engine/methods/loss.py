"""What is minimised: reconstruction plus what the method (engine/methods/registry.py) makes of the codes, in nats."""

from torch import Tensor
from torch.nn import functional

from engine.methods.registry import METHODS, Codes
from engine.settings.run_config import RunConfig


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


def objective(reconstruction: Tensor, codes: Codes, config: RunConfig) -> Tensor:
    """Return the loss to minimise, a scalar in nats, from the batch's mean reconstruction loss and its codes."""
    return reconstruction + METHODS[config.objective].penalty(codes, config)
