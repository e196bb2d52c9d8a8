"""DIP-VAE-I and DIP-VAE-II (Kumar, Sattigeri & Balakrishnan, "Variational Inference of Disentangled Latent Concepts
from Unlabeled Observations", ICLR 2018).

Both pull a covariance of the latents over the images towards the identity: DIP-VAE-I that of the posteriors' means
(Eq. 6), DIP-VAE-II that of z itself, which has the mean of the posteriors' variances added to its diagonal (Eq. 7).

The covariance is that of the batch, divided by its size, as in disentanglement_lib (methods/unsupervised/vae.py). Its
large study (config/unsupervised_study_v1/sweep.py) has lambda_od 1, 2, 5, 10, 20 and 50, with lambda_d = 10 lambda_od
in DIP-VAE-I and lambda_d = lambda_od in DIP-VAE-II; the defaults here are those with lambda_od = 10. Two other
implementations are something else: AntixK/PyTorch-VAE (models/dip_vae.py) centres the means of each image over its
latents instead of each latent over the images, does not divide by the batch and squares the variances, and both it and
nmichlo/disent (_unsupervised__dipvae.py) add one mean variance to every entry of the matrix, not to its diagonal.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING

from engine.methods.base import MethodSettings, Term
from engine.methods.gaussian import Codes, ComparingMethod
from engine.system.fields import Weight, setting

if TYPE_CHECKING:
    from torch import Tensor

FLOOR = (
    "Since a batch is a small sample, latents that are independent over all images still have a value of up to "
    "latents × (latents − 1) / batch, 1.4 for ten latents and batches of 64."
)


class CovarianceSettings(MethodSettings):
    """How strongly the covariance is pulled towards the identity."""

    lambda_od: Weight = setting(
        10.0,
        "λ off-diagonal",
        "Weight of the squared covariances between different latents. The large published study of dSprites uses 1 to "
        "50.",
        ge=0,
        le=100_000,
    )
    lambda_d: Weight = setting(
        100.0,
        "λ diagonal",
        "Weight of the squared differences between the variances of the latents' means and 1. The large published "
        "study uses 10 times λ off-diagonal.",
        ge=0,
        le=100_000,
    )


class SampleCovarianceSettings(CovarianceSettings):
    """The same for the covariance of z, whose diagonal is weighted like the rest by default."""

    lambda_d: Weight = setting(
        10.0,
        "λ diagonal",
        "Weight of the squared differences between the variances of z and 1. The large published study uses the same "
        "value as for λ off-diagonal.",
        ge=0,
        le=100_000,
    )


class DipVae(ComparingMethod):
    """The base of both methods: the distance of a covariance from the identity."""

    Settings = CovarianceSettings
    terms = (
        Term(
            "off_diagonal",
            "Off-diagonal",
            "",
            f"Sum of the squared covariances between different latents. It falls as they become uncorrelated. {FLOOR}",
        ),
        Term(
            "diagonal",
            "Diagonal",
            "",
            "Sum of the squared differences between each latent's variance and 1. It falls to nearly 0 as all "
            "variances approach 1; n inactive latents, whose variance is 0, keep it at n.",
        ),
    )

    @classmethod
    @abstractmethod
    def covariance(cls, codes: Codes) -> "Tensor":
        """Return the covariance that is pulled towards the identity, (latents, latents)."""

    @classmethod
    def penalty(cls, codes: Codes, settings: CovarianceSettings) -> "tuple[Tensor, dict[str, Tensor]]":
        """KL and both weighted parts of the distance from the identity, a scalar in nats; and these parts."""
        from engine.methods.terms import distance_from_identity

        off_diagonal, diagonal = distance_from_identity(cls.covariance(codes))
        penalty = codes.kl + settings.lambda_od * off_diagonal + settings.lambda_d * diagonal
        return penalty, {"off_diagonal": off_diagonal, "diagonal": diagonal}


class DipVaeI(DipVae):
    """Pulls the covariance of the posteriors' means towards the identity, so that every latent must vary."""

    title = short = "DIP-VAE-I"
    about = "the covariance of the posterior means is pulled towards the identity"
    formula = "reconstruction loss + KL + λ off-diagonal Σ cov(μᵢ, μⱼ)² + λ diagonal Σ (var μᵢ − 1)²"
    source = "Kumar et al. 2018; μ are the means of the posteriors"
    colour = 7

    @classmethod
    def covariance(cls, codes: Codes) -> "Tensor":
        """The covariance of the means over the batch, (latents, latents)."""
        from engine.methods.terms import covariance

        return covariance(codes.mean)


class DipVaeII(DipVae):
    """Pulls the covariance of z towards the identity; a latent whose posterior is the prior has variance 1 as well."""

    title = short = "DIP-VAE-II"
    about = "the covariance of z is pulled towards the identity"
    formula = "reconstruction loss + KL + λ off-diagonal Σ cov(zᵢ, zⱼ)² + λ diagonal Σ (var zᵢ − 1)²"
    source = "Kumar et al. 2018"
    colour = 1
    Settings = SampleCovarianceSettings

    @classmethod
    def covariance(cls, codes: Codes) -> "Tensor":
        """The covariance of z over the batch and the noise (law of total covariance), (latents, latents)."""
        from engine.methods.terms import covariance

        return covariance(codes.mean) + codes.log_variance.exp().mean(0).diag()
