"""The card with presets, the settings form, and the buttons that start, queue and stop runs."""

import json
from pathlib import Path

from PySide6.QtCore import QSettings, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QScrollArea,
    QSizePolicy,
)

from engine.data.subsets import training_count
from engine.errors import ConfigError
from engine.settings.presets import Preset, delete_preset, own_presets, quick_preset, save_preset, shipped_presets
from engine.settings.run_config import PATHS, RunConfig
from engine.system.numbers import rounded_text
from engine.system.reading import parse_json
from engine.training.pace import Estimate
from gui.settings.asking import may
from gui.settings.preferences import read_preferences
from gui.training.estimator import Estimator, too_large
from gui.training.form import ConfigForm
from gui.widgets.combo import Combo
from gui.widgets.layouts import Card, label, tool_button
from gui.widgets.plain import as_plain, ask_text
from gui.widgets.theme import px
from gui.widgets.words import duration, room

FROM_RUN = "From a run"
DAY = 24 * 3600
"""Longest run, in seconds, that is started without asking."""

KEPT = "form"


class SettingsCard(Card):
    """Emits `start(config)` (to train now or after the current run), `pause`, `resume`, `stop` and `cancel`.

    `study_asked` is emitted when a study is to be built from the settings.
    """

    start = Signal(object)
    study_asked = Signal()
    pause = Signal()
    resume = Signal()
    stop = Signal()
    cancel = Signal()

    def __init__(self, settings: QSettings, estimator: Estimator, runs: Path) -> None:
        super().__init__("Settings")
        self.setProperty("helpTopic", "settings")
        self._settings, self._estimator, self._runs = settings, estimator, runs
        self._estimate: Estimate | None = None
        self._paused = False
        self.presets = Combo()
        self.presets.setAccessibleName("Preset")
        self.presets.setMinimumContentsLength(12)
        self.presets.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.preset_menu = QMenu(self)
        self._save_preset = self.preset_menu.addAction("Save as preset…", self._save)
        self._reset = self.preset_menu.addAction("Reset to the preset", self._reset_form)
        self._delete_preset = self.preset_menu.addAction("Delete preset…", self._delete)
        self.preset_menu.addSeparator()
        self._study = self.preset_menu.addAction("New study from these settings…", self.study_asked.emit)
        self.preset_menu.aboutToShow.connect(self._enable_preset_menu)
        tip = "Save these settings as a preset, reset to the preset, delete a preset, build a study"
        more = tool_button("⋯", tip, "Presets menu", menu=self.preset_menu)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.presets, 1)
        row.addWidget(more)
        self.body.addLayout(row)

        self.form = ConfigForm()
        area = self._area = QScrollArea()
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(self.form)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.body.addWidget(area, 1)
        self.notes = label("", "muted", wrap=True)
        self.warnings = label("", "warning", wrap=True)
        self.errors = label("", "error", wrap=True)
        for line in (self.notes, self.warnings, self.errors):
            self.body.addWidget(line)
        self._add_buttons()
        self.setFixedWidth(px(328))

        self._list_presets()
        self.presets.currentIndexChanged.connect(self._choose_preset)
        self.form.changed.connect(self._edited)
        estimator.estimated.connect(self._estimated)
        self._restore()
        self.show_idle()

    def _add_buttons(self) -> None:
        self.start_button = _button("Start", "", "Ctrl+Return", self._start)
        self.start_button.setObjectName("primary")
        self.pause_button = _button("Pause", "Save a checkpoint and wait (Ctrl+P)", "Ctrl+P", self._pause_or_resume)
        self.stop_button = _button(
            "Stop", "End the run now and keep its progress; the queue continues (Ctrl+.)", "Ctrl+.", self.stop
        )
        self.cancel_button = _button(
            "Cancel",
            "End the run now and move it to the trash; Ctrl+Z restores it (Ctrl+Shift+.)",
            "Ctrl+Shift+.",
            self.cancel,
        )
        self.body.addWidget(self.start_button)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for button in (self.pause_button, self.stop_button, self.cancel_button):
            buttons.addWidget(button, 1)
        self.body.addLayout(buttons)

    # Presets

    def _list_presets(self) -> None:
        """List the shipped presets, the user's own, and an entry for a run's settings."""
        with QSignalBlocker(self.presets):
            self.presets.clear()
            for preset in shipped_presets():
                self._add_preset(preset, own=False)
            own = own_presets()
            if own:
                self.presets.insertSeparator(self.presets.count())
            for preset in own:
                self._add_preset(preset, own=True)
            self.presets.insertSeparator(self.presets.count())
            self.presets.addItem(FROM_RUN)

    def _add_preset(self, preset: Preset, *, own: bool) -> None:
        self.presets.addItem(preset.title, (preset, own))
        self.presets.setItemData(self.presets.count() - 1, as_plain(preset.description), Qt.ItemDataRole.ToolTipRole)

    @property
    def preset(self) -> Preset | None:
        """The chosen preset; None when the form shows a run's settings."""
        data = self.presets.currentData()
        return data[0] if data else None

    @property
    def preset_titles(self) -> list[str]:
        """Titles of all presets, in order."""
        return [self.presets.itemText(n) for n in range(self.presets.count()) if self.presets.itemData(n)]

    def use_preset(self, title: str) -> None:
        """Fill in the form with a preset."""
        self._show_preset(title)
        self._choose_preset(self.presets.currentIndex())
        self.presets.setFocus()

    def _show_preset(self, title: str) -> None:
        """Select a preset without changing the form; a title that no longer exists selects none."""
        place = self.presets.findText(title)
        with QSignalBlocker(self.presets):
            self.presets.setCurrentIndex(place if place >= 0 else self.presets.findText(FROM_RUN))

    @Slot(int)
    def _choose_preset(self, index: int) -> None:
        preset = self.preset
        if preset is not None:
            self.form.show_config(self._begin_with(preset))
            self.presets.setToolTip(as_plain(preset.description))

    @Slot()
    def _enable_preset_menu(self) -> None:
        data = self.presets.currentData()
        for action in (self._save_preset, self._study):
            action.setEnabled(not self.form.errors)
        self._reset.setEnabled(self.form.differences > 0)
        self._reset.setText("Reset to the preset" if data else "Reset to the run's settings")
        self._delete_preset.setEnabled(bool(data and data[1]))

    @Slot()
    def _save(self) -> None:
        data = self.presets.currentData()
        proposal = data[0].title if data and data[1] else ""
        title, accepted = ask_text(
            self, "Save as preset", "Title of the preset. Your own preset with the same title is replaced.", proposal
        )
        if not accepted:
            return
        try:
            config = self.form.config()
            preset = save_preset(title, f"{config.method_title}, saved by you.", config)
        except ConfigError as error:
            self.errors.setText(str(error))
            self.errors.show()
            return
        self._list_presets()
        self._show_preset(preset.title)
        self.form.show_config(self._begin_with(preset))

    @Slot()
    def _reset_form(self) -> None:
        self.form.show_config(self.form.basis)

    @Slot()
    def _delete(self) -> None:
        preset = self.preset
        if preset is None:
            return
        question = f"Delete the preset “{preset.title}”?"
        more = "Runs that used it are not affected."
        if not may(self, self._settings, "ask_preset", question, more, "Delete", "Keep"):
            return
        try:
            delete_preset(preset)
        except ConfigError as error:
            self.errors.setText(str(error))
            self.errors.show()
            return
        self._list_presets()
        self._show_preset(FROM_RUN)

    # The form

    def start_quick(self) -> None:
        """Select the quick preset, unchanged, and start it."""
        self._show_preset(quick_preset().title)
        self._choose_preset(self.presets.currentIndex())
        self._start()

    @property
    def offered(self) -> list[tuple[str, str, str]]:
        """Key, title and heading of each setting that the chosen method and data set use, also of closed groups."""
        return self.form.offered

    def config(self) -> RunConfig:
        """Return the settings in the form. Raises ConfigError if they are not valid."""
        return self.form.config()

    def show_config(self, config: RunConfig) -> None:
        """Show the settings of a run."""
        self._show_preset(FROM_RUN)
        self.form.show_config(config)

    def show_setting(self, key: str) -> None:
        """Scroll to a setting of the form and give it the focus."""
        self._area.ensureWidgetVisible(self.form.focus_on(key))

    def use_data(self, name: str, path: Path | None) -> None:
        """Set the data set with its folder or file, and keep everything else."""
        self.form.set_values(dataset=name, data_folder=path)

    def take_preferences(self) -> None:
        """Apply changed preferences and folders where the preset sets nothing, and keep the user's edits."""
        preset = self.preset
        if preset is not None:
            edits = self.form.edits
            self.form.show_config(self._begin_with(preset))
            self.form.set_values(**edits)

    def take_plugins(self) -> None:
        """Offer the available methods, networks and data sets, keeping the user's edits as far as possible."""
        chosen = self.presets.currentText()
        self.form.rebuild()
        self._list_presets()
        self._show_preset(chosen)

    def _begin_with(self, preset: Preset) -> RunConfig:
        return read_preferences(self._settings).begin_with(preset.config)

    def _restore(self) -> None:
        """Restore the form of the last session, or show the first preset."""
        try:
            kept = parse_json(str(self._settings.value(KEPT, "")), PATHS)
            basis, config = (RunConfig.from_json(kept[name]) for name in ("basis", "config"))
        except (ValueError, LookupError, TypeError, ConfigError):
            self._choose_preset(0)
            return
        self._show_preset(str(kept.get("preset", FROM_RUN)))
        self.form.show_config(basis)
        self.form.set_values(**config.flat())

    def keep(self) -> None:
        """Save the form for the next session, if its settings are valid."""
        if not self.form.errors:
            kept = {"preset": self.presets.currentText(), "basis": self.form.basis.to_json()}
            self._settings.setValue(KEPT, json.dumps(kept | {"config": self.form.config().to_json()}))

    # Buttons

    def show_idle(self, *, queues: bool = False) -> None:
        """Show the buttons while nothing is training; runs are queued if another job uses the processor."""
        self._show_buttons(training=False, queues=queues)

    def show_training(self, *, paused: bool = False, stopping: bool = False) -> None:
        """Show the buttons while a run is training: it can be paused, stopped or cancelled, and others queued."""
        self._show_buttons(training=True, queues=True, paused=paused, stopping=stopping)

    def _show_buttons(self, *, training: bool, queues: bool, paused: bool = False, stopping: bool = False) -> None:
        self.start_button.setText("Queue" if queues else "Start")
        self.start_button.setToolTip(
            f"Train with these settings {'after the current run and the queue' if queues else 'now'} (Ctrl+Return)"
        )
        self.start_button.setShortcut("Ctrl+Return")  # setText clears it
        self.start_button.setEnabled(not self.form.errors)
        for button in (self.pause_button, self.stop_button, self.cancel_button):
            button.setEnabled(training and not stopping)
        self._paused = paused
        self.pause_button.setText("Resume" if paused else "Pause")
        self.pause_button.setShortcut("Ctrl+P")
        self.stop_button.setText("Stopping…" if stopping else "Stop")
        self.stop_button.setShortcut("Ctrl+.")

    @Slot()
    def _start(self) -> None:
        try:
            config = self.form.config()
        except ConfigError as error:
            self.errors.setText(str(error))
            return
        if self._may_take_long():
            self.start.emit(config)

    def _may_take_long(self) -> bool:
        """Ask before a run that is expected to take more than a day."""
        needs = self._estimate
        if needs is None or needs.seconds <= DAY:
            return True
        about = "at most" if needs.beside else "about"
        question = f"Train for {about} {duration(needs.seconds)}?"
        more = f"{needs.steps:,} steps. You can stop and resume it at any time."
        return may(self, self._settings, "ask_long", question, more, self.start_button.text(), "Cancel")

    @Slot()
    def _pause_or_resume(self) -> None:
        if self._paused:
            self.resume.emit()
        else:
            self.pause.emit()

    # Notes

    @Slot()
    def _edited(self) -> None:
        """Request a new estimate, and show errors, warnings and the length of the run."""
        self._estimate = None
        config: RunConfig | None = None
        errors = self.form.errors
        if not errors:
            try:
                config = self.form.config()
            except ConfigError as error:
                errors = [str(error)]
        self.errors.setText(" ".join(errors))
        self.errors.setVisible(bool(errors))
        self.start_button.setEnabled(not errors)
        self._show_notes(config)
        self._estimator.ask(config)

    @Slot(object, object)
    def _estimated(self, config: RunConfig, answer: Estimate | None) -> None:
        if answer is not None and not self.form.errors and config == self.form.config():
            self._estimate = answer
            self._show_notes(config)

    def _show_notes(self, config: RunConfig | None) -> None:
        facts: list[str] = []
        tips: list[str] = []
        warnings: list[str] = []
        differing = ""
        if config is not None:
            images, needs = training_count(config), self._estimate
            if images is not None:
                steps = config.total_steps(images)
                warnings = config.warnings(images)
                epochs = steps / config.steps_per_epoch(images)
                facts.append(f"{steps:,} steps")
                tips.append(f"{rounded_text(epochs)} epochs: passes over the {images:,} training images")
            elif needs is None:
                facts.append("The length of an epoch is known once the images have been read.")
            else:
                facts.append(f"{needs.steps:,} steps")
            if needs is not None:
                about = "at most" if needs.beside else "about"
                facts += [f"{about} {duration(needs.seconds)}", room(needs.disk)]
                beside = ": its steps were timed while another run was training" if needs.beside else ""
                time, disk = duration(needs.seconds), room(needs.disk)
                tips.append(f"{about.capitalize()} {time} on this machine{beside}; {disk} on disk")
                warnings += [text] if (text := too_large(needs, self._runs)) else []
            if self.form.differences:
                origin = "preset" if self.presets.currentText() != FROM_RUN else "run"
                verb = "differs" if self.form.differences == 1 else "differ"
                differing = f"{self.form.differences} {verb} from the {origin}"
        self.note.setText(differing)
        self.notes.setText(" · ".join(facts))
        self.notes.setToolTip("\n".join(tips))
        self.warnings.setText(" ".join(warnings))
        self.warnings.setVisible(bool(warnings))


def _button(text: str, tip: str, keys: str, slot: object) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setShortcut(keys)
    button.clicked.connect(slot)
    return button
