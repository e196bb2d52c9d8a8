"""The queue in the window: runs train one after another, whatever the outcome of each."""

import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QMessageBox, QToolButton

from engine.runs.checkpoints import checkpoint_step
from engine.runs.queue import QueuedRun, RunQueue
from engine.runs.run import Run

WAIT = 60_000


@pytest.fixture
def small(make_run, tmp_path):
    """Settings of a run that trains in a second."""
    return make_run(tmp_path / "elsewhere", objective="vae", steps=20).config


@pytest.fixture
def long(small):
    """Settings of a run that does not end on its own."""
    return small.changed(steps=100_000)


def start(window, config):
    window.training_page.settings.show_config(config)
    window.training_page.settings.start_button.click()


def trains(window):
    return window.training.progress is not None and window.training.progress.done > 2


def states(window):
    window.store.refresh()
    return {item.run.config.seed: item.state.state for item in window.store.items}


def test_runs_train_one_after_another_and_a_failure_stops_nothing(qtbot, window, long, small, tmp_path, digits_folder):
    start(window, long)
    qtbot.waitUntil(lambda: trains(window), timeout=WAIT)
    gone = Path(shutil.copytree(digits_folder, tmp_path / "gone"))
    start(window, small.changed(seed=1, data_folder=gone))
    shutil.rmtree(gone)
    start(window, small.changed(seed=2))
    assert window.training_page.settings.start_button.text() == "Queue"
    assert len(window.training.queue) == 2
    assert window.queue_card.isVisible()
    window.training_page.settings.stop_button.click()
    qtbot.waitUntil(lambda: not window.training.active and not len(window.training.queue), timeout=WAIT)
    assert states(window) == {0: "stopped", 1: "failed", 2: "finished"}
    assert window.queue_card.isHidden()


