"""Actions on the selected runs: the context menu, its keyboard shortcuts, and what they do."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QPoint, QSettings, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QAction, QDesktopServices, QKeySequence, QUndoStack
from PySide6.QtWidgets import QMenu, QWidget

from engine.errors import StudioError
from engine.runs.kept_weights import keep_checkpoint
from engine.runs.run import COLOURS
from engine.runs.shipped import READ_ONLY
from engine.settings.folders import with_remembered_data
from engine.system.plain_text import clean_name
from gui.bridge import LatestWorker
from gui.runs.compare import CompareDialog
from gui.runs.export import ask_and_export_curves, export_runs, import_runs
from gui.runs.import_network import ask_to_allow, has_program, import_network
from gui.runs.queue_edits import QueueEdits
from gui.runs.run_list import RunList
from gui.runs.store import RunItem, RunStore
from gui.runs.undo import ChangeMarks, TrashRuns
from gui.training.session import TrainingSession
from gui.training.view_options import ViewOptions
from gui.widgets.dot import dot
from gui.widgets.number_question import ask_whole_number
from gui.widgets.plain import ask_text
from gui.widgets.theme import tokens
from gui.widgets.words import count, duration

MORE_EPOCHS = 20
COLOUR_NAMES = ("vermilion", "blue", "green", "pink", "ochre", "sky blue", "violet", "grey")


class RunActions(QObject):
    """Fills the run list's menu and performs its actions.

    Emits `use_settings(path)` to show a run's settings in the form, `failed` and `noted` with a message,
    `undoable(message)` after an action that Ctrl+Z can undo, `copied(path)` after a model of the gallery has been
    copied to the user's runs, `imported(path)` after a network was imported, and `allowed` after one may be executed.
    """

    use_settings = Signal(object)
    copied = Signal(object)
    failed = Signal(str)
    noted = Signal(str)
    undoable = Signal(str)
    imported = Signal(object)
    allowed = Signal()

    def __init__(
        self, run_list: RunList, store: RunStore, session: TrainingSession, settings: QSettings, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._list, self._store, self._session, self._settings = run_list, store, session, settings
        self._window = parent
        self.undo_stack = QUndoStack(self)
        self.undo_stack.indexChanged.connect(store.refresh)
        self._copier = LatestWorker(self)
        self._copier.answered.connect(self._copied)
        self._copier.failed.connect(self._copy_failed)
        self.queue = QueueEdits(session, self.undo_stack, self)
        self._build(run_list.menu)
        run_list.menu.aboutToShow.connect(self._enable)
        for changed in (run_list.selected, store.updated, session.began, session.ended, session.queue_changed):
            changed.connect(self._enable)  # the shortcuts work without opening the menu
        run_list.renamed.connect(self._rename)
        run_list.noted.connect(self._note)
        run_list.colour_asked.connect(self._ask_colour)
        self._enable()

    def _build(self, menu: QMenu) -> None:
        menu.setToolTipsVisible(True)
        self.copy = self._add(menu, "Copy to my runs", self._copy)
        self.copy.setToolTip(
            "Make a run of your own from this model, which can be renamed, evaluated and resumed. It has no optimiser "
            "state: resuming starts Adam afresh."
        )
        self.resume = self._add(menu, "Resume", self._resume, "Ctrl+Shift+R")
        self.longer = self._add(menu, "Train longer…", self._train_longer)
        self.unqueue = self._add(menu, "Remove from queue", self._unqueue)
        menu.addSeparator()
        self.use = self._add(menu, "Use these settings", self._use, "Ctrl+U")
        self.again = self._add(menu, "Train again with another seed", self._train_again, "Ctrl+D")
        self.compare = self._add(menu, "Compare settings…", self._compare, "Ctrl+Shift+K")
        menu.addSeparator()
        self.rename = self._add(menu, "Rename", self._list.rename, "F2", shown_only=True)
        self.tags = self._add(menu, "Edit tags…", self._ask_tags, "Ctrl+T")
        self.notes = self._add(menu, "Edit notes", self._edit_notes, "Ctrl+Shift+M")
        self._colours = menu.addMenu("Colour")
        self._colours.aboutToShow.connect(self._show_colours)
        self._dot_colours = QMenu(menu)
        for choice in (self._colours, self._dot_colours):
            choice.triggered.connect(self._colour_chosen)
        self.hide = self._add(menu, "Hide", self._toggle_hidden, "Ctrl+H")
        self.keep = self._add(menu, "Keep current weights", self._keep_checkpoint)
        self.keep.setToolTip("Keep a copy of the latest weights, which you can select on the Traversal page")
        self.allow = self._add(menu, "Allow network…", self._ask_to_allow)
        self.allow.setToolTip("Allow the TorchScript files of this run to be executed")
        menu.addSeparator()
        self.export = self._add(menu, "Export…", self._export, "Ctrl+Shift+E")
        self.folder = self._add(menu, "Open folder", self._open_folder, "Ctrl+O")
        self.trash = self._add(menu, "Move to trash", self._trash, "Del")
        self._colour_targets: list[Path] = []
        changing = (self.resume, self.longer, self.rename, self.tags, self.notes, self._colours.menuAction(), self.hide,
                    self.keep, self.trash)  # fmt: skip
        self._changing = {action: action.toolTip() for action in changing}
        """What is not possible with models of the gallery, with its usual tooltip."""

    def _add(
        self, menu: QMenu, text: str, slot: Callable[[], None], keys: str = "", *, shown_only: bool = False
    ) -> QAction:
        action = menu.addAction(text)
        if keys:
            action.setShortcut(QKeySequence(keys))
            if keys == "Del":
                action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            # The view itself handles F2; the menu only shows the shortcut.
            if not shown_only:
                self._list.view.addAction(action)
        action.triggered.connect(slot)
        return action

    @Slot()
    def _enable(self) -> None:
        """Enable what applies to the selection."""
        items = self._list.items()
        one = items[0] if len(items) == 1 else None
        training = self._session.active
        waits = any(item.place is not None for item in items)
        resumable = [item for item in items if item.state.unfinished and item.place is None and not item.untrainable]
        self.resume.setEnabled(bool(resumable))
        self.resume.setText("Resume after the current run" if training else "Resume")
        trained = [item for item in items if not item.untrainable]
        self.longer.setEnabled(any(item.state.state == "finished" for item in trained))
        self.unqueue.setVisible(waits)
        for action in (self.rename, self.notes, self.folder):
            action.setEnabled(one is not None)
        self.use.setEnabled(one is not None and bool(trained))
        self.again.setEnabled(bool(trained))
        self.export.setEnabled(bool(items))
        self.compare.setEnabled(len(items) > 1)
        self.keep.setEnabled(one is not None and one.has_weights and bool(trained))
        self.allow.setVisible(one is not None and has_program(one.run))
        self.tags.setEnabled(bool(items))
        self._colours.setEnabled(bool(items))
        self.hide.setEnabled(bool(items))
        self.hide.setText("Unhide" if items and all(item.hidden for item in items) else "Hide")
        self.trash.setEnabled(any(not item.state.active for item in items))
        self._protect([item for item in items if item.shipped])

    def _protect(self, shipped: list[RunItem]) -> None:
        """Disable what would change the gallery's models, if some are selected, and say why."""
        self.copy.setVisible(bool(shipped))
        self.copy.setEnabled(bool(shipped))
        words = f"{shipped[0].name} {READ_ONLY}" if shipped else ""
        for action, usual in self._changing.items():
            if shipped:
                action.setEnabled(False)
            action.setToolTip(words or usual)

    # Training

    @Slot()
    def _resume(self) -> None:
        for item in self._list.items():
            if item.state.unfinished and not item.untrainable:
                self.queue.add(item.path)

    @Slot()
    def _train_longer(self) -> None:
        """Ask once for all runs whose length is set in steps, and once for those set in epochs."""
        items = [item for item in self._list.items() if item.state.state == "finished" and not item.untrainable]
        for unit, runs in (
            ("steps", [item for item in items if item.run.config.steps is not None]),
            ("epochs", [item for item in items if item.run.config.steps is None]),
        ):
            if runs:
                self._lengthen(unit, runs)

    def _lengthen(self, unit: str, items: list[RunItem]) -> None:
        first = items[0]
        names = first.name if len(items) == 1 else count(len(items), "run")
        took = f" Its {first.state.step:,} steps took {duration(first.seconds)}." if len(items) == 1 else ""
        more = ask_whole_number(
            self._window,
            "Train longer",
            f"{unit.capitalize()} to add to {names}.{took}\n"
            "Training continues from the end of the run; C and all other settings stay the same.",
            first.run.config.steps or MORE_EPOCHS,
            1,
            100_000_000 if unit == "steps" else 100_000,
        )
        if more is not None:
            for item in items:
                self.queue.add(item.path, more=more)

    @Slot()
    def _unqueue(self) -> None:
        items = self._list.items()
        taken = self.queue.remove([item.path for item in items])
        if taken:
            names = items[0].name if len(items) == 1 else count(taken, "run")
            self.undoable.emit(f"Removed {names} from the queue.")

    @Slot()
    def _use(self) -> None:
        for item in self._list.items()[:1]:
            self.use_settings.emit(item.path)

    @Slot()
    def _train_again(self) -> None:
        """Queue the same settings with the smallest seed not used by any run with these settings."""
        for item in self._list.items():
            if item.untrainable:
                continue
            config = with_remembered_data(item.run.config) if item.shipped else item.run.config
            same = [other.run.config for other in self._store.items]
            used = {other.seed for other in same if other.changed(seed=config.seed) == config}
            self.queue.start(config.changed(seed=next(s for s in range(len(used) + 1) if s not in used)))
            self._store.refresh()

    @Slot()
    def _compare(self) -> None:
        items = self._list.items()
        if len(items) > 1:
            CompareDialog(items, self._window).exec()

    # The gallery

    @Slot()
    def _copy(self) -> None:
        """Copy the selected models of the gallery to the runs folder, which takes a moment."""
        names = tuple(item.path for item in self._list.items() if item.shipped)
        if names:
            root = self._store.root
            self._copier.ask(names, lambda: _copies(names, root))

    @Slot(object, object)
    def _copied(self, asked: object, runs: list[Path]) -> None:
        self._store.refresh()
        self._list.select(*runs)
        words = "The copy is a run of your own" if len(runs) == 1 else "The copies are runs of your own"
        self.noted.emit(f"{words}. “Train longer…” in its menu continues its training, with Adam started afresh.")
        self.copied.emit(runs)

    @Slot(object, str)
    def _copy_failed(self, asked: object, message: str) -> None:
        self.failed.emit(message)

    def close_worker(self) -> None:
        """End the thread that copies."""
        self._copier.close()

    # Marks

    @Slot(object, str)
    def _rename(self, path: Path, name: str) -> None:
        self._mark("renaming a run", {path: {"name": name}})

    @Slot()
    def _edit_notes(self) -> None:
        self._list.notes.edit()

    @Slot(object, str)
    def _note(self, path: Path, notes: str) -> None:
        self._mark("editing notes", {path: {"notes": notes or None}})

    @Slot()
    def _ask_tags(self) -> None:
        items = self._list.items()
        if not items:
            return
        common = [tag for tag in items[0].tags if all(tag in item.tags for item in items)]
        names = items[0].name if len(items) == 1 else count(len(items), "run")
        text, accepted = ask_text(self._window, "Edit tags", f"Tags of {names}, separated by spaces:", " ".join(common))
        if accepted:
            given = list(dict.fromkeys(tag.strip("#,") for tag in clean_name(text).split() if tag.strip("#,")))
            gone = set(common) - set(given)
            changes = {
                item.path: {"tags": [*(t for t in item.tags if t not in gone and t not in given), *given] or None}
                for item in items
            }
            self._mark("editing tags", changes)

    @Slot(object, QPoint)
    def _ask_colour(self, path: Path, place: QPoint) -> None:
        _fill_with_colours(self._dot_colours)
        self._colour_targets = [path]
        self._dot_colours.popup(place)

    @Slot()
    def _show_colours(self) -> None:
        _fill_with_colours(self._colours)
        self._colour_targets = [item.path for item in self._list.items()]

    @Slot(QAction)
    def _colour_chosen(self, action: QAction) -> None:
        self._mark("changing the colour", {path: {"colour": int(action.data())} for path in self._colour_targets})

    @Slot()
    def _toggle_hidden(self) -> None:
        items = self._list.items()
        hide = not all(item.hidden for item in items)
        if not items:
            return
        self._mark("hiding runs" if hide else "unhiding runs", {i.path: {"hidden": hide or None} for i in items})
        if hide:
            self.undoable.emit(f"{count(len(items), 'run')} hidden. The ⇅ menu of the run list can show hidden runs.")

    @Slot(object, object)
    def name_latents(self, path: Path, names: dict[int, str]) -> None:
        """Set the names of a run's latents, by number; can be undone."""
        kept = {str(latent): name for latent, name in names.items()}
        self._mark("naming a latent", {path: {"latents": kept or None}})

    def _mark(self, text: str, changes: dict[Path, dict[str, Any]]) -> None:
        shipped = [item for path in changes if (item := self._store.find(path)) is not None and item.shipped]
        if shipped:
            self.noted.emit(f"{shipped[0].name} {READ_ONLY}")
            return
        self.undo_stack.push(ChangeMarks(text, changes, self.failed.emit))

    @Slot()
    def _keep_checkpoint(self) -> None:
        for item in self._list.items()[:1]:
            try:
                step = keep_checkpoint(item.run.checkpoint_folder)
            except StudioError as error:
                self.failed.emit(str(error))
            except OSError as error:
                self.failed.emit(f"Could not keep the weights in {item.path}: {error.strerror or error}.")
            else:
                where = "Select them on the Traversal page."
                self.noted.emit(f"Kept the weights of {item.name} at step {step:,}. {where}")

    # Files

    @Slot()
    def _export(self) -> None:
        items = self._list.items()
        if items:
            self._report(lambda: export_runs(self._window, self._settings, [item.run for item in items]))

    @Slot(object)
    def export_curves(self, options: ViewOptions) -> None:
        """Ask where to save the curves of the selected runs, and save them as displayed."""
        items = self._list.items()
        if items:
            self._report(
                lambda: ask_and_export_curves(self._window, self._settings, [item.run for item in items], options)
            )

    @Slot()
    def import_runs(self) -> None:
        """Ask for a .zip file and add the runs it contains."""
        self._report(lambda: import_runs(self._window, self._settings, self._store.root))
        self._store.refresh()

    @Slot()
    def import_network(self) -> None:
        """Ask for a trained network from another program, and add it as a run."""
        self.import_files([])

    def import_files(self, files: Sequence[Path]) -> None:
        """Do the same, with files proposed: those named like a decoder as the decoder."""
        files = sorted(files, key=lambda file: "dec" in file.stem.lower())
        try:
            path, words = import_network(self._window, self._settings, self._store.root, files)
        except StudioError as error:
            self.failed.emit(str(error))
            return
        if path is not None:
            self.imported.emit(path)
            self.noted.emit(words)

    @Slot()
    def _ask_to_allow(self) -> None:
        for item in self._list.items()[:1]:
            ask_to_allow(self._window, item.run, self.allowed.emit)

    def _report(self, work: Callable[[], str]) -> None:
        """Do some work and emit its closing message, or its error."""
        try:
            words = work()
        except StudioError as error:
            self.failed.emit(str(error))
        else:
            if words:
                self.noted.emit(words)

    @Slot()
    def _open_folder(self) -> None:
        for item in self._list.items()[:1]:
            if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(item.path))):
                self.noted.emit(f"The run's folder is {item.path}")

    @Slot()
    def _trash(self) -> None:
        items = self._list.items()
        if items:
            self.trash_runs(items)

    def trash_runs(self, items: list[RunItem]) -> None:
        """Move runs to the system's trash; Ctrl+Z restores them. Runs being trained are left alone."""
        training = [item.name for item in items if item.state.active]
        if training:
            self.noted.emit(f"{training[0]} is still training. Stop it before moving it to the trash.")
        items = [item for item in items if not item.state.active]
        if not items:
            return
        command = TrashRuns([item.path for item in items], self.failed.emit)
        names = items[0].name if len(items) == 1 else count(len(items), "run")
        waiting = [item.path for item in items if item.place is not None]
        if waiting:  # a single Ctrl+Z restores them to the list and to the queue
            self.undo_stack.beginMacro(command.text())
            self.queue.remove(waiting)
        self.undo_stack.push(command)
        if waiting:
            self.undo_stack.endMacro()
        if command.moved:
            words = names if command.moved == len(items) else count(command.moved, "run")
            self.undoable.emit(f"Moved {words} to the trash.")


def _copies(folders: tuple[Path, ...], root: Path) -> list[Path]:
    """Copy models of the gallery; called in a thread."""
    from engine.gallery.copying import copy_model

    return [copy_model(folder.name, root, folder.parent).path for folder in folders]


def _fill_with_colours(menu: QMenu) -> None:
    menu.clear()
    for number in range(COLOURS):
        menu.addAction(dot(tokens().runs[number], size=16), COLOUR_NAMES[number]).setData(number)
