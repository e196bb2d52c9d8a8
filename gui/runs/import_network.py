"""The dialog that imports a trained network, and the question whether a program may be executed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from engine.jobs.events import Finished, Imported, Job, Progress
from engine.networks.foreign_files import DATA, DECODED, LAYOUTS, PROGRAMS, RANGES, Known
from engine.runs.run import Run
from engine.settings.folders import remembered_data
from engine.settings.run_config import DATASET_TITLES
from engine.system.plain_text import clean_name
from gui.bridge import LatestWorker
from gui.runs.export import JobDialog
from gui.settings.asking import ask
from gui.widgets.combo import Combo
from gui.widgets.layouts import label
from gui.widgets.plain import as_plain
from gui.widgets.save_dialog import last_folder
from gui.widgets.theme import px

if TYPE_CHECKING:
    from engine.networks.foreign import Detected
    from engine.runs.imported import GivenNetworks

TITLE = "Import network"
ENDINGS = (*PROGRAMS, *DATA)
FILTER = f"Networks ({' '.join(f'*{ending}' for ending in ENDINGS)})"
WARNING = "TorchScript and .pt2 files are programs: loading one can do everything that you can do on this machine."
DATASET = "networks/dataset"

Tried = tuple[list[str], "Detected | None", str]
"""Programs that are not allowed yet, what a forward pass has shown, and why there is none."""


class NetworkDialog(QDialog):
    """Asks for files, data set, and how outputs are read, which a forward pass proposes.

    `given` is the answer, `name` the name of the run.
    """

    tried = Signal()

    def __init__(self, parent: QWidget, settings: QSettings, files: Sequence[Path] = ()) -> None:
        super().__init__(parent)
        self._settings = settings
        self.setWindowTitle(TITLE)
        self.setProperty("helpTopic", "representations#networks")
        self.setMinimumWidth(px(560))
        self._worker = LatestWorker(self)
        self._worker.answered.connect(self._answered)
        self._worker.failed.connect(self._failed)
        self._asked: object = None
        self.encoder = FileField("Encoder", "Takes images, gives the mean of each latent, and possibly log-variances")
        self.decoder = FileField("Decoder", "Optional: takes latents, gives images; without it nothing is traversed")
        self.dataset = Combo()
        self.dataset.setToolTip("The images that the network takes; metrics are computed on them")
        for name, title in DATASET_TITLES.items():
            self.dataset.addItem(title, name)
        self.dataset.setCurrentIndex(max(0, self.dataset.findData(str(settings.value(DATASET, "dsprites")))))
        self.layout_box = _choice("Encoder gives", LAYOUTS, "How mean and log-variance lie in the encoder's output")
        self.decoded = _choice("Decoder gives", DECODED, "Pixels in the same range as the encoder takes, or logits")
        words = {name: f"{low:g} to {high:g}".replace("-", "−") for name, (low, high) in RANGES.items()}
        self.values = _choice("Pixel values", words, "Range of the pixels, from black to white")
        self.name_edit = QLineEdit()
        self.name_edit.setPlaceholderText("as the encoder's file")
        self.name_edit.setMaxLength(100)
        self.allow = QCheckBox("")
        self.allow.setToolTip(as_plain(WARNING))
        self.trust = label(WARNING, "warning", wrap=True)
        self.facts = label("", "muted", wrap=True)
        self.facts.setMinimumHeight(px(48))
        self.facts.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._lay_out()
        for field, file in zip((self.encoder, self.decoder), files, strict=False):
            field.path.setText(str(file))
        for edit in (self.encoder, self.decoder):
            edit.browse.clicked.connect(lambda _=False, field=edit: self._browse(field))
            edit.path.textChanged.connect(self._changed)
        for box in (self.dataset, self.layout_box, self.decoded, self.values):
            box.currentIndexChanged.connect(self._changed)
        self.allow.toggled.connect(self._changed)
        self.finished.connect(self._worker.close)
        self._changed()

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(8)
        rows: list[tuple[str, QWidget]] = [
            ("Encoder", self.encoder),
            ("Decoder", self.decoder),
            ("Data set", self.dataset),
            ("Pixel values", self.values),
            ("Encoder gives", self.layout_box),
            ("Decoder gives", self.decoded),
            ("Name", self.name_edit),
        ]
        for number, (title, widget) in enumerate(rows):
            words = label(title)
            words.setBuddy(widget)
            widget.setAccessibleName(title)
            grid.addWidget(words, number, 0)
            grid.addWidget(widget, number, 1)
        grid.setColumnStretch(1, 1)
        buttons = QDialogButtonBox()
        buttons.addButton(QPushButton("Cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        self.import_button = QPushButton("Import")
        self.import_button.setObjectName("primary")
        self.import_button.setDefault(True)
        buttons.addButton(self.import_button, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 16)
        layout.setSpacing(10)
        layout.addWidget(label("Import a trained network", "title"))
        layout.addLayout(grid)
        for widget in (self.trust, self.allow, self.facts, buttons):
            layout.addWidget(widget)

    @property
    def given(self) -> "GivenNetworks":
        """The files, the data set, and what is chosen of how outputs are read."""
        from engine.runs.imported import GivenNetworks

        encoder, decoder = (_path_in(field.path.text()) for field in (self.encoder, self.decoder))
        dataset = str(self.dataset.currentData())
        known = Known(*(box.currentData() for box in (self.layout_box, self.decoded, self.values)))
        return GivenNetworks(encoder or Path(), decoder, dataset, remembered_data(dataset), known)

    @property
    def name(self) -> str | None:
        """The name of the run; None for that of the encoder's file."""
        return clean_name(self.name_edit.text()) or None

    @property
    def programs(self) -> list[Path]:
        """The chosen files that are executed when they are loaded."""
        paths = (_path_in(field.path.text()) for field in (self.encoder, self.decoder))
        return [path for path in paths if path is not None and path.suffix.lower() in PROGRAMS]

    def accept(self) -> None:
        """Remember the data set, and close."""
        self._settings.setValue(DATASET, self.dataset.currentData())
        super().accept()

    def _browse(self, field: "FileField") -> None:
        folder = str(_path_in(field.path.text()) or last_folder(self._settings))
        name, _ = QFileDialog.getOpenFileName(self, TITLE, folder, FILTER)
        if name:
            field.path.setText(name)

    @Slot()
    def _changed(self) -> None:
        """Show whether programs must be allowed, and try the networks."""
        programs = self.programs
        for widget in (self.trust, self.allow):
            widget.setVisible(bool(programs))
        names = " and ".join(path.name for path in programs)
        self.allow.setText(as_plain(f"I trust {names}: allow {'it' if len(programs) == 1 else 'them'} to be executed"))
        self.import_button.setEnabled(False)
        encoder = _path_in(self.encoder.path.text())
        if encoder is None:
            self._asked = None
            self._say("Choose the file of an encoder: TorchScript (.pt, .ts), torch.export (.pt2) or ONNX (.onnx).")
            return
        chosen = tuple(str(field.path.text()) for field in (self.encoder, self.decoder))
        boxes = (self.dataset, self.layout_box, self.decoded, self.values)
        key = (*chosen, *(box.currentData() for box in boxes), self.allow.isChecked())
        self._asked = key
        self._say("Trying the network…")
        allowed, dataset = self.allow.isChecked(), str(self.dataset.currentData())
        shown = Known(*(box.currentData() for box in boxes[1:]))
        files = encoder, _path_in(self.decoder.path.text())
        self._worker.ask(key, lambda: _try(*files, dataset, shown, allowed=allowed))

    @Slot(object, object)
    def _answered(self, key: object, answer: Tried) -> None:
        if key != self._asked:
            return
        waiting, found, reason = answer
        if waiting:
            self._say(
                f"Allow {' and '.join(waiting)} first, to see what {'it gives' if len(waiting) == 1 else 'they give'}."
            )
        elif found is None:
            self.import_button.setEnabled(True)
            self._say(f"{reason} The data are prepared, and the network is tried, when it is imported.")
        else:
            self.import_button.setEnabled(True)
            self._say(_found_words(found, decodes=bool(self.decoder.path.text().strip())))
        self.tried.emit()

    @Slot(object, str)
    def _failed(self, key: object, sentence: str) -> None:
        if key == self._asked:
            self._say(sentence, problem=True)
            self.tried.emit()

    def _say(self, words: str, *, problem: bool = False) -> None:
        self.facts.setText(words)
        self.facts.setObjectName("error" if problem else "muted")
        self.facts.style().polish(self.facts)


