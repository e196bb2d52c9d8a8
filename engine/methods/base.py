"""What a method is: its words, its settings, its networks, its batches, its step, its curves.

The trainer, checkpoints, previews, the held-out curve, the estimate, evaluation and traversal ask these; none of them
knows a method by name. A method that is another penalty on Gaussian codes derives from
`engine.methods.gaussian.GaussianMethod`; any other implements `Method` itself.

Nothing here loads torch: the window and the command line describe methods before anything trains.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from engine.methods.latents import Latent
from engine.methods.samplers import Independent, Sampler
from engine.networks.architectures import NETWORKS
from engine.networks.spec import NetworkSpec
from engine.system.fields import Settings, is_weight, unit_of
from engine.system.numbers import exact_text
from engine.system.schedule import Schedule

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from engine.data.dataset import Dataset
    from engine.settings.run_config import RunConfig


class Posterior(NamedTuple):
    """What the encoder says of n images: mean and log-variance, each (n, latents).

    Of a categorical latent the mean is the number of the most likely category, and the log-variance 0.
    """

    mean: "Tensor"
    log_variance: "Tensor"


@dataclass(frozen=True, slots=True)
class Term:
    """A term of a method's own: its column in metrics.csv, what its curve is called, its unit, and how to read it."""

    name: str
    title: str
    unit: str
    help: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Images of a step, float32 (n, channels, height, width) in 0..1, and their labels (n,) for a conditional model."""

    images: "Tensor"
    labels: "Tensor | None"


@dataclass(frozen=True, slots=True)
class Context:
    """Where in the run a step is.

    `step` counts from 1; the noise generator is the run's own; the batch was drawn from `images` training images.
    """

    step: int
    steps_per_epoch: int
    images: int
    noise: "torch.Generator"
    optimisers: "dict[str, torch.optim.Optimizer]"


CAPACITY = "capacity"
"""The weight that has a column in the curves of every run, and is drawn beside KL: what KL is held at, in nats."""


class MethodSettings(Settings):
    """The settings that are a method's own: its hyper-parameters, fields made by `engine.system.fields.setting`.

    No name may be that of a common setting. Two methods share a setting by inheriting it. A field annotated `Weight` is
    a number that may rise or fall over the run. `former` has the fields that settings were once given by; a validator
    of the class reads them.
    """

    former: ClassVar[type[Settings]] = Settings

    @classmethod
    def names(cls) -> set[str]:
        """Every name that a setting is given by, former ones included."""
        return {*cls.model_fields, *cls.former.model_fields}

    @classmethod
    def weights(cls) -> tuple[str, ...]:
        """Names of the settings that may rise or fall over the run."""
        return tuple(name for name, field in cls.model_fields.items() if is_weight(field))

    @property
    def schedules(self) -> dict[str, Schedule]:
        """The weights that do rise or fall, by name."""
        values = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: value for name, value in values if isinstance(value, Schedule)}

    def at(self, step: int, steps_per_epoch: int, total_steps: int) -> Self:
        """Return the settings as they are at a step, counted from 1: each weight a number."""
        found = {name: s.at(step, steps_per_epoch, total_steps) for name, s in self.schedules.items()}
        return self.model_copy(update=found) if found else self

    def ended(self) -> Self:
        """Return the settings as they are when every schedule has ended: each weight a number."""
        found = {name: schedule.end for name, schedule in self.schedules.items()}
        return self.model_copy(update=found) if found else self


class Supervision(StrEnum):
    """What a method learns from besides the images. Scores are compared, and methods ranked, within one label only."""

    NONE = "unsupervised"
    WEAK = "weakly supervised"
    FULL = "supervised"

    @property
    def about(self) -> str:
        """What the label means, as a sentence."""
        return {
            Supervision.NONE: "Learns from images alone.",
            Supervision.WEAK: "Also learns from relations between images, such as pairs that share most factors, "
            "without the value of any factor.",
            Supervision.FULL: "Also learns from labels: the class given to the network, or which factor varies.",
        }[self]

    @property
    def short(self) -> str:
        """The label for narrow places."""
        return {Supervision.NONE: "unsup.", Supervision.WEAK: "weak", Supervision.FULL: "superv."}[self]

    @property
    def rank(self) -> int:
        """Its place where methods are listed, from 0: the least supervision first."""
        return list(Supervision).index(self)


class Method(ABC):
    """A method with its networks, which have the weights of the seed until a checkpoint fills them.

    Class attributes describe it. `title`, and `short` for narrow places; `about` is what distinguishes it, in a few
    words, for lists; `formula` and `source` say what it minimises. `supervision` is what it learns from besides images;
    a conditional run of any method is supervised (`RunConfig.supervision`).
    `Settings` are its own settings; the first is the weight that stands in its formula. `ignores` are the common ones
    that it does not look at; `conditional` says whether its decoder can be given labels, `needs_factors` whether it
    learns from data with ground-truth factors only. `terms` are the curves that it has beside loss, reconstruction and
    KL, none with the name of a weight. `lacks` are those of "reconstruction" and "kl" that it does not have, each with
    the reason as a sentence without its full stop; what follows from them (the held-out curve, the ELBO, the order of
    latents by KL) it does not have either. `colour` is its number in charts by method, of the colours of runs.

    `settings` are its own, with a number for each weight: what it is at the step in progress; before the first step,
    what it is when its schedule has ended.
    """

    title: ClassVar[str]
    short: ClassVar[str]
    about: ClassVar[str] = ""
    formula: ClassVar[str]
    source: ClassVar[str]
    supervision: ClassVar[Supervision] = Supervision.NONE
    Settings: ClassVar[type[MethodSettings]] = MethodSettings
    ignores: ClassVar[frozenset[str]] = frozenset()
    conditional: ClassVar[bool] = True
    needs_factors: ClassVar[bool] = False
    terms: ClassVar[tuple[Term, ...]] = ()
    lacks: ClassVar[Mapping[str, str]] = MappingProxyType({})
    colour: ClassVar[int] = 3

    def __init__(self, config: "RunConfig", spec: NetworkSpec) -> None:
        self.config, self.spec = config, spec
        self.settings: Any = config.method.ended()
        self.networks = self.build()

    # What it is, before anything is built

    @classmethod
    def warnings(cls, config: "RunConfig", images: int) -> list[str]:
        """Return sentences where settings do not go together or cost much, for so many training images."""
        return []

    @classmethod
    def schedule_words(cls, config: "RunConfig", images: int | None) -> str:
        """Return how weights changed over the run, for a methods section, e.g. "C rose linearly from 0 to 20 nats...".

        A weight that has a schedule by default is said where it was constant, too.
        """
        own: MethodSettings = config.method
        parts = []
        for name, field in type(own).model_fields.items():
            value, title, unit = getattr(own, name), field.title or name, f" {unit_of(field)}".rstrip()
            if isinstance(value, Schedule):
                parts.append(f"{title} {_course(value, unit, config, images)}")
            elif isinstance(field.default, Schedule):
                parts.append(f"{title} was constant at {exact_text(value)}{unit}")
        return "; ".join(parts)

    @classmethod
    def advice(cls, config: "RunConfig") -> str:
        """Return what else may help a run that diverged, beside a smaller learning rate; it follows that advice."""
        return ""

    @classmethod
    def lacking(cls, dataset: str, *, factors: bool) -> str:
        """Say what it learns from and a data set of this title does not have; empty where nothing is lacking."""
        if not cls.needs_factors or factors:
            return ""
        return (
            f"{cls.title} learns from images chosen by their ground-truth factors, and {dataset} has none. Choose "
            "dSprites, or own arrays with factors."
        )

    @classmethod
    def has(cls, name: str) -> bool:
        """Whether it has "reconstruction" or "kl"."""
        return name not in cls.lacks

    @classmethod
    def curves(cls, config: "RunConfig") -> tuple[str, ...]:
        """Return the names of the curves that are the method's own: its terms, then the weights with a schedule.

        The capacity is not one of them: it stands with the curves that all runs have.
        """
        return (*(term.name for term in cls.terms), *(name for name in config.method.schedules if name != CAPACITY))

    @classmethod
    def scheduled(cls, columns: Sequence[str]) -> tuple[str, ...]:
        """Return those of the own columns of a run's curves that are weights, not terms."""
        return tuple(name for name in cls.Settings.weights() if name in columns)

    @classmethod
    def latents_of(cls, config: "RunConfig") -> tuple[Latent, ...]:
        """Return what each column of z is. By default as many Gaussian latents as the settings say."""
        return (Latent.gaussian(),) * config.latents

    @classmethod
    def kl_columns(cls, config: "RunConfig") -> int:
        """Return how many curves of KL per latent it has: one for each latent, or none."""
        return len(cls.latents_of(config)) if cls.has("kl") else 0

    @classmethod
    def rate_words(cls, config: "RunConfig") -> str:
        """Return its learning rate, or those of its networks, in words."""
        return exact_text(config.learning_rate)

    @classmethod
    def optimiser_words(cls, config: "RunConfig") -> str:
        """Return how it is optimised, for a methods section."""
        return f"Adam with a learning rate of {cls.rate_words(config)}"

    @classmethod
    def network_words(cls, config: "RunConfig", side: int) -> str:
        """Return what its networks are for images of a side (0: not known), as sentences for a methods section.

        Empty where they are encoder and decoder of the chosen network.
        """
        return ""

    # Its networks

    @abstractmethod
    def build(self) -> "nn.Module":
        """Make all networks that it trains or needs; each weight of the result is saved in checkpoints by its name."""

    def initialise(self, generator: "torch.Generator") -> None:
        """Draw all weights from a generator, in the way of the chosen network."""
        NETWORKS[self.spec.network].initialise(self.networks, generator)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        return self.spec.image_shape

    @property
    def latents(self) -> int:
        """Number of latents, the columns of z."""
        return self.spec.latents

    @property
    def kinds(self) -> tuple[Latent, ...]:
        """What each latent is."""
        return self.latents_of(self.config)

    @property
    def classes(self) -> int:
        """Number of classes whose label the decoder is given; 0 for none."""
        return self.spec.classes

    def to(self, device: "torch.device") -> Self:
        """Move the networks to a device, convolutions channels last (fastest on a CPU); return self."""
        import torch

        self.networks = self.networks.to(device).to(memory_format=torch.channels_last)
        return self

    def train(self) -> Self:
        """Put the networks into training mode; return self."""
        self.networks.train()
        return self

    def eval(self) -> Self:
        """Put the networks into evaluation mode; return self."""
        self.networks.eval()
        return self

    def fused(self) -> Self:
        """Return a copy for encoding many images, with batch normalisation folded into convolutions."""
        from engine.networks.fusing import fused

        copied = copy.copy(self)
        copied.networks = fused(self.networks)
        return copied

    # Its training

    def optimisers(self) -> "dict[str, torch.optim.Optimizer]":
        """Return the optimisers by name, saved in checkpoints. By default one Adam over all weights."""
        from torch.optim import Adam

        return {"all": Adam(self.networks.parameters(), lr=self.config.learning_rate, fused=True)}

    def sampler(self, dataset: "Dataset", indices: "NDArray[np.int64]") -> Sampler:
        """Return what chooses the images of each step among these positions. Independent images by default."""
        steps_per_epoch = self.config.steps_per_epoch(len(indices))
        return Independent(indices, self.config.batch_size, self.config.seed, steps_per_epoch)

    @abstractmethod
    def step(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """Update the weights once.

        Returns "loss", "reconstruction", "kl" (scalars, nats), "kl_per_latent" (latents,) and a scalar for each of
        `terms`, by name, but for what it `lacks`; without gradients. "loss" is what must stay finite.
        """

    # What is seen of it

    @abstractmethod
    def encode(self, images: "Tensor") -> Posterior:
        """Images (n, channels, side, side) in 0..1 to posteriors. Metrics and traversals see the means."""

    def kl(self, posterior: Posterior) -> "Tensor":
        """KL divergence of each latent from the prior, in nats, (n, latents). Never called where `lacks` names it."""
        raise NotImplementedError(f"{self.title} has a KL divergence but does not compute it")

    def sample(self, posterior: Posterior, noise: "torch.Generator") -> "Tensor":
        """Draw z to reconstruct from, (n, latents). Never called where `lacks` names the reconstruction."""
        raise NotImplementedError(f"{self.title} has a reconstruction loss but draws no z")

    @abstractmethod
    def logits(self, z: "Tensor", labels: "Tensor | None" = None) -> "Tensor":
        """Latents (n, latents), and class numbers (n,) if conditional, to logits (n, channels, side, side)."""

    def decode(self, z: "Tensor", labels: "Tensor | None" = None) -> "Tensor":
        """Latents to pixel probabilities in 0..1, (n, channels, side, side)."""
        return self.logits(z, labels).sigmoid()


def _course(schedule: Schedule, unit: str, config: "RunConfig", images: int | None) -> str:
    """How a weight went, e.g. "rose linearly from 0 to 20 nats over 20 epochs (18,760 steps)"."""
    verb = "rose" if schedule.end >= schedule.start else "fell"
    shape = "linearly" if schedule.shape == "linear" else "along half a cosine"
    words = f"{verb} {shape} from {exact_text(schedule.start)} to {exact_text(schedule.end)}{unit}"
    words += f" over {schedule.length_text()}"
    if images is None or schedule.unit == "steps":
        return words
    return f"{words} ({schedule.steps(config.steps_per_epoch(images), config.total_steps(images)):,.0f} steps)"
