"""The gallery of samples, used as a user would: number, seed, class, click, nearest image, saving."""

import shutil

import numpy as np
import pytest
from PySide6.QtCore import Qt

from engine.data import load_dataset
from engine.runs.trained import load_model
from engine.training.trainer import train
from engine.traversal import draw_samples
from gui.traversal import export
from gui.traversal.grid_card import SAMPLES
from gui.traversal.requests import SamplesWanted

WAIT = 60_000


@pytest.fixture(scope="module")
def conditional_run(tmp_path_factory, make_run):
    run = make_run(tmp_path_factory.mktemp("by-class"), name="by class", conditional=True, steps=10)
    list(train(run))
    return run


@pytest.fixture
def show(qtbot, window):
    """Open a copy of a run on the Traversal page, with its samples."""

    def copy(run):
        shutil.copytree(run.path, window.store.root / run.path.name)
        window.store.refresh()
        window.resize(1280, 800)
        window.run_list.select(window.store.root / run.path.name)
        window.header.tabs.button(1).click()
        window.traversal_page.card.views.button(SAMPLES).click()
        settled(qtbot, window.traversal_page)
        return window.traversal_page

    return copy


def settled(qtbot, page):
    qtbot.waitUntil(
        lambda: (
            page.request is not None and isinstance(page.request.wanted, SamplesWanted) and page.request == page._asked
        ),
        timeout=WAIT,
    )


def shown(page):
    """Return all images of the gallery, row by row."""
    return np.concatenate([row.images for row in page.card.samples.grid.rows])


def test_a_gallery_of_25_to_100_is_new_on_a_key_and_repeated_by_its_seed(qtbot, show, window, tiny_run, digits_folder):
    page = show(tiny_run)
    view = page.card.samples
    trained = load_model(tiny_run, load_dataset("mnist", digits_folder))
    first = shown(page)
    np.testing.assert_array_equal(first, draw_samples(trained, 25, 0).images)
    assert view.of.isHidden()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: view.seed.value() == 1)
    settled(qtbot, page)
    np.testing.assert_array_equal(shown(page), draw_samples(trained, 25, 1).images)
    view.seed.setValue(0)
    view.number.setCurrentIndex(2)
    settled(qtbot, page)
    assert [len(row.images) for row in view.grid.rows] == [10] * 10
    np.testing.assert_array_equal(shown(page)[:25], first)


def test_a_click_sets_the_sliders_and_finds_the_nearest_training_image(qtbot, show, tiny_run, digits_folder):
    page = show(tiny_run)
    view, data = page.card.samples, load_dataset("mnist", digits_folder)
    qtbot.mouseClick(view.grid, Qt.MouseButton.LeftButton, pos=view.grid._rect(2, 3).center())
    z = page.answer.result.z[13]
    np.testing.assert_allclose(page.sliders.z, z, atol=0.006)
    qtbot.waitUntil(lambda: page.samples.nearest is not None, timeout=WAIT)
    pixels = data.images(data.splits["train"]).astype(float) / 255
    distances = np.sqrt(((pixels - shown(page)[13] / 255) ** 2).sum(axis=(1, 2, 3)))
    index = int(data.splits["train"][distances.argmin()])
    words = view.words.text()
    assert f"Nearest of 1,500 training images: image {index:,}" in words
    assert f"L2 distance of {distances.min():.2f}" in words
    np.testing.assert_array_equal(view.pair.rows[0].images[1], data.images(np.array([index]))[0])
    qtbot.mouseClick(view.pair, Qt.MouseButton.LeftButton, pos=view.pair._rect(0, 1).center())
    qtbot.waitUntil(lambda: page.answer.index == index, timeout=WAIT)
    assert page.samples.nearest is not None  # the gallery is still the same


def test_a_conditional_model_draws_every_class_or_one(qtbot, show, conditional_run, tmp_path, monkeypatch):
    page = show(conditional_run)
    view = page.card.samples
    assert not view.of.isHidden()
    assert len(set(page.answer.result.labels.tolist())) > 5
    view.of.setCurrentIndex(view.of.findText("4"))
    settled(qtbot, page)
    assert set(page.answer.result.labels.tolist()) == {4}
    assert view.grid.rows[0].tips[0] == "Sample 1, class 4"
    qtbot.mouseClick(view.grid, Qt.MouseButton.LeftButton, pos=view.grid._rect(0, 0).center())
    assert page.source.label_box.currentText() == "4"
    settled(qtbot, page)

    path = tmp_path / "samples.npz"
    monkeypatch.setattr(export, "ask_file", lambda *a: path)
    page.exports.save_numbers()
    with np.load(path) as arrays:
        np.testing.assert_array_equal(arrays["latents"], page.answer.result.z)
        assert arrays["images"].shape == (5, 5, 28, 28, 1)
