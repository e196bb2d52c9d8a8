"""Which folders the user chose: for runs and prepared data in place of the usual ones, and where each data set is.

Kept in one file that the window and the command line both read.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.config import RunConfig
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
    values = _read()
    runs, cache = (_path(values.get(name)) for name in ("runs", "data_cache"))
    return Folders(runs, cache)


def choose_folders(folders: Folders) -> None:
    """Keep a choice. Raises ConfigError when a folder cannot be used, or the choice cannot be written."""
    for folder in (folders.runs, folders.data_cache):
        if folder is not None:
            require_writable(folder)
    _write({"runs": _text(folders.runs), "data_cache": _text(folders.data_cache)})


def remembered_data(dataset: str) -> Path | None:
    """Return the folder or file that was last chosen for a data set; None where none was."""
    places = _read().get("data")
    return _path(places.get(dataset)) if isinstance(places, dict) else None


def remember_data(dataset: str, path: Path | None) -> None:
    """Remember where a data set is, for presets, the form, studies and the Data page; None forgets it.

    Raises ConfigError when that cannot be written.
    """
    if path == remembered_data(dataset):
        return
    places = _read().get("data")
    known = {name: kept for name, kept in places.items() if _path(kept)} if isinstance(places, dict) else {}
    known.pop(dataset, None)
    _write({"data": known | ({dataset: str(path.absolute())} if path else {}) or None})


def with_remembered_data(config: RunConfig) -> RunConfig:
    """Return settings that name no data folder with the one that is remembered for their data set."""
    place = None if config.data_folder is not None else remembered_data(config.dataset)
    return config if place is None else config.changed(data_folder=place)


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


def _read() -> dict[str, Any]:
    try:
        kept = json.loads(folders_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _write(changes: dict[str, Any]) -> None:
    """Keep changed values beside the others; None removes one. Raises ConfigError."""
    path = folders_file()
    kept = {name: value for name, value in (_read() | changes).items() if value is not None}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, kept)
    except OSError as error:
        raise ConfigError(f"The choice of folders cannot be saved in {path}: {error.strerror or error}.") from None


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _path(value: object) -> Path | None:
    return Path(value) if isinstance(value, str) and Path(value).is_absolute() else None
