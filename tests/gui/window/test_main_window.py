"""The window, used as a user would: start, watch, stop, traverse, evaluate, close, reopen."""

import errno
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QShortcut
from PySide6.QtWidgets import QAbstractButton, QMessageBox, QPushButton

from engine.runs.checkpoints import checkpoint_step
from engine.runs.run import Run, list_runs
from engine.settings.run_config import RunConfig
from engine.training import trainer as training
from gui.runs.store import state_text
from gui.widgets.splitter import Splitter

WAIT = 60_000
PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def small(digits_folder):
    """Settings of a run that trains in seconds."""
    return RunConfig(
        dataset="mnist",
        data_folder=digits_folder,
        objective="annealed-relu",
        capacity_epochs=0.5,
        network="burgess",
        steps=40,
        batch_size=32,
        log_steps=5,
        checkpoint_steps=20,
        preview_steps=10,
    )


def press(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def train(qtbot, window, config):
    """Fill the form, press Start, wait for the end."""
    window.training_page.settings.show_config(config)
    with qtbot.waitSignal(window.training.ended, timeout=WAIT):
        press(qtbot, window.training_page.settings.start_button)
    window.store.refresh()


def test_a_run_is_started_watched_traversed_and_evaluated(qtbot, window, small):
    train(qtbot, window, small)
    assert window.banner.isHidden()
    [item] = window.store.items
    assert item.state.state == "finished"
    assert window.run_list.items() == [item]

    curves = window.training_page.curves
    qtbot.waitUntil(lambda: len(curves.kl.drawn[f"raw kl {item.path}"].getData()[0]) == 8)
    x, y = curves.kl.drawn[f"raw kl {item.path}"].getData()
    assert list(x) == list(range(5, 41, 5))
    assert list(y) == list(item.metrics.column("kl"))
    assert window.training_page.pictures.step.text() == "step 40 · C 20.0"
    assert len(window.training_page.pictures.traversal.rows) == small.latents

    press(qtbot, window.header.tabs.button(1))
    page = window.traversal_page
    qtbot.waitUntil(lambda: page.answer is not None, timeout=WAIT)
    traversal, grid = page.answer.result.traversal, page.card.latents.grid
    assert [row.title for row in grid.rows] == [f"z{i}" for i in traversal.latents]
    assert list(traversal.kl) == sorted(traversal.kl, reverse=True)
    assert len(grid.rows[0].images) == 1 + page.card.steps.value()

    press(qtbot, window.header.tabs.button(2))
    with qtbot.waitSignal(window.evaluation.ended, timeout=WAIT):
        press(qtbot, window.metrics_page.evaluate_button)
    model = window.metrics_page.model
    qtbot.waitUntil(lambda: model.rowCount() == 1, timeout=WAIT)
    kept = Run.open(item.path).evaluation()["metrics"]["reconstruction"]["value"]
    assert model.index(0, 4).data() == f"{kept:.2f}"


def test_stopping_keeps_the_run_and_the_window_can_resume_it(qtbot, window, small):
    window.training_page.settings.show_config(small.changed(steps=100_000))
    press(qtbot, window.training_page.settings.start_button)
    qtbot.waitUntil(lambda: window.training.progress is not None and window.training.progress.done > 3, timeout=WAIT)
    with qtbot.waitSignal(window.training.ended, timeout=WAIT):
        press(qtbot, window.training_page.settings.stop_button)
    [item] = window.store.items
    stopped = checkpoint_step(item.run.checkpoint_folder)
    assert item.state.state == "stopped"
    assert stopped == item.state.step > 3

    window.actions_of_runs.resume.trigger()
    qtbot.waitUntil(
        lambda: window.training.progress is not None and window.training.progress.done > stopped, timeout=WAIT
    )
    with qtbot.waitSignal(window.training.ended, timeout=WAIT):
        press(qtbot, window.training_page.settings.stop_button)
    assert checkpoint_step(item.run.checkpoint_folder) > stopped


def test_pause_and_resume(qtbot, window, small):
    card = window.training_page.settings
    card.show_config(small.changed(steps=100_000))
    press(qtbot, card.start_button)
    qtbot.waitUntil(lambda: window.training.progress is not None and window.training.progress.done > 1, timeout=WAIT)
    press(qtbot, card.pause_button)
    qtbot.waitUntil(lambda: window.training.paused, timeout=WAIT)
    step = checkpoint_step(window.training.run.checkpoint_folder)
    assert card.pause_button.text() == "Resume"
    assert window.status.task.text() == "Paused"
    press(qtbot, card.pause_button)
    qtbot.waitUntil(lambda: window.training.progress.done > step, timeout=WAIT)


def test_a_pause_for_a_full_disk_is_shown_until_the_run_resumes(qtbot, window, small, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    card = window.training_page.settings
    card.show_config(small.changed(steps=100_000))
    press(qtbot, card.start_button)
    qtbot.waitUntil(lambda: window.training.progress is not None and window.training.progress.done > 1, timeout=WAIT)
    monkeypatch.setattr(training, "save_checkpoint", full)
    monkeypatch.setattr(Run, "write_state", full)
    qtbot.waitUntil(lambda: window.training.paused, timeout=WAIT)
    run = window.training.run
    assert run.state().state == "running"  # the content of the full disk
    window.store.refresh()
    assert state_text(window.store.find(run.path)) == "paused"
    said = f"The disk is full: {run.path} cannot be written. "
    assert window.banner.text.text().startswith(said)
    window.banner.say_also("Something else.")

    monkeypatch.undo()
    press(qtbot, card.pause_button)
    assert window.banner.text.text() == "Something else."
    assert state_text(window.store.find(run.path)) == "training"
    done = window.training.progress.done
    qtbot.waitUntil(lambda: window.training.progress.done > done, timeout=WAIT)


@pytest.mark.parametrize("answer", [True, False])
def test_closing_while_a_run_is_training_asks_first(qtbot, window, small, monkeypatch, answer):
    window.training_page.settings.show_config(small.changed(steps=100_000))
    press(qtbot, window.training_page.settings.start_button)
    qtbot.waitUntil(lambda: window.training.progress is not None and window.training.progress.done > 3, timeout=WAIT)
    asked = []

    def choose(box):
        asked.append(box.text())
        role = QMessageBox.ButtonRole.AcceptRole if answer else QMessageBox.ButtonRole.RejectRole
        next(b for b in box.buttons() if box.buttonRole(b) == role).click()
        return 0

    monkeypatch.setattr(QMessageBox, "exec", choose)
    window.close()
    assert asked == ["A run is training."]
    if answer:
        assert not window.isVisible()
        qtbot.waitUntil(lambda: not window.training.active, timeout=WAIT)
        [path] = list_runs(window.store.root)
        assert Run.open(path).state().state == "stopped"
        assert checkpoint_step(path / "checkpoint") > 3
    else:
        assert window.isVisible()
        assert window.training.active


def test_a_reopened_window_restores_runs_and_geometry(qtbot, window, another_window, small):
    train(qtbot, window, small)
    window.resize(1600, 900)
    splitter = window.findChild(Splitter)
    splitter.moveSplitter(333, 1)
    place = splitter.sizes()
    assert place[0] == 333
    window.close()
    again = another_window(window.store.root)
    again.resize(1600, 900)  # the screen of these tests is narrower
    again.show()
    assert [item.name for item in again.store.items] == ["annealed ReLU · 0"]
    assert again.findChild(Splitter).sizes() == place
    assert len(again.run_list.items()) == 1


def test_a_run_started_elsewhere_appears_and_its_curves_move(qtbot, window, small):
    from engine.jobs.events import StepMetrics
    from engine.training.trainer import train as job_of

    job = job_of(Run.create(window.store.root, small))
    rows = 0
    for event in job:
        rows += isinstance(event, StepMetrics)
        if rows == 2:
            break
    qtbot.waitUntil(lambda: bool(window.store.items) and len(window.store.items[0].metrics) == 2)
    assert window.store.items[0].state.state == "running"
    list(job)
    qtbot.waitUntil(lambda: len(window.store.items[0].metrics) == 8 and window.store.items[0].state.state == "finished")
    drawn = window.training_page.curves.kl.drawn[f"kl {window.store.items[0].path}"]
    qtbot.waitUntil(lambda: len(drawn.getData()[0]) == 8)


def test_renaming_a_run_in_the_list_is_kept_with_the_run(qtbot, window, small):
    run = Run.create(window.store.root, small)
    window.store.refresh()
    model = window.run_list.view.model()
    model.setData(model.index(0, 0), "thick digits")
    assert Run.open(run.path).name == "thick digits"
    assert model.index(0, 0).data() == "thick digits"
    window.actions_of_runs.undo_stack.undo()
    assert Run.open(run.path).name == model.index(0, 0).data() == "annealed ReLU · 0"


def test_the_settings_of_a_run_can_be_used_again(qtbot, window, small):
    Run.create(window.store.root, small.changed(seed=41))
    window.store.refresh()
    window.actions_of_runs.use.trigger()
    assert window.training_page.settings.form.config().seed == 41


def test_bad_data_is_explained_in_the_banner(qtbot, window, small, tmp_path, digits_folder):
    folder = tmp_path / "digits"
    folder.mkdir()
    for file in digits_folder.iterdir():
        content = file.read_bytes()
        (folder / file.name).write_bytes(content[: len(content) // 2] if "t10k-images" in file.name else content)
    train(qtbot, window, small.changed(data_folder=folder))
    assert "truncated" in window.banner.text.text()
    assert "Traceback" not in window.banner.text.text()
    assert window.banner.isVisible()
    assert window.store.items == []  # nothing was trained, so no empty run is left


def test_a_folder_that_cannot_be_written_is_explained(qtbot, window, small, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    window.training.root = blocked
    window.training_page.settings.show_config(small)
    press(qtbot, window.training_page.settings.start_button)
    assert "cannot be saved" in window.banner.text.text()
    assert not window.training.active


def test_damaged_weights_are_explained_on_the_traversal_page_and_in_the_metrics(qtbot, window, small):
    train(qtbot, window, small)
    weights = window.store.items[0].path / "checkpoint" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    window.store.refresh()
    press(qtbot, window.header.tabs.button(1))
    qtbot.waitUntil(lambda: "damaged" in window.traversal_page.card.message.text(), timeout=WAIT)
    press(qtbot, window.header.tabs.button(2))
    with qtbot.waitSignal(window.evaluation.ended, timeout=WAIT):
        press(qtbot, window.metrics_page.evaluate_button)
    assert "damaged" in window.metrics_page.words.text()


def test_a_run_with_damaged_settings_is_not_listed_but_reported(window, small):
    run = Run.create(window.store.root, small)
    (run.path / "config.json").write_text('{"schema": 1, "latents": -3}')
    window.store.refresh()
    assert window.store.items == []
    assert "latents is -3; it must be a whole number from 1 to 256." in window.banner.text.text()


def test_invalid_settings_cannot_be_started(window):
    card = window.training_page.settings
    card.form.findChild(object, "field-batch_size").setText("0")
    assert not card.start_button.isEnabled()
    assert "Batch is '0'; it must be a whole number from 2 to 8,192 images." in card.errors.text()


def test_a_ramp_that_does_not_end_in_time_is_reported(window):
    card = window.training_page.settings
    card.show_config(RunConfig(steps=1000))
    # 1,000 steps of 64 images are 1000 / 11,520 epochs; C rises by 1 nat an epoch: 0.0868.
    assert "C will reach only 0.0868 on its way from 0 to 20 nats" in card.warnings.text()


def test_the_keyboard_reaches_every_page(qtbot, window):
    qtbot.waitActive(window)
    for number in (2, 3, 1):
        qtbot.keyClick(window, getattr(Qt.Key, f"Key_{number}"), Qt.KeyboardModifier.ControlModifier)
        assert window.pages.currentIndex() == number - 1


def test_shortcuts_in_tooltips_work_whatever_the_buttons_text(qtbot, window, small):
    """Setting a Qt button's text clears its shortcut; pages change texts as runs are selected and trained."""

    def wrong():
        known = {shortcut.key().toString() for shortcut in window.findChildren(QShortcut)}
        known |= {
            thing.shortcut().toString() for kind in (QAction, QAbstractButton) for thing in window.findChildren(kind)
        }
        named = (
            re.search(r"\(((?:Ctrl|Alt|Shift)\+\S+|F\d+)\)$", b.toolTip()) for b in window.findChildren(QPushButton)
        )
        return {match.group(1) for match in named if match} - known

    assert wrong() == set()
    start = window.training_page.settings.start_button
    window.training_page.settings.show_config(small.changed(steps=100_000))
    press(qtbot, start)
    qtbot.waitUntil(lambda: window.training.progress is not None, timeout=WAIT)
    for page in (1, 2, 3, 0):
        press(qtbot, window.header.tabs.button(page))
        assert wrong() == set()
    assert start.text() == "Queue"


def test_clicking_a_tile_reports_its_position(qtbot, window, tiny_run):
    from engine.runs.previews import list_previews, load_preview
    from gui.widgets.image_grid import ImageGrid, Row

    preview = load_preview(list_previews(tiny_run.previews_folder)[-1])
    grid = ImageGrid()
    qtbot.addWidget(grid)
    grid.resize(400, 200)
    grid.show_rows([Row(preview.originals), Row(preview.reconstructions)])
    step = grid.cell() + 4
    with qtbot.waitSignal(grid.clicked) as clicked:
        qtbot.mouseClick(grid, Qt.MouseButton.LeftButton, pos=QPoint(2 * step + 5, step + 5))
    assert clicked.args == [1, 2]


def test_at_1280_pixels_the_run_list_has_its_usual_width(qtbot, window):
    """The page that needs most space has not been shown yet, so its parts do not have their final sizes."""
    window.resize(1280, 800)
    qtbot.waitUntil(lambda: window.findChild(Splitter).sizes()[0] == 248)


def test_the_window_opens_without_loading_torch(tmp_path):
    """It takes seconds, more than all else; an import of the package of traversals once loaded it."""
    code = (
        "import sys; from pathlib import Path; from PySide6.QtCore import QSettings; from gui.app import make_app\n"
        "from gui.window.main_window import MainWindow\n"
        f"app = make_app(); window = MainWindow(Path({str(tmp_path)!r}), QSettings()); window.show()\n"
        "app.processEvents()\n"
        "print([m for m in ('torch', 'cv2', 'sklearn', 'matplotlib') if m in sys.modules], flush=True)\n"
        "import os; os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
