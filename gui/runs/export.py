"""Exports runs to files: asks what to save and where, and writes it in the background."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from engine.errors import StudioError
from engine.jobs.events import Job, Progress, Warned
from engine.runs.run import Run
from engine.system.installed import check_onnx, check_tensorboard
from gui.bridge import Handlers, JobSession, JobThread
from gui.training.view_options import ViewOptions
from gui.widgets.layouts import job_bar, label
from gui.widgets.save_dialog import (
    CSV,
    PICTURES,
    ZIP,
    Format,
    ask_file,
    ask_new_folder,
    last_folder,
    proposed_name,
    save_buttons,
)
from gui.widgets.status_bar import status_of
from gui.widgets.theme import px


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that runs can be exported as: title, explanation, part of the file name, and file formats.

    Without formats the result is a folder.
    """

    title: str
    help: str
    content: str
    formats: tuple[Format, ...]


CURVES = Kind(
    "Curves as a figure",
    "PNG, SVG or PDF: loss, reconstruction, KL with capacity C, and KL per latent.",
    "curves",
    PICTURES,
)
TABLE = Kind("Curves as a table", "CSV with every recorded point; several runs one below the other.", "curves", (CSV,))
ARCHIVE = Kind(
    "Complete run",
    "A .zip file with settings, curves, weights, images and metrics, to archive or to resume on another machine.",
    "run",
    (ZIP,),
)
EVENTS = Kind("TensorBoard event files", "A folder with scalars and images for TensorBoard.", "tensorboard", ())
NETWORKS = Kind(
    "Networks as ONNX",
    "A folder with encoder.onnx and decoder.onnx for other programs, checked against PyTorch.",
    "onnx",
    (),
)
KINDS = (CURVES, TABLE, ARCHIVE, EVENTS, NETWORKS)


RECORDED = ViewOptions(smoothing=0, spread="")
"""Curves of each run as recorded, over steps."""


def export_runs(parent: QWidget, settings: QSettings, runs: Sequence[Run]) -> str:
    """Ask what to save of these runs and where, and save it. Returns a message, empty if the user cancels.

    Training continues meanwhile. Raises StudioError if saving fails.
    """
    dialog = KindDialog(parent, runs)
    chosen = dialog.exec() == QDialog.DialogCode.Accepted
    kind = dialog.kind
    dialog.deleteLater()
    return _ask_and_export(parent, settings, runs, kind) if chosen else ""


def ask_and_export_curves(parent: QWidget, settings: QSettings, runs: Sequence[Run], options: ViewOptions) -> str:
    """Ask where to save the curves of these runs, as displayed (a figure) or in full (a table), and save them.

    Returns and raises as `export_runs` does.
    """
    kind = Kind("Save curves", "", "curves", (*PICTURES, CSV))
    return _ask_and_export(parent, settings, runs, kind, options)


def _ask_and_export(
    parent: QWidget, settings: QSettings, runs: Sequence[Run], kind: Kind, options: ViewOptions = RECORDED
) -> str:
    name = proposed_name([run.name for run in runs], kind.content)
    if kind.formats:
        path = ask_file(parent, settings, kind.title, name, kind.formats)
    else:
        path = ask_new_folder(parent, settings, f"{kind.title}: choose where to create the folder {name}", name)
    if path is None:
        return ""

    def job() -> Job:
        # Imported in the job's thread: these load torch.
        from engine.export.onnx import export_onnx
        from engine.export.runs import export
        from engine.export.tensorboard import write_events

        if kind is NETWORKS:
            yield from export_onnx(runs, path)
        elif kind.formats:
            yield from export(runs, path, view=options.view, smoothing=options.smoothing, spread=options.spread)
        else:
            yield from write_events(runs, path)

    return JobDialog(parent, kind.title, job).carry_out()


