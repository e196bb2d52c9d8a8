"""The settings dialog: every change takes effect, and Cancel leaves everything unchanged."""

from types import SimpleNamespace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QDialog, QMessageBox

from engine.cli.main import parse
from engine.settings.folders import Folders, choose_folders, chosen_folders, data_cache
from engine.system.paths import folders_file
from gui.settings.asking import may
from gui.settings.dialog import SettingsDialog
from gui.settings.preferences import KEYS, Preferences, read_preferences, write_preferences
from gui.widgets import theme
from gui.widgets.theme import DARK, LIGHT


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch, qapp):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield
    if theme.is_dark():
        theme.choose_scheme(qapp, "light")


def open_dialog(qtbot, window):
    """Open the dialog from the menu, as a user would."""
    next(a for a in window.actions() if a.text() == "Settings…").trigger()
    made = window.findChild(SettingsDialog)
    qtbot.waitUntil(made.isVisible)
    return made


@pytest.fixture
def dialog(qtbot, window):
    return open_dialog(qtbot, window)


def press(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def choose(combo, value):
    combo.setCurrentIndex(combo.findData(value))


def kept(settings):
    return {key: settings.value(key) for key in KEYS.values()}


def test_the_theme_is_applied_at_once_and_saved_with_ok(qtbot, window, dialog, settings):
    choose(dialog.theme, "dark")
    assert theme.tokens() is DARK
    assert settings.value("theme") is None
    press(qtbot, dialog.ok)
    assert theme.tokens() is DARK
    assert read_preferences(settings).theme == "dark"
    assert window.header._theme.text() == "Theme: dark"


def test_cancel_leaves_everything_unchanged(qtbot, window, settings, tmp_path):
    settings.setValue("theme", "light")
    dialog = open_dialog(qtbot, window)
    before = kept(settings)
    choose(dialog.theme, "dark")
    choose(dialog.redraw, "5.0")
    dialog.runs.setText(str(tmp_path / "elsewhere"))
    dialog.preview_steps.setText("7")
    dialog.boxes["ask_close"].click()
    press(qtbot, dialog.cancel)
    assert kept(settings) == before
    assert theme.tokens() is LIGHT
    assert chosen_folders() == Folders()
    assert window.training_page.curves.redraw_ms == 1000
    assert not (tmp_path / "elsewhere").exists()


def test_new_runs_use_preferences_that_the_preset_does_not_set(qtbot, window, dialog):
    card = window.training_page.settings
    report = next(n for n in range(card.presets.count()) if card.presets.itemText(n).startswith("Report"))
    card.presets.setCurrentIndex(report)
    card.form.set_values(seed=77)
    dialog.threads.setText("3")
    dialog.preview_steps.setText("123")
    choose(dialog.device, "cpu")
    press(qtbot, dialog.ok)
    config = card.form.config()
    assert (config.device, config.threads, config.preview_steps, config.seed) == ("cpu", 3, 123, 77)
    assert card.form.differences == 1  # the seed alone
    card.presets.setCurrentIndex(0)
    config = card.form.config()
    assert (config.device, config.threads) == ("cpu", 3)
    assert config.preview_steps == 100  # as the quick preset says


def test_curves_are_redrawn_as_often_as_chosen(qtbot, window, dialog):
    choose(dialog.redraw, "5.0")
    press(qtbot, dialog.ok)
    curves = window.training_page.curves
    curves._draw()
    curves._draw_later()
    left = curves._turn.interval()
    curves.close_timer()
    assert 4000 < left <= 5000


def test_folders_are_used_by_the_next_start_the_terminal_and_the_data(qtbot, window, dialog, tmp_path):
    runs, cache = tmp_path / "my runs", tmp_path / "ünsere daten"
    dialog.runs.setText(str(runs))
    dialog.cache.setText(str(cache))
    press(qtbot, dialog.ok)
    assert parse([]).runs == runs
    assert parse(["train", "--runs", str(tmp_path)]).runs == tmp_path
    assert data_cache() == cache
    assert str(runs) in window.banner.text.text()
    window.banner.close_timer()
    from engine.data.cache import prepared_folder

    assert prepared_folder() == cache / "prepared"


def test_a_folder_that_cannot_be_used_is_refused_and_nothing_is_kept(qtbot, dialog, settings, tmp_path):
    (tmp_path / "file").write_text("")
    choose(dialog.redraw, "2.0")
    dialog.runs.setText(str(tmp_path / "file"))
    press(qtbot, dialog.ok)
    assert dialog.isVisible()
    assert dialog.error.text().endswith("Choose another folder.")
    assert str(tmp_path / "file") in dialog.error.text()
    assert read_preferences(settings).redraw_seconds == 1
    assert chosen_folders() == Folders()
    dialog.reject()


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [("threads", "many", "Threads is 'many'"), ("preview_steps", "0", "from 1 to"), ("preview_steps", "", "Pictures")],
)
def test_a_number_out_of_range_is_reported_with_its_range(qtbot, dialog, settings, field, typed, said):
    before = kept(settings)
    getattr(dialog, field).setText(typed)
    press(qtbot, dialog.ok)
    assert said in dialog.error.text()
    assert kept(settings) == before
    dialog.reject()


