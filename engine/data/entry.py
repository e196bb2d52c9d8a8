"""What can be said of a data set before it is loaded, and how it is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.data.dataset import Dataset
from engine.jobs.events import Job


@dataclass(frozen=True, slots=True)
class Entry:
    """A data set to choose: what it is, before anything is read.

    `name` is that of settings and files, `title` its name as people write it.
    `images` and `training_images` are None, and `shape` is empty, where only the user's files tell. `path_kind` says
    what the data folder may be: "" nothing, "folder", "file", "folder or file"; it is required when `own`.

    `load` gets the data folder and the side to which own pictures are resized; so does `prepare`, where something must
    be drawn, downloaded or read first. `state` says in words whether that was done, `cached` what it left in the cache.
    `holds` tells whether a folder or file looks like this data set, from its name and the names in it. `check` raises
    DataError where a data folder can be seen at once not to hold it; `downloads` tells whether it must be downloaded
    before it can be used without one.
    """

    name: str
    title: str
    description: str
    images: int | None
    training_images: int | None
    shape: tuple[int, ...]
    licence: str
    load: Callable[[Path | None, int], Dataset]
    classes: str = ""
    factors: str = ""
    citation: str = ""
    path_kind: str = ""
    own: bool = False
    prepare: Callable[[Path | None, int], Job] | None = None
    state: Callable[[], str] = lambda: "ready"
    cached: Callable[[], list[Path]] = list
    holds: Callable[[Path], bool] = lambda path: False
    check: Callable[[Path], None] = lambda path: None
    downloads: Callable[[], bool] = lambda: False
