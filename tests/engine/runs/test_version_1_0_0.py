"""Files of version 1.0.0 still open: a run in an archive, a preset, a study, a queue."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.data import load_dataset
from engine.evaluation.evaluate import evaluate
from engine.jobs.events import Evaluated, Finished
from engine.runs.archive import read_archive
from engine.runs.queue import QueuedRun, RunQueue
from engine.runs.run import Run
from engine.runs.trained import load_model, load_model_without_data
from engine.settings.presets import load_preset
from engine.settings.run_config import RunConfig
from engine.studies import load_study
from engine.system.schedule import Schedule
from engine.training.lengthening import lengthen
from engine.training.trainer import train

FILES = Path(__file__).resolve().parents[2] / "fixtures" / "1.0.0"
"""A conditional annealed VAE, stopped at step 22 of digits; its curves in an uninterrupted run of 40 steps."""


@pytest.fixture
def run(tmp_path):
    assert isinstance(list(read_archive(FILES / "run.zip", tmp_path / "runs"))[-1], Finished)
    [folder] = (tmp_path / "runs").iterdir()
    return Run.open(folder)


def test_its_settings_are_unchanged(run):
    expected = {
        "objective": "annealed-relu",
        "conditional": True,
        "gamma": 30,
        "capacity": Schedule(0, 20, 0.1),
        "latents": 2,
    }
    assert run.config.flat().items() >= expected.items()
    assert (run.config.network, run.config.normalisation) == ("report", "batch")
    assert run.state().state == "finished"


def test_it_resumes_as_in_version_1_0_0(run):
    """To float32 tolerance, since other processors sum in other orders. On one machine it is bit for bit."""
    lengthen(run, None, 40)
    list(train(run))
    found, expected = (
        np.genfromtxt(path, delimiter=",", names=True) for path in (run.metrics_file, FILES / "uninterrupted.csv")
    )
    assert found.dtype.names == expected.dtype.names
    for name in expected.dtype.names:
        if name != "seconds":
            np.testing.assert_allclose(found[name], expected[name], rtol=2e-3, err_msg=name)
    # Its config.json is still one that version 1.0.0 reads.
    written = json.loads((run.path / "config.json").read_text())
    assert (written["schema"], written["gamma"], written["steps"]) == (1, 30.0, 40)


def test_it_is_evaluated_and_its_weights_are_read_with_and_without_data(run):
    kept = run.evaluation()["metrics"]["reconstruction"]["value"]
    [result] = [event.result for event in evaluate(run, ["reconstruction"]) if isinstance(event, Evaluated)]
    assert result["metrics"]["reconstruction"]["value"] == pytest.approx(kept, rel=1e-4)
    bare = load_model_without_data(run).model
    assert (bare.image_shape, bare.classes, bare.latents) == ((32, 32, 1), 10, 2)
    with_data = load_model(run, load_dataset("digits")).model
    for name, tensor in with_data.networks.state_dict().items():
        assert torch.equal(tensor, bare.networks.state_dict()[name]), name


def test_its_preset_study_and_queue_have_its_network(tmp_path):
    preset = load_preset(FILES / "preset.toml").config
    given = {"dataset": "mnist", "objective": "annealed-abs", "gamma": 321, "latents": 7, "keep_steps": (100, 200)}
    assert preset == RunConfig(network="report", normalisation="batch", **given)
    shutil.copy(FILES / "study.toml", tmp_path / "study.toml")
    for cell in load_study(tmp_path / "study.toml", quick=True).cells:
        assert (cell.config.network, cell.config.normalisation) == ("report", "batch")
    shutil.copy(FILES / "queue.json", tmp_path)
    queue = RunQueue(tmp_path)
    assert (queue.waiting, queue.problem) == ((QueuedRun("annealed-relu", 3), QueuedRun("beta-tcvae")), "")


def test_the_fixture_is_one_that_version_1_0_0_wrote():
    with zipfile.ZipFile(FILES / "run.zip") as archive:
        [name] = [name for name in archive.namelist() if name.endswith("config.json")]
        config = json.loads(archive.read(name))
    assert (config["schema"], config["versions"]["disentangle-studio"]) == (1, "1.0.0")
