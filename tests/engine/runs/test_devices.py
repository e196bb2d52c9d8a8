"""A trained model is on the device that its run trains on; its outputs are on the CPU."""

import json

import pytest
import torch

from engine.cli import main as cli
from engine.data import load_dataset
from engine.evaluation.evaluate import evaluate
from engine.evaluation.reconstructions import reconstructions
from engine.export.traversal import save_latents
from engine.jobs.control import last_event
from engine.jobs.events import Evaluated, Finished, Warned
from engine.runs import trained as loading
from engine.runs.run import Run
from engine.runs.trained import load_model
from engine.traversal import mean_kl, traverse


def on(run, device):
    """The run, as if started on a device."""
    values = json.loads((run.path / "config.json").read_text())
    values["resolved"]["device"] = device
    (run.path / "config.json").write_text(json.dumps(values))
    return Run.open(run.path)


@pytest.fixture
def elsewhere(monkeypatch):
    """A device named "cuda" with shapes but no values, which cannot be mixed with tensors of the CPU.

    What is copied from it to the CPU is zeros. Independent check: PyTorch refuses to mix devices.
    """
    copied = []

    def cpu(tensor):
        if not tensor.is_meta:
            return tensor
        copied.append(tensor)
        return torch.zeros(tensor.shape, dtype=tensor.dtype)

    monkeypatch.setattr(loading, "is_available", lambda device: True)
    monkeypatch.setattr(loading, "choose_device", lambda name: torch.device("meta" if name == "cuda" else "cpu"))
    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    to = torch.Tensor.to
    monkeypatch.setattr(
        torch.Tensor, "to", lambda t, *args, **named: cpu(t) if args == ("cpu",) else to(t, *args, **named)
    )
    return copied


@pytest.fixture(params=["tiny", "conditional"])
def run_there(request, elsewhere, tmp_path, make_run, tiny_copy):
    if request.param == "tiny":
        return on(tiny_copy, "cuda")
    from engine.training.trainer import train

    run = make_run(tmp_path, conditional=True, steps=2)
    list(train(run))
    return on(run, "cuda")


def test_a_model_is_on_the_device_of_its_run(elsewhere, tiny_copy, digits_folder):
    dataset = load_dataset("mnist", digits_folder)
    assert load_model(tiny_copy, dataset).device.type == "cpu"
    there = load_model(on(tiny_copy, "cuda"), dataset)
    assert there.device.type == "meta"
    assert there.notes == ""


def test_everything_that_uses_a_model_works_on_its_device_and_returns_arrays(
    run_there, elsewhere, tmp_path, digits_folder
):
    assert last_event(evaluate(run_there), Evaluated).result["metrics"]["kl"]["value"] == 0
    assert last_event(save_latents(run_there, tmp_path / "latents.npz"), Finished).message
    trained = load_model(run_there, load_dataset("mnist", digits_folder))
    copied = len(elsewhere)
    grid = traverse(trained, 3, [1, 0], mean_kl(trained), steps=5)
    assert grid.images.shape == (2, 5, 28, 28, 1)
    assert not grid.images.any()  # zeros, as was copied
    assert reconstructions(trained, 4).images.shape == (4, 28, 28, 1)
    assert len(elsewhere) > copied


def test_without_the_device_the_cpu_is_used_and_a_note_says_so(tiny_copy, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(loading, "is_available", lambda device: device == "cpu")
    here = last_event(evaluate(tiny_copy, ["reconstruction", "kl"]), Evaluated).result["metrics"]
    (tiny_copy.path / "evaluation.json").unlink()
    run = on(tiny_copy, "cuda")
    events = list(evaluate(run, ["reconstruction", "kl"]))
    [words] = [event.message for event in events if isinstance(event, Warned)]
    assert words.startswith("tiny was trained with GPU (CUDA), which PyTorch does not find on this machine")
    assert events[-1].result["metrics"] == here
    words = [event.message for event in save_latents(run, tmp_path / "latents.npz") if isinstance(event, Warned)]
    assert "GPU (CUDA)" in words[0]
    command = ["traverse", str(run.path), "--steps", "2", "--output", str(tmp_path / "out.npz")]
    assert cli.run_command(cli.parse(command)) == 0
    assert "GPU (CUDA)" in capsys.readouterr().err


def test_the_same_noise_is_drawn_whatever_the_device(elsewhere, tiny_copy, digits_folder, monkeypatch):
    drawn = []
    original = loading.TrainedModel.logits

    def logits(trained, z, labels=None):
        drawn.append(z.clone())
        return original(trained, z, labels)

    monkeypatch.setattr(loading.TrainedModel, "logits", logits)
    list(evaluate(on(tiny_copy, "cuda"), ["reconstruction"]))
    # The encoder gave zeros: mean 0 and deviation 1, so that z is the noise of the seed itself.
    expected = torch.empty_like(drawn[0]).normal_(generator=torch.Generator().manual_seed(0))
    assert torch.equal(drawn[0], expected)
