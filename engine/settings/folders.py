"""The user's choice of folders: the runs folder, the data cache, and the folder of each data set.

They are stored in one file that the window and the command line both read.
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
"""Keys of the file whose values are or contain paths."""


@dataclass(frozen=True, slots=True)
class Folders:
    """The chosen folders, absolute; None for the default."""

    runs: Path | None = None
    data_cache: Path | None = None
    problem: str = field(default="", compare=False)
    """Why the choice cannot be read, as a sentence; empty if it can."""


def chosen_folders() -> Folders:
    """Read the chosen folders; a damaged file counts as no choice, and `problem` says so."""
    file = folders_file()
    try:
        values = read_object(file, paths=PATHS)
        runs, cache = (_path(values.get(name), name) for name in ("runs", "data_cache"))
    except FileNotFoundError:
        return Folders()
    except (OSError, DamagedError) as error:
        problem = f"{file} {reason_of(error)}. The default folders are used; choose yours again in the settings."
        return Folders(problem=problem)
    return Folders(runs, cache)


def choose_folders(folders: Folders) -> None:
    """Save a choice of folders. Raises ConfigError if a folder cannot be used or the choice cannot be saved."""
    for folder in (folders.runs, folders.data_cache):
        if folder is not None:
            require_writable(folder)
    _write({"runs": _text(folders.runs), "data_cache": _text(folders.data_cache)})


def remembered_data(dataset: str) -> Path | None:
    """Return the folder or file last chosen for a data set; None if there is none."""
    return _data_paths().get(dataset)


def remember_data(dataset: str, path: Path | None) -> None:
    """Remember the folder or file of a data set, for presets, the form, studies and the Data page; None forgets it.

    Raises ConfigError if it cannot be saved.
    """
    if path == remembered_data(dataset):
        return
    known = {name: str(known_path) for name, known_path in _data_paths().items() if name != dataset}
    _write({"data": known | ({dataset: str(path.absolute())} if path else {}) or None})


def with_remembered_data(config: RunConfig) -> RunConfig:
    """Return settings with the remembered data folder of their data set, unless they name one."""
    path = None if config.data_folder is not None else remembered_data(config.dataset)
    return config if path is None else config.changed(data_folder=path)


def require_writable(folder: Path) -> None:
    """Create a folder if needed and check that it can be written to. Raises ConfigError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with scratch(folder / "try") as temporary:
            temporary.write_bytes(b"")
    except OSError as error:
        raise ConfigError(f"{folder} cannot be used: {error.strerror or error}. Choose another folder.") from None


def default_runs_folder() -> Path:
    """Return the runs folder used unless --runs is given."""
    return chosen_folders().runs or usual_runs_folder()


def data_cache() -> Path:
    """Return the folder of prepared and downloaded data sets."""
    return chosen_folders().data_cache or cache_folder()


def _read() -> dict[str, Any]:
    try:
        return read_object(folders_file(), paths=PATHS)
    except (OSError, DamagedError):
        return {}


def _data_paths() -> dict[str, Path]:
    """Remembered paths of data sets by name; invalid ones are left out."""
    kept = _read().get("data")
    paths = {}
    for name, value in kept.items() if isinstance(kept, dict) else ():
        with suppress(DamagedError):
            paths[name] = _path(value, name)
    return {name: path for name, path in paths.items() if path is not None}


def _write(changes: dict[str, Any]) -> None:
    """Save changed values, keeping the others; None removes a value. Raises ConfigError."""
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
    """A stored path, validated. Raises DamagedError."""
    if value is None:
        return None
    if not isinstance(value, str) or "\0" in value or len(value) > LONGEST_PATH or not Path(value).is_absolute():
        raise DamagedError(f"{name} is not the path of a folder")
    return Path(value)
