"""Where things are: the application's folders and the resources that come with it."""

from pathlib import Path

import platformdirs

APP = "Disentangle Studio"
RESOURCES = Path(__file__).resolve().parents[1] / "resources"


def default_runs_folder() -> Path:
    """Where runs are kept unless --runs or the settings say otherwise."""
    return platformdirs.user_data_path(APP, appauthor=False) / "runs"


def cache_folder() -> Path:
    """Where prepared and downloaded data sets are kept."""
    return platformdirs.user_cache_path(APP, appauthor=False)


def presets_folder() -> Path:
    """Where the presets that a person saved are kept."""
    return platformdirs.user_config_path(APP, appauthor=False) / "presets"


def log_file() -> Path:
    """Where the window's log is kept."""
    return platformdirs.user_log_path(APP, appauthor=False) / "studio.log"
