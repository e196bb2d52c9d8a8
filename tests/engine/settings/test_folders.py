"""The folder of each data set is remembered in one file, used by default, and checked before work begins."""

import json

import pytest

from engine.data import check_data, prepare
from engine.errors import DataError
from engine.runs.run import list_runs
from engine.settings.folders import (
    Folders,
    choose_folders,
    chosen_folders,
    remember_data,
    remembered_data,
    with_remembered_data,
)
from engine.settings.presets import load_preset, save_preset
from engine.settings.run_config import RunConfig
from engine.studies import cell_states, check_cells, load_study, run_study
from engine.system.paths import folders_file


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    """A separate configuration folder, so that presets saved here do not affect other tests."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_each_data_set_has_a_folder_of_its_own_beside_the_other_choices(tmp_path):
    choose_folders(Folders(runs=tmp_path / "runs"))
    remember_data("mnist", tmp_path / "digits")
    remember_data("kmnist", tmp_path / "kana")
    assert (remembered_data("mnist"), remembered_data("kmnist")) == (tmp_path / "digits", tmp_path / "kana")
    remember_data("mnist", None)
    assert remembered_data("mnist") is None
    choose_folders(Folders(data_cache=tmp_path / "cache"))
    assert remembered_data("kmnist") == tmp_path / "kana"
    assert chosen_folders() == Folders(data_cache=tmp_path / "cache")


@pytest.mark.parametrize(
    "kept", ["[]", '{"data": 3}', '{"data": {"mnist": 3}}', '{"data": {"mnist": "here"}}', "nonsense"]
)
def test_a_damaged_choice_counts_as_none_and_can_be_replaced(tmp_path, kept):
    folders_file().parent.mkdir(parents=True, exist_ok=True)
    folders_file().write_text(kept)
    assert remembered_data("mnist") is None
    remember_data("mnist", tmp_path)
    assert json.loads(folders_file().read_text())["data"] == {"mnist": str(tmp_path)}


def test_settings_without_a_folder_get_the_remembered_one_and_others_keep_theirs(tmp_path):
    remember_data("mnist", tmp_path / "digits")
    assert with_remembered_data(RunConfig(dataset="mnist")).data_folder == tmp_path / "digits"
    assert with_remembered_data(RunConfig(dataset="kmnist")).data_folder is None
    named = RunConfig(dataset="mnist", data_folder=tmp_path / "other")
    assert with_remembered_data(named) == named


def test_a_saved_preset_follows_the_remembered_folder(tmp_path):
    remember_data("mnist", tmp_path / "digits")
    saved = save_preset("Mine", "Mine.", RunConfig(dataset="mnist", data_folder=tmp_path / "digits"))
    assert saved.config.data_folder is None
    other = save_preset("Mine", "Mine.", RunConfig(dataset="mnist", data_folder=tmp_path / "other"))
    again = load_preset(folders_file().parent / "presets" / f"{other.name}.toml")
    assert again.config.data_folder == tmp_path / "other"


def test_a_study_uses_the_remembered_folder_unless_it_names_another(study_file, tmp_path, digits_folder):
    path = study_file(tmp_path, ('dataset = "digits"', 'dataset = "mnist"'))
    remember_data("mnist", digits_folder)
    assert {cell.config.data_folder for cell in load_study(path).cells} == {digits_folder}
    loaded = load_study(path, data_folder=tmp_path)
    assert {cell.config.data_folder for cell in loaded.cells} == {tmp_path}


def test_a_data_set_is_checked_without_reading_it(tmp_path, digits_folder, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    check_data("mnist", digits_folder)
    check_data("dsprites")  # drawn here
    check_data("digits", tmp_path / "no matter")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.npz").write_text("no archive")
    for name, path, words in (
        ("mnist", None, "MNIST is not on this machine yet. Download it on the Data page"),
        ("mnist", tmp_path / "nowhere", "does not exist"),
        ("mnist", tmp_path / "empty", "has no train-images-idx3-ubyte"),
        ("dsprites", tmp_path / "empty", "does not exist"),
        ("images", None, "no folder is chosen"),
        ("images", tmp_path / "empty", "hold no pictures"),
        ("arrays", tmp_path / "text.npz", "not an .npz file"),
    ):
        with pytest.raises(DataError, match=words):
            check_data(name, path)


def test_preparing_a_folder_that_does_not_hold_the_data_set_fails(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        list(prepare("mnist", tmp_path / "nope"))


def test_a_study_without_its_data_creates_no_run(study_file, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = study_file(tmp_path, ('dataset = "digits"', 'dataset = "mnist"'))
    with pytest.raises(DataError, match="MNIST is not on this machine yet"):
        check_cells(cell_states(load_study(path), tmp_path / "runs"))
    remember_data("mnist", tmp_path / "nope")
    study = load_study(path)
    with pytest.raises(DataError, match="does not exist"):
        check_cells(cell_states(study, tmp_path / "runs"))
    with pytest.raises(DataError, match="does not exist"):
        list(run_study(study, tmp_path / "runs", workers=1, threads=1))
    assert list_runs(tmp_path / "runs") == []
