"""Longer runs: what is added, and that the result is the run that was as long from the beginning."""

import pytest
import torch

from engine.errors import ConfigError
from engine.runs.checkpoints import checkpoint_step, load_weights
from engine.runs.run import Run
from engine.training.lengthening import lengthen, lengthen_by
from engine.training.trainer import train

PER_EPOCH = 47  # 1,500 images in batches of 32: 46 whole ones and one of 28


def test_a_run_whose_length_is_in_steps_is_made_longer_by_steps(tmp_path, make_run):
    run = make_run(tmp_path, steps=60)
    list(train(run))
    lengthen_by(run, 7)
    assert run.config.steps == 67
    assert Run.open(run.path).config.steps == 60  # until training begins
    list(train(run))
    again = Run.open(run.path)
    assert again.config.steps == 67
    assert (again.state().state, again.state().total) == ("finished", 67)


def test_epochs_added_give_the_run_that_was_as_long_from_the_beginning(tmp_path, make_run):
    """Independent check: the same settings, never stopped."""
    whole = make_run(tmp_path, "whole", steps=None, epochs=2)
    list(train(whole))
    grown = make_run(tmp_path, "grown", steps=None, epochs=1)
    list(train(grown))
    lengthen_by(grown, 1)
    list(train(grown))
    assert checkpoint_step(grown.checkpoint_folder) == 2 * PER_EPOCH
    expected, found = (load_weights(run.checkpoint_folder).tensors for run in (whole, grown))
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_run_cannot_become_shorter_than_it_is(tmp_path, make_run):
    run = make_run(tmp_path, steps=60)
    list(train(run))
    with pytest.raises(ConfigError, match="at step 60 already; a total of 50 steps would be shorter"):
        lengthen(run, None, 50)
    assert Run.open(run.path).config.steps == 60
