"""Terms that methods are made of, in nats: functions of tensors."""

import math

from torch import Tensor
from torch.nn import functional


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


def kl_from_uniform(log_probabilities: Tensor) -> Tensor:
    """KL divergence of each latent's posterior over K categories from the uniform one, in nats, (n, latents).

    `log_probabilities` is (n, latents, K). Closed form: log K + sum over k of q_k log q_k, the entropy that is lacking
    (Jang et al., "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017, section 3).
    """
    return math.log(log_probabilities.shape[-1]) + (log_probabilities.exp() * log_probabilities).sum(-1)


def total_correlation(mean: Tensor, log_variance: Tensor, z: Tensor, images: int) -> Tensor:
    """Total correlation of z over all training images, estimated from the batch, a scalar in nats.

    `mean` and `log_variance` of each image's posterior, and `z` drawn from it, are (n, latents); the batch was drawn
    from `images` training images.

    R. T. Q. Chen et al., "Isolating Sources of Disentanglement in VAEs", NeurIPS 2018, minibatch stratified sampling
    (appendix C): in the mixture q(z) each image's own posterior weighs 1/N, the others of the batch the rest, here
    evenly, so that q(z) is estimated without bias, and exact when the batch is the whole data set.
    """
    n = len(z)
    deviations = (z[:, None] - mean) * (-0.5 * log_variance).exp()
    densities = -0.5 * (deviations.square() + log_variance + math.log(2 * math.pi))
    weights = z.new_full((n, n), math.log((images - 1) / (images * (n - 1))))
    weights.fill_diagonal_(-math.log(images))
    joint = (densities.sum(2) + weights).logsumexp(1)
    product = (densities + weights[:, :, None]).logsumexp(1).sum(1)
    return (joint - product).mean()
