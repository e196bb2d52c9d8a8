"""Stand-ins for methods whose plug-in is not loaded: their runs can be viewed, but not trained or evaluated."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from pydantic import BeforeValidator, create_model

from engine.errors import PluginMissingError
from engine.methods.base import Batch, Context, Method, MethodSettings, Posterior, Supervision, Term
from engine.methods.latents import Kind, Latent
from engine.system.fields import Weight, setting, unit_of
from engine.system.registry import Origin

if TYPE_CHECKING:
    from torch import Tensor, nn

    from engine.settings.run_config import RunConfig


class AbsentMethod(Method):
    """A method whose plug-in is not loaded, as described by its run; nothing can be computed with it."""

    origin: Origin
    latent_kinds: tuple[Latent, ...]
    """Its latents; empty for Gaussian latents whose number is a setting."""

    @classmethod
    def latents_of(cls, config: "RunConfig") -> tuple[Latent, ...]:
        """Return its latents, as described by the run."""
        return cls.latent_kinds or super().latents_of(config)

    def build(self) -> "nn.Module":
        """Raise PluginMissingError."""
        self._refuse()

    def step(self, batch: Batch, context: Context) -> "dict[str, Tensor]":
        """Raise PluginMissingError."""
        self._refuse()

    def encode(self, images: "Tensor") -> Posterior:
        """Raise PluginMissingError."""
        self._refuse()

    def logits(self, z: "Tensor", labels: "Tensor | None" = None) -> "Tensor":
        """Raise PluginMissingError."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise PluginMissingError(self.origin.needed_by(f"The method {self.title}"))


def description_of(method: type[Method], config: "RunConfig") -> dict[str, Any]:
    """Return the description of a method that a run stores, as JSON values; a stand-in can be made from it."""
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
        "weights": list(method.Settings.weights()),
    }


def absent_method(about: Mapping[str, Any], settings: Mapping[str, Any], origin: Origin) -> type[Method]:
    """Return a stand-in made from a validated result of `description_of` and the settings of a run's method.

    A setting that the description lacks has its name as its title.
    """
    titles = {name: (name, "") for name in settings} | {name: tuple(words) for name, words in about["settings"].items()}
    kind = Annotated[Any, BeforeValidator(_comparable)]
    fields: Any = {
        name: (Weight, setting(0.0, title, title, unit=unit))
        if name in about["weights"]
        else (kind, setting(None, title, title, unit=unit))
        for name, (title, unit) in titles.items()
    }
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
    """Convert the JSON value of a setting to a hashable one, by which runs can be compared."""
    return (
        tuple(map(_comparable, value)) if isinstance(value, list) else str(value) if isinstance(value, dict) else value
    )
