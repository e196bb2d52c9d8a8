"""A method: a β-VAE whose posterior means are pulled towards 0, so that each image uses few latents."""

from engine.plugins.interface import INTERFACE, MethodSettings, PenaltyMethod, Plugin, Weight, setting


class SparseSettings(MethodSettings):
    """The weights of both terms."""

    sparsity: Weight = setting(1.0, "α", "Weight of the absolute values of the posterior means.", ge=0, le=1000)
    beta: Weight = setting(1.0, "β", "Weight of the KL divergence.", ge=0, le=1000)


class SparseVae(PenaltyMethod):
    """Reconstruction loss + α Σ |mean| + β KL: as if the means had a Laplace prior."""

    title = "Sparse VAE"
    short = "sparse"
    about = "posterior means are drawn to 0"
    formula = "reconstruction loss + α Σ |mean| + β KL"
    source = "an example of a package"
    Settings = SparseSettings

    @classmethod
    def penalty(cls, codes, settings):
        """Return what is added to the reconstruction loss, a scalar in nats; there are no further curves."""
        return settings.sparsity * codes.mean.abs().sum(1).mean() + settings.beta * codes.kl, {}


PLUGIN = Plugin(
    name="sparse",
    version="1.0",
    interface=INTERFACE,
    methods={"sparse-vae": SparseVae},
    about="A VAE with sparse means.",
)
