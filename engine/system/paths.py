"""Where things are: the application's folders and the resources that come with it."""

import os
from pathlib import Path

import platformdirs

APP = "Disentangle Studio"
RESOURCES = Path(__file__).resolve().parents[2] / "resources"


def usual_runs_folder() -> Path:
    """Where runs are kept unless another folder was chosen."""
    return platformdirs.user_data_path(APP, appauthor=False) / "runs"


def cache_folder() -> Path:
    """Where what can be made again is kept, unless another folder was chosen for data."""
    return platformdirs.user_cache_path(APP, appauthor=False)


def presets_folder() -> Path:
    """Where the presets that a person saved are kept."""
    return platformdirs.user_config_path(APP, appauthor=False) / "presets"


def studies_folder() -> Path:
    """Where a person's own studies are looked for."""
    return platformdirs.user_config_path(APP, appauthor=False) / "studies"


def plugins_folder() -> Path:
    """Where plug-ins of the user's own are looked for."""
    return platformdirs.user_config_path(APP, appauthor=False) / "plugins"


def plugins_file() -> Path:
    """Where it is kept which plug-ins the user allowed."""
    return platformdirs.user_config_path(APP, appauthor=False) / "plugins.json"


def folders_file() -> Path:
    """Where the choice of other folders is kept."""
    return platformdirs.user_config_path(APP, appauthor=False) / "folders.json"


def log_file() -> Path:
    """Where the window's log is kept."""
    return platformdirs.user_log_path(APP, appauthor=False) / "studio.log"


def readable(name: str | Path) -> str:
    """Return a file's name as text that can be shown and saved: what is not UTF-8 in it becomes U+FFFD."""
    return os.fsencode(name).decode("utf-8", "replace") if os.name != "nt" else str(name)
