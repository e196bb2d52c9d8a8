"""The example scripts that bring representations and networks here: each is run, and its files are used."""

import runpy
import sys

import numpy as np
import pytest
import torch
from torch import nn

from engine.cli.main import parse, run_command
from engine.data.representation_file import read_representation
from engine.jobs.events import Imported
from engine.runs.imported import GivenNetworks, allow_programs, import_networks
from engine.runs.run import Run, list_runs
from engine.runs.trained import load_model_without_data
from engine.system.paths import RESOURCES

EXAMPLES = RESOURCES / "examples" / "representations"


def run_script(name, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    return runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def test_codes_of_any_program_are_scored_by_the_command(tmp_path, monkeypatch, capsys):
    run_script("codes_of_any_program.py", monkeypatch, tmp_path / "codes.npz")
    given = read_representation(tmp_path / "codes.npz")
    assert given.codes.shape == (256, 6)
    assert given.dataset.factors.names == ("x", "y", "size")
    # Principal components are uncorrelated, so that the mean correlation of latents is 0 by construction.
    command = ["score", str(tmp_path / "codes.npz"), "--metrics", "mean_correlation,factor_vae,sap_continuous"]
    assert run_command(parse([*command, "--runs", str(tmp_path / "runs"), "--format", "csv"])) == 0
    heading, row = capsys.readouterr().out.splitlines()
    found = dict(zip(heading.split(","), row.split(","), strict=True))
    assert float(found["Mean correlation ↓"]) == pytest.approx(0, abs=1e-3)
    assert float(found["FactorVAE score ↑"]) > 0.3
    assert found["Supervision"] == "not known"
    assert list_runs(tmp_path / "runs") == []
    assert run_command(parse([*command, "--runs", str(tmp_path / "runs"), "--keep"])) == 0
    assert [path.name for path in list_runs(tmp_path / "runs")] == ["codes"]


def test_wrong_files_of_the_command_are_one_line(tmp_path, capsys):
    assert run_command(parse(["score", str(tmp_path / "gone.npz"), "--runs", str(tmp_path)])) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    np.savez(tmp_path / "codes.npz", codes=np.zeros((120, 2)))
    command = ["score", str(tmp_path / "codes.npz"), "--runs", str(tmp_path)]
    assert run_command(parse([*command, "--metrics", "nonsense"])) == 2
    assert run_command(parse([*command, "--output", str(tmp_path / "table.xyz")])) == 2


class Theirs(nn.Module):
    """Forward pass as in YannDubs/disentangling-vae, disvae/models/encoders.py, written here from its description."""

    def __init__(self, parts):
        super().__init__()
        self.parts = parts

    def forward(self, images):
        x = images
        for name in ("conv1", "conv2", "conv3", "conv_64"):
            x = torch.relu(getattr(self.parts, name)(x))
        x = torch.relu(self.parts.lin1(x.view(len(x), -1)))
        mu_logvar = self.parts.mu_logvar_gen(torch.relu(self.parts.lin2(x)))
        return mu_logvar.view(-1, 10, 2).unbind(-1)


def fit(encoder, decoder, images):
    """Train a little, to reconstruct from the means and to give small variances."""
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=3e-3)
    for _ in range(25):
        mean, log_variance = Theirs(encoder)(images)
        loss = ((decoder(mean) - images) ** 2).mean() + 0.01 * ((log_variance + 4) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_model_of_disentangling_vae_is_imported_with_its_interleaved_layout(tmp_path, monkeypatch):
    torch.manual_seed(0)
    script = runpy.run_path(str(EXAMPLES / "torchscript_of_disentangling_vae.py"))
    encoder, decoder = script["Encoder"](1, 10), script["Decoder"](1, 10)
    images = np.zeros((120, 64, 64), np.uint8)
    for number, image in enumerate(images):
        image[:, : 8 + number % 40] = 255
    np.savez(tmp_path / "images.npz", images=images)
    fit(encoder, decoder, torch.from_numpy(images[:40, None] / 255).float())
    states = {"encoder": encoder.state_dict(), "decoder": decoder.state_dict()}
    weights = {f"{part}.{key}": value for part, state in states.items() for key, value in state.items()}
    torch.save(weights, tmp_path / "model.pt")
    run_script("torchscript_of_disentangling_vae.py", monkeypatch, tmp_path / "model.pt", tmp_path / "written")
    files = tmp_path / "written" / "encoder.pt", tmp_path / "written" / "decoder.pt"
    given = GivenNetworks(*files, "arrays", tmp_path / "images.npz")
    allow_programs(given.programs)
    [path] = [event.run for event in import_networks(given, tmp_path / "runs") if isinstance(event, Imported)]
    run = Run.open(path)
    assert run.config.latents == 10
    assert run.config.method.decoded == "pixels"
    assert run.config.method.layout == "interleaved"
    with torch.no_grad():
        mean, log_variance = Theirs(encoder)(torch.from_numpy(images[:5, None] / 255).float())
        found = load_model_without_data(run).encode(images[:5, ..., None])
    torch.testing.assert_close(found.mean, mean)
    torch.testing.assert_close(found.log_variance, log_variance)
