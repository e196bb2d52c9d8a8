"""The beta-TCVAE (R. T. Q. Chen et al., "Isolating Sources of Disentanglement in VAEs", NeurIPS 2018)."""

from typing import TYPE_CHECKING

from engine.methods.base import MethodSettings, Term
from engine.methods.beta_vae import no_bound
from engine.methods.gaussian import Codes, PenaltyMethod
from engine.system.fields import Weight, setting

if TYPE_CHECKING:
    from torch import Tensor

    from engine.settings.run_config import RunConfig

PAIR_BYTES = 25
"""Memory that the β-TCVAE takes for a latent of two images of a batch, as measured with a batch of 2,048."""


class CorrelationSettings(MethodSettings):
    """The weight of the total correlation."""

    beta: Weight = setting(
        4.0,
        "β",
        "Weight of the total correlation of the latents; the other parts of KL have weight 1. With 1: the plain VAE.",
        ge=0,
        le=1000,
    )


class BetaTcvae(PenaltyMethod):
    """Weighs the total correlation of the latents by beta, and nothing else of KL."""

    title = short = "β-TCVAE"
    about = "total correlation, estimated from each batch, is weighted by β"
    formula = "reconstruction loss + KL + (β − 1) TC"
    source = "Chen et al. 2018, TC the total correlation of the latents"
    Settings = CorrelationSettings
    terms = (
        Term(
            "total_correlation",
            "Total correlation",
            "nats",
            "Dependence between the latents over all images, estimated from each batch. It falls towards 0 as "
            "they become independent; the estimate from a single batch can be negative.",
        ),
    )

    @classmethod
    def warnings(cls, config: "RunConfig", images: int) -> list[str]:
        """Say that a beta below 1 gives no bound, and how much memory pairs take where it is more than a GB."""
        taken = PAIR_BYTES * config.batch_size**2 * config.latents
        if taken <= 1e9:
            return no_bound(config)
        return [
            *no_bound(config),
            f"The β-TCVAE compares every two images of a batch: with {config.batch_size:,} this takes about "
            f"{taken / 1e9:.1f} GB of memory.",
        ]

    @classmethod
    def penalty(cls, codes: Codes, settings: CorrelationSettings) -> "tuple[Tensor, dict[str, Tensor]]":
        """KL + (beta - 1) TC, a scalar in nats, and TC."""
        from engine.methods.terms import total_correlation

        correlation = total_correlation(codes.mean, codes.log_variance, codes.z, codes.images)
        return codes.kl + (settings.beta - 1) * correlation, {"total_correlation": correlation}
