"""What is trained next: runs in their order, kept in the runs folder so that it outlives the window."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from engine.errors import RunError
from engine.system.files import write_json
from engine.system.reading import DamagedError, checked, is_file, read_json, reason_of

FILE = "queue.json"

MOST_MORE = 10**9
"""Steps that a run can be made longer by."""

MOST_WAITING = 100_000
"""Runs in a queue."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that waits, by its folder's name below the runs folder; `more` is added to its length first.

    It counts in what the run's length is set in: steps where it has a number of steps, else epochs. With
    `accept_changed_data` the run goes on though its data are not those it was trained on.
    """

    run: Annotated[str, Field(strict=True, min_length=1, max_length=255)]
    more: Annotated[int, Field(strict=True, ge=0, le=MOST_MORE)] = 0
    accept_changed_data: Annotated[bool, Field(strict=True)] = False


class RunQueue:
    """The runs that wait, first to last. Each change is on disk when its method returns; RunError when it cannot be."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.problem = ""
        """Why the queue's file was not read, as a sentence; empty when nothing was wrong."""
        try:
            self.waiting: tuple[Waiting, ...] = _read(root / FILE)
        except (OSError, DamagedError) as error:
            self.waiting = ()
            self.problem = f"{root / FILE} {reason_of(error)}. The queue is empty; the runs are kept."

    def __len__(self) -> int:
        return len(self.waiting)

    def path(self, waiting: Waiting) -> Path:
        """The folder of a run that waits."""
        return self._root / waiting.run

    def position(self, path: Path) -> int | None:
        """Place of a run, from 0; None when it does not wait."""
        names = [entry.run for entry in self.waiting]
        return names.index(path.name) if path.parent == self._root and path.name in names else None

    def add(self, path: Path, *, more: int = 0, accept_changed_data: bool = False, first: bool = False) -> None:
        """Append a run, or put it first. One that waits already is moved, and keeps what is to be added."""
        old = self.position(path)
        if old is not None:
            more = more or self.waiting[old].more
            accept_changed_data = accept_changed_data or self.waiting[old].accept_changed_data
        rest = [entry for entry in self.waiting if entry.run != path.name]
        entry = Waiting(path.name, more, accept_changed_data)
        self._change([entry, *rest] if first else [*rest, entry])

    def remove(self, path: Path) -> None:
        """Take a run out."""
        self._change([entry for entry in self.waiting if entry.run != path.name])

    def move(self, path: Path, by: int) -> None:
        """Move a run towards the front (negative) or the back."""
        place = self.position(path)
        if place is not None:
            entries = list(self.waiting)
            entry = entries.pop(place)
            entries.insert(max(0, place + by), entry)
            self._change(entries)

    def order(self, names: list[str]) -> None:
        """Give the runs this order; those that are not named come last."""
        rank = {name: place for place, name in enumerate(names)}
        self._change(sorted(self.waiting, key=lambda entry: rank.get(entry.run, len(rank))))

    def turn(self, before: tuple[Waiting, ...], after: tuple[Waiting, ...]) -> None:
        """Make the change that leads from one queue to another in the present one, which may have moved on since.

        What the change adds is added, what it removes is removed, and what both hold is put in its order.
        """
        removed = {entry.run for entry in before} - {entry.run for entry in after}
        kept = [entry for entry in self.waiting if entry.run not in removed]
        old = {entry.run for entry in before} | {entry.run for entry in kept}
        self._change([*kept, *(entry for entry in after if entry.run not in old)])
        self.order([entry.run for entry in after])

    def take(self) -> Waiting | None:
        """Remove the first run whose folder is there, and return it."""
        present = [entry for entry in self.waiting if is_file(self._root / entry.run / "config.json")]
        if len(present) < len(self.waiting) or present:
            self._change(present[1:])
        return present[0] if present else None

    def _change(self, entries: list[Waiting]) -> None:
        self.waiting = tuple(entries)
        try:
            if entries:
                self._root.mkdir(parents=True, exist_ok=True)
                write_json(self._root / FILE, [_values(entry) for entry in entries])
            else:
                (self._root / FILE).unlink(missing_ok=True)
        except OSError as error:
            raise RunError(f"The queue cannot be kept in {self._root}: {error.strerror or error}.") from None


def _values(waiting: Waiting) -> dict[str, object]:
    accepted = {"accept_changed_data": True} if waiting.accept_changed_data else {}
    return {"run": waiting.run, "more": waiting.more} | accepted


def _read(path: Path) -> tuple[Waiting, ...]:
    """What a queue file holds; nothing when there is none. Raises OSError or DamagedError."""
    try:
        entries = checked(_ENTRIES, read_json(path))
    except FileNotFoundError:
        return ()
    for entry in entries:
        if Path(entry.run).name != entry.run or entry.run == ".." or "\0" in entry.run:
            raise DamagedError(f"it names {entry.run!r}, which is no run below this folder")
    return tuple({entry.run: entry for entry in reversed(entries)}.values())[::-1]


_ENTRIES = TypeAdapter(Annotated[list[Waiting], Field(strict=True, max_length=MOST_WAITING)])
