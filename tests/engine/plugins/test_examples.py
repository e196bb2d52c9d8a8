"""The examples that plug-ins are written from: each does what it says, by itself and in a run."""

import ast
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engine.data import load_dataset
from engine.evaluation.evaluate import evaluate
from engine.jobs.events import Evaluated
from engine.methods.registry import METHODS
from engine.networks.architectures import NETWORKS
from engine.networks.network import SIDES
from engine.networks.spec import NetworkSpec
from engine.plugins import interface
from engine.runs.run import Run
from engine.runs.trained import load_model, load_model_without_data
from engine.settings.run_config import RunConfig
from engine.system.paths import RESOURCES
from engine.training.trainer import train

EXAMPLES = RESOURCES / "examples" / "plugins"

SETTINGS = {
    "dataset": "digits",
    "objective": "vae",
    "network": "mlp",
    "latents": 3,
    "batch_size": 16,
    "steps": 4,
    "device": "cpu",
    "threads": 1,
    "log_steps": 2,
    "checkpoint_steps": 2,
    "preview_steps": 4,
}


def module_of(thing):
    return sys.modules[type(thing).__module__ if not isinstance(thing, type) else thing.__module__]


def trained(tmp_path, **settings):
    run = Run.create(tmp_path, RunConfig.parse(SETTINGS | settings))
    list(train(run))
    return Run.open(run.path)


def metrics_of(run, *names):
    return [event.result for event in evaluate(run, names) if isinstance(event, Evaluated)][-1]["metrics"]


