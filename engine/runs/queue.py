"""The queue of runs to train next, stored in the runs folder so that it outlives the window."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from engine.errors import RunError
from engine.system.files import write_json
from engine.system.reading import DamagedError, checked, is_file, read_json, reason_of

FILE = "queue.json"

MAX_MORE = 10**9
"""Largest number of steps by which a run can be lengthened."""

MAX_WAITING = 100_000
"""Largest number of runs in the queue."""


@dataclass(frozen=True, slots=True)
class QueuedRun:
    """A run in the queue, by the name of its folder; `more` is added to its length first.

    `more` is in steps if the run's length is set in steps, else in epochs. With `accept_changes`, the run resumes
    even if its data or plug-ins differ from those it was trained with.
    """

    run: Annotated[str, Field(strict=True, min_length=1, max_length=255)]
    more: Annotated[int, Field(strict=True, ge=0, le=MAX_MORE)] = 0
    accept_changes: Annotated[bool, Field(strict=True)] = False


class RunQueue:
    """The runs to train, in order. Each change is on disk when its method returns. Raises RunError if it cannot be."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.problem = ""
        """Why the queue file could not be read, as a sentence; empty if it could."""
        try:
            self.waiting: tuple[QueuedRun, ...] = _read(root / FILE)
        except (OSError, DamagedError) as error:
            self.waiting = ()
            self.problem = f"{root / FILE} {reason_of(error)}. The queue is empty; the runs are kept."

    def __len__(self) -> int:
        return len(self.waiting)

    def path(self, waiting: QueuedRun) -> Path:
        """Return the folder of a queued run."""
        return self._root / waiting.run

    def position(self, path: Path) -> int | None:
        """Return the position of a run in the queue, from 0; None if it is not queued."""
        names = [entry.run for entry in self.waiting]
        return names.index(path.name) if path.parent == self._root and path.name in names else None

    def add(self, path: Path, *, more: int = 0, accept_changes: bool = False, first: bool = False) -> None:
        """Append a run, or put it first. A run that is queued already is moved and keeps its `more`."""
        old = self.position(path)
        if old is not None:
            more = more or self.waiting[old].more
            accept_changes = accept_changes or self.waiting[old].accept_changes
        rest = [entry for entry in self.waiting if entry.run != path.name]
        entry = QueuedRun(path.name, more, accept_changes)
        self._change([entry, *rest] if first else [*rest, entry])

    def remove(self, path: Path) -> None:
        """Remove a run from the queue."""
        self._change([entry for entry in self.waiting if entry.run != path.name])

    def move(self, path: Path, by: int) -> None:
        """Move a run by some places, towards the front if negative."""
        place = self.position(path)
        if place is not None:
            entries = list(self.waiting)
            entry = entries.pop(place)
            entries.insert(max(0, place + by), entry)
            self._change(entries)

    def order(self, names: list[str]) -> None:
        """Sort the runs in this order; runs that are not named come last."""
        rank = {name: place for place, name in enumerate(names)}
        self._change(sorted(self.waiting, key=lambda entry: rank.get(entry.run, len(rank))))

    def apply_change(self, before: tuple[QueuedRun, ...], after: tuple[QueuedRun, ...]) -> None:
        """Apply the change from `before` to `after` to the current queue, which may differ from `before`.

        Runs that the change adds or removes are added or removed; runs in both take the order of `after`.
        """
        removed = {entry.run for entry in before} - {entry.run for entry in after}
        kept = [entry for entry in self.waiting if entry.run not in removed]
        old = {entry.run for entry in before} | {entry.run for entry in kept}
        self._change([*kept, *(entry for entry in after if entry.run not in old)])
        self.order([entry.run for entry in after])

    def take(self) -> QueuedRun | None:
        """Remove and return the first run whose folder exists."""
        present = [entry for entry in self.waiting if is_file(self._root / entry.run / "config.json")]
        if len(present) < len(self.waiting) or present:
            self._change(present[1:])
        return present[0] if present else None

    def _change(self, entries: list[QueuedRun]) -> None:
        self.waiting = tuple(entries)
        try:
            if entries:
                self._root.mkdir(parents=True, exist_ok=True)
                write_json(self._root / FILE, [_values(entry) for entry in entries])
            else:
                (self._root / FILE).unlink(missing_ok=True)
        except OSError as error:
            raise RunError(f"The queue cannot be saved in {self._root}: {error.strerror or error}.") from None


def _values(waiting: QueuedRun) -> dict[str, object]:
    accepted = {"accept_changes": True} if waiting.accept_changes else {}
    return {"run": waiting.run, "more": waiting.more} | accepted


def _read(path: Path) -> tuple[QueuedRun, ...]:
    """The runs in a queue file; empty if there is no file. Raises OSError or DamagedError."""
    try:
        entries = checked(_ENTRIES, read_json(path))
    except FileNotFoundError:
        return ()
    for entry in entries:
        if Path(entry.run).name != entry.run or entry.run == ".." or "\0" in entry.run:
            raise DamagedError(f"it names {entry.run!r}, which is not a run in this folder")
    return tuple({entry.run: entry for entry in reversed(entries)}.values())[::-1]


_ENTRIES = TypeAdapter(Annotated[list[QueuedRun], Field(strict=True, max_length=MAX_WAITING)])
