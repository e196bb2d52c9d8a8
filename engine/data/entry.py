"""Descriptions of data sets before they are loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.data.dataset import Dataset, Factors
from engine.jobs.events import Job

DRAWN, PUBLISHED, CLASSES, OWN = "Drawn here, with factors", "Published, with factors", "With classes", "Your own"
FROM_PLUGINS = "From plug-ins"
"""Headings under which data sets are listed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A data set to choose, described before any of it is read.

    `name` is used in settings and files, `title` is its name as shown to the user. `images` and `training_images` are
    None, and `shape` is empty, where they depend on the user's files. `path_kind` says what the data folder may be: ""
    for none, "folder", "file" or "folder or file"; one is required if `needs_path`. `file_types` are those that a file
    dialog offers. `own` are the user's own images. `group` is the heading under which the data set is listed. `grid`
    returns its factors without reading anything, if they are known and there is an image of each combination.

    `load` receives the data folder and the side to which the user's own pictures are resized; so does `prepare`, which
    draws, downloads or reads whatever must be there first. `state` says whether that was done, `cached` lists what it
    left in the cache. `holds` says whether a folder or file looks like this data set, judging by names. `check` raises
    DataError if a data folder clearly does not hold it. `downloads` says whether the data set must be downloaded before
    it can be used without a data folder.
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
    needs_path: bool = False
    file_types: str = "NumPy arrays (*.npz)"
    group: str = FROM_PLUGINS
    grid: Callable[[], Factors] | None = None
    prepare: Callable[[Path | None, int], Job] | None = None
    state: Callable[[], str] = lambda: "ready"
    cached: Callable[[], list[Path]] = list
    holds: Callable[[Path], bool] = lambda path: False
    check: Callable[[Path], None] = lambda path: None
    downloads: Callable[[], bool] = lambda: False
