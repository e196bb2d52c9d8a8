"""The annealed VAEs: KL is held at a capacity C that rises over the run (Burgess et al. 2018; Eqs. 5 and 6)."""

from typing import TYPE_CHECKING

from engine.methods.base import MethodSettings
from engine.methods.gaussian import Codes, PenaltyMethod
from engine.system.fields import setting
from engine.system.numbers import exact_text, rounded_text

if TYPE_CHECKING:
    from torch import Tensor

    from engine.settings.run_config import RunConfig


class CapacitySettings(MethodSettings):
    """How hard KL is held at the capacity C, and how C rises. C is in nats."""

    gamma: float = setting(100.0, "γ", "Weight of the distance between KL and the capacity C.", ge=0, le=100_000)
    capacity_max: float = setting(
        20.0,
        "C max",
        "Capacity at the end of its ramp: how much information, in nats, the latents may carry about an image.",
        unit="nats",
        ge=0,
        le=1000,
    )
    capacity_epochs: float = setting(
        20.0,
        "C reached after",
        "Epochs over which C rises linearly from 0 to C max, step by step. Fractions are allowed.",
        unit="epochs",
        ge=0,
        le=100_000,
    )


class Annealed(PenaltyMethod):
    """What both have in common: the capacity."""

    Settings = CapacitySettings

    @classmethod
    def capacity(cls, config: "RunConfig", step: int, steps_per_epoch: int) -> float | None:
        """C in nats at a step (counted from 1), linear from 0 to `capacity_max`."""
        own: CapacitySettings = config.method
        ramp = own.capacity_epochs * steps_per_epoch
        return own.capacity_max * min(1.0, step / ramp) if ramp > 0 else own.capacity_max

    @classmethod
    def warnings(cls, config: "RunConfig", images: int) -> list[str]:
        """Say that C will not reach its end within the run."""
        own: CapacitySettings = config.method
        per_epoch, total = config.steps_per_epoch(images), config.total_steps(images)
        reached = cls.capacity(config, total, per_epoch)
        if reached is None or reached >= own.capacity_max * 0.999:
            return []
        return [
            f"C will reach only {rounded_text(reached)} of {exact_text(own.capacity_max)} nats within the run: "
            f"it lasts {rounded_text(total / per_epoch)} epochs and C needs {exact_text(own.capacity_epochs)}."
        ]

    @classmethod
    def schedule_words(cls, config: "RunConfig", images: int | None) -> str:
        """How C rose, for a methods section."""
        own: CapacitySettings = config.method
        steps = "" if images is None else f" ({own.capacity_epochs * config.steps_per_epoch(images):,.0f} steps)"
        return (
            f"C rose linearly from 0 to {exact_text(own.capacity_max)} nats over "
            f"{exact_text(own.capacity_epochs)} epochs{steps}"
        )

    @classmethod
    def advice(cls, config: "RunConfig") -> str:
        """A smaller gamma."""
        return f" or a smaller γ (it is {exact_text(config.method.gamma)})"


class AnnealedAbs(Annealed):
    """Keeps KL at C from both sides."""

    title = "Annealed VAE (abs)"
    short = "annealed abs"
    formula = "reconstruction loss + γ |KL − C|"
    source = "Eq. 5, with C rising from 0"
    colour = 4

    @classmethod
    def penalty(cls, codes: Codes, settings: CapacitySettings) -> "tuple[Tensor, dict[str, Tensor]]":
        """Gamma times the distance between KL and C, a scalar in nats."""
        return settings.gamma * (codes.kl - codes.capacity).abs(), {}


class AnnealedRelu(Annealed):
    """Keeps KL from rising above C."""

    title = "Annealed VAE (ReLU)"
    short = "annealed ReLU"
    formula = "reconstruction loss + γ ReLU(KL − C)"
    source = "Eq. 6, with C rising from 0"
    colour = 0

    @classmethod
    def penalty(cls, codes: Codes, settings: CapacitySettings) -> "tuple[Tensor, dict[str, Tensor]]":
        """Gamma times what KL exceeds C by, a scalar in nats."""
        return settings.gamma * (codes.kl - codes.capacity).relu(), {}
