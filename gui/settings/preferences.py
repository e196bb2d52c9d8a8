"""The user's preferences, as stored in the settings.

Folders are stored separately (engine/settings/folders.py), since the command line uses them too.
"""

import re
from dataclasses import dataclass, fields
from typing import Any

from PySide6.QtCore import QSettings

from engine.errors import ConfigError
from engine.settings.folders import with_remembered_data
from engine.settings.run_config import RunConfig
from engine.system.plain_text import one_line
from gui.widgets import theme

ADDRESS = re.compile(r"([a-z]+://)?[^\s/]+:\d{1,5}|[a-z]+://\S+")
"""Addresses of schedulers, such as tcp://192.168.1.5:8786 or host:8786."""

REDRAW_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0)

KEYS = {
    "theme": "theme",
    "redraw_seconds": "curves/redraw-seconds",
    "device": "new-runs/device",
    "threads": "new-runs/threads",
    "preview_steps": "new-runs/preview_steps",
    "ask_close": "ask/close",
    "ask_preset": "ask/delete-preset",
    "ask_data": "ask/delete-data",
    "ask_long": "ask/long-run",
    "ask_identical": "ask/identical",
    "notifications": "notifications",
    "evaluate_after": "evaluate-after-training",
    "scheduler": "cluster/scheduler",
    "reduced_motion": "reduced-motion",
}
"""The settings key of each preference."""

NEW_RUNS = ("device", "threads", "preview_steps")
"""Fields of RunConfig whose defaults for new runs can be set here."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """All preferences; the defaults are those of a new installation."""

    theme: str = "system"
    redraw_seconds: float = 1.0
    device: str = RunConfig.model_fields["device"].default
    threads: int = RunConfig.model_fields["threads"].default
    preview_steps: int = RunConfig.model_fields["preview_steps"].default
    ask_close: bool = True
    ask_preset: bool = True
    ask_data: bool = True
    ask_long: bool = True
    ask_identical: bool = True
    notifications: bool = True
    evaluate_after: bool = False
    scheduler: str = ""
    """Address of the scheduler on whose cluster studies are trained; empty if there is none."""
    reduced_motion: bool = False

    def begin_with(self, config: RunConfig) -> RunConfig:
        """Return a preset's settings, with preferred or remembered values for those that it does not set."""
        silent = [name for name in NEW_RUNS if name not in config.model_fields_set]
        filled = config.model_copy(update={name: getattr(self, name) for name in silent})
        return with_remembered_data(RunConfig.parse(filled.model_dump()))


def read_preferences(settings: QSettings) -> Preferences:
    """Read the preferences; invalid ones get their defaults."""
    found: dict[str, Any] = {}
    for field in fields(Preferences):
        kept = settings.value(KEYS[field.name])
        value = _valid(field.name, field.default, str(kept)) if kept is not None else None
        if value is not None:
            found[field.name] = value
    return Preferences(**found)


def write_preferences(settings: QSettings, preferences: Preferences) -> None:
    """Store the preferences."""
    for name, key in KEYS.items():
        settings.setValue(key, getattr(preferences, name))


def _valid(name: str, default: object, kept: str) -> object:
    """Return a stored value; None if it is invalid."""
    if isinstance(default, bool):
        return {"true": True, "false": False}.get(kept.lower())
    if name in NEW_RUNS:
        try:
            return getattr(RunConfig.parse({name: kept}), name)
        except ConfigError:
            return None
    if name == "scheduler":
        return one_line(kept) if ADDRESS.fullmatch(one_line(kept)) else None
    if name == "theme":
        return kept if kept in theme.SCHEMES else None
    return next((seconds for seconds in REDRAW_SECONDS if str(seconds) == kept), None)
