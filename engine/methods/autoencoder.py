"""Methods that train encoder and decoder of the chosen network, with Bernoulli pixels."""

from typing import TYPE_CHECKING, cast

from engine.methods.base import Method, Posterior

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from engine.networks.vae import VAE


class AutoencoderMethod(Method):
    """An encoder and a decoder; subclasses define the posterior.

    If it is conditional, the decoder gets the one-hot label in addition to the latents; the encoder does not see it
    (the report's section 2.4).
    """

    @property
    def vae(self) -> "VAE":
        """Encoder and decoder: all of its networks, or a part of them."""
        return cast("VAE", self.networks)

    @property
    def outputs(self) -> int:
        """Number of outputs of the encoder per image: by default mean and log-variance of each latent."""
        return 2 * self.latents

    def build(self) -> "nn.Module":
        """Return encoder and decoder."""
        from engine.networks.vae import VAE

        return VAE(self.spec, self.outputs)

    def draw(self, posterior: Posterior, noise: "torch.Generator") -> "Tensor":
        """Draw the z for training, (n, latents): like `sample`, unless that has no gradient."""
        return self.sample(posterior, noise)

    def observed(self, posterior: Posterior, images: "Tensor", labels: "Tensor | None") -> "dict[str, Tensor]":
        """Return the method's own terms that are not minimised, for a batch: scalars without gradients."""
        return {}

    def logits(self, z: "Tensor", labels: "Tensor | None" = None) -> "Tensor":
        """Latents (n, latents), and class numbers (n,) if conditional, to logits (n, channels, side, side)."""
        return self.vae.logits(z, labels)
