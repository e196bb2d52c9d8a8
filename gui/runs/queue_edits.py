"""The user's changes to the queue, each of which Ctrl+Z can undo."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtGui import QUndoCommand, QUndoStack

from engine.settings.run_config import RunConfig
from gui.training.session import TrainingSession
from gui.widgets.words import count


class ChangeQueue(QUndoCommand):
    """A change to the queue. Undoing it keeps other changes made since, such as a run that has started."""

    def __init__(self, text: str, session: TrainingSession, change: Callable[[], object]) -> None:
        super().__init__(text)
        self._session = session
        self._change: Callable[[], object] | None = change
        self._before = self._after = session.queue_state

    def redo(self) -> None:
        """Make the change; on redo, restore its first outcome."""
        if self._change is None:
            self._session.apply_queue_change(self._before, self._after)
            return
        self._change()
        self._change, self._after = None, self._session.queue_state
        self.setObsolete(self._before == self._after)

    def undo(self) -> None:
        """Undo the change."""
        self._session.apply_queue_change(self._after, self._before)


class QueueEdits(QObject):
    """Changes the queue through the undo stack that it shares with the actions on runs."""

    def __init__(self, session: TrainingSession, undo_stack: QUndoStack, parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._stack = session, undo_stack

    def start(self, config: RunConfig) -> Path | None:
        """Create a run and train or queue it; return its folder, or None if the session has emitted an error."""
        made: list[Path | None] = []
        self._push("queueing a run", lambda: made.append(self._session.start(config)))
        return made[0]

    def add(self, path: Path, *, more: int = 0) -> None:
        """Train a run, now or when the queue reaches it; `more` first extends its length."""
        self._push("queueing a run", lambda: self._session.train_or_queue(path, more=more))

    def remove(self, paths: list[Path]) -> int:
        """Remove runs from the queue; their folders stay. Returns how many were waiting."""
        waiting = [path for path in paths if self._session.queue.position(path) is not None]

        def unqueue() -> None:
            for path in waiting:
                self._session.unqueue(path)

        if waiting:
            self._push(f"removing {count(len(waiting), 'run')} from the queue", unqueue)
        return len(waiting)

    def move(self, path: Path, by: int) -> None:
        """Move a run towards the front of the queue (negative) or towards its end."""
        self._push("moving a run in the queue", lambda: self._session.move(path, by))

    def order(self, names: list[str]) -> None:
        """Set the order of the queue."""
        self._push("reordering the queue", lambda: self._session.order(names))

    def hold(self, held: bool) -> None:
        """Hold the queue after the current run, or start it."""
        self._push("holding the queue" if held else "starting the queue", lambda: self._session.hold(held))

    def _push(self, text: str, change: Callable[[], object]) -> None:
        self._stack.push(ChangeQueue(text, self._session, change))
