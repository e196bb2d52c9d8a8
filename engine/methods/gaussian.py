"""Methods whose codes are those of a VAE with Gaussian posterior and Bernoulli pixels."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from engine.methods.base import Batch, Context, Method, Posterior
from engine.methods.updates import update

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from engine.networks.vae import VAE


@dataclass(frozen=True, slots=True)
class Codes:
    """What the encoder says of a batch; all but `kl` are (n, latents).

    `kl` is the KL divergence from N(0, 1), summed over latents, mean over the batch, a scalar in nats; `z` was drawn
    from the posterior N(mean, exp(log_variance)); the batch was drawn from `images` training images.
    """

    kl: "Tensor"
    mean: "Tensor"
    log_variance: "Tensor"
    z: "Tensor"
    images: int


class GaussianMethod(Method):
    """A VAE (Kingma & Welling 2014): Gaussian posterior, prior N(0, 1), Bernoulli pixels.

    A conditional one gives the decoder the one-hot label beside the latents; the encoder does not see it (the report's
    section 2.4).
    """

    @property
    def vae(self) -> "VAE":
        """Encoder and decoder: all that is trained, or a part of it."""
        return cast("VAE", self.networks)

    def build(self) -> "nn.Module":
        """Encoder and decoder."""
        from engine.networks.vae import VAE

        return VAE(self.spec)

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

    def logits(self, z: "Tensor", labels: "Tensor | None" = None) -> "Tensor":
        """Latents (n, latents), and class numbers (n,) if conditional, to logits (n, channels, side, side)."""
        return self.vae.logits(z, labels)


class PenaltyMethod(GaussianMethod):
    """A VAE trained on reconstruction loss + `penalty`, with one optimiser."""

    @classmethod
    @abstractmethod
    def penalty(cls, codes: Codes, settings: Any) -> "tuple[Tensor, dict[str, Tensor]]":
        """Return what is minimised beside the reconstruction loss, a scalar in nats, and the method's own terms.

        `settings` are the method's own, with the weights of the step.
        """

    def step(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """One update of encoder and decoder by Adam."""
        from engine.methods.terms import kl_per_latent, reconstruction_per_image

        mean, log_variance = posterior = self.encode(batch.images)
        z = self.sample(posterior, context.noise)
        reconstruction = reconstruction_per_image(self.logits(z, batch.labels), batch.images).mean()
        kl_each = kl_per_latent(mean, log_variance).mean(0)
        kl = kl_each.sum()
        penalty, terms = _checked(self.penalty(Codes(kl, mean, log_variance, z, context.images), self.settings))
        loss = reconstruction + penalty
        [optimiser] = context.optimisers.values()
        update(optimiser, loss)
        found = {"loss": loss, "reconstruction": reconstruction, "kl": kl, "kl_per_latent": kl_each} | terms
        return {name: value.detach() for name, value in found.items()}


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
