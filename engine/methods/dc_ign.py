"""DC-IGN (Kulkarni, Whitney, Kohli & Tenenbaum, "Deep Convolutional Inverse Graphics Network", NeurIPS 2015).

A VAE trained on batches in each of which a single kind of factor varies. The latents of that kind are active. All
others are clamped: for every image of the batch, mean and log-variance are replaced by their averages over the batch,
so that the decoder must explain all variation by the active ones. Clamped latents get no gradient from the loss but
their difference from the average, scaled by a small factor, which moves the posteriors of the batch towards each other
("invariance targeting").

In the authors' code (willwhitney/dc-ign) clamped values are those of the batch's first image, and targeting is off by
default; if it is on, its sign is that of a descent, but the code ascends. Here it is as in the paper: the gradient of
a penalty that is minimised.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from pydantic import field_validator

from engine.errors import ConfigError
from engine.methods.base import Batch, Context, MethodSettings, Posterior, Supervision, Term
from engine.methods.gaussian import GaussianMethod
from engine.methods.samplers import Independent, Kinds, OneImageOrMany, OneKindVaries
from engine.methods.updates import update
from engine.system.fields import Weight, WholeNumbers, in_order, setting
from engine.system.numbers import exact_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from engine.data.dataset import Dataset
    from engine.methods.samplers import Sampler
    from engine.networks.spec import NetworkSpec
    from engine.settings.run_config import RunConfig


class ClampSettings(MethodSettings):
    """What happens to clamped latents, and how frequent each kind of batch is."""

    invariance: Weight = setting(
        0.01,
        "λ",
        "Weight of invariance targeting, which pulls latents that should not react to what varies in a batch towards "
        "their average. The paper uses 1/100; a much larger weight overwhelms the reconstruction.",
        ge=0,
        le=1000,
    )
    ratio: float = setting(
        10.0,
        "Intrinsic batches",
        "Number of batches in which intrinsic properties vary, for each batch of any other kind. The paper uses 10, "
        "since identity takes many latents to describe; with 1, all kinds are equally frequent.",
        ge=0.01,
        le=1000,
    )


class FactorBatchSettings(ClampSettings):
    """Which factors share latents."""

    intrinsic: WholeNumbers = setting(
        (1,),
        "Intrinsic factors",
        "Numbers of the factors that vary together and are encoded by all remaining latents. Every other factor has "
        "its own latent, in the same order. Factor 1 of dSprites is the shape; scale, orientation, x and y follow.",
        empty="none",
        max_length=64,
    )

    @field_validator("intrinsic")
    @classmethod
    def _in_order(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return in_order(value, 64)


class TransformationSettings(ClampSettings):
    """How far images are transformed; a transformation with range 0 has no batches and no latent."""

    rotation: float = setting(
        45.0, "Rotation", "Images are rotated by up to this angle in either direction.", unit="degrees", ge=0, le=180
    )
    shift: float = setting(
        12.0,
        "Shift",
        "Images are shifted by up to this share of their side: left or right, and up or down.",
        unit="%",
        ge=0,
        le=50,
    )
    thickness: float = setting(
        2.0, "Thickness", "Strokes become thicker by up to this much on either side.", unit="pixels", ge=0, le=4
    )


class ClampedMethod(GaussianMethod):
    """A VAE trained on batches in which a single kind of factor varies; latents of all other kinds are clamped."""

    supervision: ClassVar[Supervision] = Supervision.FULL
    colour: ClassVar[int] = 4
    terms: ClassVar[tuple[Term, ...]] = (
        Term(
            "inconstancy",
            "Inconstancy",
            "",
            "Half the squared deviation of inactive latents from their average over the batch, summed over means and "
            "log-variances; it enters the loss with weight λ. It should fall: then each latent reacts to its own "
            "factor only.",
        ),
    )

    @abstractmethod
    def varied(self, batch: Batch, context: Context) -> "tuple[Tensor, Tensor]":
        """Return the images of a step, and which latents are active, bool (latents,)."""

    def step(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """Update encoder and decoder once, on a batch of one kind."""
        from engine.methods.terms import kl_per_latent, reconstruction_per_image

        images, active = self.varied(batch, context)
        mean, log_variance = self.encode(images)
        clamped_mean, of_means = clamped(mean, active)
        clamped_log_variance, of_log_variances = clamped(log_variance, active)
        posterior = Posterior(clamped_mean, clamped_log_variance)
        z = self.sample(posterior, context.noise)
        reconstruction = reconstruction_per_image(self.logits(z, batch.labels), images).mean()
        kl_each = kl_per_latent(*posterior).mean(0)
        inconstancy = of_means + of_log_variances
        loss = reconstruction + kl_each.sum() + self.settings.invariance * inconstancy
        [optimiser] = context.optimisers.values()
        update(optimiser, loss)
        found = {"loss": loss, "reconstruction": reconstruction, "kl": kl_each.sum(), "kl_per_latent": kl_each}
        return {name: value.detach() for name, value in (found | {"inconstancy": inconstancy}).items()}


def clamped(values: "Tensor", active: "Tensor") -> "tuple[Tensor, Tensor]":
    """Replace latents that are not active by their averages over the batch, which get no gradient.

    `values` are (n, latents), `active` is bool (latents,). Also returns half their squared deviation from the averages,
    summed over latents, mean over the batch: its gradient is the deviation, and that of active latents is 0.
    """
    average = values.mean(0).detach()
    deviation = (values - average).where(~active, 0.0)
    return values.where(active, average), 0.5 * deviation.square().sum(1).mean()


class DcIgn(ClampedMethod):
    """DC-IGN on data with ground-truth factors.

    Each factor has its own latent, in the same order; the intrinsic factors share the remaining ones.
    """

    title = short = "DC-IGN"
    about = "batches in which one known factor varies"
    formula = "reconstruction loss + KL + λ/2 × squared deviation of inactive latents from their average over the batch"
    source = "Kulkarni et al. 2015; in each batch, one factor varies"
    needs_factors = True
    Settings = FactorBatchSettings

    settings: FactorBatchSettings

    @classmethod
    def batch_words(cls, config: "RunConfig") -> str:
        """Batches in which one kind of factor varies."""
        own: FactorBatchSettings = config.method
        return (
            f"{config.batch_size:,} images that agree in all factors except one or except the intrinsic ones, the "
            f"latter {exact_text(own.ratio)} times as often as each of the former"
        )

    def sampler(self, dataset: "Dataset", indices: "NDArray[np.int64]") -> "Sampler":
        """Batches in which one kind of factor varies.

        Raises ConfigError for data without factors, without one that varies, or with more of them than latents.
        """
        if dataset.factors is None:
            raise ConfigError(f"{dataset.title} has no ground-truth factors that could vary one at a time.")
        config, sizes = self.config, dataset.factors.sizes
        own, shared = self._split(len(sizes))
        if beyond := [number for number in self.settings.intrinsic if number > len(sizes)]:
            raise ConfigError(f"There is no factor {beyond[0]} in {dataset.title}: it has {len(sizes)}.")
        needed = len(own) + bool(shared)
        if needed > self.latents:
            raise ConfigError(
                f"{self.title} needs a latent for each factor of {dataset.title} that is not intrinsic, and at least "
                f"one for those that are: set at least {needed} latents, or make more factors intrinsic."
            )
        every = [([factor], 1.0) for factor in own] + [(shared, self.settings.ratio)]
        kinds = [(kind, share) for kind, share in every if any(sizes[factor] > 1 for factor in kind)]
        if not kinds:
            raise ConfigError(f"No factor of {dataset.title} varies.")
        number = Kinds([share for _, share in kinds], config.seed)
        steps_per_epoch = config.steps_per_epoch(len(indices))
        which = [kind for kind, _ in kinds]
        return OneKindVaries(indices, config.batch_size, config.seed, steps_per_epoch, dataset.factors, which, number)

    def varied(self, batch: Batch, context: Context) -> "tuple[Tensor, Tensor]":
        """The images as they are; active are the latents of the factors that vary among them."""
        import torch

        assert batch.factors is not None
        varies = (batch.factors != batch.factors[:1]).any(0)
        own, shared = self._split(len(varies))
        active = torch.zeros(self.latents, dtype=torch.bool, device=varies.device)
        active[: len(own)] = varies[own]
        active[len(own) :] = varies[shared].any()
        return batch.images, active

    def _split(self, factors: int) -> tuple[list[int], list[int]]:
        """Factors with their own latent, and intrinsic ones, by number from 0, given the number of factors."""
        shared = [number - 1 for number in self.settings.intrinsic if number <= factors]
        return [factor for factor in range(factors) if factor not in shared], shared


class DcIgnTransformations(ClampedMethod):
    """Our adaptation of DC-IGN to data without factors, in which transformations of the images vary.

    The kinds of batch are one image under different rotations, shifts to the right, shifts down, and thicknesses of its
    strokes, each with its own latent, in this order; and different images under the same transformations, which the
    remaining latents encode. Images that are encoded or shown later are not transformed.
    """

    title = "DC-IGN (transformations)"
    short = "DC-IGN (tr.)"
    about = "batches in which one transformation varies (our adaptation)"
    formula = (
        "reconstruction loss + KL + λ/2 × squared deviation of inactive latents from their average over the batch "
        "(our adaptation to images without factors: transformations are applied to them)"
    )
    source = "our adaptation of Kulkarni et al. 2015"
    Settings = TransformationSettings

    settings: TransformationSettings

    def __init__(self, config: "RunConfig", spec: "NetworkSpec") -> None:
        super().__init__(config, spec)
        needed = len(self._varying) + 1
        if needed > self.latents:
            raise ConfigError(
                f"{self.title} needs a latent for each transformation, and at least one for the images: set at least "
                f"{needed} latents, or leave out transformations by setting their range to 0."
            )
        self._kind = Kinds([1.0] * len(self._varying) + [self.settings.ratio], config.seed)

    @classmethod
    def batch_words(cls, config: "RunConfig") -> str:
        """Batches in which one transformation varies."""
        own: TransformationSettings = config.method
        ranges = (
            f"rotation by up to {exact_text(own.rotation)} degrees, shifts by up to {exact_text(own.shift)} % of the "
            f"side, strokes thicker by up to {exact_text(own.thickness)} pixels"
        )
        return (
            f"{config.batch_size:,} images: of one image under random values of one transformation ({ranges}), or, "
            f"{exact_text(own.ratio)} times as often as each of these, of different images under the same "
            "transformations, which is our adaptation"
        )

    @property
    def _ranges(self) -> list[tuple[float, float]]:
        """Lowest and highest rotation in degrees, shifts as shares of the side, and growth of strokes in pixels."""
        own = self.settings
        shift = own.shift / 100
        return [(-own.rotation, own.rotation), (-shift, shift), (-shift, shift), (0.0, own.thickness)]

    @property
    def _varying(self) -> list[int]:
        """The transformations that are used, each a kind of batch."""
        return [number for number, (low, high) in enumerate(self._ranges) if high > low]

    def sampler(self, dataset: "Dataset", indices: "NDArray[np.int64]") -> "Sampler":
        """Return batches of one image, and of different ones."""
        config = self.config
        steps_per_epoch = config.steps_per_epoch(len(indices))
        images = Independent(indices, config.batch_size, config.seed, steps_per_epoch)
        return OneImageOrMany(images, self._kind, len(self._varying))

    def varied(self, batch: Batch, context: Context) -> "tuple[Tensor, Tensor]":
        """Transform the images; active is the latent of the transformation that varies, or those of the images."""
        import torch

        from engine.methods.transformations import moved, thickened

        images, kind, varying = batch.images, self._kind(context.step - 1), self._varying
        drawn = torch.empty(len(images), 4, device=images.device).uniform_(generator=context.noise)
        values = []
        for number, (low, high) in enumerate(self._ranges):
            column = drawn[:, number]
            varies = kind < len(varying) and varying[kind] == number
            values.append(low + (high - low) * (column if varies else column[:1].expand(len(images))))
        rotation, right, down, thickness = values
        latents = torch.arange(self.latents, device=images.device)
        active = latents == kind if kind < len(varying) else latents >= len(varying)
        transformed = moved(thickened(images, thickness), rotation, right, down)
        return transformed.contiguous(memory_format=torch.channels_last), active
