"""Chooses a study (built-in, the user's own, or a file), its length and its seeds. Kept in the settings."""

import re
from pathlib import Path

from PySide6.QtCore import QSettings, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QWidget,
)

from engine.data import check_data
from engine.errors import ConfigError, StudioError
from engine.settings.folders import remember_data, remembered_data
from engine.studies import Study, load_study, own_studies, shipped_studies
from engine.studies.files import delete_study
from engine.system.paths import RESOURCES, studies_folder
from engine.system.reading import is_file
from gui.settings.asking import ask
from gui.widgets.combo import Combo
from gui.widgets.layouts import label, tool_button
from gui.widgets.number_box import WholeNumberBox
from gui.widgets.plain import tip
from gui.widgets.save_dialog import last_folder

FULL, QUICK = range(2)
MOST = 100
"""Maximum number of seeds that can be chosen here."""

STUDY, LENGTH = "metrics/study", "metrics/study-length"


class StudyChoice(QWidget):
    """A row of controls.

    Emits `changed` after a change, `failed` with a message when a file or folder cannot be used, `data_chosen` when
    the data set's folder has been chosen, and `new_asked` when a study is to be built.
    """

    changed = Signal()
    new_asked = Signal()
    data_chosen = Signal()
    failed = Signal(str)

    def __init__(self, settings: QSettings) -> None:
        super().__init__()
        self._settings = settings
        self._forms: tuple[Study | None, Study | None] = (None, None)
        """The chosen study at full length, and its quick version."""
        self._dataset = ""
        self.study: Study | None = None
        """The chosen study; None before `load`, or if it cannot be read."""
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        self.studies = Combo()
        self.studies.setAccessibleName("Study")
        self.studies.setMinimumContentsLength(22)
        self.studies.activated.connect(self._picked)
        self.lengths = QButtonGroup(self)
        pair = QHBoxLayout()
        pair.setSpacing(0)
        for number, title in ((QUICK, "Quick"), (FULL, "Full length")):
            button = QPushButton(title)
            button.setObjectName("segment")
            button.setCheckable(True)
            button.setProperty("last", number == FULL)
            self.lengths.addButton(button, number)
            pair.addWidget(button)
        self.lengths.button(QUICK).setChecked(str(settings.value(LENGTH, "quick")) == "quick")
        self.lengths.button(FULL).setChecked(not self.lengths.button(QUICK).isChecked())
        self.lengths.idClicked.connect(self._length_chosen)
        self.seeds = WholeNumberBox()
        self.seeds.setRange(1, MOST)
        self.seeds.setKeyboardTracking(False)
        self.seeds.setAccessibleName("Seeds")
        self.seeds.setToolTip("Runs per method, with seeds 0, 1, 2, …; mean ± standard deviation are over these runs")
        self.seeds.valueChanged.connect(self._seeds_chosen)
        menu = QMenu(self)
        words = "Build a study, open a study file, or choose the data folder"
        self.more = tool_button("⋯", words, "Study menu", menu=menu)
        menu.addAction("New study…", self.new_asked.emit)
        menu.addAction("Open study file…", self._ask_file)
        self._delete = menu.addAction("Delete study…", self._ask_delete)
        menu.addSeparator()
        self._choose_data = menu.addAction("Choose data folder…", self._ask_data)
        self._automatic = menu.addAction("Use default data folder", self._forget_data)
        row.addWidget(self.studies)
        row.addLayout(pair)
        row.addWidget(label("Seeds", "muted"))
        row.addWidget(self.seeds)
        row.addWidget(self.more)

    def load(self) -> None:
        """On the first call, list the studies and choose the one used last."""
        if self.studies.count():
            return
        for study in [*shipped_studies(), *own_studies()]:
            self._add(study)
        kept = str(self._settings.value(STUDY, ""))
        place = self._place(kept)
        if place < 0 and kept and is_file(Path(kept)):
            self.open_file(Path(kept))
        else:
            self.studies.setCurrentIndex(max(0, place))
            self._picked()

    def open_file(self, path: Path) -> None:
        """List and, unless one is running, choose the study in a file; `failed` says why it cannot be used."""
        try:
            study = load_study(path)
        except ConfigError as error:
            self.failed.emit(str(error))
            return
        if self._place(_key(study)) < 0:
            self._add(study)
        if self.isEnabled():
            self.studies.setCurrentIndex(self._place(_key(study)))
            self._picked()

    def lock(self, locked: bool) -> None:
        """Disable the controls while a study is running."""
        self.setEnabled(not locked)

    @property
    def quick(self) -> bool:
        """Whether the quick version is chosen."""
        return self.lengths.checkedId() == QUICK

    def _add(self, study: Study) -> None:
        self.studies.addItem(study.title, _key(study))
        self.studies.setItemData(self.studies.count() - 1, tip(study.about, study.methods_words, str(study.path)), _TIP)

    def _place(self, key: str) -> int:
        return self.studies.findData(key)

    @Slot()
    def _picked(self) -> None:
        """Read both lengths of the chosen study from its file."""
        key = str(self.studies.currentData())
        try:
            full = load_study(key)
        except ConfigError as error:
            self._forms, self.study = (None, None), None
            self.failed.emit(str(error))
            self.changed.emit()
            return
        quick, lacking = None, ""
        try:
            quick = load_study(key, quick=True)
        except ConfigError:
            lacking = "The file has no valid [quick] section"
        self._forms, self._dataset = (full, quick), full.cells[0].config.dataset
        self._settings.setValue(STUDY, key)
        self._delete.setEnabled(full.path.parent == studies_folder())
        self.studies.setToolTip(str(self.studies.currentData(_TIP)))
        place, kept = full.cells[0].config.data_folder, remembered_data(self._dataset)
        self._choose_data.setEnabled(place == kept)  # a folder named in the study's file takes precedence
        self._automatic.setEnabled(kept is not None and place == kept)
        for number, words in ((FULL, "The full study"), (QUICK, lacking or "The same comparison with shorter runs")):
            self.lengths.button(number).setToolTip(words)
        self.lengths.button(QUICK).setEnabled(quick is not None)
        if quick is None:
            self.lengths.button(FULL).setChecked(True)
        self._take_form()

    @Slot(int)
    def _length_chosen(self, number: int) -> None:
        self._settings.setValue(LENGTH, "quick" if number == QUICK else "full")
        self._take_form()

    def _take_form(self) -> None:
        """Use the study at the chosen length, with the seeds given in its file or chosen last."""
        form = self._forms[self.lengths.checkedId()]
        assert form is not None
        kept = str(self._settings.value(self._seeds_key(form), len(form.seeds)))
        with QSignalBlocker(self.seeds):
            self.seeds.setValue(int(kept) if re.fullmatch(r"[0-9]{1,6}", kept) else len(form.seeds))
        self._take_seeds(form)

    @Slot()
    def _seeds_chosen(self) -> None:
        form = self._forms[self.lengths.checkedId()]
        if form is not None:
            self._settings.setValue(self._seeds_key(form), self.seeds.value())
            self._take_seeds(form)

    def _take_seeds(self, form: Study) -> None:
        number = self.seeds.value()
        if number == len(form.seeds):
            self.study = form
        else:
            self.study = load_study(form.path, form.quick, number)
        self.changed.emit()

    @staticmethod
    def _seeds_key(form: Study) -> str:
        return f"metrics/study-seeds/{form.name}-{'quick' if form.quick else 'full'}"

    # Files and folders

    @Slot()
    def _ask_file(self) -> None:
        folder = str(last_folder(self._settings))
        path, _ = QFileDialog.getOpenFileName(self, "Open study file", folder, "Studies (*.toml)")
        if path:
            self.open_file(Path(path))

    @Slot()
    def _ask_delete(self) -> None:
        form = self._forms[FULL]
        if form is not None:
            question = f"Delete the study “{form.title}”? Its file is removed; its runs stay."
            ask(self, question, "Delete", lambda: self._remove_study(form))

    def _remove_study(self, study: Study) -> None:
        try:
            delete_study(study)
        except ConfigError as error:
            self.failed.emit(str(error))
            return
        self.studies.removeItem(self._place(_key(study)))
        self._picked()

    @Slot()
    def _ask_data(self) -> None:
        folder = str(remembered_data(self._dataset) or last_folder(self._settings))
        path = QFileDialog.getExistingDirectory(self, "Choose the folder with the data set's files", folder)
        if path:
            self._remember(Path(path))

    @Slot()
    def _forget_data(self) -> None:
        self._remember(None)

    def _remember(self, path: Path | None) -> None:
        """Remember the folder of the study's data set after checking it; `failed` says what is wrong."""
        try:
            if path is not None:
                check_data(self._dataset, path)
            remember_data(self._dataset, path)
        except StudioError as error:
            self.failed.emit(str(error))
            return
        self.data_chosen.emit()
        self._picked()

    def take_plugins(self) -> None:
        """Offer the studies that can be read now: some need a plug-in."""
        if not self.studies.count():
            return
        for study in own_studies():
            if self._place(_key(study)) < 0:
                self._add(study)
        if self.isEnabled():  # not while one is running
            self._picked()

    def take_data(self) -> None:
        """Read the study again after its data set's remembered folder has changed."""
        if self.studies.count():
            self._picked()


_TIP = Qt.ItemDataRole.ToolTipRole


def _key(study: Study) -> str:
    """Return the key to find a study again: the name of a built-in one, since the application may be moved."""
    return study.name if study.path.parent == RESOURCES / "studies" else str(study.path)
