"""ML-VAE (Bouchacourt, Tomioka & Nowozin, "Multi-Level Variational Autoencoder", AAAI 2018), for pairs of images.

Latents that the images of a group share have one posterior, the product of the images' posteriors: precisions add, and
the mean is the mean weighted by precision. As in the Ada-ML-VAE of Locatello et al. (ICML 2020), groups are pairs, any
latent may be shared, and the KL of a shared posterior counts once for each image. Their code (disentanglement_lib,
methods/weak/weak_vae.py) gives the product twice its variance, so that equal posteriors stay as they are; here it is
the product itself.
"""

from typing import TYPE_CHECKING

from engine.errors import ConfigError
from engine.methods.ada_gvae import AdaptiveMethod
from engine.methods.base import Batch, Posterior, Supervision, Term
from engine.methods.pairs import PairMethod, divergence, halves

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from engine.data.dataset import Dataset
    from engine.methods.samplers import Sampler


def product(first: Posterior, second: Posterior) -> Posterior:
    """Return the product of two Gaussians for each latent, normalised, (n, latents)."""
    import torch

    log_variance = -torch.logaddexp(-first.log_variance, -second.log_variance)
    share = torch.sigmoid(second.log_variance - first.log_variance)  # of the first in the sum of both precisions
    return Posterior(torch.lerp(second.mean, first.mean, share), log_variance)


class AdaMlVae(AdaptiveMethod):
    """Multiplies the posteriors of shared latents: two images determine what they share more precisely than one."""

    title = short = "Ada-ML-VAE"
    about = "pairs that share most factors; their posteriors are multiplied"
    formula = (
        "reconstruction loss + β KL, means over pairs of images whose shared latents have the product of both "
        "posteriors"
    )
    source = "Locatello et al. 2020, after Bouchacourt et al. 2018"
    colour = 7

    def join(self, first: Posterior, second: Posterior) -> Posterior:
        """Multiply both."""
        return product(first, second)


class MlVae(PairMethod):
    """ML-VAE with known groups: it is given the factors in which each pair differs, and latent i is that of factor i.

    Latents beyond the number of factors are always shared (disentanglement_lib, mlvae_labels, which gives only the last
    redrawn factor; here it is every factor whose value differs).
    """

    title = "ML-VAE (known factors)"
    short = "ML-VAE"
    about = "pairs of images, and which factors differ"
    formula = (
        "reconstruction loss + β KL, means over pairs of images, where the latents of shared factors have the product "
        "of both posteriors"
    )
    source = "Bouchacourt et al. 2018; one latent for each factor"
    supervision = Supervision.FULL
    colour = 0
    terms = (
        Term(
            "disagreement",
            "Disagreement",
            "nats",
            "KL divergence between the posteriors of a pair before they are multiplied, summed over the latents of "
            "factors that both images share. It should fall towards 0: then these latents ignore all other factors.",
        ),
    )

    def sampler(self, dataset: "Dataset", indices: "NDArray[np.int64]") -> "Sampler":
        """Return pairs. Raises ConfigError for data without factors, or with more factors than latents."""
        if dataset.factors is not None and len(dataset.factors.names) > self.latents:
            number = len(dataset.factors.names)
            raise ConfigError(
                f"{self.title} needs a latent for each factor, and {dataset.title} has {number} factors for "
                f"{self.latents} latent{'s' if self.latents > 1 else ''}. Set at least {number} latents."
            )
        return super().sampler(dataset, indices)

    def changed(self, posterior: Posterior, batch: Batch) -> "Tensor":
        """Return the latents of factors that differ, bool (pairs, latents)."""
        import torch

        assert batch.factors is not None
        first, second = batch.factors.chunk(2)
        return torch.nn.functional.pad(first != second, (0, self.latents - first.shape[1]))

    def join(self, first: Posterior, second: Posterior) -> Posterior:
        """Multiply both."""
        return product(first, second)

    def more_terms(self, posterior: Posterior, changed: "Tensor") -> "dict[str, Tensor]":
        """Return how much the posteriors of shared latents differ."""
        apart = divergence(*halves(posterior)).where(~changed, 0.0)
        return {"disagreement": apart.sum(1).mean()}
