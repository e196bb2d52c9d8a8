"""Presets: named settings to start from, one TOML file each in resources/presets."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from engine.config import RunConfig
from engine.errors import ConfigError
from engine.paths import RESOURCES

QUICK = "quick-dsprites"
"""The two-minute preset: the first thing a new user trains, and what `demo` runs."""


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings with a title and a sentence that says what they are for."""

    name: str
    title: str
    description: str
    config: RunConfig


def load_preset(path: Path) -> Preset:
    """Read a preset. Raises ConfigError when the file cannot be read or a setting is not valid."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return Preset(
            path.stem, str(values["title"]), str(values["description"]), RunConfig.parse(dict(values["settings"]))
        )
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path} is not a preset: it needs title, description and settings ({error}).") from None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def shipped_presets() -> list[Preset]:
    """All presets that come with the application: the quick ones first."""
    presets = [load_preset(path) for path in sorted((RESOURCES / "presets").glob("*.toml"))]
    return sorted(presets, key=lambda preset: (not preset.name.startswith("quick"), preset.name != QUICK))


def quick_preset() -> Preset:
    """Return the two-minute preset."""
    return load_preset(RESOURCES / "presets" / f"{QUICK}.toml")
