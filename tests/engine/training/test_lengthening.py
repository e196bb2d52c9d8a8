"""A lengthened run equals one that was as long from the start."""

import pytest
import torch

from engine.data import load_dataset
from engine.errors import ConfigError
from engine.runs.checkpoints import checkpoint_step, load_weights
from engine.runs.run import Run
from engine.training import lengthening
from engine.training.lengthening import lengthen, lengthen_by
from engine.training.trainer import train

PER_EPOCH = 47  # 373 images in batches of 8: 46 whole ones and one of 5


def test_a_run_whose_length_is_in_steps_is_lengthened_by_steps(tmp_path, make_small_run):
    run = make_small_run(tmp_path, steps=60)
    list(train(run))
    lengthen_by(run, 7)
    assert run.config.steps == 67
    assert Run.open(run.path).config.steps == 60  # until training begins
    list(train(run))
    again = Run.open(run.path)
    assert again.config.steps == 67
    assert (again.state().state, again.state().total) == ("finished", 67)


def test_a_run_lengthened_in_epochs_equals_one_as_long_from_the_start(tmp_path, make_small_run):
    """Independent check: the same settings, never stopped."""
    whole = make_small_run(tmp_path, "whole", steps=None, epochs=2)
    list(train(whole))
    grown = make_small_run(tmp_path, "grown", steps=None, epochs=1)
    list(train(grown))
    lengthen_by(grown, 1)
    list(train(grown))
    assert checkpoint_step(grown.checkpoint_folder) == 2 * PER_EPOCH
    expected, found = (load_weights(run.checkpoint_folder).tensors for run in (whole, grown))
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_run_cannot_become_shorter_than_its_current_step(tmp_path, make_small_run):
    run = make_small_run(tmp_path, steps=60)
    list(train(run))
    with pytest.raises(ConfigError, match="already at step 60; a total of 50 steps would be shorter"):
        lengthen(run, None, 50)
    assert Run.open(run.path).config.steps == 60


@pytest.fixture
def loaded(monkeypatch):
    """The data sets that lengthening loads."""
    found = []

    def counting(*data):
        found.append(data)
        return load_dataset(*data)

    monkeypatch.setattr(lengthening, "load_dataset", counting)
    return found


def test_images_are_counted_without_reading_them_if_possible(tmp_path, make_small_run, loaded):
    in_steps = make_small_run(tmp_path, "in steps", steps=10)
    in_epochs = make_small_run(tmp_path, "in epochs", steps=None, epochs=2)
    digits = make_small_run(tmp_path, "digits", dataset="digits", data_folder=None, batch_size=32, steps=None, epochs=1)
    for run in (in_steps, in_epochs, digits):
        list(train(run))
    lengthen_by(in_steps, 1)
    with pytest.raises(ConfigError, match=f"already at step 94; a total of {PER_EPOCH} steps would be shorter"):
        lengthen(in_epochs, 1, None)
    lengthen_by(in_epochs, 1)
    (digits.path / "state.json").unlink()
    lengthen_by(digits, 1)
    assert loaded == []
    lengthen(in_steps, 1, None)  # the number of steps per epoch is not known yet
    assert loaded == [in_steps.data]


def test_accepted_changed_data_are_counted_again(tmp_path, make_small_run, loaded):
    run = make_small_run(tmp_path, steps=None, epochs=1)
    list(train(run))
    lengthen_by(run, 1, accept_changes=True)
    assert loaded == [run.data]


@pytest.mark.parametrize(("dataset", "images"), [("digits", 1_617), ("mnist", 60_000), ("dsprites", 737_280)])
def test_the_steps_of_an_epoch_of_a_known_data_set_agree_with_training(
    tmp_path, make_small_run, dataset, images, loaded
):
    run = make_small_run(tmp_path, dataset=dataset, data_folder=None, batch_size=32, steps=None, epochs=1)
    assert lengthening._steps_per_epoch(run, changed=False) == -(-images // 32)
    assert loaded == []
