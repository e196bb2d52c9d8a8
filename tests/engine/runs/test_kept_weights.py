"""Weights kept at chosen steps equal those of a run that ended there, and keeping them leaves the run unchanged."""

import pytest
import torch

from engine.errors import CheckpointError, ConfigError
from engine.runs.checkpoints import load_weights
from engine.runs.kept_weights import keep_checkpoint, kept_file, kept_steps
from engine.settings.run_config import RunConfig
from engine.training.trainer import train


def tensors(run, step=None):
    return load_weights(run.checkpoint_folder, step).tensors


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_the_kept_weights_are_those_of_a_run_that_ended_there(tmp_path, make_small_run):
    """Independent check: runs of 7, 20 and 30 steps with the same seed; 7 is within a row of the curves."""
    run = make_small_run(tmp_path, "kept", steps=30, keep_steps="20, 7,30")
    list(train(run))
    assert kept_steps(run.checkpoint_folder) == [7, 20, 30]
    for step in (7, 20, 30):
        ended = make_small_run(tmp_path, f"ended-{step}", steps=step)
        list(train(ended))
        assert load_weights(run.checkpoint_folder, step).step == step
        assert same(tensors(run, step), tensors(ended))


def test_keeping_weights_changes_nothing_else(tmp_path, make_small_run):
    plain, keeping = (
        make_small_run(tmp_path, "plain", steps=30),
        make_small_run(tmp_path, "keeping", steps=30, keep_steps=(7, 13)),
    )
    for run in (plain, keeping):
        list(train(run))
    assert same(tensors(plain), tensors(keeping))
    rows = [[line.split(",") for line in run.metrics_file.read_text().splitlines()] for run in (plain, keeping)]
    assert [row[:2] + row[3:] for row in rows[0]] == [row[:2] + row[3:] for row in rows[1]]  # but for the seconds


def test_the_current_weights_are_kept_unchanged(tiny_copy):
    assert keep_checkpoint(tiny_copy.checkpoint_folder) == 60
    file = kept_file(tiny_copy.checkpoint_folder, 60)
    assert file.read_bytes() == (tiny_copy.checkpoint_folder / "model.safetensors").read_bytes()


def test_a_run_without_weights_has_nothing_to_keep(tmp_path, make_small_run):
    with pytest.raises(CheckpointError, match="no weights yet"):
        keep_checkpoint(make_small_run(tmp_path).checkpoint_folder)


@pytest.mark.parametrize("size", [0, 7, 200, -1])
def test_damaged_weights_are_not_kept(tiny_copy, size):
    weights = tiny_copy.checkpoint_folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(CheckpointError, match="is damaged"):
        keep_checkpoint(tiny_copy.checkpoint_folder)
    assert kept_steps(tiny_copy.checkpoint_folder) == []


def test_the_error_for_a_missing_step_lists_the_kept_steps(tiny_copy):
    keep_checkpoint(tiny_copy.checkpoint_folder)
    with pytest.raises(CheckpointError, match=r"no checkpoint kept at step 7\. Kept: 60"):
        load_weights(tiny_copy.checkpoint_folder, 7)


@pytest.mark.parametrize("steps", ["0", "1,x", "-3", list(range(1, 102))])
def test_invalid_steps_are_rejected_with_a_message(steps):
    with pytest.raises(ConfigError, match=r"keep_steps is .*; it must be whole numbers from 1, separated by commas"):
        RunConfig.parse({"keep_steps": steps})
