"""Methods whose codes are those of a VAE with Gaussian posterior and Bernoulli pixels."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import ConfigError
from engine.methods.autoencoder import AutoencoderMethod
from engine.methods.base import Batch, Context, Posterior
from engine.methods.samplers import Sampler
from engine.methods.updates import update

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from engine.data.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Codes:
    """The encoder's output for a batch; `mean`, `log_variance` and `z` are (n, latents).

    `kl` is the KL divergence from N(0, 1), summed over latents, mean over the batch, a scalar in nats; `z` was drawn
    from the posterior N(mean, exp(log_variance)); the batch was drawn from `images` training images. `noise` is the
    run's own generator, for a penalty that needs random numbers.
    """

    kl: "Tensor"
    mean: "Tensor"
    log_variance: "Tensor"
    z: "Tensor"
    images: int
    noise: "torch.Generator"


class GaussianMethod(AutoencoderMethod):
    """A VAE (Kingma & Welling 2014): Gaussian posterior, prior N(0, 1), Bernoulli pixels."""

    def encode(self, images: "Tensor") -> Posterior:
        """Images (n, channels, side, side) in 0..1 to Gaussian posteriors."""
        return Posterior(*self.vae.encode(images))

    def kl(self, posterior: Posterior) -> "Tensor":
        """KL divergence of each latent from N(0, 1), in nats, (n, latents)."""
        from engine.methods.terms import kl_per_latent

        return kl_per_latent(*posterior)

    def sample(self, posterior: Posterior, noise: "torch.Generator") -> "Tensor":
        """Draw z by the reparameterisation, (n, latents)."""
        from engine.networks.vae import sample

        return sample(*posterior, noise)


class PenaltyMethod(GaussianMethod):
    """A VAE trained on reconstruction loss + `penalty`, with one optimiser."""

    @classmethod
    @abstractmethod
    def penalty(cls, codes: Codes, settings: Any) -> "tuple[Tensor, dict[str, Tensor]]":
        """Return what is added to the reconstruction loss, a scalar in nats, and the method's own terms.

        `settings` are the method's own, with the values of the weights at the step.
        """

    def step(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """Update encoder and decoder once, with Adam."""
        from engine.methods.terms import kl_per_latent, reconstruction_per_image

        mean, log_variance = posterior = self.encode(batch.images)
        z = self.sample(posterior, context.noise)
        reconstruction = reconstruction_per_image(self.logits(z, batch.labels), batch.images).mean()
        kl_each = kl_per_latent(mean, log_variance).mean(0)
        kl = kl_each.sum()
        codes = Codes(kl, mean, log_variance, z, context.images, context.noise)
        penalty, terms = _checked(self.penalty(codes, self.settings))
        loss = reconstruction + penalty
        [optimiser] = context.optimisers.values()
        update(optimiser, loss)
        found = {"loss": loss, "reconstruction": reconstruction, "kl": kl, "kl_per_latent": kl_each} | terms
        return {name: value.detach() for name, value in found.items()}


class ComparingMethod(PenaltyMethod):
    """A VAE whose penalty compares the images of a batch with one another."""

    def sampler(self, dataset: "Dataset", indices: "NDArray[np.int64]") -> Sampler:
        """Return independent images. Raises ConfigError if there is only one to train on."""
        if len(indices) < 2:
            raise ConfigError(
                f"{self.title} compares the images of a batch with one another, and {dataset.title} has only one image "
                "to train on."
            )
        return super().sampler(dataset, indices)


def _checked(found: Any) -> "tuple[Tensor, dict[str, Tensor]]":
    """Return what `penalty` has returned. Raises TypeError unless it is a number of nats and a dict of numbers."""
    from torch import Tensor

    if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], dict)):
        raise TypeError(f"penalty must return the penalty and a dict of the method's own terms, not {_words(found)}")
    penalty, terms = found
    if getattr(penalty, "ndim", 0) or not isinstance(penalty, Tensor | int | float):
        raise TypeError(f"the penalty must be a scalar, a mean over the batch, not {_words(penalty)}")
    for name, value in terms.items():
        if getattr(value, "ndim", 0) or not isinstance(value, Tensor):
            raise TypeError(f"the term {name} must be a tensor with a single number, not {_words(value)}")
    return found


def _words(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" if shape is None else f"a {type(value).__name__} of shape {tuple(shape)}"
