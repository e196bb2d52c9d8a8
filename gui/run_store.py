"""The runs as the window knows them: read from disk, followed while they change, never written here.

What trains in this window and what trains in a terminal appear the same way.
"""

from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from engine.errors import StudioError
from engine.kept import kept_steps
from engine.latent_names import latent_names
from engine.metrics_file import MetricsReader
from engine.runs import Run, list_runs

POLL_MS = 500

READ_BYTES = 200_000
"""What is read of a metrics file at a time, about 5 ms: a longer one is read on where it is shown."""


class RunItem:
    """One run with what the list and the curves show of it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.state = run.state()
        self.place: int | None = None
        """Place in the queue, from 0; None when the run does not wait."""
        self.metrics = MetricsReader(run.metrics_file)
        self.metrics.refresh(READ_BYTES)
        self._read_marks()
        self._stamps = self._read_stamps()

    def _read_marks(self) -> None:
        marks = self.run.marks()
        self.name = self.run.name_in(marks)
        self.colour = self.run.colour_in(marks)
        self.hidden = marks.get("hidden") is True
        self.latent_names = latent_names(marks)
        tags = marks.get("tags")
        self.tags = [str(tag) for tag in tags] if isinstance(tags, list) else []

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.run.path

    @property
    def seconds(self) -> float:
        """Time spent training, pauses left out."""
        return self.last("seconds") or 0.0

    @property
    def has_weights(self) -> bool:
        """Whether a checkpoint was saved."""
        return self._stamps[2] is not None

    @property
    def weights_size(self) -> int:
        """Bytes of the newest weights; 0 before the first checkpoint."""
        try:
            return (self.run.checkpoint_folder / "model.safetensors").stat().st_size
        except OSError:
            return 0

    @property
    def kept_steps(self) -> list[int]:
        """Steps whose weights were kept, smallest first."""
        return kept_steps(self.run.checkpoint_folder)

    @property
    def weights_stamp(self) -> object:
        """Something that changes with each checkpoint."""
        return self._stamps[2]

    @property
    def evaluation_stamp(self) -> object:
        """Something that changes with the metrics, or with what a person added or set."""
        return self._stamps[1], self._stamps[3], self._stamps[4]

    @property
    def problems(self) -> list[str]:
        """What is wrong with files of the run that are shown here, a sentence each."""
        curves = [self.metrics.problem] if self.metrics.problem else []
        return [*self.run.problems.values(), *curves]

    def last(self, column: str) -> float | None:
        """The newest value of a curve, or None before the first."""
        return self.metrics.newest(column)

    def refresh(self) -> bool:
        """Read what changed on disk; True when something did."""
        stamps = self._read_stamps()
        changed = self.metrics.refresh(READ_BYTES)
        if stamps != self._stamps or self.state.active:
            state = self.run.state()
            changed = changed or stamps != self._stamps or state != self.state
            if stamps[1] != self._stamps[1]:
                self._read_marks()
            if stamps[4] != self._stamps[4]:
                with suppress(StudioError):  # damaged since: what was read before stays
                    run = Run.open(self.path)
                    run.problems = self.run.problems
                    self.run = run
            self.state, self._stamps = state, stamps
        return changed

    def _read_stamps(self) -> tuple[object, ...]:
        files = ("state.json", "marks.json", "checkpoint/model.safetensors", "evaluation.json", "config.json")
        return tuple(_stamp(self.run.path / name) for name in files)


class RunStore(QObject):
    """All runs below a folder, newest first.

    `listed` when runs came or went, `updated(path)` when one changed, `unreadable(reasons, items)` when folders look
    like runs but cannot be opened (why, by the folder's name), or runs came of which files are damaged.
    """

    listed = Signal()
    updated = Signal(object)
    unreadable = Signal(object, object)

    def __init__(self, root: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.root = root
        self.items: list[RunItem] = []
        self._broken: set[Path] = set()
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.refresh)

    def start(self) -> None:
        """Read the runs and follow them from now on."""
        self.refresh()
        self._timer.start()

    def close(self) -> None:
        """Follow no more."""
        self._timer.stop()

    def find(self, path: Path) -> RunItem | None:
        """Return the run in that folder."""
        return next((item for item in self.items if item.path == path), None)

    @Slot()
    def refresh(self) -> None:
        """Look at the disk."""
        found = list_runs(self.root)
        known = {item.path for item in self.items}
        kept = [item for item in self.items if item.path in set(found)]
        new: list[RunItem] = []
        broken: dict[str, str] = {}
        for path in found:
            if path not in known and path not in self._broken:
                try:
                    new.append(RunItem(Run.open(path)))
                except StudioError as error:
                    self._broken.add(path)
                    broken[path.name] = str(error)
        if new or len(kept) != len(self.items):
            items = [*kept, *new]
            self.items = sorted(items, key=lambda item: (item.run.created, item.path.name), reverse=True)
            self.listed.emit()
        damaged = [item for item in new if item.problems]
        if broken or damaged:
            self.unreadable.emit(broken, damaged)
        for item in kept:
            if item.refresh():
                self.updated.emit(item.path)


def _stamp(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def state_words(item: RunItem) -> str:
    """Return a run's state as the list says it."""
    if item.place is not None and not item.state.active:
        return f"queued, {ordinal(item.place + 1)}"
    words = {"new": "not started", "running": "training", "finished": "done"}
    return words.get(item.state.state, item.state.state)


def ordinal(number: int) -> str:
    """Return "1st", "2nd", "3rd", "4th", ..."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
