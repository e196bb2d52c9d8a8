"""The lambda-beta-VAE (Vu, Wan & Wei, "Mutual Information Collapse Explains Disentanglement Failure in beta-VAEs",
arXiv 2602.09277, 2026).

The beta-VAE with a second reconstruction term: lambda times the squared error between the pixel probabilities and the
image, summed over pixels, beside the cross-entropy, which stays. The authors claim that scores which fall for a large
beta fall later, so that a wider range of beta disentangles.

The authors' code (losses.py, config.py) has beta 1, 4, 8, 16 and 32, lambda 0, 2, 4, 6 and 8, batches of 64, ten
latents and Adam at 1e-4; lambda = 4 here is the middle. It differs from this one in when lambda acts: a beta-VAE is
trained for 150,000 steps first, then 50,000 more with lambda; here it acts from the beginning, unless it has a
schedule. With respect to a logit the squared error has 2 p (1 - p) times the gradient of the cross-entropy, at most a
half: lambda works like a beta divided by up to 1 + lambda / 2, most where pixels are undecided.
"""

from typing import TYPE_CHECKING

from engine.methods.base import Batch, Context, Term
from engine.methods.beta_vae import BetaSettings, no_bound
from engine.methods.gaussian import GaussianMethod
from engine.methods.updates import update
from engine.system.fields import Weight, setting

if TYPE_CHECKING:
    from torch import Tensor

    from engine.settings.run_config import RunConfig


class SquaredErrorSettings(BetaSettings):
    """The weights of KL and of the squared error."""

    error_weight: Weight = setting(
        4.0,
        "λ",
        "Weight of the squared error, summed over pixels, which is added to the reconstruction loss. 0 is the β-VAE. "
        "The authors' experiments use 0 to 8.",
        ge=0,
        le=1000,
    )


class LambdaBetaVae(GaussianMethod):
    """Weights KL by beta, and measures reconstruction by cross-entropy and squared error."""

    title = short = "λβ-VAE"
    about = "β-VAE with a squared error added to the reconstruction loss"
    formula = "reconstruction loss + β KL + λ squared error"
    source = "Vu et al. 2026; the squared error is that of pixel probabilities"
    colour = 6
    Settings = SquaredErrorSettings
    terms = (
        Term(
            "squared_error",
            "Squared error",
            "",
            "Sum over the pixels of an image of the squared difference between probability and pixel, without the "
            "weight λ. It falls with the reconstruction loss; what remains are uncertain pixels, mostly at edges.",
        ),
    )

    @classmethod
    def warnings(cls, config: "RunConfig", images: int) -> list[str]:
        """Warn of a beta below 1."""
        return no_bound(config)

    def step(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """Update encoder and decoder once, with Adam."""
        from engine.methods.terms import kl_per_latent, reconstruction_per_image, squared_error_per_image

        posterior = self.encode(batch.images)
        logits = self.logits(self.sample(posterior, context.noise), batch.labels)
        reconstruction = reconstruction_per_image(logits, batch.images).mean()
        error = squared_error_per_image(logits, batch.images).mean()
        kl_each = kl_per_latent(*posterior).mean(0)
        loss = reconstruction + self.settings.beta * kl_each.sum() + self.settings.error_weight * error
        [optimiser] = context.optimisers.values()
        update(optimiser, loss)
        found = {"loss": loss, "reconstruction": reconstruction, "kl": kl_each.sum(), "kl_per_latent": kl_each}
        found |= {"squared_error": error}
        return {name: value.detach() for name, value in found.items()}
