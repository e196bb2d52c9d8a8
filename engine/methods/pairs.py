"""Methods that learn from pairs of images: latents that a pair shares get one posterior, made of both."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from engine.errors import ConfigError
from engine.methods.base import Batch, Context, MethodSettings, Posterior, Supervision
from engine.methods.gaussian import GaussianMethod
from engine.methods.samplers import PairsAlike, Sampler
from engine.methods.updates import update
from engine.system.fields import Weight, setting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from engine.data.dataset import Dataset
    from engine.settings.run_config import RunConfig


class PairSettings(MethodSettings):
    """The weight of KL, and how pairs differ."""

    beta: Weight = setting(
        1.0,
        "β",
        "Weight of the KL divergence of the posteriors, after those of shared latents have been combined.",
        ge=0,
        le=1000,
    )
    changing: int | None = setting(
        None,
        "Factors that change",
        "Number of factors that are redrawn for the second image of a pair; the images share all others. Empty: for "
        "each pair, with equal probability, either 1 or a random number up to all but one.",
        unit="factors",
        empty="random",
        ge=1,
        le=64,
    )


class PairMethod(GaussianMethod):
    """A VAE trained on pairs of images that share most factors: unchanged latents get one posterior for both.

    The loss is the mean over both images of reconstruction loss and KL with the resulting posteriors; only the encoder
    sees single images.
    """

    supervision: ClassVar[Supervision] = Supervision.WEAK
    needs_factors: ClassVar[bool] = True
    batches_per_step: ClassVar[int] = 2
    Settings: ClassVar[type[MethodSettings]] = PairSettings

    @classmethod
    def batch_words(cls, config: "RunConfig") -> str:
        """Return the number of pairs, and of factors in which they differ."""
        changing = config.method.changing
        number = "one, or a random number up to all but one," if changing is None else f"{changing}"
        return f"{config.batch_size:,} pairs of images that differ in {number} of the factors"

    def sampler(self, dataset: "Dataset", indices: "NDArray[np.int64]") -> Sampler:
        """Return pairs: each image once per epoch, with a partner. Raises ConfigError for data without factors."""
        config = self.config
        if dataset.factors is None:
            raise ConfigError(f"{dataset.title} has no ground-truth factors by which to choose pairs.")
        steps_per_epoch = config.steps_per_epoch(len(indices))
        changing = self.settings.changing
        return PairsAlike(indices, config.batch_size, config.seed, steps_per_epoch, dataset.factors, changing)

    @abstractmethod
    def changed(self, posterior: Posterior, batch: Batch) -> "Tensor":
        """Return which latents of each pair have changed, bool (pairs, latents)."""

    @abstractmethod
    def join(self, first: Posterior, second: Posterior) -> Posterior:
        """Combine the two posteriors of each pair into one, (pairs, latents)."""

    def more_terms(self, posterior: Posterior, changed: "Tensor") -> "dict[str, Tensor]":
        """Return the method's own terms, given the posteriors as encoded and which latents changed."""
        return {}

    def step(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """Update encoder and decoder once, on a batch of pairs."""
        from engine.methods.terms import kl_per_latent, reconstruction_per_image

        encoded = self.encode(batch.images)
        changed = self.changed(encoded, batch)
        posterior = self.shared(encoded, changed)
        z = self.sample(posterior, context.noise)
        reconstruction = reconstruction_per_image(self.logits(z, batch.labels), batch.images).mean()
        kl_each = kl_per_latent(*posterior).mean(0)
        loss = reconstruction + self.settings.beta * kl_each.sum()
        [optimiser] = context.optimisers.values()
        update(optimiser, loss)
        found = {"loss": loss, "reconstruction": reconstruction, "kl": kl_each.sum(), "kl_per_latent": kl_each}
        return {name: value.detach() for name, value in (found | self.more_terms(encoded, changed)).items()}

    def shared(self, posterior: Posterior, changed: "Tensor") -> Posterior:
        """Replace the two posteriors of latents that have not changed by the combined one.

        `posterior` and the result are (2 n, latents): the first images of n pairs, then the second ones.
        """
        import torch

        both = self.join(*halves(posterior))
        own = torch.cat([changed, changed])
        return Posterior(*(v.where(own, torch.cat([b, b])) for v, b in zip(posterior, both, strict=True)))


def halves(posterior: Posterior) -> tuple[Posterior, Posterior]:
    """Return the posteriors of the first images and of the second ones, each (pairs, latents)."""
    (first, second), (of_first, of_second) = (values.chunk(2) for values in posterior)
    return Posterior(first, of_first), Posterior(second, of_second)


def divergence(first: Posterior, second: Posterior) -> "Tensor":
    """KL divergence of the first posterior of each latent from the second, in nats, (n, latents)."""
    (mean, log_variance), (other_mean, other) = first, second
    ratio = (log_variance - other).exp()
    return 0.5 * (ratio + (other_mean - mean).square() / other.exp() - 1 + other - log_variance)


def most_changed(posterior: Posterior) -> "Tensor":
    """Return which latents of each pair count as changed, bool (pairs, latents): those whose posteriors differ most.

    Their KL divergence (of the first image's from the second's) is in the upper half of its range over the latents
    (Locatello et al. 2020, section 4; disentanglement_lib, aggregate_argmax).
    """
    distance = divergence(*halves(posterior)).detach()
    low, high = distance.aminmax(dim=1, keepdim=True)
    return distance >= (low + high) / 2
