"""Ada-GVAE (Locatello et al., "Weakly-Supervised Disentanglement Without Compromises", ICML 2020)."""

import math
from typing import TYPE_CHECKING, ClassVar

from engine.methods.base import Batch, Posterior, Term
from engine.methods.pairs import PairMethod, most_changed

if TYPE_CHECKING:
    from torch import Tensor


class AdaptiveMethod(PairMethod):
    """Learns from pairs of images, and knows neither which factors changed nor how many.

    For each pair, the latents whose posteriors differ by more than half-way between the smallest and the largest
    difference count as changed and keep their posteriors.
    """

    terms: ClassVar[tuple[Term, ...]] = (
        Term(
            "changed_latents",
            "Changed latents",
            "latents",
            "Mean number of latents per pair that count as changed. It should decrease to the number of factors that "
            "change.",
        ),
    )

    def changed(self, posterior: Posterior, batch: Batch) -> "Tensor":
        """Return the latents whose posteriors differ most, bool (pairs, latents)."""
        return most_changed(posterior)

    def more_terms(self, posterior: Posterior, changed: "Tensor") -> "dict[str, Tensor]":
        """Return the mean number of changed latents."""
        return {"changed_latents": changed.float().sum(1).mean()}


class AdaGvae(AdaptiveMethod):
    """Averages the posteriors of shared latents: their means and variances (the group VAE of Hosoya 2019)."""

    title = short = "Ada-GVAE"
    about = "pairs of images that share most factors; their posteriors are averaged"
    formula = "reconstruction loss + β KL, means over pairs of images whose shared latents are averaged"
    source = "Locatello et al. 2020"
    colour = 6

    def join(self, first: Posterior, second: Posterior) -> Posterior:
        """Average means and variances."""
        import torch

        log_variance = torch.logaddexp(first.log_variance, second.log_variance) - math.log(2)
        return Posterior((first.mean + second.mean) / 2, log_variance)
