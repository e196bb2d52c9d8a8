"""The beta-TCVAE (R. T. Q. Chen et al., "Isolating Sources of Disentanglement in VAEs", NeurIPS 2018).

The authors' code (rtqichen/beta-tcvae, vae_quant.py) has both estimators of the total correlation. Its default is
minibatch weighted sampling, as in disentanglement_lib, which leaves out the constants. Its stratified sampling gives
the weight 1/N, that of an image's own posterior, to the first image of the batch; here the image's own posterior has
it, and all others have equal weights.
"""

from typing import TYPE_CHECKING, Literal

from engine.methods.base import MethodSettings, Term
from engine.methods.beta_vae import no_bound
from engine.methods.gaussian import Codes, ComparingMethod
from engine.system.fields import Weight, setting

if TYPE_CHECKING:
    from torch import Tensor

    from engine.settings.run_config import RunConfig

PAIR_BYTES = 25
"""Bytes of memory per latent and pair of images in a batch, measured with a batch of 2,048."""

MUCH = 2**30
"""Bytes above which a warning says how much it takes; the published batch of 2,048 with ten latents takes less."""

SAMPLING = {"stratified": "Stratified", "weighted": "Weighted"}


class CorrelationSettings(MethodSettings):
    """The weight of the total correlation, and how it is estimated."""

    beta: Weight = setting(
        4.0,
        "β",
        "Weight of the total correlation of the latents; the other parts of KL have weight 1. 1 is the plain VAE.",
        ge=0,
        le=1000,
    )
    sampling: Literal["stratified", "weighted"] = setting(
        "stratified",
        "Sampling",
        "How the distribution of z over all images is estimated from a batch. Stratified: each image's own posterior "
        "has the weight that it has among all training images, so that the distribution is estimated without bias. "
        "Weighted: all images of the batch weigh the same, as in the published models; where their posteriors hardly "
        "overlap, the estimate is too large: up to (latents − 1) ln(batch).",
        choices=SAMPLING,
    )


class BetaTcvae(ComparingMethod):
    """Weights only the total correlation of the latents by beta, not the other parts of KL."""

    title = short = "β-TCVAE"
    about = "total correlation, estimated from each batch, is weighted by β"
    formula = "reconstruction loss + KL + (β − 1) TC"
    source = "Chen et al. 2018; TC is the total correlation of the latents"
    Settings = CorrelationSettings
    terms = (
        Term(
            "total_correlation",
            "Total correlation",
            "nats",
            "Dependence between the latents over all images, estimated from each batch. It falls towards 0 as "
            "they become independent; the estimate from a single batch can be negative. With weighted sampling it is "
            "that of the batch alone: compare only runs of one batch size.",
        ),
    )

    @classmethod
    def warnings(cls, config: "RunConfig", images: int) -> list[str]:
        """Warn of a beta below 1, and of more than 1 GB of memory for the pairs of images in a batch."""
        taken = PAIR_BYTES * config.batch_size**2 * config.latents
        if taken <= MUCH:
            return no_bound(config)
        return [
            *no_bound(config),
            f"The β-TCVAE compares all pairs of images in a batch: with batches of {config.batch_size:,}, this takes "
            f"about {taken / 1e9:.1f} GB of memory.",
        ]

    @classmethod
    def penalty(cls, codes: Codes, settings: CorrelationSettings) -> "tuple[Tensor, dict[str, Tensor]]":
        """KL + (beta - 1) TC, a scalar in nats, and TC."""
        from engine.methods.terms import total_correlation

        weighted = settings.sampling == "weighted"
        correlation = total_correlation(codes.mean, codes.log_variance, codes.z, codes.images, weighted=weighted)
        return codes.kl + (settings.beta - 1) * correlation, {"total_correlation": correlation}
