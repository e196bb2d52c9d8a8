"""The card with presets, the settings form, and the buttons that start and stop a run."""

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QPushButton, QScrollArea, QSizePolicy

from engine.config import RunConfig
from engine.data import ENTRIES
from engine.errors import ConfigError
from engine.presets import Preset, shipped_presets
from gui.forms import ConfigForm
from gui.widgets.layouts import Card, label


class SettingsCard(Card):
    """Emits `start(config)`, `pause`, `go_on` and `stop`."""

    start = Signal(object)
    pause = Signal()
    go_on = Signal()
    stop = Signal()

    def __init__(self) -> None:
        super().__init__("Settings")
        self._presets: list[Preset] = shipped_presets()
        self.presets = QComboBox()
        self.presets.setAccessibleName("Preset")
        self.presets.setMinimumContentsLength(12)
        self.presets.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        for preset in self._presets:
            self.presets.addItem(preset.title)
            self.presets.setItemData(self.presets.count() - 1, preset.description, Qt.ItemDataRole.ToolTipRole)
        self.presets.addItem("From a run")
        self.presets.currentIndexChanged.connect(self._choose_preset)
        self.body.addWidget(self.presets)

        self.form = ConfigForm()
        self.form.changed.connect(self._show_notes)
        area = QScrollArea()
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

        self.start_button = QPushButton("Start")
        self.start_button.setObjectName("primary")
        self.start_button.setToolTip("Train with these settings (Ctrl+Return)")
        self.start_button.setShortcut("Ctrl+Return")
        self.start_button.clicked.connect(self._start)
        self.pause_button = QPushButton("Pause")
        self.pause_button.setToolTip("Save a checkpoint and wait (Ctrl+P)")
        self.pause_button.setShortcut("Ctrl+P")
        self.pause_button.clicked.connect(self._pause_or_go_on)
        self.stop_button = QPushButton("Stop")
        self.stop_button.setToolTip("End the run now and keep what it has learned (Ctrl+.)")
        self.stop_button.setShortcut("Ctrl+.")
        self.stop_button.clicked.connect(self.stop)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for button in (self.start_button, self.pause_button, self.stop_button):
            buttons.addWidget(button, 1)
        self.body.addLayout(buttons)
        self.setFixedWidth(304)
        self._choose_preset(0)
        self.show_idle()

    def show_config(self, config: RunConfig) -> None:
        """Show the settings of a run."""
        with QSignalBlocker(self.presets):
            self.presets.setCurrentIndex(self.presets.count() - 1)
        self.form.show_config(config)

    def show_idle(self) -> None:
        """Nothing trains: a run can be started."""
        self._buttons(start=not self.form.errors, pause=False, stop=False)
        self.pause_button.setText("Pause")

    def show_training(self, *, paused: bool = False, stopping: bool = False) -> None:
        """A run trains: it can be paused and stopped."""
        self._buttons(start=False, pause=not stopping, stop=not stopping)
        self.pause_button.setText("Resume" if paused else "Pause")
        self.stop_button.setText("Stopping…" if stopping else "Stop")

    def _buttons(self, *, start: bool, pause: bool, stop: bool) -> None:
        self.start_button.setEnabled(start)
        self.start_button.setVisible(start or not stop)
        self.pause_button.setEnabled(pause)
        self.stop_button.setEnabled(stop)
        if not stop and not pause:
            self.stop_button.setText("Stop")

    @Slot(int)
    def _choose_preset(self, index: int) -> None:
        if index < len(self._presets):
            self.form.show_config(self._presets[index].config)
            self.presets.setToolTip(self._presets[index].description)

    @Slot()
    def _start(self) -> None:
        try:
            self.start.emit(self.form.config())
        except ConfigError as error:
            self.errors.setText(str(error))

    @Slot()
    def _pause_or_go_on(self) -> None:
        if self.pause_button.text() == "Pause":
            self.pause.emit()
        else:
            self.go_on.emit()

    @Slot()
    def _show_notes(self) -> None:
        """Say what is wrong, what does not fit together, and how long the run is."""
        errors = self.form.errors
        self.errors.setText(" ".join(errors))
        self.errors.setVisible(bool(errors))
        warnings: list[str] = []
        note = ""
        if not errors:
            try:
                config = self.form.config()
            except ConfigError as error:
                self.errors.setText(str(error))
                self.errors.show()
            else:
                images = ENTRIES[config.dataset].training_images
                if images is None:
                    note = "How long an epoch is will be known when the images are read."
                else:
                    warnings = config.warnings(images)
                    steps = config.total_steps(images)
                    note = f"{steps:,} steps, {steps / config.steps_per_epoch(images):.3g} epochs of {images:,} images"
                changed = self.form.differences
                if changed:
                    note += f"\n{changed} setting{'s differ' if changed > 1 else ' differs'} from the preset"
        self.notes.setText(note)
        self.warnings.setText(" ".join(warnings))
        self.warnings.setVisible(bool(warnings))
        if not self.stop_button.isEnabled():
            self.start_button.setEnabled(not errors)
