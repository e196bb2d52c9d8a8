"""A method: a VAE in which the first λ nats of each latent are free, so that no latent is given up early.

Kingma et al., "Improving Variational Inference with Inverse Autoregressive Flow", NeurIPS 2016, appendix C.8: the KL
divergence of each latent, averaged over the batch, is penalised only above λ.
"""

from engine.plugins.interface import INTERFACE, MethodSettings, PenaltyMethod, Plugin, Term, Weight, setting


class FreeBits(MethodSettings):
    """The number of free nats."""

    free_nats: Weight = setting(
        0.5, "λ", "KL divergence of each latent that is not penalised.", unit="nats", ge=0, le=100
    )  # fmt: skip


class FreeBitsVae(PenaltyMethod):
    """Reconstruction loss, plus λ or its KL for each latent, whichever is larger."""

    title = "VAE with free bits"
    short = "free bits"
    about = "the KL of each latent is free up to λ"
    formula = "reconstruction loss + Σ max(λ, KL of a latent)"
    source = "Kingma et al. 2016"
    Settings = FreeBits
    terms = (
        Term("latents_above", "Latents above λ", "latents", "Number of latents whose mean KL is penalised, above λ."),
    )

    @classmethod
    def penalty(cls, codes, settings):
        """Return what is added to the reconstruction loss, a scalar in nats, and the value of our own term."""
        from engine.plugins.interface import kl_per_latent

        kl = kl_per_latent(codes.mean, codes.log_variance).mean(0)
        above = (kl > settings.free_nats).sum().to(kl.dtype)
        return kl.clamp(min=settings.free_nats).sum(), {"latents_above": above}


PLUGIN = Plugin(
    name="free-bits",
    version="1.0",
    interface=INTERFACE,
    methods={"free-bits-vae": FreeBitsVae},
    about="A VAE in which the first nats of each latent are free (Kingma et al. 2016).",
)
