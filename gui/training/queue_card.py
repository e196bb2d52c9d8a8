"""The queue, below the run list: the runs to train next, in order."""

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QListWidget, QListWidgetItem, QPushButton

from engine.system.plain_text import clean_name
from gui.runs.queue_edits import QueueEdits
from gui.runs.store import RunStore
from gui.training.session import TrainingSession
from gui.widgets.keys import add_shortcut
from gui.widgets.layouts import Card, tool_button
from gui.widgets.theme import px
from gui.widgets.words import count

ROW_HEIGHT = 28
ROWS_SHOWN = 5


class QueueCard(Card):
    """Hidden while the queue is empty. Drag, or Alt+Up and Alt+Down, to reorder; Delete removes a run.

    All changes go through the undo stack.
    """

    def __init__(self, session: TrainingSession, store: RunStore, edits: QueueEdits) -> None:
        super().__init__("Queue")
        self.setProperty("helpTopic", "runs#queue")
        self._session, self._store, self._edits = session, store, edits
        self.hold = QPushButton()
        self.hold.clicked.connect(self._toggle_hold)
        self.head.addWidget(self.hold)
        self.list = QListWidget()
        self.list.setAccessibleName("Queue")
        self.list.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setToolTip(
            "Drag to reorder (Alt+Up, Alt+Down). Delete removes a run from the queue, not from the list. Ctrl+Z undoes."
        )
        self.list.model().rowsMoved.connect(self._dragged)
        self.body.addWidget(self.list)
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        for text, words, keys, slot in (
            ("↑", "Train earlier", "Alt+Up", self._up),
            ("↓", "Train later", "Alt+Down", self._down),
            ("✕", "Remove from queue", "Del", self._remove),
        ):
            button = tool_button(text, f"{words} ({keys})", words)
            button.clicked.connect(slot)
            buttons.addWidget(button)
            add_shortcut(self.list, f"In the queue: {words.lower()}", keys, slot, within=True)
        buttons.addStretch(1)
        clear = tool_button(
            "Clear", "Remove all runs from the queue, not from the list; Ctrl+Z undoes", "Clear the queue"
        )
        clear.clicked.connect(self._clear)
        buttons.addWidget(clear)
        self.body.addLayout(buttons)
        session.queue_changed.connect(self._show)
        store.listed.connect(self._show)
        self._show()

    @Slot()
    def _show(self) -> None:
        waiting = self._session.queue.waiting
        self.setVisible(bool(waiting))
        chosen = self._chosen()
        self.list.clear()
        for place, entry in enumerate(waiting):
            run = self._store.find(self._session.queue.path(entry))
            unit = "step" if run and run.run.config.steps else "epoch"
            more = f"  + {count(entry.more, unit)}" if entry.more else ""
            row = QListWidgetItem(f"{place + 1}  {run.name if run else clean_name(entry.run)}{more}")
            row.setData(Qt.ItemDataRole.UserRole, entry.run)
            self.list.addItem(row)
            if entry.run == chosen:
                self.list.setCurrentItem(row)
        self.list.setFixedHeight(px(ROW_HEIGHT) * min(max(1, len(waiting)), ROWS_SHOWN) + 4)
        held = self._session.held
        self.hold.setText("Start" if held else "Hold")
        self.hold.setToolTip(
            "Train these runs, one after another" if held else "Do not start the next run when the current one ends"
        )

    def _chosen(self) -> str:
        item = self.list.currentItem()
        return str(item.data(Qt.ItemDataRole.UserRole)) if item else ""

    @Slot()
    def _toggle_hold(self) -> None:
        self._edits.hold(not self._session.held)

    @Slot()
    def _dragged(self) -> None:
        names = [str(self.list.item(row).data(Qt.ItemDataRole.UserRole)) for row in range(self.list.count())]
        self._edits.order(names)

    @Slot()
    def _up(self) -> None:
        self._move(-1)

    @Slot()
    def _down(self) -> None:
        self._move(1)

    def _move(self, by: int) -> None:
        if self._chosen():
            self._edits.move(self._session.root / self._chosen(), by)

    @Slot()
    def _clear(self) -> None:
        self._edits.remove([self._session.queue.path(entry) for entry in self._session.queue.waiting])

    @Slot()
    def _remove(self) -> None:
        if self._chosen():
            self._edits.remove([self._session.root / self._chosen()])