class FileField(QWidget):
    """The path of a file, typed or chosen with `browse`."""

    def __init__(self, name: str, tip: str) -> None:
        super().__init__()
        self.path, self.browse = QLineEdit(), QPushButton("Browse…")
        self.path.setToolTip(tip)
        self.path.setAccessibleName(name)
        self.path.setClearButtonEnabled(True)
        self.browse.setAutoDefault(False)
        self.browse.setAccessibleName(f"Browse for the {name.lower()}")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.path, 1)
        row.addWidget(self.browse)
        self.setFocusProxy(self.path)


def _choice(name: str, choices: dict[str, str], tip: str) -> Combo:
    box = Combo()
    box.setAccessibleName(name)
    box.setToolTip(tip)
    box.addItem("as found by a forward pass", None)
    for value, title in choices.items():
        box.addItem(title, value)
    return box


def _path_in(text: str) -> Path | None:
    return Path(text.strip()).expanduser() if text.strip() else None


def _try(encoder: Path, decoder: Path | None, dataset: str, known: Known, *, allowed: bool) -> Tried:
    """Compute a forward pass, in the worker's thread. Raises StudioError."""
    from engine.data import load_if_available
    from engine.runs.imported import GivenNetworks, allow_programs, detected, programs_to_allow

    folder = remembered_data(dataset)
    given = GivenNetworks(encoder, decoder, dataset, folder, known)
    waiting = programs_to_allow(given.files)
    if waiting and not allowed:
        return [path.name for path in waiting], None, ""
    allow_programs(waiting)
    data, reason = load_if_available(dataset, folder)
    return ([], None, reason) if data is None else ([], detected(given, data), "")