def test_the_queue_is_reordered_and_shortened(qtbot, window, long):
    start(window, long)
    qtbot.waitUntil(lambda: trains(window), timeout=WAIT)
    for seed in (1, 2, 3):
        start(window, long.changed(seed=seed))
    card = window.queue_card
    qtbot.waitActive(window)
    card.list.setFocus()
    card.list.setCurrentRow(2)
    qtbot.keyClick(card.list, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert [entry.run[-1] for entry in window.training.queue.waiting] == ["1", "3", "2"]
    card.list.setCurrentRow(0)
    qtbot.keyClick(card.list, Qt.Key.Key_Delete)
    assert [entry.run[-1] for entry in RunQueue(window.store.root).waiting] == ["3", "2"]
    places = {item.run.config.seed: item.place for item in window.store.items}
    assert places == {0: None, 1: None, 2: 1, 3: 0}


def test_a_held_queue_waits_until_it_is_started(qtbot, window, long, small):
    start(window, long)
    qtbot.waitUntil(lambda: trains(window), timeout=WAIT)
    start(window, small.changed(seed=1))
    window.queue_card.hold.click()
    with qtbot.waitSignal(window.training.ended, timeout=WAIT):
        window.training_page.settings.stop_button.click()
    assert not window.training.active
    assert len(window.training.queue) == 1
    with qtbot.waitSignal(window.training.ended, timeout=WAIT):
        window.queue_card.hold.click()
    assert states(window)[1] == "finished"


def test_a_cancelled_run_is_in_the_trash_and_undo_restores_it(qtbot, window, long):
    start(window, long)
    qtbot.waitUntil(lambda: trains(window), timeout=WAIT)
    path = window.training.run.path
    with qtbot.waitSignal(window.training.cancelled, timeout=WAIT):
        window.training_page.settings.cancel_button.click()
    assert not path.exists()
    assert window.store.items == []
    assert "to the trash" in window.banner.text.text()
    window.banner.action.click()
    assert [item.path for item in window.store.items] == [path]
    assert checkpoint_step(path / "checkpoint") > 2
    assert Run.open(path).state().state == "stopped"


def test_the_next_session_offers_unfinished_runs_and_resumes_them(qtbot, window, settings, long, small, another_window):
    start(window, long)
    qtbot.waitUntil(lambda: trains(window), timeout=WAIT)
    start(window, small.changed(seed=1))
    window.training.close()
    qtbot.waitUntil(lambda: not window.training.active, timeout=WAIT)
    window.close()
    first = Run.open(window.training.run.path)
    step = checkpoint_step(first.checkpoint_folder)

    again = another_window(window.store.root)
    again.show()
    assert "2 runs were not finished: VAE · 0, VAE · 1" in again.banner.text.text()
    assert not again.training.active
    again.banner.action.click()
    qtbot.waitUntil(lambda: trains(again) and again.training.progress.done > step, timeout=WAIT)
    assert again.training.run.path == first.path
    again.training.stop()
    qtbot.waitUntil(lambda: not again.training.active and not len(again.training.queue), timeout=WAIT)
    assert states(again) == {0: "stopped", 1: "finished"}
    again.close()


def test_an_interrupted_run_is_offered_until_the_offer_is_dismissed(window, another_window, tiny_run):
    import shutil

    from engine.runs.run import RunState

    run = Run.open(shutil.copytree(tiny_run.path, window.store.root / "tiny"))
    run.write_state(RunState("running", 25, 60))  # as a killed process leaves it
    for offered in (True, False):
        again = another_window(window.store.root)
        assert ("tiny" in again.banner.text.text()) == offered
        again.banner.dismiss.click()
        again.close()


def test_a_finished_run_is_trained_longer(qtbot, window, small, monkeypatch):
    from gui.widgets.number_question import NumberQuestion

    start(window, small)
    qtbot.waitUntil(lambda: window.training.active, timeout=WAIT)
    qtbot.waitUntil(lambda: not window.training.active, timeout=WAIT)
    window.store.refresh()
    asked = []

    def answer(question):
        asked.append((question.findChild(QLabel).text(), question.number))
        question.box.setValue(47)
        return NumberQuestion.DialogCode.Accepted

    monkeypatch.setattr(NumberQuestion, "exec", answer)
    with qtbot.waitSignal(window.training.ended, timeout=WAIT):
        window.actions_of_runs.longer.trigger()
    [item] = window.store.items
    [(words, proposed)] = asked
    assert words.startswith(f"Steps to add to {item.name}. Its 20 steps took ")
    assert proposed == 20
    assert item.run.config.steps == 20 + 47
    assert (item.state.state, item.state.step) == ("finished", 67)


def test_the_same_settings_with_another_seed(qtbot, window, long):
    start(window, long)
    qtbot.waitUntil(lambda: trains(window), timeout=WAIT)
    window.actions_of_runs.again.trigger()
    window.actions_of_runs.again.trigger()
    seeds = sorted(item.run.config.seed for item in window.store.items)
    assert seeds == [0, 1, 2]
    assert len(window.training.queue) == 2


def waiting(window):
    return [entry.run[-1] for entry in RunQueue(window.store.root).waiting]


@pytest.fixture
def queued(qtbot, window, long):
    """The window, a run in training, and three queued runs."""
    start(window, long)
    qtbot.waitUntil(lambda: trains(window), timeout=WAIT)
    for seed in (1, 2, 3):
        start(window, long.changed(seed=seed))
    assert waiting(window) == ["1", "2", "3"]
    qtbot.waitActive(window)
    window.queue_card.list.setFocus()
    return window


def undo(window):
    window.actions_of_runs.undo_stack.undo()


def test_removing_a_run_from_the_queue_is_undone_and_redone(qtbot, queued):
    card = queued.queue_card
    card.list.setCurrentRow(1)
    qtbot.keyClick(card.list, Qt.Key.Key_Delete)
    assert waiting(queued) == ["1", "3"]
    qtbot.keyClick(queued, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert waiting(queued) == ["1", "2", "3"]
    queued.actions_of_runs.undo_stack.redo()
    assert waiting(queued) == ["1", "3"]


def test_removing_it_in_the_run_list_offers_undo(queued):
    queued.run_list.select(next(item.path for item in queued.store.items if item.run.config.seed == 2))
    queued.actions_of_runs.unqueue.trigger()
    assert waiting(queued) == ["1", "3"]
    assert "from the queue. Ctrl+Z undoes it." in queued.banner.text.text()
    queued.banner.action.click()
    assert waiting(queued) == ["1", "2", "3"]


def test_queueing_moving_and_holding_are_undone(qtbot, queued):
    card = queued.queue_card
    card.list.setCurrentRow(2)
    qtbot.keyClick(card.list, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert waiting(queued) == ["1", "3", "2"]
    card.hold.click()
    assert queued.training.held
    undo(queued)
    assert not queued.training.held
    undo(queued)
    assert waiting(queued) == ["1", "2", "3"]
    undo(queued)
    assert waiting(queued) == ["1", "2"]
    assert len(queued.store.items) == 4  # the run stays in the list


def test_undo_restores_a_trashed_run_to_the_queue_too(queued):
    item = next(item for item in queued.store.items if item.run.config.seed == 2)
    queued.actions_of_runs.trash_runs([item])
    assert waiting(queued) == ["1", "3"]
    undo(queued)
    assert item.path.is_dir()
    assert waiting(queued) == ["1", "2", "3"]


def test_undoing_a_change_keeps_later_changes(tmp_path):
    for name in "abcd":
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    queue = RunQueue(tmp_path)
    for name in "abc":
        queue.add(tmp_path / name)
    before = queue.waiting
    queue.remove(tmp_path / "b")
    after = queue.waiting
    assert queue.take() == QueuedRun("a")  # starts training
    queue.add(tmp_path / "d")
    queue.apply_change(after, before)
    assert [entry.run for entry in queue.waiting] == ["b", "c", "d"]


def test_undoing_a_removal_starts_no_training(qtbot, queued):
    queued.queue_card.list.setCurrentRow(0)
    for _ in range(3):
        queued.queue_card.list.setCurrentRow(0)
        queued.queue_card._remove()
    with qtbot.waitSignal(queued.training.ended, timeout=WAIT):
        queued.training_page.settings.stop_button.click()
    undo(queued)
    assert waiting(queued) == ["3"]
    assert not queued.training.active
    assert queued.queue_card.hold.text() == "Start"


def test_the_next_run_is_selected_only_while_its_predecessor_is_watched(window, make_run):
    first, second, third = (make_run(window.store.root, objective="vae", seed=seed).path for seed in range(3))
    window.store.refresh()

    def chosen_after(selected, begun, page):
        window.header.tabs.button(page).click()
        window.run_list.select(selected)
        window.training.began.emit(begun)
        [item] = window.run_list.items()
        return item.path

    chosen_after(first, first, 0)
    assert chosen_after(first, second, 0) == second
    assert chosen_after(first, third, 0) == first  # another run is looked at
    assert chosen_after(third, second, 1) == third  # its traversal is looked at


def test_clearing_the_queue_is_undone(qtbot, queued):
    [clear] = [b for b in queued.queue_card.findChildren(QToolButton) if b.text() == "Clear"]
    clear.click()
    assert waiting(queued) == []
    assert queued.queue_card.isHidden()
    undo(queued)
    assert waiting(queued) == ["1", "2", "3"]


@pytest.mark.parametrize("answer", [True, False])
def test_identical_settings_ask_before_they_train_again(qtbot, window, long, small, monkeypatch, answer):
    asked = []

    def press(box):
        asked.append(box.text())
        role = QMessageBox.ButtonRole.AcceptRole if answer else QMessageBox.ButtonRole.RejectRole
        next(b for b in box.buttons() if box.buttonRole(b) == role).click()
        return 0

    monkeypatch.setattr(QMessageBox, "exec", press)
    start(window, long)
    qtbot.waitUntil(lambda: trains(window), timeout=WAIT)
    [item] = window.store.items
    start(window, long.changed(seed=1))
    assert asked == []
    start(window, long)
    assert asked == [f"{item.name} already has these settings, including the seed."]
    assert len(window.training.queue) == (2 if answer else 1)
