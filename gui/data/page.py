"""The Data page: every data set with its state, samples and factors; prepare, download, delete."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QSettings, QSignalBlocker, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLayout,
    QPushButton,
    QWidget,
)

from engine.data import Entry, delete_cached, disk_used, entry_for, prepare
from engine.data.dsprites import download_official, downloaded_file
from engine.errors import StudioError
from engine.jobs.events import Job, Progress
from engine.settings.folders import remember_data, remembered_data
from gui.bridge import JobSession, JobThread, LatestWorker
from gui.data.details import Details, read_details
from gui.data.entry_list import EntryList
from gui.data.facts import facts
from gui.data.images_view import ImagesView
from gui.settings.asking import may
from gui.widgets.flow import FlowLayout
from gui.widgets.layouts import Card, empty_state, job_bar, label
from gui.widgets.theme import px


class DataPage(QWidget):
    """Emits `use(name, path)` to train on a data set, `failed` with a message, `resolved` with one that no longer
    applies, and `placed` when another folder or file is remembered for a data set; `progressed(progress)` and `ended`
    while one is prepared or downloaded.
    """

    use = Signal(str, object)
    failed = Signal(str)
    resolved = Signal(str)
    placed = Signal()
    progressed = Signal(object)
    ended = Signal()

    def __init__(self, settings: QSettings) -> None:
        super().__init__()
        self._settings = settings
        self.setProperty("helpTopic", "data")
        self._tried: dict[str, Path] = {}
        """Chosen folders and files that have not yet been read successfully."""
        self._said: dict[str, str] = {}
        """Why a data set could not be prepared, until it can be read."""
        self._held: set[str] = set()
        """Data sets that are not prepared unless asked for, since that was cancelled or failed."""
        self._size = 64
        self._page = 0
        self._details: Details | None = None
        self._asked: object = None
        self._job = JobSession(self, {Progress: self._progressed}, self._done)
        self.worker = LatestWorker(self)
        self.worker.answered.connect(self._answered)
        self.worker.failed.connect(self._unreadable)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self._list_card())
        layout.addWidget(self._details_card(), 1)

    def _list_card(self) -> Card:
        card = Card("Data sets")
        card.setFixedWidth(px(268))
        self.list = EntryList()
        self.list.chosen.connect(self._chosen)
        card.body.addWidget(self.list, 1)
        card.body.addWidget(
            label(
                "To open a data set's folder, a folder of images or an .npz file, drop it anywhere on the window.",
                "muted",
                wrap=True,
            )
        )
        return card

    def _details_card(self) -> Card:
        self.card = Card("")
        self.state = label("", "pill")
        self.card.head.insertWidget(1, self.state)
        self.facts = label("", wrap=True)
        self.facts.setTextFormat(Qt.TextFormat.RichText)
        self.facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.card.body.addWidget(self.facts)

        holder = QWidget()
        buttons = FlowLayout(holder, spacing=6)
        self.prepare_button = self._button(buttons, "Prepare", "Draw, download or read the images now", self._prepare)
        self.choose_button = self._button(buttons, "Choose…", "Choose the folder or file with the images", self._choose)
        self.forget_button = self._button(
            buttons, "Forget this folder", "Use the application's own copy again; your files are kept", self._forget
        )
        self.official_button = self._button(
            buttons, "Download the official file", "26 MB, from the authors' repository", self._download_official
        )
        self.folder_button = self._button(buttons, "Open folder", "Show where the files are", self._open_folder)
        self.delete_button = self._button(
            buttons, "Delete prepared copy", "Remove it from the cache; your own files are kept", self._delete
        )
        doing = QHBoxLayout()
        doing.addWidget(holder, 1)
        self.use_button = self._button(doing, "Train on this", "Select this data set in the training form", self._use)
        self.use_button.setObjectName("primary")
        doing.setAlignment(self.use_button, Qt.AlignmentFlag.AlignTop)
        self.card.body.addLayout(doing)

        progress = QHBoxLayout()
        self.bar = job_bar(220)
        self.words = label("", "muted", wrap=True)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.clicked.connect(self.cancel)
        progress.addWidget(self.bar)
        progress.addWidget(self.words, 1)
        progress.addWidget(self.cancel_button)
        self.card.body.addLayout(progress)
        self.error = label("", "error", wrap=True)
        self.error.setTextFormat(Qt.TextFormat.PlainText)
        self.card.body.addWidget(self.error)

        self.images = ImagesView()
        self.images.others_asked.connect(self._next_page)
        self.nothing = empty_state("")
        self.card.body.addWidget(self.nothing, 1)
        self.card.body.addWidget(self.images, 1)
        self._show_idle()
        return self.card

    def _button(self, layout: QLayout, title: str, tip: str, slot: Callable[[], None]) -> QPushButton:
        button = QPushButton(title)
        button.setToolTip(tip)
        button.clicked.connect(slot)
        layout.addWidget(button)
        return button

    @property
    def entry(self) -> Entry:
        """The selected data set."""
        return self.list.entry

    @property
    def path(self) -> Path | None:
        """The folder or file chosen for it, now or in an earlier session."""
        name = self.entry.name
        return self._tried.get(name) or remembered_data(name)

    def list_entries(self) -> None:
        """List the available data sets, keeping the selection if possible."""
        chosen = self.list.entry.name
        with QSignalBlocker(self.list):
            self.list.fill()
            self.list.select(chosen)
        self._chosen()

    def show_entry(self, name: str) -> None:
        """Select a data set."""
        self.list.select(name)

    def open_path(self, path: Path) -> None:
        """Select the data set that a folder or file holds, and prepare it with progress."""
        if self.preparing:
            self.failed.emit(f"{self.entry.title} is still being prepared. Drop {path.name} again when it is done.")
            return
        try:
            name = entry_for(path).name
        except StudioError as error:
            self.failed.emit(str(error))
            return
        self._tried[name] = path
        self._start(lambda: prepare(name, path, self._size))  # before it is shown, since reading would prepare it too
        if self.entry.name == name:
            self._chosen()
        else:
            self.list.select(name)

    def close_worker(self) -> None:
        """End the threads."""
        self.worker.close()
        self._job.cancel()
        self._job.wait()

    def refresh(self) -> None:
        """Bring the page up to date."""
        entry, path = self.entry, self.path
        ready = entry.state() == "ready" or path is not None
        self.card.title.setText(entry.title)
        self.state.setText("ready" if entry.state() == "ready" else "chosen" if path else entry.state())
        loaded = self._details.dataset if self._details is not None else None
        known = loaded if loaded is not None and loaded.name == entry.name else None
        self.facts.setText(facts(entry, path, known))
        lacking = not ready or entry.name in self._held
        self.prepare_button.setVisible(lacking and not (entry.needs_path and path is None) and not self.preparing)
        self.prepare_button.setText("Download" if entry.downloads() else "Prepare")
        self.choose_button.setVisible(bool(entry.path_kind))
        self.official_button.setVisible(entry.name == "dsprites" and path is None)
        self.delete_button.setVisible(bool(entry.cached()) and not self.preparing)
        self.folder_button.setVisible(path is not None or bool(entry.cached()))
        self.forget_button.setVisible(path is not None and not self.preparing)
        self.forget_button.setText(f"Forget this {'file' if path is not None and path.is_file() else 'folder'}")
        self.use_button.setEnabled(ready or not entry.needs_path)
        self.images.setVisible(self._details is not None)
        self.nothing.setVisible(self._details is None)
        self.nothing.setText(self._what_to_do(ready))

    def _what_to_do(self, ready: bool) -> str:
        """Text in place of the images."""
        if self.preparing or (ready and self.entry.name not in self._held):
            return "Its images will appear here."
        does = {"folder": "Choose a folder of images", "file": "Choose an .npz file"}
        if self.entry.own and self.path is None:
            return f"{does[self.entry.path_kind]}, or drop one on the window.\n\nIts images will appear here."
        if self.entry.needs_path and self.path is None:
            return "Choose its folder or file, or drop it on the window.\n\nIts images will appear here."
        again = " to try again" if self.error.text() else ""
        return f"Press {self.prepare_button.text()}{again}.\n\nIts images will appear here."

    # Reading

    @Slot()
    def _chosen(self) -> None:
        self._details = self._asked = None
        self.images.forget()
        self._page = 0
        self.words.setText("")
        self._say_error("")
        self.refresh()
        if self.isVisible():
            self._read()

    def showEvent(self, event: object) -> None:
        """Read what is ready."""
        self.refresh()
        self._read()

    def _read(self) -> None:
        """Request samples if the images need no preparation."""
        entry, path = self.entry, self.path
        if self.preparing or (entry.state() != "ready" and path is None):
            return
        asked = (entry.name, path, self._size, self._page)
        if asked == self._asked and self._details is not None:
            return
        self._asked = asked
        self.worker.ask(asked, lambda: read_details(*asked))

    @Slot(object, object)
    def _answered(self, key: object, details: Details | None) -> None:
        if key != self._asked:
            return
        if details is None:
            self._asked = None
            if self.entry.name in self._held:
                self.refresh()
            else:
                self._prepare()
            return
        if said := self._said.pop(self.entry.name, ""):
            self.resolved.emit(said)
        self._details = details
        self.images.show_details(details)
        self.refresh()

    @Slot(object, str)
    def _unreadable(self, key: object, message: str) -> None:
        if key == self._asked:
            self._asked = None
            self._tried.pop(self.entry.name, None)
            self._say_error(message)
            self.refresh()

    @Slot()
    def _next_page(self) -> None:
        self._page += 1
        self._read()

    # Doing

    @Slot()
    def _prepare(self) -> None:
        name, path, size = self.entry.name, self.path, self._size
        self._start(lambda: prepare(name, path, size))

    @Slot()
    def _download_official(self) -> None:
        self._tried[self.entry.name] = downloaded_file()
        self._start(download_official)

    @property
    def preparing(self) -> bool:
        """Whether a data set is being generated, downloaded or read."""
        return self._job.active

    def _start(self, make_job: Callable[[], Job]) -> None:
        if self.preparing:
            return
        self._held.discard(self.entry.name)
        self.words.setText("")
        self._say_error("")
        self._job.begin(make_job)
        for widget in (self.bar, self.cancel_button):
            widget.show()
        self.list.setEnabled(False)
        self.delete_button.hide()
        self.refresh()
        self.progressed.emit(Progress(0, 1, f"Preparing {self.entry.title}"))

    @Slot()
    def cancel(self) -> None:
        """Cancel the preparation at its next step."""
        self._job.cancel()

    def _progressed(self, progress: Progress) -> None:
        self.progressed.emit(progress)
        self.bar.setMaximum(1000)
        self.bar.setValue(1000 * progress.done // max(1, progress.total))
        done, total = (_amount(count, progress.unit) for count in (progress.done, progress.total))
        self.words.setText(f"{progress.what} · {done} of {total}")

    def _done(self, thread: JobThread) -> None:
        self._show_idle()
        self.words.setText("Cancelled." if thread.control.cancelled else "")
        name, complete = self.entry.name, not thread.error and not thread.control.cancelled
        tried = self._tried.pop(name, None)
        if tried is not None and complete:
            self._remember(name, tried)
        if not complete:
            self._held.add(name)
        self._asked, self._details = None, None
        self.images.forget()
        self._say_error(thread.error)
        self.refresh()
        if thread.error:
            self._said[name] = f"{self.entry.title}: {thread.error}"
            self.failed.emit(self._said[name])
        if complete:
            self._read()
        self.ended.emit()

    def _say_error(self, message: str) -> None:
        """Show why something failed, above the images; an empty message hides it."""
        self.error.setText(message)
        self.error.setVisible(bool(message))

    def _remember(self, name: str, path: Path | None) -> None:
        try:
            remember_data(name, path)
        except StudioError as error:
            self.failed.emit(str(error))
        self.placed.emit()

    @Slot()
    def _forget(self) -> None:
        self._tried.pop(self.entry.name, None)
        self._remember(self.entry.name, None)
        self._asked = None
        self._chosen()

    def _show_idle(self) -> None:
        self.bar.hide()
        self.cancel_button.hide()
        self.list.setEnabled(True)

    @Slot()
    def _choose(self) -> None:
        if self.entry.path_kind == "folder":
            chosen = QFileDialog.getExistingDirectory(self, "Choose the folder with the images")
        else:
            chosen, _ = QFileDialog.getOpenFileName(self, "Choose the file with the images", "", self.entry.file_types)
        if chosen:
            self._tried[self.entry.name] = Path(chosen)
            self._prepare()
            self._chosen()

    @Slot()
    def _open_folder(self) -> None:
        cached = self.entry.cached()
        where = self.path or (cached[0] if cached else None)
        if where is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(where if where.is_dir() else where.parent)))

    @Slot()
    def _delete(self) -> None:
        used = disk_used(self.entry.name) / 1e6
        question = f"Remove {used:,.0f} MB of {self.entry.title} from the cache?"
        more = "They are prepared again when needed; your own files are kept."
        if not may(self, self._settings, "ask_data", question, more, "Remove", "Keep"):
            return
        self._details, self._asked = None, None
        self.images.release()
        try:
            delete_cached(self.entry.name)
        except StudioError as error:
            self.failed.emit(str(error))
        if self.path == downloaded_file() and not downloaded_file().exists():
            self._remember(self.entry.name, None)
        self._chosen()

    @Slot()
    def _use(self) -> None:
        self.use.emit(self.entry.name, self.path)


def _amount(count: int, unit: str) -> str:
    return f"{count / 1e6:,.1f} MB" if unit == "bytes" else f"{count:,} {unit}"
