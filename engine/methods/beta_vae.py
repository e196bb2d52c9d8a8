"""The beta-VAE (Higgins et al. 2017; Eq. 4 of the report)."""

from typing import TYPE_CHECKING

from engine.methods.base import MethodSettings
from engine.methods.gaussian import Codes, PenaltyMethod
from engine.system.fields import Weight, setting
from engine.system.numbers import exact_text

if TYPE_CHECKING:
    from torch import Tensor

    from engine.settings.run_config import RunConfig


class BetaSettings(MethodSettings):
    """The weight of KL."""

    beta: Weight = setting(
        4.0,
        "β",
        "Weight of the KL divergence. 1 is the plain VAE; larger values disentangle more and reconstruct less sharply.",
        ge=0,
        le=1000,
    )


class BetaVae(PenaltyMethod):
    """Weights KL by beta."""

    title = short = "β-VAE"
    about = "KL is weighted by β"
    formula = "reconstruction loss + β KL"
    source = "Eq. 4"
    colour = 2
    Settings = BetaSettings

    @classmethod
    def warnings(cls, config: "RunConfig", images: int) -> list[str]:
        """Warn of a beta below 1."""
        return no_bound(config)

    @classmethod
    def penalty(cls, codes: Codes, settings: BetaSettings) -> "tuple[Tensor, dict[str, Tensor]]":
        """Beta times KL, a scalar in nats."""
        return settings.beta * codes.kl, {}


def no_bound(config: "RunConfig") -> list[str]:
    """Return a warning if beta is below 1, or ends below 1."""
    beta = config.method.ended().beta
    if beta >= 1:
        return []
    verb = "ends at" if "beta" in config.method.schedules else "is"
    return [f"β {verb} {exact_text(beta)}: below 1 the objective is not a lower bound on the likelihood."]