def test_restore_defaults_fills_in_a_new_installation(qtbot, window, settings, tmp_path):
    write_preferences(settings, Preferences("dark", 5.0, "cpu", 2, 50, False, False, False, False))
    choose_folders(Folders(tmp_path / "a", tmp_path / "b"))
    dialog = SettingsDialog(window, settings, window.plugins)
    qtbot.addWidget(dialog)
    assert dialog.preferences() == read_preferences(settings)
    assert dialog.folders() == Folders(tmp_path / "a", tmp_path / "b")
    press(qtbot, dialog.defaults)
    assert read_preferences(settings).threads == 2
    dialog.accept()
    assert read_preferences(settings) == Preferences()
    assert chosen_folders() == Folders()


# Questions


def answer(monkeypatch, *, yes, never):
    asked = []

    def press_one(box):
        asked.append(box.text())
        box.checkBox().setChecked(never)
        role = QMessageBox.ButtonRole.AcceptRole if yes else QMessageBox.ButtonRole.RejectRole
        next(b for b in box.buttons() if box.buttonRole(b) == role).click()
        return 0

    monkeypatch.setattr(QMessageBox, "exec", press_one)
    return asked


QUESTION = ("Delete it?", "It is gone then.", "Delete", "Keep")


@pytest.mark.parametrize(("yes", "never", "times"), [(True, True, 1), (True, False, 2), (False, True, 2)])
def test_a_confirmation_is_turned_off_only_together_with_yes(qtbot, window, settings, monkeypatch, yes, never, times):
    asked = answer(monkeypatch, yes=yes, never=never)
    assert may(window, settings, "ask_data", *QUESTION) is yes
    assert may(window, settings, "ask_data", *QUESTION) is yes
    assert asked == ["Delete it?"] * times
    assert read_preferences(settings).ask_data is (times == 2)
    assert read_preferences(settings).ask_close


def test_the_window_closes_without_asking_if_so_configured(qtbot, window, dialog, settings, monkeypatch):
    asked = answer(monkeypatch, yes=False, never=False)
    dialog.boxes["ask_close"].click()
    press(qtbot, dialog.ok)
    monkeypatch.setattr(window.closing, "_training", SimpleNamespace(active=True))
    assert window.closing.may_begin()
    assert asked == []
    settings.setValue(KEYS["ask_close"], True)
    assert not window.closing.may_begin()
    assert asked == ["A run is training."]
    monkeypatch.setattr(window.closing, "_training", window.training)  # so that the window can close now


# What is kept


@pytest.mark.parametrize("kept_value", ["", "x", "-1", "1e99", "[]", "@Invalid()"])
def test_damaged_settings_get_their_defaults(settings, kept_value):
    for key in KEYS.values():
        settings.setValue(key, kept_value)
    assert read_preferences(settings) == Preferences()


def test_preferences_come_back_from_the_file(settings, tmp_path):
    from PySide6.QtCore import QSettings

    wanted = Preferences("dark", 0.5, "cpu", 4, 250, False, True, False, False)
    write_preferences(settings, wanted)
    settings.sync()
    again = QSettings(settings.fileName(), QSettings.Format.IniFormat)
    assert read_preferences(again) == wanted


@pytest.mark.parametrize("content", ["", "[]", "{", '{"runs": 3}', '{"runs": "not absolute"}', "[" * 100_000])
def test_a_damaged_choice_of_folders_is_ignored(content):
    folders_file().parent.mkdir(parents=True)
    folders_file().write_text(content)
    assert chosen_folders() == Folders()


def test_f1_in_the_dialog_opens_its_part_of_the_help(qtbot, window, dialog):
    assert isinstance(dialog, QDialog)
    dialog.runs.setFocus()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is dialog.runs)
    qtbot.keyClick(dialog.runs, Qt.Key.Key_F1)
    assert window.help.shown.where == "preferences#folders"
    dialog.reject()
