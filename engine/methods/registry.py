"""The registry of methods by name, from which the form, the command line, the help and tables take them.

The equations are numbered as in Nguyen & Qiu, "Understanding Disentangled Representation in Variational Autoencoders".
Nothing is rescaled by image or batch size, so beta and gamma mean what they mean in the papers.
"""

from functools import cache
from inspect import get_annotations
from typing import TYPE_CHECKING

from engine.methods import stored_codes
from engine.methods.ada_gvae import AdaGvae
from engine.methods.annealed import AnnealedAbs, AnnealedRelu
from engine.methods.base import Method, MethodSettings, Supervision
from engine.methods.beta_tcvae import BetaTcvae
from engine.methods.beta_vae import BetaVae
from engine.methods.d_vae import DVae
from engine.methods.dava import Dava
from engine.methods.dc_ign import DcIgn, DcIgnTransformations
from engine.methods.dip_vae import DipVaeI, DipVaeII
from engine.methods.factor_d_vae import FactorDVae
from engine.methods.factor_vae import FactorVae
from engine.methods.imported import IMPORTED
from engine.methods.info_gan import InfoGan
from engine.methods.info_gan_cr import InfoGanCr
from engine.methods.info_vae import InfoVae
from engine.methods.lambda_beta_vae import LambdaBetaVae
from engine.methods.ml_vae import AdaMlVae, MlVae
from engine.methods.qlae import Qlae
from engine.methods.vae import Vae
from engine.networks.architectures import NETWORKS
from engine.networks.spec import NetworkSpec
from engine.system.registry import Registry

if TYPE_CHECKING:
    from engine.settings.run_config import RunConfig

_OURS: dict[str, type[Method]] = {
    "vae": Vae,
    "beta-vae": BetaVae,
    "annealed-abs": AnnealedAbs,
    "annealed-relu": AnnealedRelu,
    "beta-tcvae": BetaTcvae,
    "factor-vae": FactorVae,
    "dip-vae-i": DipVaeI,
    "dip-vae-ii": DipVaeII,
    "info-vae": InfoVae,
    "lambda-beta-vae": LambdaBetaVae,
    "dava": Dava,
    "ada-gvae": AdaGvae,
    "ada-ml-vae": AdaMlVae,
    "ml-vae": MlVae,
    "dc-ign": DcIgn,
    "dc-ign-transformations": DcIgnTransformations,
    "info-gan": InfoGan,
    "d-vae": DVae,
    "factor-d-vae": FactorDVae,
    "qlae": Qlae,
    "info-gan-cr": InfoGanCr,
}

METHODS: Registry[type[Method]] = Registry(_OURS, unlisted={stored_codes.NAME: stored_codes.StoredCodes, **IMPORTED})
"""The methods by their names in `--objective` and config.json; unlisted are those of what was trained elsewhere."""


def spec_for(config: "RunConfig", image_shape: tuple[int, int, int], classes: int) -> NetworkSpec:
    """Return the shapes and settings that a run's networks must fit, for images of this shape and number of classes."""
    given = classes if config.conditional else 0
    latents = len(METHODS[config.objective].latents_of(config))
    return NetworkSpec(image_shape, latents, given, config.network, config.normalisation)


def make(config: "RunConfig", spec: NetworkSpec) -> Method:
    """Return the method of a run, with networks of these shapes."""
    return METHODS[config.objective](config, spec)


def network_lacking(objective: str, network: str, dataset: str, image_shape: tuple[int, ...]) -> str:
    """Say why a network cannot be trained on a data set with this title; empty if it can, or is not used.

    `image_shape` is height, width and channels of the images, as far as known.
    """
    used = "network" not in METHODS[objective].ignores
    return NETWORKS[network].lacking(dataset, image_shape) if used else ""


def titles() -> dict[str, str]:
    """Return the titles of the methods by name."""
    return {name: method.title for name, method in METHODS.items()}


def supervision_of(objective: str, *, conditional: bool) -> Supervision:
    """Return the supervision of a run: that of its method, but a run whose decoder is given labels is supervised."""
    return Supervision.FULL if conditional else METHODS[objective].supervision


def by_supervision() -> dict[Supervision, list[str]]:
    """Names of the methods by what they learn from, in the order of `Supervision`; only labels that a method has."""
    found: dict[Supervision, list[str]] = {}
    for name, method in sorted(METHODS.items(), key=lambda item: item[1].supervision.rank):
        found.setdefault(method.supervision, []).append(name)
    return found


def same_setting(name: str, one: type[Method], other: type[Method]) -> bool:
    """Return whether both methods have a setting of this name and inherit it from the same class."""
    return (owner := owner_of(name, one)) is not None and owner is owner_of(name, other)


def setting_key(objective: str, name: str) -> str:
    """Return a unique key for a method's setting: its name, prefixed with the method's name where that is taken.

    The first method with a setting of this name, and all methods that share it, use the plain name.
    """
    owner = owner_of(name, METHODS[objective])
    owners = {other: found for other, method in METHODS.items() if (found := owner_of(name, method)) is not None}
    if next(iter(owners.values()), None) is owner:
        return name
    return f"{next(other for other, found in owners.items() if found is owner)}-{name}"


def owner_of(name: str, method: type[Method]) -> type[MethodSettings] | None:
    """Return the class that defines one of a method's own settings; None if the method has none of this name."""
    return _owners(method.Settings).get(name)


@cache
def _owners(settings: type[MethodSettings]) -> dict[str, type[MethodSettings]]:
    """Return the class that defines each of these settings. Kept, since a form asks 50,000 times while it is built."""
    classes = [c for c in settings.__mro__ if issubclass(c, MethodSettings)]
    return {name: c for c in reversed(classes) for name in get_annotations(c)}