@pytest.mark.parametrize(
    "path",
    sorted(path for path in EXAMPLES.parent.rglob("*.py") if path.parent.name not in ("cluster", "representations")),
    ids=lambda path: path.stem,
)
def test_an_example_imports_nothing_of_the_application_but_the_interface(path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            imported.add(node.module)
        if isinstance(node, ast.Import):
            imported |= {name.name for name in node.names}
    assert {name for name in imported if name.split(".")[0] in ("engine", "gui", "resources")} == {interface.__name__}
    assert {name.split(".")[0] for name in imported} <= {"engine", "numpy", "torch"}


def test_the_interface_names_everything_that_it_holds():
    for name in interface.__all__:
        assert getattr(interface, name) is not None
        assert f"`{name}`" in interface.__doc__, name
    with pytest.raises(AttributeError, match="the interface for plug-ins has no 'nothing'"):
        interface.nothing  # noqa: B018


def test_free_bits_cost_nothing_and_more_costs_itself(load_example, tmp_path):
    load_example("free_bits_vae")
    method = METHODS["free-bits-vae"]
    mean = torch.tensor([[0.0, 2.0, 0.1], [0.0, -1.0, 0.3]])
    log_variance = torch.log(torch.tensor([[1.0, 0.5, 1.0], [1.0, 0.25, 1.0]]))
    codes = SimpleNamespace(mean=mean, log_variance=log_variance)
    penalty, terms = method.penalty(codes, method.Settings(free_nats=0.5))
    # KL from N(0, 1) of N(m, v) is (m^2 + v - 1 - log v) / 2 (Kingma & Welling 2014, appendix B).
    second = ((4 + 0.5 - 1 - np.log(0.5)) / 2 + (1 + 0.25 - 1 - np.log(0.25)) / 2) / 2
    assert float(penalty) == pytest.approx(0.5 + second + 0.5, rel=1e-6)
    assert float(terms["latents_above"]) == 1
    run = trained(tmp_path, objective="free-bits-vae", free_nats=0.2)
    header, *rows = run.metrics_file.read_text().splitlines()
    place = header.split(",").index("latents_above")
    assert all(0 <= float(row.split(",")[place]) <= 3 for row in rows)
    assert run.state().state == "finished"


@pytest.mark.parametrize("side", [28, 32, 64])
def test_broadcast_network_gives_each_pixel_the_latents_and_its_place(load_example, side):
    load_example("broadcast_network")
    network = NETWORKS["broadcast"]
    spec = NetworkSpec((side, side, 3), 2, 4, "broadcast", "none")
    mean, log_variance = network.encoder(spec)(torch.rand(5, 3, side, side))
    assert mean.shape == log_variance.shape == (5, 2)
    decoder = network.decoder(spec)
    assert decoder(torch.rand(5, 6)).shape == (5, 3, side, side)
    maps = decoder[0](torch.tensor([[7.0, 8.0]]))
    assert maps.shape == (1, 4, side, side)
    assert torch.equal(maps[0, 0], torch.full((side, side), 7.0))
    assert maps[0, 2, :, 0].tolist() == pytest.approx(np.linspace(-1, 1, side), abs=1e-6)  # down the rows
    assert maps[0, 3, 0, :].tolist() == pytest.approx(np.linspace(-1, 1, side), abs=1e-6)
    assert set(network.sides) < set(SIDES)


def test_broadcast_network_in_a_run_shows_the_same_without_its_data(load_example, tmp_path):
    load_example("broadcast_network")
    run = trained(tmp_path, network="broadcast", conditional=True)
    z, labels = torch.rand(2, 3), torch.tensor([1, 2])
    with_data, without = load_model(run, load_dataset("digits")), load_model_without_data(run)
    with torch.no_grad():
        assert torch.equal(with_data.logits(z, labels), without.logits(z, labels))


def slow_mig_sup(information, entropies):
    """As the paper's section 4 has it, one latent at a time."""
    gaps = []
    for row in information:
        if max(row) > 0:
            first, second, *_ = sorted((m / h for m, h in zip(row, entropies, strict=True)), reverse=True)
            gaps.append(first - second)
    return sum(gaps) / len(gaps)


def test_mig_sup_is_the_papers(load_example):
    module = module_of(load_example("mig_sup_metric").metrics["mig_sup"])
    assert module.mig_sup(np.diag([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])) == 1
    assert module.mig_sup(np.ones((4, 3)), np.full(3, 2.0)) == 0
    information = np.random.default_rng(0).random((6, 4))
    information[2] = 0
    entropies = np.array([1.1, 1.4, 0.7, 2.0])
    assert module.mig_sup(information, entropies) == pytest.approx(slow_mig_sup(information, entropies))
    assert module.entropy(np.array([0, 3, 3, 0, 1, 1])) == pytest.approx(np.log(3))


def test_blobs_are_where_their_factors_say(load_example):
    load_example("blobs_dataset")
    dataset = load_dataset("blobs")
    assert (len(dataset), dataset.factors.sizes) == (768, (8, 8, 4, 3))
    rng = np.random.default_rng(1)
    for index in rng.integers(0, 768, 20):
        classes = dataset.factors.classes(np.array([index]))[0]
        row, column, width, bright = (axis[k] for axis, k in zip(dataset.factors.values, classes, strict=True))
        image = dataset.images(np.array([index]))[0, :, :, 0]
        for y, x in rng.integers(0, 32, (10, 2)):
            light = 255 * bright * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * width**2))
            assert image[y, x] == pytest.approx(light, abs=0.5001)


def test_all_four_in_one_run(load_example, tmp_path):
    for name in ("free_bits_vae", "broadcast_network", "mig_sup_metric", "blobs_dataset"):
        load_example(name)
    run = trained(tmp_path, dataset="blobs", objective="free-bits-vae", network="broadcast")
    found = metrics_of(run, "mig", "mig_sup")
    assert 0 <= found["mig"]["value"] <= 1
    model = load_model(run, load_dataset("blobs"))
    images = np.random.default_rng(0).permutation(768)[:512]  # as the scores draw them: two thirds
    with torch.no_grad():
        codes = model.encode(model.dataset.images(images)).mean.double().numpy()
    information = interface.mutual_information(codes, model.dataset.factors.classes(images))
    counted = [np.unique(column, return_counts=True)[1] / 512 for column in model.dataset.factors.classes(images).T]
    plain = slow_mig_sup(information, [-(share * np.log(share)).sum() for share in counted])
    assert found["mig_sup"]["value"] == pytest.approx(plain, abs=0.02)  # rounding, at bins' edges
    assert found["mig_sup"]["protocol"]["plugin"]["name"] == "mig-sup"
    assert [use.name for use in run.plugins] == ["free-bits", "broadcast", "blobs"]
