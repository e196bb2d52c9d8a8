"""Ada-GVAE (Locatello et al., "Weakly-Supervised Disentanglement Without Compromises", ICML 2020)."""

import math
from typing import TYPE_CHECKING

from engine.errors import ConfigError
from engine.methods.base import Batch, Context, MethodSettings, Posterior, Supervision, Term
from engine.methods.gaussian import GaussianMethod
from engine.methods.samplers import PairsAlike, Sampler
from engine.methods.updates import update
from engine.system.fields import Weight, setting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from engine.data.dataset import Dataset


class PairSettings(MethodSettings):
    """The weight of KL, and what the pairs are."""

    beta: Weight = setting(
        1.0,
        "β",
        "Weight of the KL divergence of the posteriors, after those of shared latents have been averaged.",
        ge=0,
        le=1000,
    )
    changing: int | None = setting(
        None,
        "Factors that change",
        "Number of factors that are redrawn for the second image of a pair; the images share all others. Empty: for "
        "each pair, with equal probability, either 1 or a random number up to all but one.",
        unit="factors",
        empty="drawn",
        ge=1,
        le=64,
    )


class AdaGvae(GaussianMethod):
    """A VAE of pairs of images that share most factors: what both posteriors agree on is averaged.

    For each pair the latents whose posteriors differ more than half-way between the least and the most different one
    are taken as changed and keep them; the others get one posterior for both images, the average of means and of
    variances (the group VAE of Hosoya 2019, section 4 of the paper). Nobody says which factors changed, nor how many.
    """

    title = short = "Ada-GVAE"
    about = "learns from pairs of images that share most factors"
    formula = "reconstruction loss + β KL, means over pairs of images whose shared latents are averaged"
    source = "Locatello et al. 2020"
    supervision = Supervision.WEAK
    needs_factors = True
    colour = 6
    Settings = PairSettings
    terms = (
        Term(
            "changed_latents",
            "Changed latents",
            "latents",
            "Mean number of latents per pair that are taken as changed. It should decrease to the number of factors "
            "that change.",
        ),
    )

    def sampler(self, dataset: "Dataset", indices: "NDArray[np.int64]") -> Sampler:
        """Pairs: each image once an epoch, with a partner. Raises ConfigError for data without factors."""
        config = self.config
        if dataset.factors is None:
            raise ConfigError(f"{dataset.title} has no ground-truth factors to choose pairs by.")
        steps_per_epoch = config.steps_per_epoch(len(indices))
        changing = self.settings.changing
        return PairsAlike(indices, config.batch_size, config.seed, steps_per_epoch, dataset.factors, changing)

    def step(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """One update of encoder and decoder by a batch of pairs."""
        from engine.methods.terms import kl_per_latent, reconstruction_per_image

        mean, log_variance = self.encode(batch.images)
        posterior, changed = shared(mean, log_variance)
        z = self.sample(posterior, context.noise)
        reconstruction = reconstruction_per_image(self.logits(z, batch.labels), batch.images).mean()
        kl_each = kl_per_latent(*posterior).mean(0)
        loss = reconstruction + self.settings.beta * kl_each.sum()
        [optimiser] = context.optimisers.values()
        update(optimiser, loss)
        found = {"loss": loss, "reconstruction": reconstruction, "kl": kl_each.sum(), "kl_per_latent": kl_each}
        found |= {"changed_latents": changed.float().sum(1).mean()}
        return {name: value.detach() for name, value in found.items()}


def shared(mean: "Tensor", log_variance: "Tensor") -> "tuple[Posterior, Tensor]":
    """Average the posteriors of the latents that a pair shares.

    `mean` and `log_variance` are (2 n, latents), the first images of n pairs, then the second ones. Returns posteriors
    of the same shape, and which latents changed, bool (n, latents): those whose posteriors' KL divergence (of the first
    from the second) is in the upper of two halves of its range over the latents.
    """
    import torch

    first, second = mean.chunk(2)
    of_first, of_second = log_variance.chunk(2)
    with torch.no_grad():
        ratio = (of_first - of_second).exp()
        divergence = ratio + (second - first).square() / of_second.exp() - 1 + of_second - of_first
        low, high = divergence.aminmax(dim=1, keepdim=True)
        changed = divergence >= (low + high) / 2
    average = (first + second) / 2
    of_average = torch.logaddexp(of_first, of_second) - math.log(2)
    own = torch.cat([changed, changed])
    both = Posterior(torch.cat([average, average]), torch.cat([of_average, of_average]))
    return Posterior(mean.where(own, both.mean), log_variance.where(own, both.log_variance)), changed
