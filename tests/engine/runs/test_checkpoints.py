"""Checkpoints are exact, never incomplete, and never execute code."""

import os
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from engine.errors import CheckpointError
from engine.runs.checkpoints import WEIGHTS, checkpoint_step, fill, load_trainer, load_weights, save_checkpoint
from engine.runs.kept_weights import keep_checkpoint
from engine.system.files import write_bytes


class Malicious:
    """An object whose pickle creates a folder when loaded."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def make_model(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 3))


def step_of(model, optimiser):
    model(torch.rand(8, 1, 8, 8)).square().sum().backward()
    optimiser.step()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "my run" / "checkpoint"


@pytest.fixture
def saved(folder):
    """A checkpoint at step 100, and its model."""
    folder.parent.mkdir()
    model = make_model(1)
    optimiser = torch.optim.Adam(model.parameters())
    step_of(model, optimiser)
    noise = torch.Generator().manual_seed(4)
    torch.randn(3, generator=noise)
    trainer = {"step": 100, "optimiser": optimiser.state_dict(), "noise": noise.get_state(), "seconds": 1.5}
    save_checkpoint(folder, 100, model, trainer)
    return model, trainer


def test_weights_and_buffers_are_restored_bit_for_bit(folder, saved):
    model, _ = saved
    weights = load_weights(folder)
    other = make_model(2)
    fill(other, weights, "my run")
    assert weights.step == 100
    assert checkpoint_step(folder) == 100
    expected = model.state_dict()
    assert "1.running_mean" in expected  # buffers too
    assert expected.keys() == other.state_dict().keys()
    for name, tensor in other.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_the_trainer_state_is_restored_bit_for_bit(folder, saved):
    _, trainer = saved
    state = load_trainer(folder, load_weights(folder))
    assert state["seconds"] == 1.5
    assert torch.equal(state["noise"], trainer["noise"])
    for number, values in trainer["optimiser"]["state"].items():
        for name, value in values.items():
            assert torch.equal(state["optimiser"]["state"][number][name], value)


def test_memory_order_does_not_change_the_values(folder):
    folder.parent.mkdir()
    model = make_model(3).to(memory_format=torch.channels_last)
    save_checkpoint(folder, 1, model, {})
    assert torch.equal(load_weights(folder).tensors["0.weight"], model[0].weight)


def test_equal_weights_give_equal_bytes(folder, saved):
    """The safetensors library changes the order of metadata from call to call."""
    model, trainer = saved
    found = set()
    for _ in range(12):
        save_checkpoint(folder, 100, model, trainer)
        found.add((folder / WEIGHTS).read_bytes())
    assert len(found) == 1
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        assert file.metadata() == {"step": "100", "trainer": "trainer-100.pt"}


@pytest.mark.skipif(not hasattr(os, "fchmod"), reason="needs the permissions of Unix")
def test_weights_have_ordinary_permissions(folder, saved):
    model, trainer = saved
    before = os.umask(0o027)
    try:
        save_checkpoint(folder, 200, model, trainer)
        keep_checkpoint(folder)
    finally:
        os.umask(before)
    assert {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()} == {
        WEIGHTS: 0o640, "trainer-200.pt": 0o640, "kept-200.safetensors": 0o640
    }  # fmt: skip


def test_other_programs_read_the_weights(folder, saved):
    model, _ = saved
    tensors = load_file(folder / WEIGHTS)  # safetensors' own reader
    assert torch.equal(tensors["3.weight"], model[3].weight)


def test_a_newer_checkpoint_replaces_the_older_one_and_its_trainer_file(folder, saved):
    model, trainer = saved
    save_checkpoint(folder, 200, model, trainer | {"step": 200})
    assert checkpoint_step(folder) == 200
    assert sorted(path.name for path in folder.iterdir()) == [WEIGHTS, "trainer-200.pt"]


def test_a_kill_between_the_two_files_leaves_the_old_checkpoint_intact(folder, saved):
    # The trainer's file is written first; without the weights that name it, it counts for nothing.
    torch.save({"step": 200}, folder / "trainer-200.pt")
    weights = load_weights(folder)
    assert (weights.step, checkpoint_step(folder)) == (100, 100)
    assert load_trainer(folder, weights)["step"] == 100


def test_a_full_disk_leaves_the_old_checkpoint_intact(folder, saved, monkeypatch):
    model, trainer = saved

    def full(path, content):
        if path.name == WEIGHTS:
            raise OSError(28, "No space left on device")
        write_bytes(path, content)

    monkeypatch.setattr("engine.runs.checkpoints.write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(folder, 200, make_model(5), trainer | {"step": 200})
    weights = load_weights(folder)
    assert weights.step == 100
    assert torch.equal(weights.tensors["0.weight"], model[0].weight)
    assert load_trainer(folder, weights)["step"] == 100


def test_without_a_checkpoint_there_is_no_step_and_loading_says_why(folder):
    assert checkpoint_step(folder) is None
    with pytest.raises(CheckpointError, match="my run has no weights yet"):
        load_weights(folder)


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.99])
def test_truncated_weights_are_rejected_with_a_message(folder, saved, part):
    path = folder / WEIGHTS
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    for read in (load_weights, checkpoint_step):
        with pytest.raises(CheckpointError, match=r"is damaged.*train it again") as error:
            read(folder)
        assert str(path) in str(error.value)


def test_without_its_trainer_file_the_weights_load_and_the_message_says_so(folder, saved):
    weights = load_weights(folder)
    (folder / "trainer-100.pt").unlink()
    assert load_weights(folder).step == 100
    with pytest.raises(CheckpointError, match=r"trainer-100\.pt cannot be read.*not resumed"):
        load_trainer(folder, weights)


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_trainer_file_is_rejected_with_a_message(folder, saved, part):
    path = folder / "trainer-100.pt"
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(CheckpointError, match=r"trainer-100\.pt (is damaged|cannot be read).*not resumed"):
        load_trainer(folder, load_weights(folder))


@pytest.mark.parametrize("content", [b".", b"hello", b"\x88Gd\x92,\x89", b"\x85", bytes(500)])
def test_a_trainer_file_with_other_bytes_is_rejected_with_a_message(folder, saved, content):
    (folder / "trainer-100.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"trainer-100\.pt is damaged"):
        load_trainer(folder, load_weights(folder))


@settings(max_examples=60)
@given(data=st.data())
def test_weights_with_any_damage_are_rejected_with_a_message_or_do_no_harm(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "damaged" / "checkpoint"
    folder.parent.mkdir(exist_ok=True)
    save_checkpoint(folder, 7, nn.Linear(2, 2), {})
    content = bytearray((folder / WEIGHTS).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / WEIGHTS).write_bytes(bytes(content))
    message = "damaged"
    try:
        fill(nn.Linear(2, 2), load_weights(folder), "damaged")
    except CheckpointError as error:
        message = str(error)
    assert "damaged" in message


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "plain pickle"])
def test_a_trainer_file_that_would_execute_code_is_rejected(folder, saved, tmp_path, legacy):
    path, trace = folder / "trainer-100.pt", tmp_path / "executed"
    if legacy:
        path.write_bytes(pickle.dumps({"step": Malicious(trace)}, protocol=2))
        pickle.loads(path.read_bytes())
    else:
        torch.save({"step": Malicious(trace)}, path)
        torch.load(path, weights_only=False)
    assert trace.exists()  # trusted, it does execute
    trace.rmdir()
    with pytest.raises(CheckpointError, match="is damaged"):
        load_trainer(folder, load_weights(folder))
    assert not trace.exists()


@pytest.mark.parametrize("name", ["../trainer-100.pt", "/etc/passwd", "../../other/checkpoint/trainer-1.pt", ".."])
def test_weights_that_name_a_foreign_trainer_file_are_rejected(folder, saved, name):
    save_file({"x": torch.zeros(1)}, folder / WEIGHTS, metadata={"step": "100", "trainer": name})
    with pytest.raises(CheckpointError, match="names the trainer file of another step"):
        load_weights(folder)


@pytest.mark.parametrize("metadata", [None, {}, {"step": "100"}, {"step": "many", "trainer": "trainer-1.pt"}])
def test_a_safetensors_file_that_is_not_a_checkpoint_is_rejected(folder, saved, metadata):
    save_file({"x": torch.zeros(1)}, folder / WEIGHTS, metadata=metadata)
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        load_weights(folder)


def test_weights_of_another_network_are_rejected_naming_the_run(folder, saved):
    with pytest.raises(CheckpointError, match="weights of my run do not fit its settings"):
        fill(nn.Linear(3, 2), load_weights(folder), "my run")


def test_replacing_a_checkpoint_removes_only_trainer_files(tmp_path):
    save_checkpoint(tmp_path, 1, nn.Linear(1, 1), {})
    (tmp_path / "trainer-backup.pt").write_bytes(b"mine")
    save_checkpoint(tmp_path, 2, nn.Linear(1, 1), {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "model.safetensors",
        "trainer-2.pt",
        "trainer-backup.pt",
    ]
