"""A form built from RunConfig's fields: label, tooltip, unit, range and choices all come from there."""

from pathlib import Path
from typing import Any, get_args, get_origin

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal, Slot
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QStyle,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.data import ENTRIES
from engine.errors import ConfigError
from engine.runs.differences import not_looked_at
from engine.settings.folders import remembered_data
from engine.settings.run_config import Group, RunConfig, choices_of, group_of, range_text, unit_of
from engine.system.numbers import exact
from engine.system.reading import is_there
from gui.widgets.combo import Combo
from gui.widgets.layouts import label

ALWAYS = (Group.DATA, Group.WEIGHT, Group.CAPACITY, Group.NETWORK, Group.LENGTH)
"""Groups that are always open; the others are below "More settings"."""


class TextField(QLineEdit):
    """A line to type a number or a name in, with its unit at the right."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = label(unit, "muted")
        self._unit.setParent(self)
        self._unit.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._unit.adjustSize()
        if unit:
            self.setTextMargins(0, 0, self._unit.sizeHint().width() + 4, 0)

    def resizeEvent(self, event: Any) -> None:
        """Keep the unit at the right."""
        super().resizeEvent(event)
        size = self._unit.sizeHint()
        self._unit.setGeometry(self.width() - size.width() - 8, 0, size.width(), self.height())


class FolderField(QWidget):
    """A folder or file to type or choose; empty for the default."""

    edited = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._kind = "folder"
        self.line = QLineEdit()
        self.line.textChanged.connect(self.edited)
        button = QToolButton()
        button.setObjectName("button")
        button.setIcon(self.style().standardIcon(QStyle.StandardPixmap.SP_DirOpenIcon))
        button.setToolTip("Choose it")
        button.setAccessibleName("Choose the data")
        button.setIconSize(QSize(14, 14))
        button.clicked.connect(self._choose)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.line, 1)
        layout.addWidget(button)
        self.setFocusProxy(self.line)

    def setAccessibleName(self, name: str) -> None:
        """Name the line, which has the focus."""
        super().setAccessibleName(name)
        self.line.setAccessibleName(name)

    def accept(self, kind: str, *, required: bool) -> None:
        """Say what is taken: "folder", "file" or "folder or file"; and whether it may be empty."""
        self._kind = kind
        self.line.setPlaceholderText(f"choose a {kind}" if required else "automatic")

    @Slot()
    def _choose(self) -> None:
        start = self.line.text()
        if self._kind == "folder":
            chosen = QFileDialog.getExistingDirectory(self, "Folder with the data set's files", start)
        else:
            chosen, _ = QFileDialog.getOpenFileName(self, "File with the data set", start, "NumPy arrays (*.npz)")
        if chosen:
            self.line.setText(chosen)


class ConfigForm(QWidget):
    """Edits the fields of a RunConfig. `changed` comes after every edit, valid or not."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._editors: dict[str, QWidget] = {}
        self._labels: dict[str, QLabel] = {}
        self._headings: dict[Group, QLabel] = {}
        self._errors: dict[str, str] = {}
        self._read: dict[str, Any] = {}
        """The fields that are valid, as they are understood."""
        self._basis = RunConfig()
        self._dataset = ""
        """The data set that the data folder is of."""
        self._more_open = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(5)
        self._grid.setColumnStretch(1, 1)
        layout.addLayout(self._grid)
        layout.addStretch(1)
        self._more = QPushButton("More settings  ▸")
        self._more.setObjectName("link")
        self._more.setToolTip("Machine and recording")
        self._more.clicked.connect(self._toggle_more)
        self._build()
        self.show_config(RunConfig())

    def _build(self) -> None:
        row = 0
        for group in Group:
            if group not in ALWAYS and self._more.parent() is None:
                self._grid.addWidget(self._more, row, 0, 1, 2)
                row += 1
            heading = label(group.value, "group")
            heading.setIndent(0)
            self._headings[group] = heading
            if group is not Group.DATA:
                self._grid.addWidget(heading, row, 0, 1, 2)
                row += 1
            for name, field in RunConfig.model_fields.items():
                if group_of(field) is group:
                    self._add(name, row)
                    row += 1

    def _add(self, name: str, row: int) -> None:
        field = RunConfig.model_fields[name]
        title = label(field.title or name, wrap=True)
        editor = self._editor(name)
        allowed = range_text(field)
        limits = f" Allowed: {allowed}." if allowed else ""
        tip = f"<p><b>{field.title}</b> ({name})<br>{field.description}{limits}</p>"
        title.setToolTip(tip)
        editor.setToolTip(tip)
        editor.setAccessibleName(field.title or name)
        editor.setObjectName(f"field-{name}")
        editor.setProperty("helpTopic", f"settings#{name}")
        title.setBuddy(editor)
        self._labels[name], self._editors[name] = title, editor
        self._grid.addWidget(title, row, 0)
        self._grid.addWidget(editor, row, 1)

    def _editor(self, name: str) -> QWidget:
        field = RunConfig.model_fields[name]
        choices = choices_of(name)
        if choices:
            combo = Combo()
            combo.setMinimumContentsLength(8)
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            for value, title in choices:
                combo.addItem(title, value)
            combo.currentIndexChanged.connect(self._edited)
            return combo
        if field.annotation is bool:
            box = QCheckBox()
            box.toggled.connect(self._edited)
            return box
        if Path in get_args(field.annotation):
            folder = FolderField()
            folder.edited.connect(self._edited)
            return folder
        line = TextField(unit_of(field))
        if type(None) in get_args(field.annotation):
            line.setPlaceholderText("from epochs")
        elif get_origin(field.annotation) is tuple:
            line.setPlaceholderText("none")
        line.textChanged.connect(self._edited)
        line.editingFinished.connect(self._show_understood)
        return line

    def show_config(self, config: RunConfig) -> None:
        """Show these settings, as what later edits differ from."""
        self._basis = config
        for name, editor in self._editors.items():
            with QSignalBlocker(editor):
                _put(editor, getattr(config, name))
        self._dataset = config.dataset
        self._edited()

    def set_values(self, **values: Any) -> None:
        """Change some fields, as if they were typed."""
        for name, value in values.items():
            with QSignalBlocker(self._editors[name]):
                _put(self._editors[name], value)
        if "data_folder" in values:
            self._dataset = _get(self._editors["dataset"])
        self._edited()

    def config(self) -> RunConfig:
        """Return the settings as typed. Raises ConfigError naming each field that is wrong."""
        return RunConfig.parse(self._values())

    @property
    def basis(self) -> RunConfig:
        """The settings last shown, from which edits differ."""
        return self._basis

    @property
    def errors(self) -> list[str]:
        """What is wrong now, a sentence each."""
        return list(self._errors.values())

    @property
    def differences(self) -> int:
        """How many fields differ from the settings last shown."""
        return sum(self._label_differs(name) for name in self._editors)

    @property
    def edits(self) -> dict[str, Any]:
        """What was typed in fields that differ from the settings last shown, or are wrong."""
        typed = self._values()
        return {name: typed[name] for name in typed if self._label_differs(name) or name in self._errors}

    def _values(self) -> dict[str, Any]:
        return {name: _get(editor) for name, editor in self._editors.items()}

    def _label_differs(self, name: str) -> bool:
        valid = name in self._read and name not in self._errors
        return valid and self._read[name] != getattr(self._basis, name)

    def _follow_dataset(self) -> None:
        """After another data set was chosen, show where that one is remembered to be; a folder typed by hand stays."""
        before, self._dataset = self._dataset, _get(self._editors["dataset"])
        folder = _get(self._editors["data_folder"])
        known = {"", _shown(self._basis.data_folder), _shown(remembered_data(before))}
        if before != self._dataset and folder in known:
            with QSignalBlocker(self._editors["data_folder"]):
                _put(self._editors["data_folder"], remembered_data(self._dataset))

    @Slot()
    def _edited(self) -> None:
        self._follow_dataset()
        self._errors, self._read = {}, {}
        for name, value in self._values().items():
            try:
                self._read[name] = getattr(RunConfig.parse({name: value}), name)
            except ConfigError as error:
                title = RunConfig.model_fields[name].title or name
                self._errors[name] = str(error).replace(name, title, 1)
        folder = _get(self._editors["data_folder"])
        if ENTRIES[_get(self._editors["dataset"])].path_kind and "data_folder" not in self._errors:
            chosen = RunConfig.parse({"data_folder": folder}).data_folder
            if chosen is not None and not is_there(chosen):
                self._errors["data_folder"] = f"{chosen} does not exist."
        for name, editor in self._editors.items():
            _mark(editor, name in self._errors)
            _set_property(self._labels[name], "changed", self._label_differs(name))
        self._show_relevant()
        self.changed.emit()

    @Slot()
    def _show_understood(self) -> None:
        """Show a number that was typed, e.g. with a decimal comma, as it is understood."""
        line = self.sender()
        name = next(name for name, editor in self._editors.items() if editor is line)
        if name in self._read and _get(self._editors[name]) != _shown(self._read[name]):
            _put(self._editors[name], self._read[name])

    @Slot()
    def _toggle_more(self) -> None:
        self._more_open = not self._more_open
        self._more.setText("More settings  ▾" if self._more_open else "More settings  ▸")
        self._show_relevant()

    def _show_relevant(self) -> None:
        """Hide what the chosen method does not use, and what is below a closed heading."""
        objective = _get(self._editors["objective"])
        hidden_groups = set() if self._more_open else {group for group in Group if group not in ALWAYS}
        dataset = ENTRIES[_get(self._editors["dataset"])]
        folder = self._editors["data_folder"]
        assert isinstance(folder, FolderField)
        folder.accept(dataset.path_kind, required=dataset.own)
        unused = not_looked_at(objective, dataset.name)
        shown_groups = set()
        for name, field in RunConfig.model_fields.items():
            visible = group_of(field) not in hidden_groups and name not in unused
            self._labels[name].setVisible(visible)
            self._editors[name].setVisible(visible)
            if visible:
                shown_groups.add(group_of(field))
        for group, heading in self._headings.items():
            heading.setVisible(group in shown_groups and group is not Group.DATA)
        epochs = self._editors["epochs"]
        epochs.setEnabled(not _get(self._editors["steps"]))


