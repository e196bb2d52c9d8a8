"""A lengthened run equals one that was as long from the start."""

import pytest
import torch

from engine.data import load_dataset
from engine.errors import ConfigError
from engine.runs.checkpoints import checkpoint_step, load_weights
from engine.runs.metrics_file import MetricsReader
from engine.runs.run import Run
from engine.system.schedule import Schedule
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


@pytest.mark.parametrize("length", [{"steps": 20}, {"steps": None, "epochs": 1}])
def test_a_schedule_in_per_cent_of_the_run_stays_as_it_was_trained_and_says_so(tmp_path, make_small_run, length):
    """Independent check: the closed form, and the run that has this schedule in steps, never stopped.

    Once β fell from 4 to 2 where the run was lengthened, and nothing in config.json told that from a longer run.
    """
    settings = {"objective": "beta-vae", "log_steps": 1} | length
    grown = make_small_run(tmp_path, "grown", beta="0 to 4 over 50 %", **settings)
    list(train(grown))
    total = grown.state().total
    lengthen_by(grown, grown.config.steps or 1)
    list(train(grown))
    again = Run.open(grown.path)
    assert again.config.value("beta") == Schedule(0, 4, total / 2, "steps")
    reader = MetricsReader(again.metrics_file)
    reader.refresh()
    expected = [min(1, step / (total / 2)) * 4 for step in range(1, 2 * total + 1)]
    assert reader.column("beta").tolist() == pytest.approx(expected)
    twice = {name: value and 2 * value for name, value in length.items()}
    whole = make_small_run(tmp_path, "whole", **settings | {"beta": again.config.value("beta")} | twice)
    list(train(whole))
    wanted, found = (load_weights(run.checkpoint_folder).tensors for run in (whole, grown))
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)


def test_before_training_a_longer_run_has_a_longer_schedule(tmp_path, make_small_run):
    run = make_small_run(tmp_path, objective="beta-vae", beta="0 to 4 over 50 %", steps=20)
    lengthen(run, None, 40)
    assert run.config.value("beta") == Schedule(0, 4, 50, "%")


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
