"""The Data page, used as a user would: view, prepare, drop, delete, train."""

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QSlider
from sklearn.datasets import load_digits

from engine.data import ENTRIES
from engine.errors import DataError
from engine.settings.folders import remember_data

WAIT = 60_000


@pytest.fixture
def page(qtbot, window):
    qtbot.mouseClick(window.header.tabs.button(3), Qt.MouseButton.LeftButton)
    return window.data_page


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "flowers"
    rng = np.random.default_rng(0)
    for name in ("lily", "rose"):
        (folder / name).mkdir(parents=True)
        for i in range(6):
            Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(folder / name / f"{i}.png")
    (folder / "rose" / "broken.png").write_bytes(b"")
    return folder


def choose(page, name):
    page.show_entry(name)


def drop(window, path):
    """Drop a file or folder on the window, as a file manager does."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    event = QDropEvent(
        QPointF(QPoint(300, 300)),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    window.dropEvent(event)


def wait_for_details(qtbot, page, name):
    qtbot.waitUntil(lambda: page._details is not None and page._details.dataset.name == name, timeout=WAIT)


def test_the_digits_are_ready_and_shown_with_their_facts(qtbot, page):
    choose(page, "digits")
    wait_for_details(qtbot, page, "digits")
    assert page.state.text() == "ready"
    assert "<b>1,797</b> images, 32 × 32" in page.facts.text()
    assert "train: 1,618, test: 179" in page.facts.text()
    assert "CC BY 4.0" in page.facts.text()
    assert sum(len(row.images) for row in page.images.samples.rows) == 48
    classes = load_digits().target
    for row in page.images.samples.rows:
        numbers, shown = zip(
            *(tip.removeprefix("image ").replace(",", "").split(": ") for tip in row.tips), strict=True
        )
        where = np.array(numbers, int)
        np.testing.assert_array_equal(row.images, page._details.dataset.images(where))
        assert list(shown) == [str(label) for label in classes[where]]


def test_dsprites_is_prepared_and_its_factors_move_the_image(qtbot, drawn_dsprites, page):
    choose(page, "dsprites")
    if page.prepare_button.isVisible():
        qtbot.mouseClick(page.prepare_button, Qt.MouseButton.LeftButton)
    wait_for_details(qtbot, page, "dsprites")
    assert "drawn on this machine" in page.facts.text()
    for slider, value in zip(page.images.sliders.findChildren(QSlider), (2, 5, 10, 31, 0), strict=True):
        slider.setValue(value)
    # The official order: shape, scale, orientation, x, y; the last changes fastest.
    index = (((2 * 6 + 5) * 40 + 10) * 32 + 31) * 32 + 0
    dataset = page._details.dataset
    assert (page.images.picture.rows[0].images == dataset.images(np.array([index]))).all()
    assert "heart" in page.images.sliders._words[0].text()


def test_a_dropped_folder_is_prepared_shown_and_trained_on(qtbot, window, pictures):
    drop(window, pictures)
    page = window.data_page
    assert window.pages.currentWidget() is page
    wait_for_details(qtbot, page, "images")
    assert "Classes: lily, rose" in page.facts.text()
    assert "1 of 13 pictures could not be read and are left out: rose/broken.png." in page.facts.text()
    qtbot.mouseClick(page.use_button, Qt.MouseButton.LeftButton)
    form = window.training_page.settings.form
    assert (form.config().dataset, form.config().data_folder) == ("images", pictures)
    form.set_values(steps=3, batch_size=4, objective="vae", conditional=True)
    with qtbot.waitSignal(window.training.ended, timeout=WAIT):
        qtbot.mouseClick(window.training_page.settings.start_button, Qt.MouseButton.LeftButton)
    [item] = window.store.items
    assert item.state.state == "finished"
    assert "could not be read" in window.banner.text.text()
    with qtbot.waitSignal(window.evaluation.ended, timeout=WAIT):
        window.metrics_page.evaluate_button.click()
    protocol = item.run.evaluation()["metrics"]["reconstruction"]["protocol"]
    assert protocol.pop("versions")
    assert protocol.pop("data") == item.run.trained_on.values()
    assert protocol == {
        "name": "binary cross-entropy summed over pixels, mean over images", "split": "test", "n": 1, "of": 1,
        "seed": 0, "z": "sampled",
    }  # fmt: skip


def test_left_out_files_and_classes_in_natural_order_are_shown(qtbot, window, tmp_path):
    for name in ("10", "9", ".ipynb_checkpoints"):
        (tmp_path / "messy" / name).mkdir(parents=True)
        for i in range(4):
            Image.new("L", (40, 40), 50).save(tmp_path / "messy" / name / f"{i}.png")
    Image.new("L", (40, 40), 50).save(tmp_path / "messy" / "stray.png")
    (tmp_path / "messy" / "a.heic").touch()
    drop(window, tmp_path / "messy")
    page = window.data_page
    wait_for_details(qtbot, page, "images")
    facts = page.facts.text()
    assert "<b>8</b> images" in facts
    assert "Classes: 9, 10" in facts
    assert "hidden or the system's own: .ipynb_checkpoints." in facts
    assert "not readable pictures: 1 .heic." in facts
    assert "beside the folders of the classes: stray.png." in facts


def test_torchvisions_folder_dropped_is_recognised(qtbot, window, digits_folder, tmp_path):
    import shutil

    shutil.copytree(digits_folder, tmp_path / "data" / "FashionMNIST" / "raw")
    drop(window, tmp_path / "data")
    wait_for_details(qtbot, window.data_page, "fashion-mnist")
    assert "T-shirt" in window.data_page.facts.text()


def test_a_dropped_file_that_is_not_a_data_set_is_explained(qtbot, window, tmp_path):
    path = tmp_path / "broken.npz"
    path.write_bytes(b"PK nonsense")
    drop(window, path)
    qtbot.waitUntil(lambda: "not an .npz file" in window.data_page.error.text(), timeout=WAIT)
    assert window.data_page._details is None


def test_images_arriving_after_another_data_set_was_chosen_are_dropped(qtbot, page):
    choose(page, "digits")
    wait_for_details(qtbot, page, "digits")
    asked, details = page._asked, page._details
    choose(page, "kmnist")
    page._answered(asked, details)
    assert page._details is None
    assert page.images.isHidden()


def test_preparing_can_be_cancelled(qtbot, page, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    choose(page, "digits")
    choose(page, "dsprites")
    assert page.state.text().startswith("needs preparing")
    page._prepare()
    page.progressed.connect(page.cancel)
    qtbot.waitUntil(lambda: not page.preparing, timeout=WAIT)
    assert page.words.text() == "Cancelled."
    assert [file for file in (tmp_path / "empty").rglob("*") if file.is_file()] == []


def test_a_data_set_in_preparation_is_not_read_or_deleted(qtbot, page, pictures, monkeypatch):
    asked = []
    monkeypatch.setattr(page.worker, "ask", lambda key, work: asked.append(page.preparing))
    page.open_path(pictures)
    assert page.preparing
    assert not page.delete_button.isVisible()
    page.refresh()
    assert not page.delete_button.isVisible()
    assert asked == []
    qtbot.waitUntil(lambda: not page.preparing, timeout=WAIT)
    assert asked == [False]
    assert page.delete_button.isVisible()


def test_a_drop_during_preparation_is_refused_with_a_message(qtbot, window, page, pictures, tmp_path):
    page.open_path(pictures)
    other = tmp_path / "other"
    other.mkdir()
    page.open_path(other)
    assert "Drop other again when it is done" in window.banner.text.text()
    assert page.path == pictures
    qtbot.waitUntil(lambda: not page.preparing, timeout=WAIT)
    wait_for_details(qtbot, page, "images")
    assert page.path == pictures


def test_a_prepared_copy_can_be_deleted_and_the_users_files_stay(qtbot, window, pictures, agree):
    drop(window, pictures)
    page = window.data_page
    wait_for_details(qtbot, page, "images")
    assert not page.preparing
    assert page.delete_button.isVisible()
    remember_data("images", None)
    qtbot.mouseClick(page.delete_button, Qt.MouseButton.LeftButton)
    assert not ENTRIES["images"].cached()
    assert len(list(pictures.rglob("*.png"))) == 13


def test_a_folder_of_idx_files_dropped_is_recognised(qtbot, window, digits_folder):
    drop(window, digits_folder)
    page = window.data_page
    assert page.entry.name == "mnist"
    assert page.nothing.isVisible()
    wait_for_details(qtbot, page, "mnist")
    assert not page.nothing.isVisible()
    assert page.images.samples.isVisible()
    assert not page.images.sliders.isVisible()  # it has no factors
    assert "<b>1,797</b> images, 28 × 28" in page.facts.text()
    qtbot.mouseClick(page.use_button, Qt.MouseButton.LeftButton)
    config = window.training_page.settings.form.config()
    assert (config.dataset, config.data_folder) == ("mnist", digits_folder)


def test_if_nothing_is_ready_the_page_says_what_to_do(page):
    choose(page, "kmnist")
    assert page.nothing.isVisible()
    assert page.nothing.text().startswith("Press Download.")
    choose(page, "arrays")
    assert page.nothing.text().startswith("Choose an .npz file")


def test_a_failed_download_is_shown_until_the_images_are_there(qtbot, window, digits_folder, monkeypatch):
    def refuse(*_):
        raise DataError("The network is down.")
        yield

    page = window.data_page
    choose(page, "mnist")
    monkeypatch.setattr("gui.data.page.prepare", refuse)
    with qtbot.waitSignal(page.ended, timeout=WAIT):
        page._prepare()
    assert window.banner.text.text() == "MNIST: The network is down."
    monkeypatch.undo()
    page.open_path(digits_folder)
    qtbot.waitUntil(window.banner.isHidden, timeout=WAIT)
    assert page.error.text() == ""
