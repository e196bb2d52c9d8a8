"""Which plug-ins a run needs, and whether they are still those that it was trained with."""

from typing import TYPE_CHECKING, Any

from engine.data import ENTRIES, Entry
from engine.errors import ConfigError, PluginMissingError
from engine.methods.absent import description_of
from engine.methods.registry import METHODS
from engine.networks.architectures import NETWORKS
from engine.settings.absent import AbsentDataset, PluginUse, missing_words
from engine.settings.run_config import RunConfig
from engine.system.registry import Origin, Registry

if TYPE_CHECKING:
    from engine.runs.run import Run

_KINDS = {"method": "method", "network": "network", "dataset": "data set"}
_REGISTRIES: dict[str, Registry[Any]] = {"method": METHODS, "network": NETWORKS, "dataset": ENTRIES}


def origins_of(config: RunConfig) -> tuple[Origin, ...]:
    """Return the loaded plug-ins that settings need, each once."""
    found = [METHODS.origin(config.objective), ENTRIES.origin(config.dataset)]
    if "network" not in METHODS[config.objective].ignores:
        found.append(NETWORKS.origin(config.network))
    return tuple(dict.fromkeys(origin for origin in found if origin is not None))


def names_of(config: RunConfig) -> str:
    """Return the names of the loaded plug-ins that settings need, e.g. "sparse-vae and blobs"; empty if none."""
    names = [origin.plugin for origin in origins_of(config)]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def plugins_used(config: RunConfig) -> tuple[PluginUse, ...]:
    """Return the loaded plug-ins that settings need, with the descriptions that a run stores."""
    found: dict[Origin, dict[str, Any]] = {}
    method, network = METHODS[config.objective], NETWORKS[config.network]
    if origin := METHODS.origin(config.objective):
        found.setdefault(origin, {})["method"] = {"name": config.objective} | description_of(method, config)
    if "network" not in method.ignores and (origin := NETWORKS.origin(config.network)):
        found.setdefault(origin, {})["network"] = {
            "name": config.network,
            "title": network.title,
            "normalises": network.normalises,
            "encoder": network.encoder_words(0, config.normalisation),
            "decoder": network.decoder_words(),
        }
    if origin := ENTRIES.origin(config.dataset):
        found.setdefault(origin, {})["dataset"] = absent_dataset(ENTRIES[config.dataset]).model_dump()
    return tuple(_use(origin, provided) for origin, provided in found.items())


def absent_dataset(entry: Entry) -> AbsentDataset:
    """Return the description of a data set that a run stores, for use without its plug-in."""
    about = {name: getattr(entry, name) for name in AbsentDataset.model_fields}
    return AbsentDataset.model_validate(about | {"shape": list(entry.shape)})


def _use(origin: Origin, provided: dict[str, Any]) -> PluginUse:
    about = {"name": origin.plugin, "version": origin.version, "fingerprint": origin.fingerprint}
    return PluginUse(**about, values=about | provided)


def in_full(name: str, version: str, fingerprint: str) -> str:
    """Return a plug-in with the beginning of its fingerprint, e.g. "sparse 1.0 (SHA-256 0a1b2c3d…)"."""
    return f"{name} {version} (SHA-256 {fingerprint[:8]}…)"


def plugin_changes(before: tuple[PluginUse, ...], now: tuple[PluginUse, ...]) -> str:
    """Say which plug-ins have changed, e.g. "the plug-in sparse (version 1.0 then, 1.1 now)"; empty if none has.

    What has the same name may also come from another plug-in now, or from the application itself. What is missing now
    is not named.
    """
    known = _providers(now)
    words: dict[str, None] = {}
    for (kind, name), use in _providers(before).items():
        other = known.get((kind, name))
        if other is None:
            if name in _REGISTRIES[kind]:
                words[f"the {_KINDS[kind]} {name} (of the plug-in {use.words} then, the application's own now)"] = None
        elif other.name != use.name:
            words[f"the {_KINDS[kind]} {name} (of the plug-in {use.words} then, of {other.words} now)"] = None
        elif other.fingerprint != use.fingerprint:
            same = other.version == use.version
            versions = f"version {use.version} then, {other.version} now"
            words[f"the plug-in {use.name} ({f'another file of version {use.version}' if same else versions})"] = None
    return " and ".join(words)


def _providers(uses: tuple[PluginUse, ...]) -> dict[tuple[str, str], PluginUse]:
    """The plug-ins that provide what is used, by its kind and name."""
    return {(kind, use.values[kind]["name"]): use for use in uses for kind in _KINDS if use.values.get(kind)}


def require_plugins(config: RunConfig) -> None:
    """Raise PluginMissingError if a plug-in that settings need is not loaded."""
    if words := missing_words(config):
        raise PluginMissingError(words)


def require_trainable(run: "Run") -> None:
    """Raise PluginMissingError as `require_plugins` does, or ConfigError if a run comes from elsewhere."""
    require_plugins(run.config)
    if words := METHODS[run.config.objective].untrainable:
        raise ConfigError(f"{run.name} cannot be trained. {words}")