def _shown(value: Any) -> Any:
    """A setting as its editor holds it."""
    if isinstance(value, bool):
        return value
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return exact(value) if isinstance(value, float) else str(value)


def _put(editor: QWidget, value: Any) -> None:
    if isinstance(editor, QComboBox):
        editor.setCurrentIndex(max(0, editor.findData(_shown(value))))
    elif isinstance(editor, QCheckBox):
        editor.setChecked(value)
    elif isinstance(editor, FolderField):
        with QSignalBlocker(editor.line):
            editor.line.setText(_shown(value))
    elif isinstance(editor, QLineEdit):
        editor.setText(_shown(value))


def _get(editor: QWidget) -> Any:
    if isinstance(editor, QComboBox):
        return editor.currentData()
    if isinstance(editor, QCheckBox):
        return editor.isChecked()
    if isinstance(editor, FolderField):
        return editor.line.text().strip()
    assert isinstance(editor, QLineEdit)
    return editor.text().strip()


def _mark(editor: QWidget, invalid: bool) -> None:
    """Show whether what an editor holds is valid."""
    line = editor.line if isinstance(editor, FolderField) else editor
    if isinstance(line, QLineEdit) and _set_property(line, "invalid", invalid):
        line.setPalette(QPalette())


def _set_property(widget: QWidget, name: str, value: bool) -> bool:
    """Set what the style sheet looks at; True when it changed."""
    if bool(widget.property(name)) == value:
        return False
    widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)
    return True
