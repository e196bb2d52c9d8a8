"""Which folders a person chose for runs and prepared data, in place of the system's usual ones.

Kept in one file that the window and the command line both read.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ConfigError
from engine.files import scratch, write_json
from engine.paths import cache_folder, folders_file, usual_runs_folder


@dataclass(frozen=True, slots=True)
class Folders:
    """The chosen folders, absolute; None for the usual one."""

    runs: Path | None = None
    data_cache: Path | None = None


def chosen_folders() -> Folders:
    """Read what was chosen; what is damaged counts as not chosen."""
    try:
        kept = json.loads(folders_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return Folders()
    values = kept if isinstance(kept, dict) else {}
    runs, cache = (_path(values.get(name)) for name in ("runs", "data_cache"))
    return Folders(runs, cache)


def choose_folders(folders: Folders) -> None:
    """Keep a choice. Raises ConfigError when a folder cannot be used, or the choice cannot be written."""
    for folder in (folders.runs, folders.data_cache):
        if folder is not None:
            require_writable(folder)
    kept = {"runs": folders.runs, "data_cache": folders.data_cache}
    path = folders_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {name: str(folder) for name, folder in kept.items() if folder is not None})
    except OSError as error:
        raise ConfigError(f"The choice of folders cannot be saved in {path}: {error.strerror or error}.") from None


def require_writable(folder: Path) -> None:
    """Make a folder if there is none, and try to write in it. Raises ConfigError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with scratch(folder / "try") as temporary:
            temporary.write_bytes(b"")
    except OSError as error:
        raise ConfigError(f"{folder} cannot be used: {error.strerror or error}. Choose another folder.") from None


def default_runs_folder() -> Path:
    """Where runs are kept unless --runs says otherwise."""
    return chosen_folders().runs or usual_runs_folder()


def data_cache() -> Path:
    """Where prepared and downloaded data sets are kept."""
    return chosen_folders().data_cache or cache_folder()


def _path(value: object) -> Path | None:
    return Path(value) if isinstance(value, str) and Path(value).is_absolute() else None
