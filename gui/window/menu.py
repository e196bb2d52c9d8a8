"""The window's menu, for actions without a button."""

from collections.abc import Callable

from PySide6.QtGui import QKeySequence, QUndoStack
from PySide6.QtWidgets import QMainWindow, QMenu

from gui.help.about import AboutMenu
from gui.help.desk import HelpDesk
from gui.help.posteriors import FigureOneDialog


class WindowMenu(QMenu):
    """The menu; its shortcuts work everywhere in the window."""

    def __init__(
        self,
        window: QMainWindow,
        undo_stack: QUndoStack,
        help_desk: HelpDesk,
        import_runs: Callable[[], None],
        open_runs_folder: Callable[[], None],
        ask_settings: Callable[[], None],
        show_plugins: Callable[[], None],
        open_palette: Callable[[], None],
    ) -> None:
        super().__init__(window)
        undo, redo = undo_stack.createUndoAction(self, "Undo"), undo_stack.createRedoAction(self, "Redo")
        undo.setShortcut(QKeySequence.StandardKey.Undo)
        redo.setShortcut(QKeySequence.StandardKey.Redo)
        self.addAction("Command palette…", QKeySequence("Ctrl+K"), open_palette)
        self.addSeparator()
        self.addActions([undo, redo])
        self.addSeparator()
        self.addAction("Import runs…", import_runs)
        self.addAction("Open runs folder", open_runs_folder)
        self.addAction("Plug-ins…", show_plugins)
        self.addAction("Settings…", QKeySequence("Ctrl+,"), ask_settings)
        self.addSeparator()
        self.addAction("Help", QKeySequence("F1"), help_desk.help_with_focus)
        self.addAction("Keyboard shortcuts", QKeySequence("Ctrl+/"), help_desk.show_keys)
        self.addAction("What β does…", lambda: FigureOneDialog(window).exec())
        AboutMenu(window, self)
        self.addSeparator()
        self.addAction("Quit", QKeySequence("Ctrl+Q"), window.close)
        window.addActions(self.actions())
