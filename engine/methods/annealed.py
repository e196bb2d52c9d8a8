"""The annealed VAEs: KL is held at a capacity C that rises over the run (Burgess et al. 2018; Eqs. 5 and 6)."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from engine.methods.base import MethodSettings
from engine.methods.gaussian import Codes, PenaltyMethod
from engine.system.fields import Settings, Weight, setting
from engine.system.schedule import Schedule, weight_text

if TYPE_CHECKING:
    from torch import Tensor

    from engine.settings.run_config import RunConfig


RAMP = Schedule(0.0, 20.0, 20.0, "epochs")
"""The report's ramp (section 3)."""


class FormerCapacity(Settings):
    """The capacity as two numbers, as it was given before it became a schedule: C rises linearly from 0."""

    capacity_max: float = setting(RAMP.end, "C max", "Capacity at the end of its ramp.", unit="nats", ge=0, le=1000)
    capacity_epochs: float = setting(
        RAMP.length, "C reached after", "Length of the ramp in epochs; 0: no ramp.", unit="epochs", ge=0, le=100_000
    )


class CapacitySettings(MethodSettings):
    """How strongly KL is held at the capacity C, and how C rises.

    The former names `capacity_max` and `capacity_epochs` remain valid: they set the end and the length of the schedule.
    """

    former = FormerCapacity

    gamma: Weight = setting(100.0, "γ", "Weight of the distance between KL and the capacity C.", ge=0, le=100_000)
    capacity: Weight = setting(
        RAMP,
        "Capacity C",
        "The value at which KL is held: how many nats of information the latents may carry about an image. It "
        "usually rises from 0, step by step.",
        unit="nats",
        ge=0,
        le=1000,
    )

    @model_validator(mode="before")
    @classmethod
    def _from_former_names(cls, values: Any) -> Any:
        """Apply values given under former names to the capacity, in the order in which they were given."""
        if not isinstance(values, dict) or values.keys().isdisjoint(FormerCapacity.model_fields):
            return values
        capacity: Any = RAMP
        for name, value in values.items():
            if name == "capacity":
                capacity = cls.model_validate({name: value}).capacity
            elif name in FormerCapacity.model_fields:
                given = getattr(FormerCapacity.model_validate({name: value}), name)
                capacity = (_with_end if name == "capacity_max" else _with_epochs)(capacity, given)
        others = {name: value for name, value in values.items() if name not in FormerCapacity.model_fields}
        return others | {"capacity": capacity}


def _with_end(capacity: float | Schedule, end: float) -> float | Schedule:
    return replace(capacity, end=end) if isinstance(capacity, Schedule) else end


def _with_epochs(capacity: float | Schedule, epochs: float) -> float | Schedule:
    """Set the length: a ramp of length 0 becomes a constant, and a constant becomes the end of a ramp from 0."""
    ramp = capacity if isinstance(capacity, Schedule) else replace(RAMP, end=capacity)
    return replace(ramp, length=epochs, unit="epochs") if epochs else ramp.end


class Annealed(PenaltyMethod):
    """The base of both annealed methods, with their settings."""

    Settings = CapacitySettings

    @classmethod
    def advice(cls, config: "RunConfig") -> str:
        """Suggest a smaller gamma."""
        return f" or a smaller γ (it is {weight_text(config.method.gamma)})"


class AnnealedAbs(Annealed):
    """Keeps KL at C from both sides."""

    title = "Annealed VAE (abs)"
    short = "annealed abs"
    about = "KL is held at a capacity that rises"
    formula = "reconstruction loss + γ |KL − C|"
    source = "Eq. 5, with C rising from 0"
    colour = 4

    @classmethod
    def penalty(cls, codes: Codes, settings: CapacitySettings) -> "tuple[Tensor, dict[str, Tensor]]":
        """Gamma times the distance between KL and C, a scalar in nats."""
        return settings.gamma * (codes.kl - settings.capacity).abs(), {}


class AnnealedRelu(Annealed):
    """Keeps KL from rising above C."""

    title = "Annealed VAE (ReLU)"
    short = "annealed ReLU"
    about = "KL above a capacity that rises is penalised"
    formula = "reconstruction loss + γ ReLU(KL − C)"
    source = "Eq. 6, with C rising from 0"
    colour = 0

    @classmethod
    def penalty(cls, codes: Codes, settings: CapacitySettings) -> "tuple[Tensor, dict[str, Tensor]]":
        """Gamma times the excess of KL over C, a scalar in nats."""
        return settings.gamma * (codes.kl - settings.capacity).relu(), {}
