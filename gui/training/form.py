"""A form built from the fields of RunConfig and of the methods' own settings: all it says comes from there."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo
from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from engine.data import ENTRIES
from engine.data.subsets import problem_with_subset
from engine.errors import ConfigError
from engine.methods.registry import METHODS, network_lacking, same_setting, setting_key, supervision_of
from engine.networks.architectures import NETWORKS
from engine.runs.differences import unused_settings
from engine.settings.folders import remembered_data
from engine.settings.run_config import Group, RunConfig
from engine.system.fields import choices_of, empty_text, group_of, help_of, is_weight, range_text, unit_of
from engine.system.numbers import exact
from engine.system.reading import path_exists
from engine.system.registry import Registry
from gui.data.entry_list import EntryBox
from gui.plugins.words import origin_tip
from gui.training.editors import ButtonField, FolderField, SubsetField, TextField, WeightField
from gui.training.method_box import MethodBox, method_tip
from gui.widgets.combo import Combo
from gui.widgets.layouts import label
from gui.widgets.plain import as_plain

_REGISTERED: dict[str, Registry[Any]] = {"objective": METHODS, "network": NETWORKS, "dataset": ENTRIES}
"""Settings whose values plug-ins can provide."""

ALWAYS = (Group.DATA, Group.METHOD, Group.NETWORK, Group.LENGTH)
"""Groups that are always open; the others are below "More settings"."""


class ConfigForm(QWidget):
    """Edits the settings of a run. `changed` is emitted after every edit, valid or not.

    Editors are stored by key: the name of a common setting, or `setting_key` of a method's own. The edits of one
    method's settings are kept while another method is selected.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._editors: dict[str, QWidget] = {}
        self._labels: dict[str, QLabel] = {}
        self._headings: dict[Group, QLabel] = {}
        self._errors: dict[str, str] = {}
        self._read: dict[str, Any] = {}
        """The parsed values of the valid settings, by name."""
        self._basis = RunConfig()
        self._dataset = ""
        """The data set to which the data folder belongs."""
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
        self._more.setToolTip("Show the settings for machine and recording")
        self._more.clicked.connect(self._toggle_more)
        self._build()
        self.show_config(RunConfig())

    def rebuild(self) -> None:
        """Create the editors again, after methods, networks or data sets have been added or removed.

        Edits are kept. Only a removed method, network or data set, with its settings or data folder, is reset to the
        settings last shown, or to the defaults if those need something that was removed.
        """
        edits = self._edits_that_stay()
        basis = RunConfig()
        if _is_there(self._basis.flat()):
            with suppress(ConfigError):
                basis = RunConfig.from_json(self._basis.to_json())  # a replaced method may have other settings
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None and widget is not self._more:
                widget.hide()
                widget.deleteLater()
        self._more.setParent(None)
        self._editors, self._labels, self._headings = {}, {}, {}
        self._build()
        self.show_config(basis)
        names = _names(str(edits.get("objective", basis.objective)))
        self.set_values(**{name: value for name, value in edits.items() if name in names})

    def _edits_that_stay(self) -> dict[str, Any]:
        """The edits, except for removed methods, networks and data sets and their settings."""
        chosen = {name: _get(self._editors[name]) for name in _REGISTERED}
        edits = self.edits if chosen["objective"] in METHODS else self._common_edits()
        gone = {name for name, value in chosen.items() if value not in _REGISTERED[name]}
        if "dataset" in gone:
            gone.add("data_folder")
        return {name: value for name, value in edits.items() if name not in gone}

    def _common_edits(self) -> dict[str, Any]:
        common = [name for name in RunConfig.model_fields if name in self._editors]
        typed = {name: _get(self._editors[name]) for name in common}
        return {name: typed[name] for name in common if self._differs(name) or name in self._errors}

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
            for key, (name, field) in _fields_of(group).items():
                row = self._add(key, name, field, row)

    def _add(self, key: str, name: str, field: FieldInfo, row: int) -> int:
        """Add a setting's title and editor from a row on; return the row after them."""
        title = label(field.title or name, wrap=True)
        editor = self._editor(name, field)
        allowed = range_text(field)
        limits = f" Allowed: {allowed}." if allowed else ""
        limits += " The button next to it adds a schedule." if is_weight(field) else ""
        tip = f"<p><b>{field.title}</b> ({name})<br>{help_of(field)}{limits}</p>"
        title.setToolTip(tip)
        editor.setToolTip(tip)
        editor.setAccessibleName(field.title or name)
        editor.setObjectName(f"field-{key}")
        editor.setProperty("helpTopic", f"settings#{key}")
        title.setBuddy(editor)
        self._labels[key], self._editors[key] = title, editor
        self._grid.addWidget(title, row, 0)
        self._grid.addWidget(editor, row, 1)
        if not isinstance(editor, WeightField):
            return row + 1
        editor.below.setToolTip(tip)
        editor.below.setProperty("helpTopic", f"settings#{key}")
        self._grid.addWidget(editor.below, row + 1, 0, 1, 2)
        return row + 2

    def _editor(self, name: str, field: FieldInfo) -> QWidget:
        choices = choices_of(field)
        if name == "objective":
            methods = MethodBox()
            methods.currentIndexChanged.connect(self._edited)
            return methods
        if name == "dataset":
            entries = EntryBox()
            entries.currentIndexChanged.connect(self._edited)
            return entries
        if choices:
            combo = Combo()
            combo.setMinimumContentsLength(8)
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            registry = _REGISTERED.get(name)
            for value, title in choices.items():
                combo.addItem(title, value)
                if registry is not None and (words := origin_tip(registry.origin(value))):
                    combo.setItemData(combo.count() - 1, as_plain(words), Qt.ItemDataRole.ToolTipRole)
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
        if name == "subset":
            subset = SubsetField(empty_text(field))
            subset.edited.connect(self._edited)
            subset.line.editingFinished.connect(self._show_subset)
            return subset
        if is_weight(field):
            weight = WeightField(field)
            weight.edited.connect(self._edited)
            weight.finished.connect(self._show_understood)
            return weight
        line = TextField(unit_of(field))
        line.setPlaceholderText(empty_text(field))
        line.textChanged.connect(self._edited)
        line.editingFinished.connect(self._show_understood)
        return line

    def show_config(self, config: RunConfig) -> None:
        """Show these settings, with which later edits are compared."""
        self._basis = config
        for objective in METHODS:
            for name, field in METHODS[objective].Settings.model_fields.items():
                self._show(setting_key(objective, name), field.default)
        for name, value in config.flat().items():
            self._show(_key(config.objective, name), value)
        self._dataset = config.dataset
        self._edited()

    def set_values(self, **values: Any) -> None:
        """Change some fields, as if they were typed."""
        if "objective" in values:
            self._show("objective", values["objective"])
        for name, value in values.items():
            self._show(_key(self._objective, name), value)
        if "data_folder" in values:
            self._dataset = _get(self._editors["dataset"])
        self._edited()

    def _show(self, key: str, value: Any) -> None:
        with QSignalBlocker(self._editors[key]):
            _put(self._editors[key], value)

    def config(self) -> RunConfig:
        """Return the edited settings. Raises ConfigError, which names each invalid field."""
        return RunConfig.parse(self._values())

    @property
    def basis(self) -> RunConfig:
        """The settings last shown, with which edits are compared."""
        return self._basis

    @property
    def errors(self) -> list[str]:
        """The current errors, a sentence each."""
        return list(self._errors.values())

    @property
    def differences(self) -> int:
        """The number of fields that differ from the settings last shown."""
        return sum(map(self._differs, self._values()))

    @property
    def edits(self) -> dict[str, Any]:
        """The typed values of fields that differ from the settings last shown or are invalid, by name."""
        typed = self._values()
        return {name: typed[name] for name in typed if self._differs(name) or name in self._errors}

    @property
    def _objective(self) -> str:
        return str(_get(self._editors["objective"]))

    def _values(self) -> dict[str, Any]:
        """The typed values of the settings that the chosen method uses, by name."""
        return {name: _get(self._editors[_key(self._objective, name)]) for name in _names(self._objective)}

    def _differs(self, name: str) -> bool:
        valid = name in self._read and name not in self._errors
        return valid and self._read[name] != self._basis_of(name)

    def _basis_of(self, name: str) -> Any:
        """The value with which a setting is compared: the basis's, or the default if the basis lacks the setting."""
        own = METHODS[self._objective].Settings.model_fields
        former = METHODS[self._basis.objective]
        if name in own and not same_setting(name, former, METHODS[self._objective]):
            return own[name].default
        return self._basis.value(name)

    def _follow_dataset(self) -> None:
        """When another data set is chosen, show its remembered folder, unless a folder was typed by hand."""
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
        method = {"objective": self._objective}
        fields = RunConfig.model_fields | METHODS[self._objective].Settings.model_fields
        for name, value in self._values().items():
            try:
                self._read[name] = RunConfig.parse(method | {name: value}).value(name)
            except ConfigError as error:
                self._errors[name] = str(error).replace(name, fields[name].title or name, 1)
        folder = _get(self._editors["data_folder"])
        if ENTRIES[_get(self._editors["dataset"])].path_kind and "data_folder" not in self._errors:
            chosen = RunConfig.parse({"data_folder": folder}).data_folder
            if chosen is not None and not path_exists(chosen):
                self._errors["data_folder"] = f"{chosen} does not exist."
        if "subset" not in self._errors:
            chosen_data = {"dataset": _get(self._editors["dataset"]), "subset": _get(self._editors["subset"])}
            if problem := problem_with_subset(RunConfig.parse(chosen_data)):
                self._errors["subset"] = problem
        lacking = self._lacking()
        if lacking:
            self._errors["objective"] = lacking
        not_taken = self._not_taken()
        if not_taken:
            self._errors["network"] = not_taken
        for name in self._values():
            key = _key(self._objective, name)
            _mark(self._editors[key], name in self._errors)
            _set_property(self._labels[key], "changed", self._differs(name))
        self._show_relevant()
        self.changed.emit()

    def _lacking(self) -> str:
        """Why the method cannot learn from the data set, as a sentence; empty if it can, or if that is not known."""
        entry = ENTRIES[_get(self._editors["dataset"])]
        return METHODS[self._objective].lacking(entry.title, factors=bool(entry.factors))

    def _not_taken(self) -> str:
        """Why the network does not accept the data set's images, as a sentence; empty if it does or may."""
        name = _get(self._editors["dataset"])
        size = int(_get(self._editors["image_size"])) if name == "images" else 0
        shape = ENTRIES[name].shape or ((size, size) if size else ())
        return network_lacking(self._objective, _get(self._editors["network"]), ENTRIES[name].title, shape)

    @Slot()
    def _show_understood(self) -> None:
        """Show a typed number, e.g. one with a decimal comma, as it was parsed."""
        line = self.sender()
        for name, typed in self._values().items():
            editor = self._editors[_key(self._objective, name)]
            if editor is line and name in self._read and typed != _shown(self._read[name]):
                _put(editor, self._read[name])

    @property
    def offered(self) -> list[tuple[str, str, str]]:
        """Key, title and heading of each setting that the chosen method and data set use, also of closed groups."""
        unused, own = self._unused, METHODS[self._objective].Settings.model_fields
        found = {
            name: (Group.METHOD, own[name]) if name in own else (group_of(field), field)
            for name, field in (RunConfig.model_fields | own).items()
            if name in _names(self._objective) and name not in unused
        }
        order = [str(group) for group in Group]
        return [
            (_key(self._objective, name), field.title or name, str(group))
            for name, (group, field) in sorted(found.items(), key=lambda each: order.index(str(each[1][0])))
        ]

    def focus_on(self, key: str) -> QWidget:
        """Give a setting the focus, opening its group if it is closed; return its editor."""
        editor = self._editors[key]
        if editor.isHidden():
            self._toggle_more()
        self._grid.activate()  # what was hidden has no place yet
        editor.setFocus(Qt.FocusReason.ShortcutFocusReason)
        return editor

    @property
    def _unused(self) -> set[str]:
        """Names of the settings that the chosen method does not use with the chosen data set and network."""
        return set(unused_settings(self._objective, _get(self._editors["dataset"]), _get(self._editors["network"])))

    @Slot()
    def _show_subset(self) -> None:
        """Show a typed subset in the form in which it is stored."""
        if "subset" in self._read and "subset" not in self._errors:
            _put(self._editors["subset"], self._read["subset"])

    @Slot()
    def _toggle_more(self) -> None:
        self._more_open = not self._more_open
        self._more.setText("More settings  ▾" if self._more_open else "More settings  ▸")
        self._show_relevant()

    def _show_relevant(self) -> None:
        """Hide settings that the chosen method does not use, and those of closed groups."""
        method = METHODS[self._objective]
        hidden_groups = set() if self._more_open else {group for group in Group if group not in ALWAYS}
        dataset = ENTRIES[_get(self._editors["dataset"])]
        folder = self._editors["data_folder"]
        assert isinstance(folder, FolderField)
        folder.accept(dataset.path_kind, dataset.file_types, required=dataset.needs_path)
        subset = self._editors["subset"]
        assert isinstance(subset, SubsetField)
        subset.offer(dataset)
        unused = self._unused
        used = {_key(self._objective, name) for name in _names(self._objective) if name not in unused}
        shown_groups = set()
        for group in Group:
            for key in _fields_of(group):
                visible = group not in hidden_groups and key in used
                self._labels[key].setVisible(visible)
                self._editors[key].setVisible(visible)
                if visible:
                    shown_groups.add(group)
        supervision = supervision_of(self._objective, conditional=bool(self._values().get("conditional")))
        self._headings[Group.METHOD].setText(f"{method.title} · {supervision}")
        self._headings[Group.METHOD].setToolTip(method_tip(self._objective))
        shipped = METHODS.origin(self._objective) is None
        self._editors["objective"].setProperty(
            "helpTopic", f"methods#{self._objective}" if shipped else "settings#objective"
        )
        for group, heading in self._headings.items():
            heading.setVisible((group in shown_groups or group is Group.METHOD) and group is not Group.DATA)
        epochs = self._editors["epochs"]
        epochs.setEnabled(not _get(self._editors["steps"]))


