"""The window's menu, for actions without a button."""

from collections.abc import Callable

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QKeySequence, QUndoStack
from PySide6.QtWidgets import QMainWindow, QMenu

from gui.help.about import AboutMenu
from gui.help.desk import HelpDesk
from gui.help.posteriors import FigureOneDialog
from gui.window.zooming import Zoom


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
        zoom: Zoom,
        show_gallery: Callable[[], None] | None,
        begin_tour: Callable[[], None],
    ) -> None:
        super().__init__(window)
        undo, redo = undo_stack.createUndoAction(self, "Undo"), undo_stack.createRedoAction(self, "Redo")
        undo.setShortcut(QKeySequence.StandardKey.Undo)
        redo.setShortcut(QKeySequence.StandardKey.Redo)
        self.addAction("Command palette…", QKeySequence("Ctrl+K"), open_palette)
        self.addSeparator()
        self.addActions([undo, redo])
        self.addSeparator()
        larger = self.addAction("Larger", QKeySequence("Ctrl++"), zoom.larger)
        larger.setShortcuts([QKeySequence("Ctrl++"), QKeySequence("Ctrl+=")])
        self.addAction("Smaller", QKeySequence("Ctrl+-"), zoom.smaller)
        self.addAction("Original size", QKeySequence("Ctrl+0"), zoom.usual)
        self._full = self.addAction("Full screen", QKeySequence("F11"), self._toggle_full)
        self._full.setCheckable(True)
        self.addSeparator()
        self.addAction("Import runs…", import_runs)
        self.addAction("Open runs folder", open_runs_folder)
        self.addAction("Plug-ins…", show_plugins)
        self.addAction("Settings…", QKeySequence("Ctrl+,"), ask_settings)
        self.addSeparator()
        self.addAction("Help", QKeySequence("F1"), help_desk.help_with_focus)
        self.addAction("Keyboard shortcuts", QKeySequence("Ctrl+/"), help_desk.show_keys)
        if show_gallery is not None:
            self.addAction("Gallery", QKeySequence("Ctrl+G"), show_gallery)
        self.addAction("Tour", begin_tour)
        self.addAction("What β does…", lambda: FigureOneDialog(window).exec())
        AboutMenu(window, self)
        self.addSeparator()
        self.addAction("Quit", QKeySequence("Ctrl+Q"), window.close)
        window.addActions(self.actions())
        self._window = window
        self.aboutToShow.connect(self._say_full)

    @Slot()
    def _toggle_full(self) -> None:
        """Fill the screen, or return to the former size."""
        self._window.setWindowState(self._window.windowState() ^ Qt.WindowState.WindowFullScreen)

    @Slot()
    def _say_full(self) -> None:
        self._full.setChecked(self._window.isFullScreen())
