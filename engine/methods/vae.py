"""The VAE (Kingma & Welling 2014; Eq. 3 of the report)."""

from typing import TYPE_CHECKING, Any

from engine.methods.gaussian import Codes, PenaltyMethod

if TYPE_CHECKING:
    from torch import Tensor


class Vae(PenaltyMethod):
    """Minimises the negative evidence lower bound."""

    title = short = "VAE"
    about = "reconstruction and KL with equal weight"
    formula = "reconstruction loss + KL"
    source = "Eq. 3"
    colour = 1

    @classmethod
    def penalty(cls, codes: Codes, settings: Any) -> "tuple[Tensor, dict[str, Tensor]]":
        """KL, a scalar in nats."""
        return codes.kl, {}
