"""Terms of the methods' objectives, in nats, as functions of tensors."""

import math
from collections.abc import Callable

import torch
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


def squared_error_per_image(logits: Tensor, images: Tensor) -> Tensor:
    """Squared difference between pixel probabilities and pixels, summed over the pixels of each image, (n,).

    `logits` and `images` (0..1) are (n, channels, height, width).
    """
    return (logits.sigmoid() - images).square().flatten(1).sum(1)


def kl_from_uniform(log_probabilities: Tensor) -> Tensor:
    """KL divergence of each latent's posterior over K categories from the uniform distribution, in nats, (n, latents).

    `log_probabilities` is (n, latents, K). Closed form: log K - entropy (Jang et al., "Categorical Reparameterization
    with Gumbel-Softmax", ICLR 2017, section 3).
    """
    return math.log(log_probabilities.shape[-1]) + (log_probabilities.exp() * log_probabilities).sum(-1)


def total_correlation(mean: Tensor, log_variance: Tensor, z: Tensor, images: int, *, weighted: bool = False) -> Tensor:
    """Total correlation of z over all training images, estimated from the batch, a scalar in nats.

    `mean` and `log_variance` of each image's posterior, and `z` drawn from it, are (n, latents), with n at least 2; the
    batch was drawn from `images` training images.

    R. T. Q. Chen et al., "Isolating Sources of Disentanglement in VAEs", NeurIPS 2018, minibatch stratified sampling
    (appendix C): in the mixture q(z) an image's own posterior has weight 1/N and the others of the batch share the
    rest, here evenly; q(z) is then estimated without bias, and exactly if the batch is the complete data set.

    `weighted`: the paper's minibatch weighted sampling, where all posteriors of the batch have the same weight. The
    weights there are 1/(n N) with N images; 1/n here leaves out the constant (latents - 1) ln N, which has no gradient,
    so that this is the total correlation of the batch's mixture, and exact for the complete data set, too.
    """
    n = len(z)
    deviations = (z[:, None] - mean) * (-0.5 * log_variance).exp()
    densities = -0.5 * (deviations.square() + log_variance + math.log(2 * math.pi))
    if weighted:
        weights = z.new_full((n, n), -math.log(n))
    else:
        weights = z.new_full((n, n), math.log((images - 1) / (images * (n - 1))))
        weights.fill_diagonal_(-math.log(images))
    joint = (densities.sum(2) + weights).logsumexp(1)
    product = (densities + weights[:, :, None]).logsumexp(1).sum(1)
    return (joint - product).mean()


def covariance(values: Tensor) -> Tensor:
    """Covariance of columns over the rows, divided by their number: (n, columns) to (columns, columns)."""
    centred = values - values.mean(0)
    return centred.T @ centred / len(values)


def distance_from_identity(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of squares of a matrix minus the identity: of what is off the diagonal, and of the diagonal."""
    diagonal = matrix.diagonal()
    return (matrix - diagonal.diag()).square().sum(), (diagonal - 1).square().sum()


def rbf(squared_distances: Tensor, width: float) -> Tensor:
    """Gaussian kernel, exp(-distance^2 / width)."""
    return (-squared_distances / width).exp()


def imq(squared_distances: Tensor, width: float) -> Tensor:
    """Inverse multiquadratic kernel, width / (width + distance^2)."""
    return width / (width + squared_distances)


def discrepancy(one: Tensor, other: Tensor, kernel: Callable[[Tensor, float], Tensor], width: float) -> Tensor:
    """Squared maximum mean discrepancy of two distributions, from n draws of each, (n, columns) with n at least 2.

    Gretton et al., "A Kernel Two-Sample Test", JMLR 2012, Eq. 3: without bias, so it can be negative.
    """
    n = len(one)
    both = torch.cat([one, other])
    norms = both.square().sum(1)
    alike = kernel((norms[:, None] + norms - 2 * both @ both.T).clamp(min=0), width)
    alike = alike - alike.diagonal().diag()
    pairs = n * (n - 1)
    return alike[:n, :n].sum() / pairs + alike[n:, n:].sum() / pairs - 2 * alike[:n, n:].mean()
