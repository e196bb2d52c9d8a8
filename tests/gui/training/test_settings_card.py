"""The settings card: only it accesses its form; estimates, and the confirmation of long runs."""

import ast
from pathlib import Path

import pytest

import gui
from engine.training.pace import Pace
from gui.training.estimator import Estimator

CARD = Path("training/settings_card.py")


def test_no_other_module_reaches_into_the_form_of_the_card():
    root = Path(gui.__file__).parent
    users = {
        path.relative_to(root)
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "form"
    }
    assert users == {CARD}


def test_using_a_data_set_keeps_the_other_settings(window, tmp_path):
    card = window.training_page.settings
    card.form.set_values(seed=41, latents=7)
    before = card.form.config()
    card.use_data("mnist", tmp_path)
    assert card.form.config() == before.changed(dataset="mnist", data_folder=tmp_path)


@pytest.fixture
def timed(monkeypatch):
    """Steps that take as many seconds as `timed["seconds"]` says, without taking them."""
    pace = {"seconds": 0.01}
    monkeypatch.setattr(Estimator, "_measured", {})
    monkeypatch.setattr(Estimator, "_beside", {})
    monkeypatch.setattr(
        "gui.training.estimator.measure_pace_apart", lambda config, abandoned: Pace(pace["seconds"], 1000, 1797)
    )
    return pace


def test_a_run_is_estimated_while_another_one_trains_and_again_afterwards(qtbot, window, timed):
    """100 steps of 20 ms are 2 s, but beside a run that is an upper bound; measured alone, 10 ms are 1 s."""
    card, session = window.training_page.settings, window.training
    session.block(True)
    timed["seconds"] = 0.02
    card.form.set_values(dataset="digits", steps=100)
    qtbot.waitUntil(lambda: "at most 2 s" in card.notes.text(), timeout=5000)
    assert "while another run was training" in card.notes.toolTip()
    session.block(False)
    timed["seconds"] = 0.01
    card.form.set_values(seed=7)
    qtbot.waitUntil(lambda: "about 1 s" in card.notes.text(), timeout=5000)


@pytest.mark.parametrize("answer", [True, False])
def test_a_run_of_more_than_a_day_needs_a_confirmation(qtbot, window, timed, monkeypatch, answer):
    """Steps of 10 s: 8,640 are a day, and 9,000 more than a day."""
    card, asked = window.training_page.settings, []
    monkeypatch.setattr("gui.training.settings_card.may", lambda *words: asked.append(words[3]) or answer)
    started = []
    card.start.disconnect()
    card.start.connect(started.append)
    timed["seconds"] = 10
    for steps, more in ((8640, 0), (9000, 1)):
        card.form.set_values(dataset="digits", steps=steps)
        qtbot.waitUntil(lambda steps=steps: f"{steps:,} steps · about" in card.notes.text(), timeout=5000)
        card.start_button.click()
        assert len(asked) == more
    assert len(started) == (2 if answer else 1)
    assert asked[0] == "Train for about 25.0 h?"
