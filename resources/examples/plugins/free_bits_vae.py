"""A method: a VAE in which each latent has some KL for nothing, so that none is given up early.

Kingma et al., "Improving Variational Inference with Inverse Autoregressive Flow", NeurIPS 2016, appendix C.8: the KL
divergence of each latent, mean over the batch, counts only where it is above a number of nats.
"""

from engine.plugins.interface import INTERFACE, MethodSettings, PenaltyMethod, Plugin, Term, Weight, setting


class FreeBits(MethodSettings):
    """The KL that costs nothing."""

    free_nats: Weight = setting(
        0.5, "λ", "KL divergence that each latent has for nothing.", unit="nats", ge=0, le=100
    )  # fmt: skip


class FreeBitsVae(PenaltyMethod):
    """Reconstruction loss, and what each latent's KL has above λ."""

    title = "VAE with free bits"
    short = "free bits"
    about = "the KL of each latent is free up to λ"
    formula = "reconstruction loss + Σ max(λ, KL of a latent)"
    source = "Kingma et al. 2016"
    Settings = FreeBits
    terms = (
        Term("latents_above", "Latents above λ", "latents", "How many latents have a mean KL above λ, and pay for it."),
    )

    @classmethod
    def penalty(cls, codes, settings):
        """Return what is added to the reconstruction loss, a scalar in nats, and the curve of our own."""
        from engine.plugins.interface import kl_per_latent

        kl = kl_per_latent(codes.mean, codes.log_variance).mean(0)
        above = (kl > settings.free_nats).sum().to(kl.dtype)
        return kl.clamp(min=settings.free_nats).sum(), {"latents_above": above}


PLUGIN = Plugin(
    name="free-bits",
    version="1.0",
    interface=INTERFACE,
    methods={"free-bits-vae": FreeBitsVae},
    about="A VAE in which each latent has some KL for nothing (Kingma et al. 2016).",
)
