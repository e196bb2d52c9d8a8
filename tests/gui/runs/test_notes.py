"""Notes, cost and colours of runs in the list, used as a user would."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextDocument

from engine.runs.archive import read_archive, write_archive
from engine.runs.colours import FURTHER, PALETTE, distinct
from engine.runs.run import Run
from engine.runs.study_of import study_of
from engine.settings.run_config import RunConfig
from gui.runs.model import cost_text
from gui.runs.notes_box import MAX_CHARACTERS
from gui.widgets.theme import DARK, LIGHT, tokens


@pytest.fixture
def run(window, make_run):
    made = make_run(window.store.root, seed=3)
    window.store.refresh()
    window.run_list.select(made.path)
    return made


def notes_of(run):
    return Run.open(run.path).marks().get("notes")


def test_notes_are_edited_in_place_saved_and_undone(qtbot, window, run):
    box = window.run_list.notes
    assert box.isHidden()
    window.actions_of_runs.notes.trigger()
    assert box.editor.isVisible()
    qtbot.keyClicks(box.editor, "**Good**: z3 is size")
    qtbot.keyClick(box.editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert notes_of(run) == "**Good**: z3 is size"
    assert box.rendered.toPlainText() == "Good: z3 is size"
    qtbot.mouseClick(box.rendered.viewport(), Qt.MouseButton.LeftButton)
    qtbot.keyClicks(box.editor, "nothing of this")
    qtbot.keyClick(box.editor, Qt.Key.Key_Escape)
    assert notes_of(run) == "**Good**: z3 is size"
    window.actions_of_runs.undo_stack.undo()
    assert notes_of(run) is None
    assert box.isHidden()


def test_notes_are_saved_when_another_run_is_selected_and_not_lost_while_runs_change(qtbot, window, run, make_run):
    other = make_run(window.store.root, seed=4)
    window.store.refresh()
    window.run_list.select(run.path)
    window.actions_of_runs.notes.trigger()
    editor = window.run_list.notes.editor
    editor.setPlainText("begun")
    run.write_marks(run.marks() | {"tags": ["new"]})
    window.store.refresh()
    assert editor.toPlainText() == "begun"
    window.run_list.select(other.path)
    assert notes_of(run) == "begun"
    assert notes_of(other) is None
    assert Run.open(run.path).marks()["tags"] == ["new"]


def test_notes_of_an_archive_are_shown_without_html_and_pictures(window, run, tmp_path):
    text = 'A <img src="file:///etc/passwd"> <b>word</b> ![p](file:///etc/passwd)'
    run.write_marks(run.marks() | {"notes": text})
    list(write_archive([run], tmp_path / "a.zip"))
    list(read_archive(tmp_path / "a.zip", tmp_path / "other"))
    [back] = (tmp_path / "other").iterdir()
    assert Run.open(back).marks()["notes"] == text
    window.store.refresh()
    shown = window.run_list.notes.rendered
    assert "<b>word</b>" in shown.toPlainText()
    picture = QTextDocument.ResourceType.ImageResource.value
    assert shown.loadResource(picture, "file:///etc/passwd") is None


def test_notes_are_cut_before_they_would_make_the_marks_unreadable(window, run):
    window.actions_of_runs.notes.trigger()
    window.run_list.notes.editor.setPlainText("ü" * (MAX_CHARACTERS + 10))
    window.run_list.notes.editor.done.emit(True)
    assert len(notes_of(run)) == MAX_CHARACTERS


def test_the_cost_is_time_speed_and_machine(window, run):
    assert window.run_list.cost.isHidden()
    run.metrics_file.write_text("step,epoch,seconds,loss,reconstruction,kl,capacity,kl_0\n600,9,120,5,4,1,,1\n")
    run.resolve("cpu", 2)
    window.store.refresh()
    item = window.store.find(run.path)
    # 600 steps of 32 images in two minutes
    assert item.run.config.batch_size == 32
    assert cost_text(item) == "2 min · 160 images/s · CPU, 2 threads"
    assert window.run_list.cost.text() == cost_text(item)


def test_of_selected_runs_none_have_the_same_colour(window, make_run):
    runs = [make_run(window.store.root, seed=seed) for seed in range(12)]
    for run in runs:
        run.write_marks({"colour": 2})
    window.store.refresh()
    window.run_list.view.selectAll()
    numbers = {item.path: item.colour for item in window.run_list.items()}
    assert len(set(numbers.values())) == 12
    assert numbers[runs[0].path] == 2  # the one started first keeps its own
    window.run_list.select(runs[5].path)
    assert window.store.find(runs[5].path).colour == 2
    assert window.store.find(runs[6].path).colour == 2


def test_colours_are_distinct_while_there_are_any():
    assert distinct([3, 3, 1, 3, 8]) == [3, 8, 1, 9, 10]
    for theme in (LIGHT, DARK):
        assert len(set(theme.all_runs)) == len(PALETTE + FURTHER) == 16
    assert len(set(distinct([0] * 16))) == 16
    assert len(tokens().all_runs) == 16


def test_the_study_of_a_run_is_marked_or_told_by_its_folder(tmp_path):
    config = RunConfig(objective="beta-vae", seed=2)
    for folder, study in (
        ("table-2-beta-vae-seed-2", "table-2"),
        ("table-2-beta-vae-seed-2-3", "table-2"),
        ("beta-vae-dsprites-2", ""),
        ("table-2-beta-vae-seed-1", ""),
    ):
        assert study_of(Run(tmp_path / folder, config, {}), {}) == study
    assert study_of(Run(tmp_path / "any", config, {}), {"study": "My\nstudy"}) == "My study"
    assert study_of(Run(tmp_path / "any", config, {}), {"study": 4}) == ""
