"""FactorD-VAE (Friede et al., "Learning Disentangled Discrete Representations", ECML PKDD 2023)."""

from engine.methods.d_vae import CategorySettings, DVae
from engine.methods.factor_vae import Factorising, FactorSettings


class FactorCategorySettings(CategorySettings, FactorSettings):
    """The settings of both methods."""


class FactorDVae(Factorising, DVae):
    """A D-VAE with FactorVAE's discriminator.

    The discriminator sees z as drawn in training, a position for each latent. As in FactorVAE, the permuted latents are
    those of a second batch; the authors' code permutes those of the first.
    """

    title = short = "FactorD-VAE"
    about = "D-VAE with a total correlation weighted by γ"
    formula = "reconstruction loss + KL from the uniform distribution + γ TC"
    source = "Friede et al. 2023: the D-VAE with the discriminator of Kim & Mnih 2018"
    colour = 7
    Settings = FactorCategorySettings
    terms = (*Factorising.terms, *DVae.terms)

    settings: FactorCategorySettings
