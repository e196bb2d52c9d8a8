"""Which folders the user chose: for runs and prepared data in place of the usual ones, and where each data set is.

Kept in one file that the window and the command line both read.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import ConfigError
from engine.settings.run_config import LONGEST_PATH, RunConfig
from engine.system.files import scratch, write_json
from engine.system.paths import cache_folder, folders_file, usual_runs_folder
from engine.system.reading import DamagedError, read_object, reason_of

PATHS = ("runs", "data_cache", "data")
"""The keys of the file whose values are paths, or hold paths."""


@dataclass(frozen=True, slots=True)
class Folders:
    """The chosen folders, absolute; None for the usual one."""

    runs: Path | None = None
    data_cache: Path | None = None
    problem: str = field(default="", compare=False)
    """Why the choice cannot be read, as a sentence."""


def chosen_folders() -> Folders:
    """Read what was chosen; what is damaged counts as not chosen, and `problem` says so."""
    file = folders_file()
    try:
        values = read_object(file, paths=PATHS)
        runs, cache = (_path(values.get(name), name) for name in ("runs", "data_cache"))
    except FileNotFoundError:
        return Folders()
    except (OSError, DamagedError) as error:
        problem = f"{file} {reason_of(error)}. The usual folders are used; choose yours again in the settings."
        return Folders(problem=problem)
    return Folders(runs, cache)


def choose_folders(folders: Folders) -> None:
    """Keep a choice. Raises ConfigError when a folder cannot be used, or the choice cannot be written."""
    for folder in (folders.runs, folders.data_cache):
        if folder is not None:
            require_writable(folder)
    _write({"runs": _text(folders.runs), "data_cache": _text(folders.data_cache)})


def remembered_data(dataset: str) -> Path | None:
    """Return the folder or file that was last chosen for a data set; None where none was."""
    return _data_places().get(dataset)


def remember_data(dataset: str, path: Path | None) -> None:
    """Remember where a data set is, for presets, the form, studies and the Data page; None forgets it.

    Raises ConfigError when that cannot be written.
    """
    if path == remembered_data(dataset):
        return
    known = {name: str(place) for name, place in _data_places().items() if name != dataset}
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
        return read_object(folders_file(), paths=PATHS)
    except (OSError, DamagedError):
        return {}


def _data_places() -> dict[str, Path]:
    """Where data sets are, by name; what cannot be a place is left out."""
    kept = _read().get("data")
    places = {}
    for name, value in kept.items() if isinstance(kept, dict) else ():
        with suppress(DamagedError):
            places[name] = _path(value, name)
    return {name: path for name, path in places.items() if path is not None}


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


def _path(value: object, name: str) -> Path | None:
    """A folder as it was kept. Raises DamagedError for what cannot be one."""
    if value is None:
        return None
    if not isinstance(value, str) or "\0" in value or len(value) > LONGEST_PATH or not Path(value).is_absolute():
        raise DamagedError(f"{name} is not the path of a folder")
    return Path(value)
