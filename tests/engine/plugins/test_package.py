"""The example of a package: installed by pip, it is found by its entry point."""

import subprocess
import sys
from importlib.metadata import distributions

import pytest

from engine.methods.registry import METHODS
from engine.plugins.registering import register
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.system.paths import RESOURCES
from engine.system.registry import Origin
from engine.training.trainer import train

PACKAGE = RESOURCES / "examples" / "package"
GROUP = "disentangle_studio.plugins"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The package, installed into a folder of its own; nothing is downloaded."""
    import shutil

    source = shutil.copytree(PACKAGE, tmp_path_factory.mktemp("source") / "package")  # the build leaves files there
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--target", str(folder), str(source)], check=True)
    return folder


def test_its_entry_point_yields_a_plugin_that_trains(installed, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    [found] = distributions(path=[str(installed)])
    [point] = found.entry_points.select(group=GROUP)
    assert (found.metadata["Name"], found.version, point.value) == (
        "disentangle-sparse",
        "1.0",
        "disentangle_sparse:PLUGIN",
    )
    register(point.load(), Origin("", "", "0" * 64, found.metadata["Name"]))
    assert METHODS.origin("sparse-vae").words == "the plug-in sparse 1.0"
    settings = {"dataset": "digits", "objective": "sparse-vae", "network": "mlp", "batch_size": 16, "steps": 2}
    run = Run.create(tmp_path, RunConfig.parse(settings | {"sparsity": 3, "device": "cpu", "log_steps": 1}))
    list(train(run))
    assert run.state().state == "finished"


def test_its_penalty_is_its_formula(installed, monkeypatch):
    import torch

    monkeypatch.syspath_prepend(str(installed))
    from types import SimpleNamespace

    from disentangle_sparse import SparseVae

    codes = SimpleNamespace(mean=torch.tensor([[1.0, -2.0], [0.0, 0.5]]), kl=torch.tensor(7.0))
    penalty, terms = SparseVae.penalty(codes, SparseVae.Settings(sparsity=2, beta=10))
    assert float(penalty) == pytest.approx(2 * (3 + 0.5) / 2 + 70)
    assert terms == {}
