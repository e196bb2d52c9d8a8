"""The interface of a method: its description, settings, networks, batches, training step and curves.

The trainer, checkpoints, previews, the held-out curve, the estimate, evaluation and traversal use this interface; none
of them knows a method by name. A method that adds a penalty on Gaussian codes derives from
`engine.methods.gaussian.PenaltyMethod`, another one with Gaussian codes from `GaussianMethod`, any other from `Method`.

Nothing here loads torch, since the window and the command line describe methods before anything is trained.
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
    from pathlib import Path

    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from engine.data.dataset import Dataset
    from engine.settings.run_config import RunConfig


class Posterior(NamedTuple):
    """The encoder's output for n images: mean and log-variance, each (n, latents).

    The mean of a categorical latent is the number of the most likely category, that of a code its number, and the
    log-variance of both is 0. A method may return a subclass with more, which its own `kl` and `sample` are given; the
    subclass's `to` moves all of it.
    """

    mean: "Tensor"
    log_variance: "Tensor"

    def to(self, device: "torch.device | str") -> "Posterior":
        """Return it on a device."""
        return Posterior(self.mean.to(device), self.log_variance.to(device))


@dataclass(frozen=True, slots=True)
class Term:
    """A method's own term: its column in metrics.csv, the title and unit of its curve, and how to read it.

    A plain number has the unit "".
    """

    name: str
    title: str
    unit: str
    help: str


def terms_by_unit(*methods: Sequence[Term]) -> list[list[Term]]:
    """Return the terms that can share a y axis, each once: those of one unit, and plain numbers of one method.

    Plain numbers of different methods, such as an accuracy and a squared error, have no common scale. A capacity, which
    is drawn with KL, is left out.
    """
    groups: dict[object, dict[str, Term]] = {}
    for terms in methods:
        plain = tuple(term.name for term in terms if not term.unit)
        for term in terms:
            if term.name != CAPACITY:
                groups.setdefault(term.unit or plain, {}).setdefault(term.name, term)
    return [list(group.values()) for group in groups.values()]


@dataclass(frozen=True, slots=True)
class Batch:
    """Images of a step, float32 (n, channels, height, width) in 0..1, and labels (n,) if the model is conditional.

    A supervised method also gets the classes of their ground-truth factors, int64 (n, factors), if the data have them.
    """

    images: "Tensor"
    labels: "Tensor | None"
    factors: "Tensor | None" = None


@dataclass(frozen=True, slots=True)
class Context:
    """What a training step gets besides its batch.

    `step` counts from 1; `noise` is the run's own generator; the batch was drawn from `images` training images.
    `jumped` are the weights whose schedule jumps at this step.
    """

    step: int
    steps_per_epoch: int
    images: int
    noise: "torch.Generator"
    optimisers: "dict[str, torch.optim.Optimizer]"
    jumped: frozenset[str] = frozenset()


CAPACITY = "capacity"
"""The weight or term with a column in the curves of every run, drawn with KL: what KL is held at, in nats."""


def can_name_setting(name: str) -> bool:
    """Return whether a method's setting may have this name, i.e. it replaces no attribute of settings."""
    return name.isidentifier() and not name.startswith("_") and not hasattr(MethodSettings, name)


class MethodSettings(Settings):
    """A method's own settings, its hyper-parameters: fields made by `engine.system.fields.setting`.

    None may have the name of a common setting. Two methods share a setting by inheriting it. A field annotated `Weight`
    is a number that may rise or fall over the run. `former` has the fields under which settings were given in earlier
    versions; a validator of the class reads them.
    """

    former: ClassVar[type[Settings]] = Settings

    @classmethod
    def names(cls) -> set[str]:
        """Return all names under which settings can be given, including former ones."""
        return {*cls.model_fields, *cls.former.model_fields}

    @classmethod
    def weights(cls) -> tuple[str, ...]:
        """Return the names of the settings that may rise or fall over the run."""
        return tuple(name for name, field in cls.model_fields.items() if is_weight(field))

    @property
    def schedules(self) -> dict[str, Schedule]:
        """The schedules of weights that have one, by name."""
        values = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: value for name, value in values if isinstance(value, Schedule)}

    def at(self, step: int, steps_per_epoch: int, total_steps: int) -> Self:
        """Return the settings at a step, counted from 1, with a number for each weight."""
        found = {name: s.at(step, steps_per_epoch, total_steps) for name, s in self.schedules.items()}
        return self.model_copy(update=found) if found else self

    def jumped(self, step: int, steps_per_epoch: int, total_steps: int) -> frozenset[str]:
        """Return the names of the weights whose schedule jumps at a step, counted from 1."""
        return frozenset(n for n, s in self.schedules.items() if s.jumps_at(step, steps_per_epoch, total_steps))

    def ended(self) -> Self:
        """Return the settings after the end of all schedules, with a number for each weight."""
        found = {name: schedule.end for name, schedule in self.schedules.items()}
        return self.model_copy(update=found) if found else self


