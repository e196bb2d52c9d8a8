"""What a plug-in is: an object that lists what it provides. Loads no torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.data import Entry
    from engine.evaluation.metric import Metric
    from engine.methods.base import Method
    from engine.networks.network import Network

INTERFACE = 1
"""Version of the interface between the application and plug-ins; raised when one made for it would no longer work."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plug-in: what its file defines as `PLUGIN`, or the entry point of its package names.

    Parameters
    ----------
    name, version
        Its name, in lower case with dashes ("sparse-vae"), and its version ("1.0").
    interface
        The version of the interface that it was made for: 1.
    methods, networks, metrics, datasets
        What it provides, by the names used in settings, in `--metrics` and in files: lower case, with dashes between
        words, or underscores in names of metrics. A method is a class, the others are objects.
    about
        A sentence about its purpose.
    """

    name: str
    version: str
    interface: int
    methods: "Mapping[str, type[Method]]" = field(default_factory=lambda: MappingProxyType({}))
    networks: "Mapping[str, Network]" = field(default_factory=lambda: MappingProxyType({}))
    metrics: "Mapping[str, Metric]" = field(default_factory=lambda: MappingProxyType({}))
    datasets: "Mapping[str, Entry]" = field(default_factory=lambda: MappingProxyType({}))
    about: str = ""

    @property
    def kinds(self) -> dict[str, tuple[str, ...]]:
        """The names of what it provides, by kind ("method", "network", "metric", "data set"), without empty kinds."""
        provided = {
            "method": self.methods, "network": self.networks, "metric": self.metrics, "data set": self.datasets,
        }  # fmt: skip
        return {kind: tuple(things) for kind, things in provided.items() if things}
