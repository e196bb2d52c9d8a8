"""The methods by their names: the one list of them. The form, the command line, the help and tables go through it.

The equations are numbered as in Nguyen & Qiu, "Understanding Disentangled Representation in Variational Autoencoders".
Nothing is rescaled by image or batch size, so beta and gamma mean what they mean in the papers.
"""

from typing import TYPE_CHECKING

from engine.methods.annealed import AnnealedAbs, AnnealedRelu
from engine.methods.base import Method
from engine.methods.beta_tcvae import BetaTcvae
from engine.methods.beta_vae import BetaVae
from engine.methods.vae import Vae
from engine.networks.spec import NetworkSpec

if TYPE_CHECKING:
    from engine.settings.run_config import RunConfig

METHODS: dict[str, type[Method]] = {
    "vae": Vae,
    "beta-vae": BetaVae,
    "annealed-abs": AnnealedAbs,
    "annealed-relu": AnnealedRelu,
    "beta-tcvae": BetaTcvae,
}
"""By the name that `--objective` and config.json have."""


def make(config: "RunConfig", spec: NetworkSpec) -> Method:
    """Return the method of a run, with networks that fit."""
    return METHODS[config.objective](config, spec)


def unused_settings(name: str) -> frozenset[str]:
    """The settings that other methods look at and this one does not."""
    return frozenset(s for method in METHODS.values() for s in method.settings) - {*METHODS[name].settings}
