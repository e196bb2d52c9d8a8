"""A data set's folder is chosen once and used everywhere; missing data are reported."""

import shutil

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog

from engine.data import ENTRIES
from engine.runs.run import list_runs
from engine.settings.folders import remember_data, remembered_data
from gui.window.header import TABS

WAIT = 60_000
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def no_downloads(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def choose_preset(window, title):
    card = window.training_page.settings
    card.presets.setCurrentIndex(next(n for n in range(card.presets.count()) if title in card.presets.itemText(n)))


def folder_in_form(window):
    return window.training_page.settings.form.config().data_folder


def choose_on_data_page(qtbot, window, folder, monkeypatch, name="mnist"):
    qtbot.mouseClick(window.header.tabs.button(TABS.index("Data")), LEFT)
    page = window.data_page
    page.show_entry(name)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *arguments: str(folder))
    qtbot.mouseClick(page.choose_button, LEFT)
    qtbot.waitUntil(lambda: not page.preparing, timeout=WAIT)
    return page


def test_a_folder_chosen_on_the_data_page_is_used_by_presets(qtbot, window, digits_folder, monkeypatch):
    page = choose_on_data_page(qtbot, window, digits_folder, monkeypatch)
    qtbot.mouseClick(page.use_button, LEFT)
    assert folder_in_form(window) == digits_folder
    choose_preset(window, "MNIST")
    assert folder_in_form(window) == digits_folder
    assert window.training_page.settings.form.differences == 0
    choose_preset(window, "dSprites")
    assert folder_in_form(window) is None


def test_it_is_remembered_in_the_next_session_and_in_a_study(qtbot, window, another_window, digits_folder, monkeypatch):
    choose_on_data_page(qtbot, window, digits_folder, monkeypatch)
    window.close()
    again = another_window(window.store.root)
    again.show()
    choose_preset(again, "MNIST")
    assert folder_in_form(again) == digits_folder
    assert again.data_page.path is None or again.data_page.entry.name == "mnist"
    again.data_page.show_entry("mnist")
    assert again.data_page.path == digits_folder
    again.metrics_page.study.choice.load()
    place = again.metrics_page.study.choice.studies.findData("table-1")
    again.metrics_page.study.choice.studies.setCurrentIndex(place)
    again.metrics_page.study.choice._picked()
    assert again.metrics_page.study.choice.study.cells[0].config.data_folder == digits_folder
    again.close()


def test_a_folder_without_the_data_is_not_remembered(qtbot, window, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    page = choose_on_data_page(qtbot, window, tmp_path / "empty", monkeypatch)
    assert remembered_data("mnist") is None
    assert "has no train-images-idx3-ubyte" in page.error.text()
    assert "has no train-images-idx3-ubyte" in window.banner.text.text()


def test_it_can_be_forgotten(qtbot, window, digits_folder, monkeypatch):
    page = choose_on_data_page(qtbot, window, digits_folder, monkeypatch)
    choose_preset(window, "MNIST")
    qtbot.mouseClick(page.forget_button, LEFT)
    assert page.path is None
    assert page.forget_button.isHidden()
    assert folder_in_form(window) is None


def test_choosing_another_data_set_in_the_form_shows_its_folder(window, digits_folder, tmp_path):
    remember_data("mnist", digits_folder)
    form = window.training_page.settings.form
    dataset = form._editors["dataset"]
    choose_preset(window, "dSprites")
    dataset.setCurrentIndex(dataset.findData("mnist"))
    assert folder_in_form(window) == digits_folder
    dataset.setCurrentIndex(dataset.findData("kmnist"))
    assert folder_in_form(window) is None
    form._editors["data_folder"].line.setText(str(tmp_path))
    dataset.setCurrentIndex(dataset.findData("fashion-mnist"))
    assert folder_in_form(window) == tmp_path  # typed by hand


def test_starting_a_run_remembers_its_folder(qtbot, window, make_run, tmp_path, digits_folder):
    config = make_run(tmp_path / "elsewhere", steps=5).config
    window.training_page.settings.show_config(config)
    with qtbot.waitSignal(window.training.ended, timeout=WAIT):
        window.training_page.settings.start_button.click()
    assert remembered_data("mnist") == digits_folder


@pytest.mark.usefixtures("no_downloads")
def test_a_run_whose_data_must_be_downloaded_is_not_queued_and_the_data_page_is_offered(window):
    choose_preset(window, "MNIST")
    window.training_page.settings.start_button.click()
    assert not window.training.active
    assert list_runs(window.store.root) == []
    assert "The run was not started. MNIST is not on this machine yet." in window.banner.text.text()
    assert window.banner.property("kind") == "error"
    window.banner.action.click()
    assert window.pages.currentWidget() is window.data_page
    assert window.data_page.entry.name == "mnist"


def test_a_run_whose_data_folder_is_missing_is_not_queued(window, tmp_path, digits_folder):
    gone = tmp_path / "gone"
    shutil.copytree(digits_folder, gone)
    remember_data("mnist", gone)
    choose_preset(window, "MNIST")
    shutil.rmtree(gone)
    window.training.start(window.training_page.settings.form.config())
    assert f"The data folder {gone} does not exist" in window.banner.text.text()
    assert list_runs(window.store.root) == []


def test_a_run_is_not_resumed_without_its_data_and_is_unchanged(window, make_run, tmp_path, digits_folder):
    gone = tmp_path / "gone"
    shutil.copytree(digits_folder, gone)
    run = make_run(window.store.root, data_folder=gone)
    shutil.rmtree(gone)
    window.training.train_or_queue(run.path)
    assert not window.training.active
    assert run.state().state == "new"
    assert str(gone) in window.banner.text.text()


@pytest.mark.usefixtures("no_downloads")
def test_a_study_without_its_data_is_not_started_and_the_data_page_is_offered(qtbot, window, study_file, tmp_path):
    path = study_file(tmp_path, ('dataset = "digits"', 'dataset = "mnist"'))
    qtbot.mouseClick(window.header.tabs.button(TABS.index("Metrics")), LEFT)
    window.metrics_page.options.segments.button(2).click()
    panel = window.metrics_page.study
    panel.choice.open_file(path)
    qtbot.waitUntil(lambda: panel.foot.start.isEnabled(), timeout=WAIT)
    panel.foot.start.click()
    assert not window.studies.active
    assert "MNIST is not on this machine yet" in window.banner.text.text()
    window.banner.action.click()
    assert window.data_page.entry.name == "mnist"


def test_a_failed_download_is_an_error_that_says_what_to_do(qtbot, window, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # No network in the test: the mirrors are addresses that refuse.
    import torchvision.datasets

    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    qtbot.mouseClick(window.header.tabs.button(TABS.index("Data")), LEFT)
    page = window.data_page
    page.show_entry("mnist")
    assert page.prepare_button.text() == "Download"
    qtbot.mouseClick(page.prepare_button, LEFT)
    assert "Press Download" not in page.nothing.text()
    qtbot.waitUntil(lambda: not page.preparing, timeout=WAIT)
    for words in (page.error.text(), window.banner.text.text()):
        assert "could not be downloaded" in words
        assert "Check the network, or put the four IDX files in a folder and choose that" in words
    assert page.error.objectName() == "error"
    assert page.error.isVisible()
    assert window.banner.property("kind") == "error"
    assert page.words.text() == ""
    assert "Press Download to try again." in page.nothing.text()
    assert ENTRIES["mnist"].state() != "ready"
