"""Which plug-ins a run needs, and whether they are still those that it was trained with."""

from typing import Any

from engine.data import ENTRIES, Entry
from engine.errors import PluginMissingError
from engine.methods.absent import description_of
from engine.methods.registry import METHODS
from engine.networks.architectures import NETWORKS
from engine.settings.absent import AbsentDataset, PluginUse, missing_words
from engine.settings.run_config import RunConfig
from engine.system.registry import Origin


def plugins_used(config: RunConfig) -> tuple[PluginUse, ...]:
    """Return the loaded plug-ins that settings need, with what a run keeps of what they bring."""
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
    return tuple(_use(origin, brought) for origin, brought in found.items())


def absent_dataset(entry: Entry) -> AbsentDataset:
    """Return what is kept of a data set, for where its plug-in is not loaded."""
    about = {name: getattr(entry, name) for name in AbsentDataset.model_fields}
    return AbsentDataset.model_validate(about | {"shape": list(entry.shape)})


def _use(origin: Origin, brought: dict[str, Any]) -> PluginUse:
    about = {"name": origin.plugin, "version": origin.version, "fingerprint": origin.fingerprint}
    return PluginUse(**about, values=about | brought)


def plugin_changes(before: tuple[PluginUse, ...], now: tuple[PluginUse, ...]) -> str:
    """Say which plug-ins are others than before, e.g. "the plug-in sparse (version 1.0 then, 1.1 now)"; else empty."""
    known = {use.name: use for use in now}
    words = []
    for use in before:
        other = known.get(use.name)
        if other is not None and other.fingerprint != use.fingerprint:
            same = other.version == use.version
            how = (
                f"another file of version {use.version}" if same else f"version {use.version} then, {other.version} now"
            )
            words.append(f"the plug-in {use.name} ({how})")
    return " and ".join(words)


def require_plugins(config: RunConfig) -> None:
    """Raise PluginMissingError where a plug-in that settings need is not loaded."""
    if words := missing_words(config):
        raise PluginMissingError(words)
