"""The settings dialog: preferences and folders."""

from pathlib import Path

from PySide6.QtCore import QSettings, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.errors import ConfigError
from engine.settings.folders import Folders, choose_folders, chosen_folders
from engine.settings.run_config import RunConfig
from engine.system.fields import choices_of, unit_of
from engine.system.paths import cache_folder, usual_runs_folder
from engine.system.plain_text import one_line
from gui.plugins.host import PluginHost
from gui.plugins.page import PluginsPage
from gui.settings.preferences import NEW_RUNS, REDRAW_SECONDS, Preferences, read_preferences, write_preferences
from gui.training.editors import TextField
from gui.widgets.combo import Combo
from gui.widgets.layouts import label

EXAMPLE_ADDRESS = "tcp://192.168.1.5:8786"
GENERAL, PLUGINS = range(2)
"""Pages of the dialog."""

THEMES = {"system": "Follow the system", "light": "Light", "dark": "Dark", "contrast": "High contrast"}
QUESTIONS = {
    "ask_close": (
        "Confirm before closing the window while a run is training",
        "If off, the run is stopped and kept without confirmation.",
    ),
    "ask_preset": (
        "Confirm before deleting a preset",
        "If off, it is deleted at once and cannot be restored.",
    ),
    "ask_data": (
        "Confirm before deleting the prepared copy of a data set",
        "If off, it is deleted at once; it can be prepared again.",
    ),
    "ask_long": (
        "Confirm before a run that will take more than a day",
        "If off, it is started or queued at once.",
    ),
    "ask_identical": (
        "Confirm before training settings that a run already has",
        "If off, the same run is trained again without confirmation.",
    ),
    "reduced_motion": (
        "Reduced motion",
        "Menus, lists and bars do not slide or fade, and playing moves in steps of a second. In effect after OK.",
    ),
    "notifications": (
        "Notify when a run ends while another window is active",
        "A desktop notification with the run's reconstruction and KL.",
    ),
    "evaluate_after": (
        "Evaluate each run when it has been trained",
        "With the metrics chosen on the Metrics page; the queue continues meanwhile, more slowly.",
    ),
}
PREFERENCES = {
    "theme": "Theme",
    "redraw": "Redraw curves every",
    "runs": "Folder of runs",
    "cache": "Folder of the data cache",
    **{name: RunConfig.model_fields[name].title or name for name in NEW_RUNS},
    **{name: title for name, (title, _) in QUESTIONS.items()},
}
"""Titles of the settings by the names of their editors, for those who look for one."""

RUNS_HINT = "Takes effect at the next start, here and on the command line. Existing runs are not moved."
CACHE_HINT = "Takes effect with the next data set. Prepared copies are not moved, but prepared again here when needed."


