"""The window's view of the runs: read from disk and kept up to date, never written.

Runs trained in this window and in a terminal appear the same way.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from engine.errors import StudioError
from engine.runs.alike import Key, experiment_key
from engine.runs.kept_weights import kept_steps
from engine.runs.latent_names import latent_names
from engine.runs.metrics_file import MetricsReader, newest_row
from engine.runs.plugins_used import origins_of
from engine.runs.run import Run
from engine.system.plain_text import clean_name

POLL_MS = 500

READ_BYTES = 200_000
"""Bytes read from a metrics file at a time, about 5 ms; the rest of a longer file is read when it is shown."""

FILES = (
    ".",
    "state.json",
    "marks.json",
    "checkpoint/model.safetensors",
    "evaluation.json",
    "config.json",
    "metrics.csv",
)
"""Watched paths of a run: its folder, and the files whose content the window shows."""

TURN = 400
"""Idle runs checked in each poll: 2,000 of them take 2.5 seconds."""

MOST_WATCHED = 24
"""Maximum number of displayed runs that are checked in every poll."""

FRESH_NS = 2_000_000_000
"""Age below which a change counts as fresh: the time stamps of some file systems are two seconds apart."""

Stamp: TypeAlias = tuple[int, int, int] | None


class RunItem:
    """One run with what the list and the curves show of it. Its curves are read when first needed."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.place: int | None = None
        """Position in the queue, from 0; None if the run is not queued."""
        self.paused = False
        """Whether its training is paused in this window; on a full disk its files cannot say so."""
        self.lent_colour: int | None = None
        """The colour that it has while it is selected with another run of the same colour."""
        self._reader: MetricsReader | None = None
        self._newest: dict[str, float] | None = None
        self._alike: tuple[Run, Key] | None = None
        self._files = tuple(f"{run.path}{os.sep}{name}" for name in FILES)
        self._look_again = False
        self.shipped = run.shipped
        """Whether it is one of the gallery's models, which cannot be changed."""
        self._stamp_files()
        self.state = run.state()
        self._read_marks()

    def _read_marks(self) -> None:
        marks = self.marks = self.run.marks()
        self.name = self.run.name_in(marks)
        self.own_colour = self.run.colour_in(marks)
        self.hidden = marks.get("hidden") is True
        self.notes = str(marks.get("notes") or "")
        self.latent_names = latent_names(marks)
        tags = marks.get("tags")
        words = [clean_name(str(tag)) for tag in tags] if isinstance(tags, list) else []
        self.tags = [tag for tag in words if tag]

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.run.path

    @property
    def colour(self) -> int:
        """The number of the colour that it has everywhere in the window."""
        return self.own_colour if self.lent_colour is None else self.lent_colour

    @property
    def metrics(self) -> MetricsReader:
        """The run's curves, kept up to date from the first access on."""
        if self._reader is None:
            self._reader = MetricsReader(self.run.metrics_file)
            self._reader.refresh(READ_BYTES)
        return self._reader

    @property
    def opened(self) -> bool:
        """Whether its curves have been read, though of a long file perhaps only a part."""
        return self._reader is not None

    @property
    def unread(self) -> bool:
        """Whether its curves have not been read, or of a long file only a part."""
        return self._reader is None or self._reader.behind

    def read_on(self) -> None:
        """Read some more of its curves."""
        if self._reader is None:
            self.metrics  # noqa: B018 (the first access reads)
        else:
            self._reader.refresh(READ_BYTES)

    @property
    def alike(self) -> Key:
        """What it has in common with the runs that differ from it only in their seed."""
        if self._alike is None or self._alike[0] is not self.run:
            self._alike = self.run, experiment_key(self.run)
        return self._alike[1]

    @property
    def seconds(self) -> float:
        """Training time in seconds, without pauses."""
        return self.last("seconds") or 0.0

    @property
    def has_weights(self) -> bool:
        """Whether a checkpoint has been saved."""
        return self._stamps["checkpoint/model.safetensors"] is not None

    @property
    def weights_size(self) -> int:
        """Size of the latest weights in bytes; 0 before the first checkpoint."""
        try:
            return (self.run.checkpoint_folder / "model.safetensors").stat().st_size
        except OSError:
            return 0

    @property
    def kept_steps(self) -> list[int]:
        """Steps whose weights were kept, in ascending order."""
        return kept_steps(self.run.checkpoint_folder)

    @property
    def weights_stamp(self) -> object:
        """A value that changes with each checkpoint, and with its evaluation, which holds its KL per latent."""
        return self._stamps["checkpoint/model.safetensors"], self._stamps["evaluation.json"]

    @property
    def data_stamp(self) -> object:
        """A value that changes with the user's data file or folder; None for the application's own data."""
        folder = self.run.config.data_folder
        return None if folder is None else stamp_of(str(folder))

    @property
    def evaluation_stamp(self) -> object:
        """A value that changes with the metrics, the marks or the settings."""
        return tuple(self._stamps[name] for name in ("marks.json", "evaluation.json", "config.json"))

    @property
    def gone(self) -> bool:
        """Whether the folder is no longer a run."""
        return self._stamps["config.json"] is None

    @property
    def problems(self) -> list[str]:
        """What is wrong with the run's files, one sentence each."""
        curves = self._reader.problem if self._reader is not None else ""
        return [*self.run.problems.values(), *([curves] if curves else [])]

    def last(self, column: str) -> float | None:
        """Return the latest value of a curve, or None before the first."""
        if self._reader is not None:
            return self._reader.newest(column)
        if self._newest is None:
            self._newest = newest_row(self.run.metrics_file)
        return self._newest.get(column)

    def follow(self) -> bool:
        """Read changes from disk if the run is training or its folder has changed; return whether anything has.

        For an idle run checking the folder is enough: every file not written by training is replaced atomically, which
        changes the folder's time stamp.
        """
        if self.state.active or self._look_again or stamp_of(self._files[0]) != self._stamps["."]:
            return self.refresh()
        return False

    def refresh(self) -> bool:
        """Read changes from disk; return whether there were any."""
        before = self._stamps
        self._stamp_files()
        new = {name for name, stamp in self._stamps.items() if stamp != before[name] and name != "."}
        if not new and not self.state.active:
            return False
        if "metrics.csv" in new:
            self._newest = None
            if self._reader is not None:
                self._reader.refresh(READ_BYTES)
        if "marks.json" in new:
            self._read_marks()
        if "config.json" in new:
            self.reopen()
        state, self.state = self.state, self.run.state()
        return bool(new) or state != self.state

    def reopen(self) -> None:
        """Read the run's settings again."""
        with suppress(StudioError):  # damaged meanwhile: keep what was read before
            run = Run.open(self.path)
            run.problems = self.run.problems
            self.run = run

    def _stamp_files(self) -> None:
        """Take the stamps before reading, so that a change during reading is found next time."""
        self._stamps = {name: stamp_of(file) for name, file in zip(FILES, self._files, strict=True)}
        self._look_again = is_fresh(self._stamps["."])


