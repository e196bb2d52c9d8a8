"""Undo commands: changed marks (names, tags, colours, hidden runs), and runs moved to the trash."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtGui import QUndoCommand

from engine.errors import StudioError
from engine.runs.run import Run
from gui.runs.trash import move_to_trash, restore
from gui.widgets.words import count

Report = Callable[[str], None]


class ChangeMarks(QUndoCommand):
    """Changes the marks of runs: `changes` by run folder. `report` receives a message if that fails."""

    def __init__(self, text: str, changes: dict[Path, dict[str, Any]], report: Report) -> None:
        super().__init__(text)
        self._after, self._report = changes, report
        self._before: dict[Path, dict[str, Any]] = {}

    def redo(self) -> None:
        """Write the new marks, and remember the old ones."""
        for path, changes in self._after.items():
            try:
                run = Run.open(path)
                marks = run.marks()
                self._before[path] = {key: marks.get(key) for key in changes}
                _write(run, changes)
            except StudioError as error:
                self._report(str(error))
        self.setObsolete(not self._before)

    def undo(self) -> None:
        """Restore the old marks."""
        for path, changes in self._before.items():
            try:
                _write(Run.open(path), changes)
            except StudioError as error:
                self._report(str(error))


class TrashRuns(QUndoCommand):
    """Moves runs to the trash."""

    def __init__(self, paths: list[Path], report: Report) -> None:
        super().__init__(f"moving {count(len(paths), 'run')} to the trash")
        self._paths, self._report = paths, report
        self._trashed: dict[Path, Path] = {}
        self.moved = 0

    def redo(self) -> None:
        """Move them."""
        self._trashed, self.moved = {}, 0
        for path in self._paths:
            try:
                place = move_to_trash(path)
            except StudioError as error:
                self._report(str(error))
                continue
            self.moved += 1
            if place is not None:
                self._trashed[path] = place
        self.setObsolete(not self._trashed)

    def undo(self) -> None:
        """Restore them."""
        for path, trashed in self._trashed.items():
            try:
                restore(trashed, path)
            except StudioError as error:
                self._report(str(error))


def _write(run: Run, changes: dict[str, Any]) -> None:
    marks = run.marks() | changes
    run.write_marks({key: value for key, value in marks.items() if value is not None})
