"""The dialog in which a study is built: methods × values of any settings × seeds, with its cost before it starts."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from engine.errors import ConfigError
from engine.evaluation.catalogue import GROUPS, METRICS, ON_REQUEST
from engine.methods.registry import METHODS, by_supervision
from engine.settings.presets import own_presets, shipped_presets
from engine.settings.run_config import RunConfig, all_settings
from engine.studies import StudyEstimate
from engine.studies.draft import Draft, Varied, draft_study, read_values, save_study, value_text, variable_settings
from engine.system.fields import choices_of, help_of, range_text
from gui.metrics.options import metric_choices
from gui.metrics.study_estimator import StudyEstimator
from gui.metrics.study_text import estimate_text
from gui.training.method_box import method_tip
from gui.widgets.check_popup import CheckPopup, Choice, ChoiceGroup
from gui.widgets.combo import Combo
from gui.widgets.layouts import label, tool_button
from gui.widgets.number_box import WholeNumberBox
from gui.widgets.plain import as_plain, tip
from gui.widgets.theme import px
from gui.widgets.words import count

WIDTH = 560
MOST_SEEDS = 100
MOST_STEPS = 10_000_000
FORM = "Settings on the Training page"
USUAL = ("normalisation", "latents", "learning_rate")
"""Common settings that are offered first."""

NONE_CHOSEN = "Choose methods ▾"
NO_VALUES = "Choose values ▾"


class StudyBuilder(QDialog):
    """Emits `saved(path)` when the study has been written.

    `form` returns the settings on the Training page, or raises ConfigError while they are not valid. `measures` says
    whether steps may be timed: not while something is training.
    """

    saved = Signal(object)

    def __init__(self, parent: QWidget, runs: Path, form: Callable[[], RunConfig], *, measures: bool) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("New study")
        self.setProperty("helpTopic", "table#builder")
        self._form, self._runs, self._measures = form, runs, measures
        self._needed: StudyEstimate | None = None
        self._measuring = False
        self.rows: list[VariedRow] = []
        self.title = QLineEdit("My study")
        self.title.setAccessibleName("Title")
        self.start = Combo()
        self.start.setAccessibleName("Start from")
        self.start.setMinimumContentsLength(24)
        self._list_starts()
        self.methods = CheckPopup(NONE_CHOSEN)
        self.methods.setAccessibleName("Methods")
        self.methods.show_groups(_method_groups())
        self.seeds = _number(1, MOST_SEEDS, 3, "Seeds", "Runs per method and combination of values: seeds 0, 1, 2, …")
        self.quick = QCheckBox("Also a quick version of")
        self.quick.setToolTip("A version with fewer steps and seeds, to try the study first; it is chosen by “Quick”")
        self.quick_steps = _number(1, MOST_STEPS, 2000, "Steps of the quick version", "Steps of each run", 100)
        self.quick_seeds = _number(1, MOST_SEEDS, 1, "Seeds of the quick version", "Runs per method")
        self.metrics = CheckPopup("Metrics ▾")
        self.metrics.setAccessibleName("Metrics")
        choices = metric_choices()
        self.metrics.show_groups([ChoiceGroup(g, choices[g], time) for g, time in GROUPS.items() if choices[g]])
        self.metrics.choose([column.metric for column in METRICS.values() if column.group not in ON_REQUEST])
        self.summary = label("", "", wrap=True)
        self.cost = label("", "muted", wrap=True)
        self.warning = label("", "warning", wrap=True)
        self.error = label("", "error", wrap=True)
        self.estimator = StudyEstimator(runs, self)
        self.estimator.estimated.connect(self._estimated)
        self.estimator.ended.connect(self._measured)
        self._lay_out()
        self._take_start()
        self.start.activated.connect(self._take_start)
        for box in (self.methods, self.metrics):
            box.changed.connect(self._edited)
        self.title.textChanged.connect(self._edited)
        self.quick.toggled.connect(self._edited)
        for number in (self.seeds, self.quick_steps, self.quick_seeds):
            number.valueChanged.connect(self._edited)
        self.title.selectAll()
        self.title.setFocus()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 14)
        layout.setSpacing(10)
        about = label(
            "Trains every method with every combination of values, once for each seed, and compares them in one table.",
            "muted",
            wrap=True,
        )
        about.setMinimumWidth(px(WIDTH))
        layout.addWidget(about)
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        self._varied = QVBoxLayout()
        self._varied.setSpacing(6)
        self.add = QPushButton("Add a setting")
        self.add.setToolTip("Compare several values of a setting")
        self.add.clicked.connect(self._add_row)
        self.add.setMinimumHeight(px(32))
        self._varied.addWidget(self.add, 0, Qt.AlignmentFlag.AlignLeft)
        quick = QHBoxLayout()
        quick.setSpacing(6)
        for widget in (self.quick, self.quick_steps, label("steps,", "muted"), self.quick_seeds):
            quick.addWidget(widget)
        self._seeds_word = label("seed", "muted")
        quick.addWidget(self._seeds_word)
        quick.addStretch(1)
        rows: tuple[tuple[str, QWidget | QHBoxLayout | QVBoxLayout, QWidget], ...] = (
            ("&Title", self.title, self.title),
            ("S&tart from", self.start, self.start),
            ("M&ethods", self.methods, self.methods),
            ("&Vary", self._varied, self.add),
            ("&Seeds", self.seeds, self.seeds),
            ("", quick, self.quick),
            ("Met&rics", self.metrics, self.metrics),
        )
        for number, (words, inside, buddy) in enumerate(rows):
            heading = label(words)
            heading.setBuddy(buddy)
            top = inside is self._varied  # several lines
            heading.setContentsMargins(0, px(7) if top else 0, 0, 0)
            grid.addWidget(heading, number, 0, Qt.AlignmentFlag.AlignTop if top else Qt.AlignmentFlag.AlignVCenter)
            if isinstance(inside, QWidget):
                wide = inside in (self.title, self.start)
                grid.addWidget(inside, number, 1, Qt.AlignmentFlag(0) if wide else Qt.AlignmentFlag.AlignLeft)
            else:
                grid.addLayout(inside, number, 1)
        layout.addLayout(grid)
        layout.addSpacing(4)
        for line in (self.summary, self.cost, self.warning, self.error):
            line.setMinimumWidth(px(WIDTH))
            layout.addWidget(line)
        layout.setSizeConstraint(QLayout.SizeConstraint.SetMinimumSize)  # it grows with its rows
        layout.addStretch(1)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        cancel = QPushButton("Cancel")
        cancel.setAutoDefault(False)
        cancel.clicked.connect(self.reject)
        self.save = QPushButton("Save study")
        self.save.setObjectName("primary")
        self.save.setDefault(True)
        self.save.setToolTip("Save it as a study file, and choose it on the Metrics page; it is started there")
        self.save.clicked.connect(self._save)
        buttons.addWidget(cancel)
        buttons.addWidget(self.save)
        layout.addLayout(buttons)

    def _list_starts(self) -> None:
        """List what the other settings can be taken from: the form, if it is valid, then the presets."""
        with suppress(ConfigError):
            self._form()
            self.start.addItem(FORM)
        for preset in [*shipped_presets(), *own_presets()]:
            self.start.addItem(preset.title, preset.config)
            words = as_plain(preset.description)
            self.start.setItemData(self.start.count() - 1, words, Qt.ItemDataRole.ToolTipRole)

    @property
    def base(self) -> RunConfig:
        """The settings that are not varied."""
        chosen = self.start.currentData()
        return chosen if isinstance(chosen, RunConfig) else self._form()

    @property
    def objectives(self) -> tuple[str, ...]:
        """The chosen methods, in the order of the list."""
        chosen = self.methods.chosen
        return tuple(name for names in by_supervision().values() for name in names if name in chosen)

    def draft(self) -> Draft:
        """Return what has been entered. Raises ConfigError if values cannot be read."""
        return Draft(
            title=self.title.text(),
            base=self.base,
            objectives=self.objectives,
            varied=tuple(row.varied(self.objectives) for row in self.rows),
            seeds=self.seeds.value(),
            metrics=tuple(name for name in METRICS if name in self.metrics.chosen),
            quick_steps=self.quick_steps.value() if self.quick.isChecked() else None,
            quick_seeds=self.quick_seeds.value(),
        )

    # Editing

    @Slot()
    def _take_start(self) -> None:
        """Begin with the method of the chosen settings."""
        self.methods.choose({self.base.objective})
        self._edited()

    @Slot()
    def _add_row(self) -> None:
        row = VariedRow()
        taken = {other.name for other in self.rows}
        row.offer(self.objectives, taken)
        row.changed.connect(self._edited)
        row.removed.connect(self._remove_row)
        self.rows.append(row)
        self._varied.insertWidget(self._varied.count() - 1, row)
        row.setFocus()
        self._edited()

    @Slot(object)
    def _remove_row(self, row: "VariedRow") -> None:
        self.rows.remove(row)
        self._varied.removeWidget(row)
        row.hide()
        row.deleteLater()
        self.add.setFocus()
        self._edited()

    @Slot()
    def _edited(self) -> None:
        names = [METHODS[name].title for name in self.objectives]
        listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        self.methods.setText(f"{listed} ▾" if names else NONE_CHOSEN)
        self.metrics.setText(f"{len(self.metrics.chosen)} of {len(METRICS)} metrics ▾")
        self._seeds_word.setText("seed" if self.quick_seeds.value() == 1 else "seeds")
        for box in (self.quick_steps, self.quick_seeds):
            box.setEnabled(self.quick.isChecked())
        for row in self.rows:
            row.offer(self.objectives, {other.name for other in self.rows if other is not row})
        self.add.setEnabled(bool(self.objectives))
        self._needed = None
        error = warning = summary = ""
        try:
            draft = self.draft()
            study = draft_study(draft)
            if draft.quick_steps is not None:
                draft_study(draft, quick=True)
            kinds, seeds = len(study.methods), len(study.seeds)
            summary = f"{count(kinds, 'row')} × {count(seeds, 'seed')} = {count(len(study.cells), 'run')}"
            summary += f": {'; '.join(method.title for method in study.methods[:4])}{'; …' if kinds > 4 else '.'}"
            warning = " ".join(study.warnings())
            self._measuring = self._measures
            self.estimator.ask(study, measure=self._measures)
        except ConfigError as problem:
            error = str(problem)
            self.estimator.forget()
        waiting = any(row.empty for row in self.rows)  # not a mistake of the user's yet
        self.summary.setText(error if waiting else summary)
        self.warning.setText(warning)
        self.error.setText("" if waiting else error)
        self.save.setEnabled(not error)
        self._show_cost()
        for line in (self.summary, self.warning, self.error):
            _show_line(line)

    # Cost

    @Slot(object)
    def _estimated(self, needed: StudyEstimate) -> None:
        self._needed = needed
        self._show_cost()

    @Slot()
    def _measured(self) -> None:
        self._measuring = False
        self._show_cost()

    def _show_cost(self) -> None:
        words = "" if not self.save.isEnabled() else estimate_text(self._needed, self._runs, measuring=self._measuring)
        self.cost.setText(words.replace("Time left: about", "About", 1))
        _show_line(self.cost)

    # Closing

    @Slot()
    def _save(self) -> None:
        try:
            study = save_study(self.draft())
        except ConfigError as error:
            self.error.setText(str(error))
            self.error.show()
            return
        self.accept()
        self.saved.emit(study.path)

    def done(self, result: int) -> None:
        """Close; stop timing steps."""
        self.estimator.close()
        super().done(result)


class VariedRow(QWidget):
    """A setting and its values. Emits `changed`, and `removed(self)` when its button is pressed."""

    changed = Signal()
    removed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        self.setting = Combo()
        self.setting.setAccessibleName("Setting to vary")
        self.setting.setMinimumContentsLength(14)
        self.setting.activated.connect(self._chosen)
        self.values = QLineEdit()
        self.values.setAccessibleName("Values")
        self.values.textChanged.connect(self.changed)
        self.choices = CheckPopup(NO_VALUES)
        self.choices.setAccessibleName("Values")
        self.choices.changed.connect(self._choices_changed)
        row.addWidget(self.setting)
        row.addWidget(self.values, 1)
        row.addWidget(self.choices, 1)
        remove = tool_button("×", "Do not vary this setting", "Remove setting")
        remove.clicked.connect(self._remove)
        row.addWidget(remove)
        self.setFocusProxy(self.setting)
        self.setMinimumHeight(px(32))

    @property
    def name(self) -> str:
        """Name of the setting."""
        return str(self.setting.currentData() or "")

    @property
    def empty(self) -> bool:
        """Whether no value has been entered."""
        return not (self.choices.chosen if _options(self.name) else self.values.text().strip())

    def offer(self, objectives: tuple[str, ...], taken: set[str]) -> None:
        """Offer the settings of these methods, except those taken by other rows; the chosen one stays chosen."""
        chosen = self.name
        names = [name for name in variable_settings(objectives) if name not in taken or name == chosen]
        if chosen and chosen not in names:
            names.append(chosen)
        if names == [self.setting.itemData(n) for n in range(self.setting.count())]:
            return
        fields = all_settings()
        self.setting.clear()
        for name in names:
            self.setting.addItem(fields[name].title or name, name)
            words = tip(help_of(fields[name]), range_text(fields[name]))
            self.setting.setItemData(self.setting.count() - 1, words, Qt.ItemDataRole.ToolTipRole)
        self.setting.setCurrentIndex(self.setting.findData(chosen or _first_of_method(objectives, names)))
        self._show_values()

    def varied(self, objectives: tuple[str, ...]) -> Varied:
        """Return the setting with its values. Raises ConfigError."""
        field = all_settings()[self.name]
        options = _options(self.name)
        if not options:
            return Varied(self.name, read_values(self.name, self.values.text(), objectives))
        chosen = tuple(value for key, value in options.items() if key in self.choices.chosen)
        if not chosen:
            raise ConfigError(f"{field.title}: choose the values to compare.")
        return Varied(self.name, chosen)

    @Slot()
    def _choices_changed(self) -> None:
        chosen = [value_text(self.name, v) for key, v in _options(self.name).items() if key in self.choices.chosen]
        self.choices.setText(f"{', '.join(chosen)} ▾" if chosen else NO_VALUES)
        self.changed.emit()

    @Slot()
    def _chosen(self) -> None:
        self.values.clear()
        self.choices.choose(())
        self.choices.setText(NO_VALUES)
        self._show_values()
        self.changed.emit()

    def _show_values(self) -> None:
        field = all_settings()[self.name]
        options = _options(self.name)
        self.values.setVisible(not options)
        self.choices.setVisible(bool(options))
        self.setting.setToolTip(str(self.setting.currentData(Qt.ItemDataRole.ToolTipRole)))
        self.values.setPlaceholderText("e.g. 1, 4, 16")
        allowed = range_text(field)
        self.values.setToolTip(
            tip(f"Values separated by commas{f', {allowed}' if allowed else ''}.", "Use semicolons between schedules.")
        )
        if options:
            made = tuple(Choice(key, value_text(self.name, value)) for key, value in options.items())
            self.choices.show_groups([ChoiceGroup(field.title or self.name, made)])

    @Slot()
    def _remove(self) -> None:
        self.removed.emit(self)


def _show_line(line: QLabel) -> None:
    """Show a line unless it is empty, at the height of its text: a wrapped label asks for that of a single line."""
    line.setVisible(bool(line.text()))
    line.setMinimumHeight(line.heightForWidth(px(WIDTH)))


def _options(name: str) -> dict[str, object]:
    """The values of a setting that has a few, by key; empty if its values are typed."""
    field = all_settings()[name]
    if field.annotation is bool:
        return {"false": False, "true": True}
    return {value: (int(value) if field.annotation is int else value) for value in choices_of(field)}


def _first_of_method(objectives: tuple[str, ...], names: list[str]) -> str:
    """The setting to begin with: the first of the methods' own, else one that often matters."""
    own = [name for objective in objectives for name in METHODS[objective].Settings.model_fields if name in names]
    return ([*own, *(name for name in USUAL if name in names), *names] or [""])[0]


def _method_groups() -> list[ChoiceGroup]:
    return [
        ChoiceGroup(str(kind), tuple(Choice(name, METHODS[name].title, method_tip(name)) for name in names))
        for kind, names in by_supervision().items()
    ]


def _number(least: int, most: int, value: int, name: str, words: str, step: int = 1) -> WholeNumberBox:
    box = WholeNumberBox()
    box.setRange(least, most)
    box.setSingleStep(step)
    box.setValue(value)
    box.setAccessibleName(name)
    box.setToolTip(words)
    return box
