"""What stands in for a method whose plug-in is not loaded: its runs are shown, and what needs its code says so."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from pydantic import BeforeValidator, create_model

from engine.errors import PluginMissingError
from engine.methods.base import Batch, Context, Method, MethodSettings, Posterior, Supervision, Term
from engine.methods.latents import Kind, Latent
from engine.system.fields import setting, unit_of
from engine.system.registry import Origin

if TYPE_CHECKING:
    from torch import Tensor, nn

    from engine.settings.run_config import RunConfig


class AbsentMethod(Method):
    """A method of a plug-in that is not loaded, as its run describes it. Nothing can be computed with it."""

    origin: Origin
    latent_kinds: tuple[Latent, ...]
    """Its latents; empty where they are as many Gaussian ones as the settings say."""

    @classmethod
    def latents_of(cls, config: "RunConfig") -> tuple[Latent, ...]:
        """Its latents, as the run describes them."""
        return cls.latent_kinds or super().latents_of(config)

    def build(self) -> "nn.Module":
        """Refuse."""
        self._refuse()

    def step(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """Refuse."""
        self._refuse()

    def encode(self, images: "Tensor") -> Posterior:
        """Refuse."""
        self._refuse()

    def logits(self, z: "Tensor", labels: "Tensor | None" = None) -> "Tensor":
        """Refuse."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise PluginMissingError(self.origin.needed_by(f"The method {self.title}"))


def description_of(method: type[Method], config: "RunConfig") -> dict[str, Any]:
    """Return what a run keeps of its method, as JSON values: what its stand-in is made of."""
    latents = method.latents_of(config)
    usual = latents == (Latent.gaussian(),) * config.latents
    return {
        "title": method.title,
        "short": method.short,
        "formula": method.formula,
        "source": method.source,
        "supervision": str(method.supervision),
        "conditional": method.conditional,
        "needs_factors": method.needs_factors,
        "ignores": sorted(method.ignores),
        "terms": [[term.name, term.title, term.unit, term.help] for term in method.terms],
        "lacks": dict(method.lacks),
        "latents": [] if usual else [[str(each.kind), each.low, each.high, each.steps] for each in latents],
        "settings": {
            name: [field.title or name, unit_of(field)] for name, field in method.Settings.model_fields.items()
        },
    }


def absent_method(about: Mapping[str, Any], settings: Mapping[str, Any], origin: Origin) -> type[Method]:
    """Return a stand-in, from what `description_of` returned, checked, and the settings of a run's method.

    A setting that the description lacks is called by its name.
    """
    titles = {name: (name, "") for name in settings} | {name: tuple(words) for name, words in about["settings"].items()}
    kind = Annotated[Any, BeforeValidator(_comparable)]
    fields: Any = {name: (kind, setting(None, title, title, unit=unit)) for name, (title, unit) in titles.items()}
    words = {name: about[name] for name in ("title", "short", "formula", "source", "conditional", "needs_factors")}
    attributes = words | {
        "__doc__": AbsentMethod.__doc__,
        "__module__": __name__,
        "origin": origin,
        "supervision": Supervision(about["supervision"]),
        "ignores": frozenset(about["ignores"]),
        "terms": tuple(Term(*term) for term in about["terms"]),
        "lacks": MappingProxyType(dict(about["lacks"])),
        "latent_kinds": tuple(Latent(Kind(kind), *values) for kind, *values in about["latents"]),
        "Settings": create_model("AbsentSettings", __base__=MethodSettings, **fields),
    }
    return type("AbsentMethod", (AbsentMethod,), attributes)


def _comparable(value: Any) -> Any:
    """A value of a setting as JSON has it, as one by which runs can be compared."""
    return (
        tuple(map(_comparable, value)) if isinstance(value, list) else str(value) if isinstance(value, dict) else value
    )
