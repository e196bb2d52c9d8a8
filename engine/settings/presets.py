"""Presets: named settings to start from, one TOML file each, in resources/presets and in the user's presets folder."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import BaseModel, Field, TypeAdapter

from engine.errors import ConfigError
from engine.settings.folders import remembered_data
from engine.settings.run_config import FIRST_SCHEMA, SCHEMA, RunConfig, migrated
from engine.system.files import write_bytes
from engine.system.paths import RESOURCES, presets_folder
from engine.system.plain_text import clean_name, one_line, slug
from engine.system.reading import DamagedError, Text, checked, read_toml, reason_of

QUICK = "quick-dsprites"
"""The two-minute preset: the first run of a new user, and the one of `demo`."""


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings with a title and a sentence that describes their purpose."""

    name: str
    title: str
    description: str
    config: RunConfig


class _File(BaseModel):
    title: Annotated[Text, Field(min_length=1)]
    description: Text
    settings: dict[str, Any]
    written_as: Annotated[int, Field(alias="schema")] = FIRST_SCHEMA


_FILE = TypeAdapter(_File)


def load_preset(path: Path) -> Preset:
    """Read a preset. Raises ConfigError if the file cannot be read or a setting is invalid."""
    try:
        values = read_toml(path)
    except (OSError, DamagedError) as error:
        raise ConfigError(f"{path} {reason_of(error)}.") from None
    try:
        file = checked(_FILE, values)
        title = clean_name(file.title) or clean_name(path.stem)
        return Preset(
            path.stem, title, one_line(file.description), RunConfig.parse(migrated(file.settings, file.written_as))
        )
    except DamagedError as error:
        raise ConfigError(f"{path} is not a preset: it needs title, description and settings ({error}).") from None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def shipped_presets() -> list[Preset]:
    """Return the presets that come with the application, quick ones first."""
    return list(_shipped())


@cache
def _shipped() -> tuple[Preset, ...]:
    """Read them once: every window and every dialog for studies lists them."""
    presets = [load_preset(path) for path in sorted((RESOURCES / "presets").glob("*.toml"))]
    return tuple(sorted(presets, key=lambda preset: (not preset.name.startswith("quick"), preset.name != QUICK)))


def own_presets() -> list[Preset]:
    """Return the user's presets, sorted by title, without files that cannot be read."""
    presets = [preset for preset in map(_load_own, _own_files()) if isinstance(preset, Preset)]
    return sorted(presets, key=lambda preset: preset.title.casefold())


def unreadable_presets() -> dict[str, str]:
    """Return why `own_presets` leaves files out: a sentence for each, by file name."""
    found = ((path.name, _load_own(path)) for path in _own_files())
    return {name: str(error) for name, error in found if isinstance(error, ConfigError)}


def _own_files() -> list[Path]:
    return sorted(presets_folder().glob("*.toml"))


def _load_own(path: Path) -> Preset | ConfigError:
    try:
        return load_preset(path)
    except ConfigError as error:
        return error


def save_preset(title: str, description: str, config: RunConfig) -> Preset:
    """Save settings as a preset, replacing one with the same title. Raises ConfigError.

    A data folder that is the remembered one of its data set is left out, so that the preset follows changes to it.
    """
    title = clean_name(title)
    if not title:
        raise ConfigError("A preset needs a title.")
    if config.data_folder == remembered_data(config.dataset):
        config = config.changed(data_folder=None)
    values = config.model_dump(mode="json")
    settings = {name: value for name, value in (values | values.pop("method")).items() if value is not None}
    same = next((preset for preset in own_presets() if preset.title == title), None)
    name = same.name if same else _free_name(slug(title))
    text = tomli_w.dumps({"schema": SCHEMA, "title": title, "description": description, "settings": settings})
    path = presets_folder() / f"{name}.toml"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, text.encode())
    except OSError as error:
        raise ConfigError(f"The preset cannot be saved as {path}: {error.strerror or error}.") from None
    return load_preset(path)


def delete_preset(preset: Preset) -> None:
    """Delete one of the user's presets. Raises ConfigError."""
    path = presets_folder() / f"{preset.name}.toml"
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{path} cannot be removed: {error.strerror or error}.") from None


def _free_name(base: str) -> str:
    taken = {path.stem for path in presets_folder().glob("*.toml")}
    number = 1
    while (name := base if number == 1 else f"{base}-{number}") in taken:
        number += 1
    return name


def quick_preset() -> Preset:
    """Return the two-minute preset."""
    return load_preset(RESOURCES / "presets" / f"{QUICK}.toml")