def _is_there(settings: Mapping[str, Any]) -> bool:
    """Whether the method, the network and the data set of these settings are available."""
    return all(settings[name] in registry for name, registry in _REGISTERED.items())


def _fields_of(group: Group) -> dict[str, tuple[str, FieldInfo]]:
    """Names and fields of the settings under a heading, by their keys: those of all methods."""
    if group is not Group.METHOD:
        return {name: (name, field) for name, field in RunConfig.model_fields.items() if group_of(field) == group}
    own = {objective: method.Settings.model_fields for objective, method in METHODS.items()}
    return {_key(objective, name): (name, field) for objective in own for name, field in own[objective].items()}


def _names(objective: str) -> list[str]:
    """Names of the settings that a method uses: common ones and its own."""
    method = METHODS[objective]
    common = [name for name in RunConfig.model_fields if name not in {"method", *method.ignores}]
    return [*common, *method.Settings.model_fields]


def _key(objective: str, name: str) -> str:
    return name if name in RunConfig.model_fields else setting_key(objective, name)


def _shown(value: Any) -> Any:
    """The value of a setting in the form that its editor holds."""
    if isinstance(value, bool):
        return value
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return exact(value) if isinstance(value, float) else str(value)


def _put(editor: QWidget, value: Any) -> None:
    if isinstance(editor, QComboBox):
        place = editor.findData(_shown(value))
        if place >= 0:
            editor.setCurrentIndex(place)
    elif isinstance(editor, QCheckBox):
        editor.setChecked(value)
    elif isinstance(editor, ButtonField):
        with QSignalBlocker(editor.line):
            editor.line.setText(_shown(value))
    elif isinstance(editor, QLineEdit | WeightField):
        editor.setText(_shown(value))


def _get(editor: QWidget) -> Any:
    if isinstance(editor, QComboBox):
        return editor.currentData()
    if isinstance(editor, QCheckBox):
        return editor.isChecked()
    if isinstance(editor, ButtonField):
        return editor.line.text().strip()
    assert isinstance(editor, QLineEdit | WeightField)
    return editor.text().strip()


def _mark(editor: QWidget, invalid: bool) -> None:
    """Mark an editor as invalid or valid."""
    if isinstance(editor, WeightField):
        wrong = editor.wrong_lines() if invalid else []
        for part in editor.lines:
            _mark(part, part in wrong)
        return
    line = editor.line if isinstance(editor, ButtonField) else editor
    if isinstance(line, QLineEdit) and _set_property(line, "invalid", invalid):
        line.setPalette(QPalette())


def _set_property(widget: QWidget, name: str, value: bool) -> bool:
    """Set a property that the style sheet uses; return whether it changed."""
    if bool(widget.property(name)) == value:
        return False
    widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)
    return True
