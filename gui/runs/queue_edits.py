"""What the user changes in the queue, each as something that Ctrl+Z takes back."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtGui import QUndoCommand, QUndoStack

from engine.settings.run_config import RunConfig
from gui.training.session import TrainingSession
from gui.widgets.words import count


class ChangeQueue(QUndoCommand):
    """A change of the queue. What happened to the queue since, as a run that began, is left as it is."""

    def __init__(self, text: str, session: TrainingSession, change: Callable[[], object]) -> None:
        super().__init__(text)
        self._session = session
        self._change: Callable[[], object] | None = change
        self._before = self._after = session.queue_state

    def redo(self) -> None:
        """Make the change; a second time, as it came out the first time."""
        if self._change is None:
            self._session.turn_queue(self._before, self._after)
            return
        self._change()
        self._change, self._after = None, self._session.queue_state
        self.setObsolete(self._before == self._after)

    def undo(self) -> None:
        """Take the change back."""
        self._session.turn_queue(self._after, self._before)


class QueueEdits(QObject):
    """Changes the queue through the undo stack that it shares with what is done with runs."""

    def __init__(self, session: TrainingSession, undo_stack: QUndoStack, parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._stack = session, undo_stack

    def start(self, config: RunConfig) -> Path | None:
        """Create a run and train it, or queue it; returns its folder, or None when the session said why not."""
        made: list[Path | None] = []
        self._push("queueing a run", lambda: made.append(self._session.start(config)))
        return made[0]

    def add(self, path: Path, *, more: int = 0) -> None:
        """Train a run, now or when the queue reaches it; first make it longer, if asked."""
        self._push("queueing a run", lambda: self._session.train_or_queue(path, more=more))

    def remove(self, paths: list[Path]) -> int:
        """Take runs out of the queue; their folders stay. Returns how many waited."""
        waiting = [path for path in paths if self._session.queue.position(path) is not None]

        def take_out() -> None:
            for path in waiting:
                self._session.unqueue(path)

        if waiting:
            self._push(f"taking {count(len(waiting), 'run')} out of the queue", take_out)
        return len(waiting)

    def move(self, path: Path, by: int) -> None:
        """Move a run towards the front of the queue (negative) or its end."""
        self._push("moving a run in the queue", lambda: self._session.move(path, by))

    def order(self, names: list[str]) -> None:
        """Give the queue this order."""
        self._push("reordering the queue", lambda: self._session.order(names))

    def hold(self, held: bool) -> None:
        """Let the queue wait after the present run, or go on."""
        self._push("holding the queue" if held else "starting the queue", lambda: self._session.hold(held))

    def _push(self, text: str, change: Callable[[], object]) -> None:
        self._stack.push(ChangeQueue(text, self._session, change))