def import_runs(parent: QWidget, settings: QSettings, root: Path) -> str:
    """Ask for a .zip file and import its runs into `root`. Returns and raises as `export_runs` does."""
    name, _ = QFileDialog.getOpenFileName(parent, "Import runs", str(last_folder(settings)), "Exported runs (*.zip)")
    if not name:
        return ""

    def job() -> Job:
        from engine.runs.archive import read_archive

        yield from read_archive(Path(name), root)

    return JobDialog(parent, "Import runs", job, task="Importing").carry_out()


class KindDialog(QDialog):
    """Asks what to export; `kind` is the answer."""

    def __init__(self, parent: QWidget, runs: Sequence[Run]) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 16)
        layout.setSpacing(2)
        what = runs[0].name if len(runs) == 1 else f"{len(runs)} runs"
        layout.addWidget(label(f"Export {what}", "title"))
        layout.addSpacing(8)
        self._group = QButtonGroup(self)
        for number, kind in enumerate(KINDS):
            missing = _missing(kind)
            button = QRadioButton(kind.title + ("s" if kind is ARCHIVE and len(runs) > 1 else ""))
            button.setEnabled(not missing)
            button.setAccessibleDescription(missing or kind.help)
            help = label(missing or kind.help, "muted", wrap=True)
            help.setContentsMargins(24, 0, 0, 8)
            help.setMinimumWidth(px(430))
            self._group.addButton(button, number)
            layout.addWidget(button)
            layout.addWidget(help)
        self._group.button(0).setChecked(True)
        buttons, self.save = save_buttons(self)
        layout.addSpacing(6)
        layout.addWidget(buttons)

    @property
    def kind(self) -> Kind:
        """The chosen kind."""
        return KINDS[self._group.checkedId()]


class JobDialog(QDialog):
    """Runs a job in a thread and shows its progress, with a Cancel button. `task` names it in the status bar."""

    def __init__(self, parent: QWidget, title: str, make_job: Callable[[], Job], task: str = "Saving") -> None:
        super().__init__(parent)
        self._task, self._status = task, status_of(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(px(380))
        self._error = ""
        self._notes: list[str] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 16)
        self.what = label("Preparing…", wrap=True)
        self.bar = job_bar(None)
        self.bar.setMaximum(0)
        self.cancel = QPushButton("Cancel")
        self.cancel.clicked.connect(self.reject)
        layout.addWidget(self.what)
        layout.addWidget(self.bar)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(self.cancel)
        layout.addLayout(foot)
        self._make_job = make_job
        handlers: Handlers = {
            Progress: self._progressed,
            Warned: lambda event: self._notes.append(event.message),
        }
        self._job = JobSession(self, handlers, self._over)

    def carry_out(self) -> str:
        """Run the job. Returns its closing message, empty if it was cancelled. Raises StudioError."""
        self._job.begin(self._make_job)
        self._show_status(Progress(0, 1, self.windowTitle()))
        self.exec()
        self._show_status(None)
        self.deleteLater()
        if self._error:
            raise StudioError(self._error)
        return " ".join([self._job.words, *self._notes]) if self._job.words else ""

    def reject(self) -> None:
        """Cancel the job; the dialog closes once it has ended."""
        self._job.cancel()
        self.cancel.setEnabled(False)
        self.what.setText("Cancelling…")

    def _show_status(self, progress: Progress | None) -> None:
        if self._status is not None:
            self._status.show_job(self._task, progress)

    def _progressed(self, progress: Progress) -> None:
        if not self._job.abandoned:
            self._show_status(progress)
            self.what.setText(f"{progress.what}…")
            self.bar.setMaximum(progress.total if progress.total > 1 else 0)
            self.bar.setValue(progress.done)

    def _over(self, thread: JobThread) -> None:
        self._error = thread.error
        self.accept()


def _missing(kind: Kind) -> str:
    """Return why something cannot be written here, since a package is not installed; empty if it can."""
    try:
        if kind is EVENTS:
            check_tensorboard()
        elif kind is NETWORKS:
            check_onnx()
    except StudioError as error:
        return str(error)
    return ""
