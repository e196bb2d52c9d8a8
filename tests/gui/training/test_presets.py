"""The user's presets, and restoring the form."""

import json
import re

import pytest
from PySide6.QtWidgets import QInputDialog

from engine.settings.presets import own_presets, presets_folder
from engine.system.schedule import Schedule
from gui.training.settings_card import FROM_RUN


@pytest.fixture(autouse=True)
def no_presets():
    yield
    for file in presets_folder().glob("*"):
        file.unlink()


def save(window, monkeypatch, title):
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, text: (title, True))
    window.training_page.settings._save_preset.trigger()


def field(window, name):
    return window.training_page.settings.form.findChild(object, f"field-{name}")


def test_settings_are_saved_as_a_preset_and_chosen_again(window, monkeypatch):
    card = window.training_page.settings
    field(window, "gamma").setText("321")
    field(window, "keep_steps").setText("2000, 1000")
    save(window, monkeypatch, "Mine / γ")
    assert card.presets.currentText() == "Mine / γ"
    assert card.form.differences == 0
    [kept] = own_presets()
    assert (kept.config.value("gamma"), kept.config.keep_steps) == (321, (1000, 2000))
    card.presets.setCurrentIndex(1)
    assert field(window, "gamma").text() != "321"
    card.presets.setCurrentIndex(card.presets.findText("Mine / γ"))
    assert field(window, "gamma").text() == "321"


def test_the_same_title_replaces_and_another_does_not(window, monkeypatch):
    for title, gamma in (("a b", "1"), ("a-b", "2"), ("a b", "3")):
        field(window, "gamma").setText(gamma)
        save(window, monkeypatch, title)
    assert {preset.title: preset.config.value("gamma") for preset in own_presets()} == {"a b": 3, "a-b": 2}


def test_a_preset_is_deleted(window, monkeypatch, agree):
    save(window, monkeypatch, "Mine")
    window.training_page.settings._delete_preset.trigger()
    assert own_presets() == []
    assert window.training_page.settings.presets.findText("Mine") == -1


def test_the_form_is_restored(qtbot, window, settings, another_window):
    card = window.training_page.settings
    card.presets.setCurrentIndex(2)
    field(window, "seed").setText("77")
    before = card.form.config()
    window.close()
    again = another_window(window.store.root)
    restored = again.training_page.settings
    assert restored.form.config() == before
    assert restored.form.differences == 1
    assert restored.presets.currentIndex() == 2
    restored.presets.setCurrentIndex(0)
    restored.form.set_values(gamma="0 to 50 over 60 % cosine")
    again.close()
    third = another_window(window.store.root)
    kept = third.training_page.settings.form
    assert kept.config().value("gamma") == Schedule(0, 50, 60, "%", "cosine")
    assert kept.differences == 1
    third.close()


def test_a_form_whose_preset_no_longer_exists_shows_no_other_preset(qtbot, window, settings, another_window):
    card = window.training_page.settings
    card.presets.setCurrentIndex(2)
    before = card.form.config()
    window.close()
    settings.setValue("form", json.dumps(json.loads(settings.value("form")) | {"preset": "Paper: VAE, MNIST"}))
    again = another_window(window.store.root)
    restored = again.training_page.settings
    assert restored.form.config() == before
    assert restored.presets.currentText() == FROM_RUN
    again.close()


def test_a_damaged_settings_file_is_survived(qtbot, window, settings, another_window):
    window.close()
    for damage in ("", "{", "7", '{"basis": {}, "config": {"latents": -1}}'):
        settings.setValue("form", damage)
        again = another_window(window.store.root)
        assert again.training_page.settings.form.errors == []
        again.close()


def test_the_estimate_is_shown(qtbot, window):
    notes = window.training_page.settings.notes
    qtbot.waitUntil(lambda: "on this machine" in notes.toolTip(), timeout=60_000)
    assert re.fullmatch(r"4,400 steps · about .+ · .+ MB", notes.text())
    assert "0.0955 epochs" in notes.toolTip()  # of 16 images x 4,400 / 737,280
