"""Which folders a person chose for runs and prepared data, in place of the system's usual ones.

Kept in one file that the window and the command line both read.
"""

from dataclasses import dataclass, field
from pathlib import Path

from engine.config import LONGEST_PATH
from engine.errors import ConfigError
from engine.files import scratch, write_json
from engine.paths import cache_folder, folders_file, usual_runs_folder
from engine.reading import DamagedError, read_object, reason_of


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
        values = read_object(file)
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


def _path(value: object, name: str) -> Path | None:
    """A folder as it was kept. Raises DamagedError for what cannot be one."""
    if value is None:
        return None
    if not isinstance(value, str) or "\0" in value or len(value) > LONGEST_PATH or not Path(value).is_absolute():
        raise DamagedError(f"{name} is not the path of a folder")
    return Path(value)
