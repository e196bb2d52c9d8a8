"""Directions, used as a user would: add, slide, name, reset, remove; kept for the data set."""

import shutil

import numpy as np
import pytest
from PySide6.QtCore import Qt

from engine.data import load_dataset
from engine.runs.run import Run
from engine.runs.trained import load_model
from engine.settings.run_config import RunConfig
from engine.training.trainer import train
from engine.traversal import decode, encode
from gui.traversal.directions_panel import Direction
from gui.traversal.track import TICKS

WAIT = 60_000


@pytest.fixture
def show(qtbot, window):
    """Show copies of runs on the Traversal page: `show(name)` after `show.add(run, name)`."""

    def copy(run, name):
        shutil.copytree(run.path, window.store.root / name)
        window.store.refresh()
        return select(name)

    def select(name):
        window.run_list.select(window.store.root / name)
        window.header.tabs.button(1).click()
        page = window.traversal_page
        qtbot.waitUntil(
            lambda: page.answer is not None and page.request == page._asked and page.item.path.name == name,
            timeout=WAIT,
        )
        return page

    copy.select = select
    return copy


def add(qtbot, page, start, end):
    """Add a direction between two classes by the form."""
    sliders, panel = page.sliders, page.sliders.directions
    sliders.add_direction.click()
    assert panel.asking.isVisible()
    for box, name in ((panel.start, start), (panel.end, end)):
        box.setCurrentIndex(box.findText(name))
    panel.add_button.click()
    row = panel.rows[-1]
    qtbot.waitUntil(row.track.isEnabled, timeout=WAIT)
    return row


def test_a_direction_is_added_to_the_code_and_reset(qtbot, show, tiny_run, digits_folder):
    page = show(tiny_run, "tiny")
    row = add(qtbot, page, "3", "8")
    assert row.name.placeholderText() == "class 3 → 8"
    assert page.sliders.directions.asking.isHidden()
    trained = load_model(tiny_run, load_dataset("mnist", digits_folder))
    images = trained.dataset.splits["test"]
    means, labels = encode(trained, trained.dataset.images(images)).mean, trained.dataset.labels[images]
    difference = means[labels == 8].mean(axis=0) - means[labels == 3].mean(axis=0)

    row.track.setValue(round(1.5 * TICKS))
    assert row.value.value() == 1.5
    own = page.sliders.z
    np.testing.assert_allclose(page.sliders.code, own + 1.5 * difference, atol=1e-4)
    wanted = decode(trained, page.sliders.code[None])[0]
    qtbot.waitUntil(lambda: np.array_equal(page.source.pictures.rows[0].images[-1], wanted), timeout=WAIT)

    qtbot.mouseDClick(row.track, Qt.MouseButton.LeftButton)
    np.testing.assert_array_equal(page.sliders.code, own)
    row.value.setValue(-1)
    page.sliders.reset_button.click()
    assert row.value.value() == 0
    row.value.setValue(-1)
    page.source.choose_image(5)
    qtbot.waitUntil(lambda: page.answer.index == 5, timeout=WAIT)
    assert row.value.value() == 0


def test_directions_are_named_kept_for_the_data_set_and_removed(qtbot, show, tiny_run):
    page = show(tiny_run, "one")
    panel = page.sliders.directions
    row = add(qtbot, page, "1", "7")
    row.name.setFocus()
    qtbot.keyClicks(row.name, " with a bar ")
    qtbot.keyClick(row.name, Qt.Key.Key_Return)
    add(qtbot, page, "0", "6")
    page = show(tiny_run, "two")  # another run on the same data
    assert panel.directions == [Direction("class", "1", "7", "with a bar"), Direction("class", "0", "6")]
    qtbot.waitUntil(lambda: all(row.track.isEnabled() for row in panel.rows), timeout=WAIT)
    panel.rows[0].value.setValue(1)
    before = page.sliders.code
    panel.rows[0].remove.click()
    assert not np.array_equal(page.sliders.code, before)
    show.select("one")
    assert panel.directions == [Direction("class", "0", "6")]


def test_the_same_group_twice_cannot_be_added(qtbot, show, tiny_run):
    page = show(tiny_run, "tiny")
    panel = page.sliders.directions
    page.sliders.add_direction.click()
    panel.end.setCurrentIndex(panel.start.currentIndex())
    assert not panel.add_button.isEnabled()
    panel.cancel.click()
    assert panel.isHidden()


def test_a_direction_leaves_a_category_as_it_is(qtbot, show, tmp_path_factory, narrow):
    settings = {"objective": "info-gan", "dataset": "digits", "batch_size": 64, "steps": 2, "threads": 1}
    run = Run.create(tmp_path_factory.mktemp("gan"), RunConfig.parse(settings), "gan")
    list(train(run))
    page = show(run, "gan")
    row = add(qtbot, page, "2", "5")
    row.value.setValue(2)
    moved = page.sliders.code - page.sliders.z
    assert moved[0] == 0
    assert (moved[1:] != 0).all()


def test_damaged_settings_are_ignored(qtbot, show, settings, tiny_run):
    page = show(tiny_run, "tiny")
    key = page.directions._key(page.answer.loaded)
    for kept in ("no JSON", '{"a": 1}', '[["class", "1"], 3, ["class", "1", "7", "good"]]'):
        settings.setValue(key, kept)
        found = page.directions._kept()
    assert found == [Direction("class", "1", "7", "good")]