class RunStore(QObject):
    """All runs in a folder, newest first.

    Emits `listed` when runs appear or disappear, `updated(path)` when one changes, and `unreadable(reasons, items)`
    when folders look like runs but cannot be opened (reasons by folder name) or new runs have damaged files.

    However many runs there are, a poll checks a bounded number of files: those of runs that are training or displayed,
    and the folders of `TURN` others in rotation.
    """

    listed = Signal()
    updated = Signal(object)
    unreadable = Signal(object, object)

    def __init__(self, root: Path, parent: QObject | None = None, gallery: "RunStore | None" = None) -> None:
        super().__init__(parent)
        self.root = root
        self.gallery = gallery
        """The models that come with the application; they are not among `items`, but `find` finds them."""
        self.items: list[RunItem] = []
        self._found: dict[Path, RunItem] = {}
        self._others: dict[Path, Stamp] = {}
        """Folders that are not runs, with the stamp of their unreadable config.json, if there is one."""
        self._root_stamp: Stamp = None
        self._relist = True
        self._watched: list[RunItem] = []
        self._turn = 0
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)

    def start(self) -> None:
        """Read the runs and start polling."""
        self.refresh()
        self._timer.start()

    def close(self) -> None:
        """Stop polling."""
        self._timer.stop()

    def find(self, path: Path) -> RunItem | None:
        """Return the run, or the model of the gallery, in that folder."""
        found = self._found.get(path)
        return self.gallery.find(path) if found is None and self.gallery is not None else found

    def watch(self, items: Sequence[RunItem]) -> None:
        """Check these displayed runs in every poll; of many, only the first."""
        self._watched = list(items[:MOST_WATCHED])

    @Slot()
    def refresh(self) -> None:
        """Rescan the runs folder."""
        known = self.items
        self._relist = True
        self._find_runs()
        self._follow([item for item in known if item.path in self._found], RunItem.refresh)

    @Slot()
    def reopen(self) -> None:
        """Reopen the runs that use plug-ins, after methods, networks or data sets were added, changed or removed."""
        for item in self.items:
            if item.run.plugins or origins_of(item.run.config):
                item.reopen()
        self._others = dict.fromkeys(self._others)
        self.refresh()
        self.listed.emit()

    @Slot()
    def _poll(self) -> None:
        """Check active and displayed runs, and some of the others."""
        self._find_runs()
        busy = {id(item): item for item in self.items if item.state.active}
        busy |= {id(item): item for item in self._watched if item.path in self._found}
        begin = self._turn if self._turn < len(self.items) else 0
        self._turn = begin + TURN
        busy |= {id(item): item for item in self.items[begin : self._turn]}
        self._follow(list(busy.values()), RunItem.follow)

    def _follow(self, items: Sequence[RunItem], look: Callable[[RunItem], bool]) -> None:
        for item in items:
            if look(item):
                self._relist |= item.gone
                self.updated.emit(item.path)
        if self._relist:
            self._find_runs()

    def _find_runs(self) -> None:
        """Find new and vanished runs."""
        stamp = stamp_of(str(self.root))
        if self._relist or stamp != self._root_stamp:
            self._relist = is_fresh(stamp)
            self._root_stamp = stamp
            folders = _folders(self.root)
            self._others = {path: self._others.get(path) for path in folders if path not in self._found}
            known = {path: item for path, item in self._found.items() if path in folders and not item.gone}
        else:
            known = self._found
        opened, broken = self._open_others()
        new = [RunItem(run) for run in opened]
        if new or len(known) != len(self.items):
            self._found = known | {item.path: item for item in new}
            newest_first = sorted(
                self._found.values(), key=lambda item: (item.run.created, item.path.name), reverse=True
            )
            self.items = newest_first
            self.listed.emit()
        damaged = [item for item in new if item.problems]
        if broken or damaged:
            self.unreadable.emit(broken, damaged)

    def _open_others(self) -> tuple[list[Run], dict[str, str]]:
        """Open folders that have become runs; also return why some cannot be opened, by folder name."""
        new, reasons = [], {}
        for path, broken in self._others.items():
            config = stamp_of(str(path / "config.json"))
            if config is None or config == broken:
                continue
            try:
                new.append(Run.open(path))
            except StudioError as error:
                self._others[path] = config
                reasons[path.name] = str(error)
        for run in new:
            del self._others[run.path]
        return new, reasons


def stamp_of(path: str) -> Stamp:
    """Return a value that changes with a file or folder; None if it does not exist."""
    try:
        status = os.stat(path)  # noqa: PTH116 (Path takes twice as long, and this is asked often)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def is_fresh(stamp: Stamp) -> bool:
    """Return whether a change is so recent that another one may carry the same time stamp."""
    return stamp is not None and abs(time.time_ns() - stamp[0]) < FRESH_NS


def _folders(root: Path) -> set[Path]:
    """Return the subfolders of a folder."""
    try:
        with os.scandir(root) as entries:
            return {root / entry.name for entry in entries if entry.is_dir()}
    except OSError:
        return set()


def state_text(item: RunItem) -> str:
    """Return a run's state as shown in the list."""
    if item.place is not None and not item.state.active:
        return f"queued, {ordinal(item.place + 1)}"
    words = {"new": "not started", "running": "paused" if item.paused else "training"}
    return words.get(item.state.state, item.state.state)


def ordinal(number: int) -> str:
    """Return "1st", "2nd", "3rd", "4th", ..."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
