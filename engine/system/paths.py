"""Paths of the application's folders and of the resources that come with it."""

import os
from pathlib import Path

import platformdirs

APP = "Disentangle Studio"
RESOURCES = Path(__file__).resolve().parents[2] / "resources"


def usual_runs_folder() -> Path:
    """Return the runs folder used unless another was chosen."""
    return platformdirs.user_data_path(APP, appauthor=False) / "runs"


def cache_folder() -> Path:
    """Return the folder for files that can be recreated, used unless another was chosen for data."""
    return platformdirs.user_cache_path(APP, appauthor=False)


def presets_folder() -> Path:
    """Return the folder of the user's presets."""
    return platformdirs.user_config_path(APP, appauthor=False) / "presets"


def studies_folder() -> Path:
    """Return the folder of the user's studies."""
    return platformdirs.user_config_path(APP, appauthor=False) / "studies"


def plugins_folder() -> Path:
    """Return the folder of the user's plug-ins."""
    return platformdirs.user_config_path(APP, appauthor=False) / "plugins"


def plugins_file() -> Path:
    """Return the file that records which plug-ins the user has allowed or refused."""
    return platformdirs.user_config_path(APP, appauthor=False) / "plugins.json"


def folders_file() -> Path:
    """Return the file that holds the user's choice of folders."""
    return platformdirs.user_config_path(APP, appauthor=False) / "folders.json"


def log_file() -> Path:
    """Return the file of the window's log."""
    return platformdirs.user_log_path(APP, appauthor=False) / "studio.log"


def readable(name: str | Path) -> str:
    """Return a file name as text that can be shown and saved; bytes that are not UTF-8 become U+FFFD."""
    return os.fsencode(name).decode("utf-8", "replace") if os.name != "nt" else str(name)