class SettingsDialog(QDialog):
    """Edits the preferences, saved on OK. Emits `theme_chosen(name)` at once, and on cancel with the old theme."""

    theme_chosen = Signal(str)

    def __init__(self, parent: QWidget, settings: QSettings, host: PluginHost) -> None:
        super().__init__(parent)
        self.setWindowTitle("Settings")
        self.setProperty("helpTopic", "preferences")
        self._settings = settings
        self._before, self._folders = read_preferences(settings), chosen_folders()
        self._rows = 0
        inside = QWidget()
        self._grid = QGridLayout(inside)
        self._grid.setContentsMargins(0, 0, 8, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(1, 1)
        self._add_appearance()
        self._add_folders()
        self._add_new_runs()
        self._add_cluster()
        self._add_questions()
        self._grid.setRowStretch(self._rows, 1)
        area = self._area = QScrollArea()
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.error = label("", "error", wrap=True)
        self.error.hide()
        self.plugins = PluginsPage(host)
        self._pages = QStackedWidget()
        self._pages.addWidget(area)
        self._pages.addWidget(self.plugins)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 14, 12, 14)
        layout.setSpacing(10)
        self.segments = QButtonGroup(self)
        layout.addLayout(self._segments())
        layout.addWidget(self._pages, 1)
        layout.addWidget(self.error)
        layout.addLayout(self._buttons())
        self.show_preferences(self._before, self._folders)
        self.theme.currentIndexChanged.connect(self._theme_changed)
        room = parent.screen().availableGeometry()
        self.resize(600, min(inside.sizeHint().height() + 90, room.height() - 60))

    def show_plugins(self, key: str = "") -> None:
        """Show the page of the plug-ins, with one of them chosen."""
        self.segments.button(PLUGINS).click()
        if key:
            self.plugins.choose(key)

    def show_setting(self, name: str) -> None:
        """Give the editor of one of `PREFERENCES` the focus, and scroll to it."""
        editor: QWidget = self.boxes[name] if name in self.boxes else getattr(self, name)
        editor.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._area.ensureWidgetVisible(editor)

    # Building

    def _segments(self) -> QHBoxLayout:
        """Return the buttons that choose a page."""
        row = QHBoxLayout()
        row.setSpacing(0)
        for number, title in enumerate(("General", "Plug-ins")):
            button = QPushButton(title)
            button.setObjectName("segment")
            button.setCheckable(True)
            button.setChecked(number == GENERAL)
            button.setAutoDefault(False)
            button.setProperty("last", number == PLUGINS)
            self.segments.addButton(button, number)
            row.addWidget(button)
        row.addStretch(1)
        self.segments.idClicked.connect(self._show_page)
        return row

    @Slot(int)
    def _show_page(self, number: int) -> None:
        """Show a page; changes to plug-ins take effect at once and cannot be cancelled."""
        self._pages.setCurrentIndex(number)
        self.defaults.setVisible(number == GENERAL)
        self.cancel.setVisible(number == GENERAL)
        self.ok.setText("OK" if number == GENERAL else "Done")
        self.setProperty("helpTopic", "preferences" if number == GENERAL else "plugins")

    def _heading(self, text: str, topic: str) -> None:
        self._topic = f"preferences#{topic}"
        heading = label(text, "group")
        heading.setIndent(0)
        self._grid.addWidget(heading, self._rows, 0, 1, 2)
        self._rows += 1

    def _add(self, title: str, editor: QWidget, tip: str, hint: str = "") -> None:
        """Add a row: title and editor, with a hint below."""
        words = label(title)
        words.setBuddy(editor)
        editor.setToolTip(f"<p>{tip}</p>")
        editor.setAccessibleName(title)
        editor.setProperty("helpTopic", self._topic)
        self._grid.addWidget(words, self._rows, 0)
        self._grid.addWidget(editor, self._rows, 1)
        self._rows += 1
        if hint:
            self._grid.addWidget(label(hint, "muted", wrap=True), self._rows, 1)
            self._rows += 1

    def _add_appearance(self) -> None:
        self._heading("Appearance", "appearance")
        self.theme = _combo(THEMES)
        self._add(PREFERENCES["theme"], self.theme, "Colours of the window; applied at once, saved on OK")
        self.redraw = _combo({str(s): f"{s:g} s" for s in REDRAW_SECONDS})
        self._add(
            PREFERENCES["redraw"],
            self.redraw,
            "How often the curves of a run in training are redrawn. Each redraw slows training down slightly.",
        )

    def _add_folders(self) -> None:
        self._heading("Folders", "folders")
        self.runs, self.cache = QLineEdit(), QLineEdit()
        for line, title, usual, hint in (
            (self.runs, PREFERENCES["runs"], usual_runs_folder(), RUNS_HINT),
            (self.cache, PREFERENCES["cache"], cache_folder(), CACHE_HINT),
        ):
            line.setPlaceholderText(str(usual))
            self._add(title, _FolderRow(line, title), f"Default if empty: {usual}", hint)

    def _add_new_runs(self) -> None:
        self._heading("Defaults for new runs, unless the preset sets them", "new-runs")
        self.device = _combo(choices_of(RunConfig.model_fields["device"]))
        self.threads, self.preview_steps = (
            TextField(unit_of(RunConfig.model_fields[name])) for name in ("threads", "preview_steps")
        )
        for name in NEW_RUNS:
            field = RunConfig.model_fields[name]
            self._add(field.title or name, getattr(self, name), field.description or "")

    def _add_cluster(self) -> None:
        self._heading("Cluster", "cluster")
        self.scheduler = QLineEdit()
        self.scheduler.setPlaceholderText(EXAMPLE_ADDRESS)
        words = "Address of the scheduler of a Dask cluster, on which studies can be trained"
        self._add("Scheduler", self.scheduler, words)

    def _add_questions(self) -> None:
        self._heading("Confirmations, notifications, motion", "questions")
        self.boxes: dict[str, QCheckBox] = {}
        for name, (title, tip) in QUESTIONS.items():
            box = QCheckBox(title)
            box.setToolTip(tip)
            box.setProperty("helpTopic", self._topic)
            self._grid.addWidget(box, self._rows, 0, 1, 2)
            self._rows += 1
            self.boxes[name] = box

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.defaults = QPushButton("Restore defaults")
        self.defaults.setToolTip("Fill in the values of a new installation; saved on OK")
        self.defaults.setAutoDefault(False)
        self.defaults.clicked.connect(self._restore_defaults)
        buttons = QDialogButtonBox()
        self.ok = QPushButton("OK")
        self.ok.setObjectName("primary")
        buttons.addButton(self.ok, QDialogButtonBox.ButtonRole.AcceptRole)
        self.cancel = buttons.addButton("Cancel", QDialogButtonBox.ButtonRole.RejectRole)
        self.ok.setDefault(True)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        row.addWidget(self.defaults)
        row.addStretch(1)
        row.addWidget(buttons)
        return row

    # Values

    def show_preferences(self, preferences: Preferences, folders: Folders) -> None:
        """Fill in the fields."""
        for combo, value in (
            (self.theme, preferences.theme),
            (self.redraw, str(preferences.redraw_seconds)),
            (self.device, preferences.device),
        ):
            combo.setCurrentIndex(max(0, combo.findData(value)))
        for line, number in ((self.threads, preferences.threads), (self.preview_steps, preferences.preview_steps)):
            line.setText(str(number))
        for path_line, path in ((self.runs, folders.runs), (self.cache, folders.data_cache)):
            path_line.setText(str(path or ""))
        self.scheduler.setText(preferences.scheduler)
        for name, box in self.boxes.items():
            box.setChecked(getattr(preferences, name))

    def preferences(self) -> Preferences:
        """Return the preferences as entered. Raises ConfigError."""
        numbers = RunConfig.parse({name: getattr(self, name).text().strip() for name in ("threads", "preview_steps")})
        return Preferences(
            theme=str(self.theme.currentData()),
            redraw_seconds=float(self.redraw.currentData()),
            device=str(self.device.currentData()),
            threads=numbers.threads,
            preview_steps=numbers.preview_steps,
            scheduler=one_line(self.scheduler.text()),
            **{name: box.isChecked() for name, box in self.boxes.items()},
        )

    def folders(self) -> Folders:
        """Return the folders as entered. Raises ConfigError."""
        try:
            runs, cache = (
                Path(text).expanduser().absolute() if (text := line.text().strip()) else None
                for line in (self.runs, self.cache)
            )
        except RuntimeError as error:
            raise ConfigError(f"{error}.") from None
        return Folders(runs, cache)

    @Slot()
    def _theme_changed(self) -> None:
        self.theme_chosen.emit(str(self.theme.currentData()))

    @Slot()
    def _restore_defaults(self) -> None:
        self.show_preferences(Preferences(), Folders())

    def accept(self) -> None:
        """Save everything, or show what is wrong and stay open."""
        try:
            preferences, folders = self.preferences(), self.folders()
            if folders != self._folders:
                choose_folders(folders)
        except ConfigError as error:
            self.error.setText(_titled(str(error)))
            self.error.show()
            return
        write_preferences(self._settings, preferences)
        super().accept()

    def reject(self) -> None:
        """Discard all changes, including the theme."""
        if self.theme.currentData() != self._before.theme:
            with QSignalBlocker(self.theme):
                self.theme.setCurrentIndex(self.theme.findData(self._before.theme))
            self.theme_chosen.emit(self._before.theme)
        super().reject()


class _FolderRow(QWidget):
    """A line edit with a button that chooses a folder."""

    def __init__(self, line: QLineEdit, title: str) -> None:
        super().__init__()
        self._line, self._title = line, title
        line.setAccessibleName(title)
        button = QPushButton("Choose…")
        button.setAutoDefault(False)
        button.clicked.connect(self._choose)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(line, 1)
        layout.addWidget(button)
        self.setFocusProxy(line)

    @Slot()
    def _choose(self) -> None:
        start = self._line.text() or self._line.placeholderText()
        chosen = QFileDialog.getExistingDirectory(self, self._title, start)
        if chosen:
            self._line.setText(chosen)


def _combo(choices: dict[str, str]) -> Combo:
    combo = Combo()
    for value, title in choices.items():
        combo.addItem(title, value)
    return combo


def _titled(sentence: str) -> str:
    """Return an error message with the field's title as shown in the dialog."""
    for name in NEW_RUNS:
        sentence = sentence.replace(f"{name} is", f"{RunConfig.model_fields[name].title} is", 1)
    return sentence
