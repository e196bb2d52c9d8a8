"""The plug-ins that a run needs, as stored in its config.json, and stand-ins for what they provide.

With stand-ins, a run can be listed, drawn and exported even if its plug-ins are not loaded.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError

from engine.methods.absent import absent_method
from engine.methods.base import can_name_setting
from engine.methods.latents import Kind
from engine.methods.registry import METHODS
from engine.networks.absent import AbsentNetwork
from engine.networks.architectures import NETWORKS
from engine.system.plain_text import one_line
from engine.system.reading import DamagedError, Number, checked
from engine.system.registry import Origin, needed

if TYPE_CHECKING:
    from engine.methods.base import Method
    from engine.settings.run_config import RunConfig

MOST_PLUGINS = 16
"""Maximum number of plug-ins that a run can need."""

MOST_SETTINGS = 64
"""Maximum number of a plug-in method's own settings."""

LONGEST = 300

Name = Annotated[str, Field(strict=True, pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Line = Annotated[str, Field(strict=True, max_length=LONGEST)]
Text = Annotated[str, Field(strict=True, max_length=2000)]
Count = Annotated[int, Field(strict=True, ge=1, le=10**9)]


class _Thing(BaseModel):
    """Something that a plug-in provides, as described by a run."""

    name: Name
    title: Annotated[Line, Field(min_length=1)]


def _settable(name: str) -> str:
    """A name that a method's own setting can have; that of a common setting would be taken from all runs."""
    from engine.settings.run_config import RunConfig

    if name in RunConfig.model_fields or not can_name_setting(name):
        raise ValueError("a method can have no setting of this name")
    return name


_Setting = Annotated[Name, AfterValidator(_settable)]
_SETTING = TypeAdapter(_Setting)


class _Method(_Thing):
    short: Annotated[Line, Field(min_length=1)]
    formula: Line
    source: Line
    supervision: Literal["unsupervised", "weakly supervised", "supervised"]
    conditional: Annotated[bool, Field(strict=True)]
    needs_factors: Annotated[bool, Field(strict=True)]
    ignores: Annotated[list[Name], Field(max_length=32)]
    terms: Annotated[list[tuple[Name, Line, Line, Text]], Field(max_length=64)]
    lacks: dict[Literal["reconstruction", "kl"], Line]
    latents: Annotated[
        list[tuple[Kind, Number, Number, Annotated[int, Field(strict=True, ge=1, le=64)]]], Field(max_length=1024)
    ]
    settings: Annotated[dict[_Setting, tuple[Line, Line]], Field(max_length=MOST_SETTINGS)]
    weights: Annotated[list[Name], Field(max_length=MOST_SETTINGS)] = []


class _Network(_Thing):
    normalises: Annotated[bool, Field(strict=True)]
    encoder: Text
    decoder: Text


class AbsentDataset(_Thing):
    """A data set whose plug-in is not loaded, as described by its run; the fields are those of `engine.data.Entry`."""

    description: Text
    images: Count | None
    training_images: Count | None
    shape: Annotated[list[Count], Field(max_length=3)]
    classes: Text
    factors: Text
    path_kind: Literal["", "folder", "file", "folder or file"]


class _Used(BaseModel):
    name: Name
    version: Annotated[str, Field(strict=True, max_length=40)]
    fingerprint: Annotated[str, Field(strict=True, pattern=r"^[0-9a-f]{64}$")]
    method: _Method | None = None
    network: _Network | None = None
    dataset: AbsentDataset | None = None


_USED = TypeAdapter(_Used)

DATASETS_ABSENT: dict[str, tuple[AbsentDataset, Origin]] = {}
"""Data sets that runs need but no loaded plug-in provides, by name."""


@dataclass(frozen=True, slots=True)
class PluginUse:
    """A plug-in that a run needs: its name, version and fingerprint, and the run's description of what it provides."""

    name: str
    version: str
    fingerprint: str
    values: Mapping[str, Any] = field(compare=False)
    """Its entry in config.json."""

    @property
    def words(self) -> str:
        """Its name and version, e.g. "sparse 1.0"."""
        return f"{self.name} {self.version}"


def read_plugins(values: Any) -> tuple[PluginUse, ...]:
    """Read "plugins" of a config.json, leaving out damaged entries."""
    found = []
    for each in values[:MOST_PLUGINS] if isinstance(values, list) else ():
        try:
            used = checked(_USED, each)
        except DamagedError:
            continue
        found.append(PluginUse(used.name, one_line(used.version), used.fingerprint, each))
    return tuple(found)


def let_stand_in(values: Mapping[str, Any]) -> None:
    """Set stand-ins for what a run needs and no loaded plug-in provides, from the descriptions in its config.json."""
    from engine.settings.run_config import DATASET_TITLES

    settings = values.get("method")
    for use in read_plugins(values.get("plugins")):
        used = checked(_USED, use.values)
        origin = Origin(used.name, use.version, used.fingerprint)
        if used.method and used.method.name == values.get("objective") and used.method.name not in METHODS:
            names = _settings_in(settings)
            before = METHODS[used.method.name] if METHODS.missing(used.method.name) else None
            known = [*before.Settings.model_fields] if before else []
            made = _absent_method(used.method.model_dump_json(), frozenset([*names, *known]), origin)
            METHODS.stand_in(used.method.name, made, origin)
        if used.network and used.network.name == values.get("network") and used.network.name not in NETWORKS:
            about = used.network
            made_network = AbsentNetwork(
                one_line(about.title), about.normalises, one_line(about.encoder), one_line(about.decoder), origin
            )
            NETWORKS.stand_in(about.name, made_network, origin)
        if used.dataset and used.dataset.name == values.get("dataset") and used.dataset.name not in DATASET_TITLES:
            title = one_line(used.dataset.title)
            DATASETS_ABSENT[used.dataset.name] = used.dataset.model_copy(update={"title": title}), origin
            DATASET_TITLES.stand_in(used.dataset.name, title, origin)


def _settings_in(values: Any) -> list[str]:
    """The names in a run's "method" that settings can have; any other makes its config.json invalid."""
    found = []
    for name in [*values][:MOST_SETTINGS] if isinstance(values, dict) else ():
        with suppress(ValidationError):
            found.append(_SETTING.validate_python(name))
    return found


@lru_cache(maxsize=256)
def _absent_method(about: str, settings: frozenset[str], origin: Origin) -> "type[Method]":
    """A stand-in, shared by all runs that describe their method alike."""
    return absent_method(_in_lines(json.loads(about)), dict.fromkeys(sorted(settings)), origin)


def _in_lines(value: Any) -> Any:
    """Values with each text reduced to one line that can be shown anywhere."""
    if isinstance(value, dict):
        return {key: _in_lines(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_in_lines(each) for each in value]
    return one_line(value) if isinstance(value, str) else value


def missing_words(config: "RunConfig") -> str:
    """Say which of the plug-ins that settings need are not loaded; empty if none is missing."""
    from engine.settings.run_config import DATASET_TITLES

    method, network = METHODS[config.objective], config.network
    things: dict[str, tuple[Origin | None, str]] = {
        "method": (METHODS.missing(config.objective), method.title),
        "network": (None if "network" in method.ignores else NETWORKS.missing(network), NETWORKS[network].title),
        "data set": (DATASET_TITLES.missing(config.dataset), DATASET_TITLES[config.dataset]),
    }
    missing: dict[Origin, list[str]] = {}
    for kind, (origin, title) in things.items():
        if origin is not None:
            missing.setdefault(origin, []).append(f"the {kind} {title}")
    return needed(missing)