def _found_words(found: "Detected", *, decodes: bool) -> str:
    """What a forward pass has shown, in a sentence."""
    reading = found.reading
    low, high = RANGES[reading.values]
    parts = [f"{found.latents} latents", f"the encoder gives {LAYOUTS[reading.layout]}"]
    parts += [f"the decoder gives {DECODED[reading.decoded]}"] if decodes else []
    words = f"{'; '.join(parts)}; pixels from {low:g} to {high:g}.".replace("-1", "−1")
    return " ".join([words, *found.notes])


def import_network(
    parent: QWidget, settings: QSettings, root: Path, files: Sequence[Path] = ()
) -> tuple[Path | None, str]:
    """Ask for a network and import it into `root`; return the run's folder, None if the user cancels, and a message.

    Raises StudioError if it cannot be imported.
    """
    dialog = NetworkDialog(parent, settings, files)
    chosen = dialog.exec() == QDialog.DialogCode.Accepted
    given, name = dialog.given, dialog.name
    dialog.deleteLater()
    if not chosen:
        return None, ""
    found: list[Path] = []

    def job() -> Job:
        from engine.runs.imported import import_networks

        for event in import_networks(given, root, name):
            if isinstance(event, Imported):
                found.append(event.run)
            else:
                yield event

    words = JobDialog(parent, TITLE, job, task="Importing").carry_out()
    return (found[0] if found else None), words


def has_program(run: Run) -> bool:
    """Return whether a run has a network that is executed when it is loaded."""
    own = run.config.method
    names = [getattr(own, part, "") for part in ("encoder", "decoder")] if hasattr(own, "encoder_digest") else []
    return any(Path(str(name)).suffix.lower() in PROGRAMS for name in names)


def ask_to_allow(parent: QWidget, run: Run, allowed: Callable[[], None]) -> None:
    """Ask whether the programs of a run may be executed; `allowed` is called once they may."""

    def job() -> Job:
        from engine.runs.imported import allow_programs, programs_of

        yield Progress(0, 1, "Reading")
        allow_programs(programs_of(run))
        yield Finished(message="allowed")

    def accepted() -> None:
        if JobDialog(parent, "Allow network", job, task="Reading").carry_out():
            allowed()

    ask(parent, f"Allow the network of {run.name} to be executed? {WARNING}", "Allow", accepted)


def is_network(path: Path) -> bool:
    """Return whether a path is that of a network's file."""
    return path.suffix.lower() in ENDINGS and not path.is_dir()
