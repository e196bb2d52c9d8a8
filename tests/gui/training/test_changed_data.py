"""A run whose data have changed: the confirmation before resuming, and the messages on the pages."""

import shutil

import numpy as np
import pytest
from PySide6.QtWidgets import QMessageBox

from engine.evaluation.evaluate import evaluate
from engine.runs.run import Run
from engine.training.trainer import train
from gui.window.header import TABS

WAIT = 60_000
CHANGED = "the images and the labels"


def write(path, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 255, (600, 32, 32), dtype=np.uint8)
    np.savez(path, images=images, labels=rng.integers(0, 3, 600))


@pytest.fixture(scope="module")
def original(tmp_path_factory, make_run):
    """A run trained on data.npz, stopped and evaluated; and the file."""
    folder = tmp_path_factory.mktemp("original")
    write(folder / "data.npz", 0)
    run = make_run(folder, "on a file", dataset="arrays", data_folder=folder / "data.npz", steps=30, latents=4)
    for _ in train(run):
        pass
    for _ in evaluate(Run.open(run.path), ["kl"]):
        pass
    return run.path, folder / "data.npz"


@pytest.fixture
def changed(tmp_path, original, window):
    """That run in the window's runs folder, with its file replaced by another."""
    path, data = original
    write(data, 1)
    copy = shutil.copytree(path, tmp_path / "runs" / "on-a-file")
    yield Run.open(copy)
    write(data, 0)


def question(window):
    return next((box for box in window.findChildren(QMessageBox) if box.isVisible()), None)


def ask_for_more(qtbot, window, run):
    window.store.refresh()
    window.training.train_or_queue(run.path, more=5)
    qtbot.waitUntil(lambda: question(window) is not None, timeout=WAIT)
    return question(window)


def press(box, words):
    next(button for button in box.buttons() if button.text() == words).click()


def test_a_run_whose_data_changed_resumes_only_if_the_user_agrees(qtbot, window, changed):
    before = (changed.path / "config.json").read_bytes(), changed.state()
    box = ask_for_more(qtbot, window, changed)
    assert CHANGED in box.text()
    assert [button.text() for button in box.buttons()] == ["Resume anyway", "Cancel"]
    press(box, "Cancel")
    assert ((changed.path / "config.json").read_bytes(), changed.state()) == before
    assert not window.training.active

    press(ask_for_more(qtbot, window, changed), "Resume anyway")
    qtbot.waitUntil(lambda: changed.state().step == 35 and not window.training.active, timeout=WAIT)
    again = Run.open(changed.path)
    assert again.state().state == "finished"
    assert [entry.step for entry in again.former] == [30]


def test_escape_leaves_the_run_unchanged(qtbot, window, changed):
    box = ask_for_more(qtbot, window, changed)
    box.reject()
    assert not window.training.active
    assert changed.state().step == 30


def test_the_next_run_in_the_queue_does_not_wait_for_the_answer(qtbot, window, changed, make_run):
    other = make_run(window._runs, "other", steps=20)
    window.store.refresh()
    window.training.queue.add(other.path)
    box = ask_for_more(qtbot, window, changed)
    qtbot.waitUntil(lambda: other.state().state == "finished" and not window.training.active, timeout=WAIT)
    press(box, "Cancel")


def test_evaluating_again_says_that_the_data_changed_and_computes_again(qtbot, window, changed):
    window.store.refresh()
    window.run_list.select(changed.path)
    window._show_page(TABS.index("Metrics"))
    old = changed.evaluation()["metrics"]["kl"]["value"]
    with qtbot.waitSignal(window.evaluation.warned, timeout=WAIT) as said:
        window.evaluation.start([changed], ["kl"])
    assert f"of other data ({CHANGED})" in said.args[0]
    qtbot.waitUntil(lambda: not window.evaluation.active, timeout=WAIT)
    assert window.banner.text.text() == said.args[0]
    assert changed.evaluation()["metrics"]["kl"]["value"] != old
    window.store.refresh()
    page = window.metrics_page
    place = page.full.index("dataset")
    assert "other data" in page.full.lines[0].cells[place].text


def test_the_traversal_page_says_so_next_to_the_image(qtbot, window, changed):
    window.store.refresh()
    window.run_list.select(changed.path)
    window._show_page(TABS.index("Traversal"))
    words = window.traversal_page.source.data_words
    qtbot.waitUntil(words.isVisible, timeout=WAIT)
    assert CHANGED in words.text()


def test_the_traversal_page_notices_a_file_that_is_replaced_while_it_is_open(qtbot, window, changed, original):
    write(original[1], 0)
    window.store.refresh()
    window.run_list.select(changed.path)
    window._show_page(TABS.index("Traversal"))
    page = window.traversal_page
    qtbot.waitUntil(lambda: page.answer is not None, timeout=WAIT)
    assert not page.source.data_words.isVisible()
    write(original[1], 1)
    window._show_page(TABS.index("Training"))
    window._show_page(TABS.index("Traversal"))
    qtbot.waitUntil(page.source.data_words.isVisible, timeout=WAIT)