class Supervision(StrEnum):
    """What a method learns from in addition to images; scores are only compared between methods of the same kind.

    A step gets the factors of its images only if the method is supervised.
    """

    NONE = "unsupervised"
    WEAK = "weakly supervised"
    FULL = "supervised"
    UNKNOWN = "not known"

    @property
    def about(self) -> str:
        """The meaning of the label, as a sentence."""
        return {
            Supervision.NONE: "Learns from images alone.",
            Supervision.WEAK: "Also learns from relations between images, such as pairs that share most factors, "
            "without the value of any factor.",
            Supervision.FULL: "Also learns from labels: the class given to the network, or which factor varies.",
            Supervision.UNKNOWN: "Was trained elsewhere; what it learned from is not recorded.",
        }[self]

    @property
    def short(self) -> str:
        """The label for narrow places."""
        return {Supervision.NONE: "unsup.", Supervision.WEAK: "weakly sup."}.get(self, str(self))

    @property
    def rank(self) -> int:
        """Its position in lists, from 0, the least supervision first."""
        return list(Supervision).index(self)


class Method(ABC):
    """A method with its networks, whose weights come from the seed until a checkpoint is loaded.

    Class attributes describe it: `title`, and `short` for narrow places; `about`, what distinguishes it, in a few words
    for lists; `formula` and `source`, what it minimises. `supervision` is what it learns from in addition to images; a
    conditional run of any method is supervised (`RunConfig.supervision`). `Settings` are its own settings, the first of
    them the weight in its formula. `ignores` are the common settings that it does not use; `conditional` says whether
    its decoder can be given labels, `needs_factors` whether it learns only from data with ground-truth factors,
    `batches_per_step` how many batches of images a step takes. `terms` are its curves besides loss, reconstruction and
    KL; none has the name of a weight, and one named "capacity" is drawn with KL. `lacks` has those of "reconstruction"
    and "kl" that it does not have, each with the reason as a sentence without a full stop; it then also lacks what
    depends on them (the held-out curve, the ELBO, the order of latents by KL). `colour` is its number in charts by
    method, among the colours of runs. `decoding` is a sentence about what all decoded images share; empty if nothing.
    `untrainable` says, as a sentence, why its runs cannot be trained, if they come from elsewhere; such a method may
    also lack an encoder (`encodes`) or a decoder (`decodes`).

    `settings` are its own, with a number for each weight: the value at the current step, or before the first step that
    at the end of its schedule.
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
    batches_per_step: ClassVar[int] = 1
    terms: ClassVar[tuple[Term, ...]] = ()
    lacks: ClassVar[Mapping[str, str]] = MappingProxyType({})
    colour: ClassVar[int] = 3
    decoding: ClassVar[str] = ""
    untrainable: ClassVar[str] = ""
    encodes: bool = True
    decodes: bool = True

    def __init__(self, config: "RunConfig", spec: NetworkSpec) -> None:
        self.config, self.spec = config, spec
        self.settings: Any = config.method.ended()
        self.networks = self.build()

    # What it is, before anything is built

    @classmethod
    def warnings(cls, config: "RunConfig", images: int) -> list[str]:
        """Return warnings about settings that do not go together or are costly with this number of training images."""
        return []

    @classmethod
    def schedule_words(cls, config: "RunConfig", images: int | None) -> str:
        """Return how weights changed over the run, for a methods section, e.g. "C rose linearly from 0 to 20 nats...".

        A weight that has a schedule by default is mentioned even if it was constant.
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
        """Return what may help a run that diverged, to be appended to the advice of a smaller learning rate."""
        return ""

    @classmethod
    def lacking(cls, dataset: str, *, factors: bool) -> str:
        """Say why it cannot learn from a data set with this title; empty if it can."""
        if not cls.needs_factors or factors:
            return ""
        return (
            f"{cls.title} learns from images chosen by their ground-truth factors, and {dataset} has none. Choose "
            "dSprites, or own arrays with factors."
        )

    @classmethod
    def provenance(cls, config: "RunConfig") -> dict[str, Any]:
        """Return what the protocols of a run's metrics say about where its codes come from, if not from training.

        "words" says it in a few words, beginning with a small letter.
        """
        return {}

    @classmethod
    def files_left_out(cls, config: "RunConfig") -> tuple[str, ...]:
        """Return the names of files that a run needs and that archives of runs do not carry."""
        return ()

    @classmethod
    def own_data(cls, config: "RunConfig") -> str:
        """Return a fingerprint of the factors and labels that a run brings with it; empty if it has a data set."""
        return ""

    @classmethod
    def has(cls, name: str) -> bool:
        """Return whether it has "reconstruction" or "kl"."""
        return name not in cls.lacks

    @classmethod
    def curves(cls, config: "RunConfig") -> tuple[str, ...]:
        """Return the names of the method's own curves: its terms, then the weights with a schedule.

        The capacity is not among them, since it has a column in the curves of every run.
        """
        names = (*(term.name for term in cls.terms), *config.method.schedules)
        return tuple(name for name in names if name != CAPACITY)

    @classmethod
    def scheduled(cls, columns: Sequence[str]) -> tuple[str, ...]:
        """Return which of a run's own columns are weights, not terms."""
        return tuple(name for name in cls.Settings.weights() if name in columns)

    @classmethod
    def latents_of(cls, config: "RunConfig") -> tuple[Latent, ...]:
        """Return what each column of z is; by default Gaussian latents, whose number is a setting."""
        return (Latent.gaussian(),) * config.latents

    @classmethod
    def kl_columns(cls, config: "RunConfig") -> int:
        """Return the number of its curves of KL per latent: one for each latent, or none."""
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
    def output_words(cls, config: "RunConfig") -> str:
        """Return what the encoder of the chosen network outputs, for a methods section."""
        return f"mean and log-variance of {config.latents:,} latents"

    @classmethod
    def batch_words(cls, config: "RunConfig") -> str:
        """Return what a batch is, for a methods section."""
        return f"{config.batch_size:,} images"

    @classmethod
    def network_words(cls, config: "RunConfig", side: int) -> str:
        """Describe its networks for images with this side (0: not known), in sentences for a methods section.

        Returns an empty text if they are encoder and decoder of the chosen network.
        """
        return ""

    # Its networks

    @abstractmethod
    def build(self) -> "nn.Module":
        """Return a module with all networks that it trains or needs; checkpoints hold its weights by name."""

    def initialise(self, generator: "torch.Generator") -> None:
        """Draw all weights from a generator, as the chosen network does."""
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
        """Number of classes whose label the decoder is given; 0 if it is given none."""
        return self.spec.classes

    def open_files(self, folder: "Path") -> Self:
        """Load networks that are not weights in a checkpoint, from a run's folder of checkpoints; return self."""
        return self

    def to(self, device: "torch.device") -> Self:
        """Move the networks to a device, with convolutions channels last (fastest on a CPU); return self."""
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
        """Return the optimisers by name, saved in checkpoints. By default one Adam over all weights.

        One that takes its first step later than the others, or anew after its state was cleared, has none until then.
        """
        from torch.optim import Adam

        return {"all": Adam(self.networks.parameters(), lr=self.config.learning_rate, fused=True)}

    def sampler(self, dataset: "Dataset", indices: "NDArray[np.int64]") -> Sampler:
        """Return the sampler that chooses the images of each step among these positions; by default independently."""
        steps_per_epoch = self.config.steps_per_epoch(len(indices))
        return Independent(indices, self.config.batch_size, self.config.seed, steps_per_epoch)

    @abstractmethod
    def step(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """Update the weights once.

        Returns "loss", "reconstruction", "kl" (scalars, nats), "kl_per_latent" (latents,) and a scalar for each of
        `terms`, by name and without gradients, except for what it `lacks`. The run ends if "loss" is not finite. A term
        that does not exist at this step is NaN, and its cell in the curves is empty.
        """

    # Its codes

    @abstractmethod
    def encode(self, images: "Tensor") -> Posterior:
        """Images (n, channels, side, side) in 0..1 to posteriors. Metrics and traversals use the means."""

    def kl(self, posterior: Posterior) -> "Tensor":
        """KL divergence of each latent from the prior, in nats, (n, latents). Not called if `lacks` names it."""
        raise NotImplementedError(f"{self.title} has a KL divergence but does not compute it")

    def sample(self, posterior: Posterior, noise: "torch.Generator") -> "Tensor":
        """Draw the z to be decoded, (n, latents). Not called if `lacks` names the reconstruction."""
        raise NotImplementedError(f"{self.title} has a reconstruction loss but draws no z")

    @abstractmethod
    def logits(self, z: "Tensor", labels: "Tensor | None" = None) -> "Tensor":
        """Latents (n, latents), and class numbers (n,) if conditional, to logits (n, channels, side, side)."""

    def decode(self, z: "Tensor", labels: "Tensor | None" = None) -> "Tensor":
        """Latents to pixel probabilities in 0..1, (n, channels, side, side)."""
        return self.logits(z, labels).sigmoid()


def _course(schedule: Schedule, unit: str, config: "RunConfig", images: int | None) -> str:
    """How a weight changed, e.g. "rose linearly from 0 to 20 nats over 20 epochs (18,760 steps)"."""
    verb = "rose" if schedule.end >= schedule.start else "fell"
    shape, along = {
        "linear": ("linearly", "over"),
        "cosine": ("along half a cosine", "over"),
        "jump": ("at once", "after"),
    }[schedule.shape]
    words = f"{verb} {shape} from {exact_text(schedule.start)} to {exact_text(schedule.end)}{unit}"
    words += f" {along} {schedule.length_text()}"
    if images is None or schedule.unit == "steps":
        return words
    return f"{words} ({schedule.steps(config.steps_per_epoch(images), config.total_steps(images)):,.0f} steps)"
