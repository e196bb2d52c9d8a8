"""Networks from other programs as runs: against the runs they were exported from, and by closed forms; refusals."""

import warnings

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from engine.data import load_dataset
from engine.errors import CheckpointError, ConfigError, RunError
from engine.evaluation.catalogue import METRICS
from engine.evaluation.evaluate import evaluate
from engine.evaluation.protocols import protocol_text
from engine.evaluation.rows import read_row
from engine.export.onnx import export_onnx
from engine.jobs.control import last_event
from engine.jobs.events import Evaluated, Imported, Warned
from engine.methods.base import Supervision
from engine.networks.foreign_files import Known
from engine.runs.archive import read_archive, write_archive
from engine.runs.imported import GivenNetworks, allow_programs, import_networks, programs_of
from engine.runs.run import Run, list_runs
from engine.runs.trained import load_model, load_model_without_data
from engine.training.trainer import train
from engine.traversal import start_from_prior, traverse_from

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

SIDE, LATENTS = 28, 3


class Encoder(nn.Module):
    """Like YannDubs/disentangling-vae: a linear layer whose outputs alternate between means and log-variances."""

    def __init__(self, layout):
        super().__init__()
        self.layout = layout
        self.linear = nn.Linear(SIDE * SIDE, 2 * LATENTS)

    def forward(self, images):
        numbers = self.linear(images.flatten(1))
        mean, log_variance = numbers.view(-1, LATENTS, 2).unbind(-1)
        return {
            "mean": mean,
            "pair": (mean, log_variance),
            "joined": torch.cat([mean, log_variance], dim=1),
            "interleaved": numbers,
        }[self.layout]


class Decoder(nn.Module):
    """Pixels from a linear layer: as they are, as logits, or from -1 to 1."""

    def __init__(self, gives="pixels"):
        super().__init__()
        self.gives = gives
        self.linear = nn.Linear(LATENTS, SIDE * SIDE)

    def forward(self, z):
        logits = self.linear(z).view(-1, 1, SIDE, SIDE)
        return {"logits": logits, "pixels": logits.sigmoid(), "signed": 2 * logits.sigmoid() - 1}[self.gives]


@pytest.fixture(scope="module")
def weights(digits_folder):
    """Weights of both that reconstruct a little: the first principal components of the digits."""
    dataset = load_dataset("mnist", digits_folder)
    pixels = dataset.images(np.arange(500)).reshape(500, -1) / 255
    middle = pixels.mean(axis=0)
    _, _, axes = np.linalg.svd(pixels - middle, full_matrices=False)
    axes = axes[:LATENTS] * np.array([[1.0], [0.7], [0.4]])
    encoder, decoder = Encoder("mean"), Decoder()
    with torch.no_grad():
        encoder.linear.weight[0::2] = torch.from_numpy(axes).float()
        encoder.linear.bias[0::2] = torch.from_numpy(-axes @ middle).float()
        encoder.linear.weight[1::2] = 0
        encoder.linear.bias[1::2] = torch.tensor([-3.0, -2.0, -1.0])
        scale = 4 * axes / (axes**2).sum(axis=1, keepdims=True)
        decoder.linear.weight[:] = torch.from_numpy(scale.T).float()
        decoder.linear.bias[:] = torch.from_numpy(4 * middle - 2).float()
    return encoder.state_dict(), decoder.state_dict()


@pytest.fixture
def files(tmp_path, weights):
    """Write both as TorchScript or ONNX: `files(layout, gives, ending)`."""

    def write(layout="pair", gives="pixels", ending=".pt"):
        encoder, decoder = Encoder(layout).eval(), Decoder(gives).eval()
        encoder.load_state_dict(weights[0])
        decoder.load_state_dict(weights[1])
        paths = tmp_path / f"encoder{ending}", tmp_path / f"decoder{ending}"
        inputs = torch.rand(2, 1, SIDE, SIDE), torch.zeros(2, LATENTS)
        for path, network, given in zip(paths, (encoder, decoder), inputs, strict=True):
            if ending == ".onnx":
                axes = {"given": {0: "n"}}
                torch.onnx.export(network, (given,), path, dynamo=False, input_names=["given"], dynamic_axes=axes)
            else:
                torch.jit.trace(network, given).save(str(path))
        return paths

    return write


@pytest.fixture
def imported(tmp_path, files, digits_folder):
    """Import networks: `imported(layout, gives, ending, **known)`, allowed if they are programs."""

    def make(layout="pair", gives="pixels", ending=".pt", decodes=True, **known):
        encoder, decoder = files(layout, gives, ending)
        given = GivenNetworks(encoder, decoder if decodes else None, "mnist", digits_folder, Known(**known))
        allow_programs(given.programs)
        events = list(import_networks(given, tmp_path / "runs"))
        [run] = [Run.open(event.run) for event in events if isinstance(event, Imported)]
        return run, [event.message for event in events if isinstance(event, Warned)]

    return make


def scores(run, *metrics):
    found = last_event(evaluate(run, metrics), Evaluated).result["metrics"]
    return {name: entry["value"] for name, entry in found.items()}


HEADLINE = ("reconstruction", "reconstruction_mean", "kl", "active_latents", "elbo", "total_correlation")


# What the outputs mean


@pytest.mark.parametrize(
    ("layout", "gives", "ending", "read"),
    [
        ("pair", "pixels", ".pt", ("pair", "pixels", "0..1")),
        ("interleaved", "pixels", ".pt", ("interleaved", "pixels", "0..1")),
        ("joined", "logits", ".pt", ("joined", "logits", "0..1")),
        ("interleaved", "logits", ".onnx", ("interleaved", "logits", "0..1")),
        ("mean", "pixels", ".onnx", ("mean", "pixels", "0..1")),
    ],
)
def test_a_forward_pass_tells_how_outputs_are_read(imported, weights, layout, gives, ending, read):
    run, _ = imported(layout, gives, ending)
    own = run.config.method
    assert (own.layout, own.decoded, own.values) == read
    assert run.config.latents == LATENTS
    trained = load_model_without_data(run)
    images = np.random.default_rng(0).integers(0, 256, (4, SIDE, SIDE, 1), dtype=np.uint8)
    # The encoder is linear: its means and log-variances by hand.
    matrix, bias = (weights[0][name].numpy() for name in ("linear.weight", "linear.bias"))
    numbers = images.reshape(4, -1) / 255 @ matrix.T + bias
    mean, log_variance = trained.encode(images)
    np.testing.assert_allclose(mean.detach(), numbers[:, 0::2], atol=1e-4)
    if layout != "mean":
        np.testing.assert_allclose(log_variance.detach(), numbers[:, 1::2], atol=1e-4)
    # So is the decoder, up to a sigmoid, whose ends are cut where its pixels are given.
    z = torch.randn(4, LATENTS, generator=torch.Generator().manual_seed(0))
    matrix, bias = (weights[1][name].numpy() for name in ("linear.weight", "linear.bias"))
    expected = (z.numpy() @ matrix.T + bias).reshape(4, 1, SIDE, SIDE)
    np.testing.assert_allclose(trained.logits(z).detach(), np.clip(expected, -13, 13), atol=2e-2)


def test_pixels_from_minus_one_to_one_are_recognised(imported):
    run, _ = imported("pair", "signed")
    assert run.config.method.values == "-1..1"
    assert scores(imported("pair", "signed", values="-1..1")[0], "kl")["kl"] > 0


def test_layouts_of_one_network_score_alike(imported):
    expected = scores(imported("pair")[0], *HEADLINE)
    assert scores(imported("interleaved", ending=".onnx")[0], *HEADLINE) == pytest.approx(expected, abs=1e-3)
    assert scores(imported("joined", "logits")[0], *HEADLINE) == pytest.approx(expected, abs=1e-2)
    # The log-variances are constants, so that KL is the closed form with the means' second moments.
    assert expected["kl"] > 0.5 * sum(np.exp(-each) + each - 1 for each in (3, 2, 1))


# Against a run


def test_an_exported_run_that_is_imported_scores_as_the_run(tmp_path, tiny_run, digits_folder):
    for _ in export_onnx([tiny_run], tmp_path / "onnx"):
        pass
    encoder, decoder = tmp_path / "onnx" / "encoder.onnx", tmp_path / "onnx" / "decoder.onnx"
    for file in (encoder, decoder):
        model = onnx.load(file)
        onnx.checker.check_model(model)
        assert model.opset_import[0].version == 18
        assert {entry.key: entry.value for entry in model.metadata_props}["step"] == "60"
    events = list(import_networks(GivenNetworks(encoder, decoder, "mnist", digits_folder), tmp_path / "runs"))
    [run] = [Run.open(event.run) for event in events if isinstance(event, Imported)]
    metrics = (*HEADLINE, "reconstruction_train", "sharpness", "class_neighbours")
    assert scores(run, *metrics) == pytest.approx(scores(tiny_run, *metrics), rel=1e-3, abs=1e-3)


def test_a_conditional_decoder_takes_the_label(tmp_path, make_run):
    onnxruntime = pytest.importorskip("onnxruntime")
    run = make_run(tmp_path, conditional=True, steps=2, latents=3)
    for _ in train(run):
        pass
    for _ in export_onnx([run], tmp_path / "onnx"):
        pass
    session = onnxruntime.InferenceSession(tmp_path / "onnx" / "decoder.onnx")
    assert [each.name for each in session.get_inputs()] == ["z", "label"]
    z, labels = np.zeros((7, 3), np.float32), np.arange(7)
    [images] = session.run(None, {"z": z, "label": labels})
    trained = load_model_without_data(run)
    expected = trained.logits(torch.zeros(7, 3), torch.arange(7)).sigmoid().detach()
    np.testing.assert_allclose(images, expected, atol=1e-5)


# What it can and cannot do


def test_it_is_traversed_and_said_to_come_from_elsewhere(imported, digits_folder):
    run, _ = imported("interleaved")
    trained = load_model(run, load_dataset(*run.data))
    traversal = traverse_from(trained, start_from_prior(trained), (0, 1, 2), np.zeros(3), None, 5, None)
    assert traversal.images.shape == (3, 5, SIDE, SIDE, 1)
    assert np.ptp(traversal.images[0].astype(int), axis=0).max() > 50
    entry = last_event(evaluate(run, ["kl"]), Evaluated).result["metrics"]["kl"]
    assert "encoder encoder.pt (" in protocol_text(entry, METRICS["kl"])
    assert "gives mean, log-variance, mean, …" in protocol_text(entry, METRICS["kl"])
    row = read_row(Run.open(run.path))
    assert (row.method, row.supervision) == ("Network from elsewhere", Supervision.UNKNOWN)
    with pytest.raises(ConfigError, match="not trained"):
        list(train(run))


def test_an_encoder_alone_is_scored_and_not_traversed(imported):
    run, notes = imported("mean", decodes=False, ending=".onnx")
    assert "nothing tells whether it also holds log-variances" in notes[0]
    found = last_event(evaluate(run, ["reconstruction", "kl", "total_correlation"]), Evaluated).result["metrics"]
    assert found["reconstruction"]["reason"] == "it has no decoder"
    assert found["kl"]["reason"] == "its encoder gives a mean only, and so no posterior"
    assert found["total_correlation"]["value"] is not None
    with pytest.raises(CheckpointError, match="cannot be traversed: it has no decoder"):
        load_model_without_data(run)


def test_a_program_is_not_executed_before_it_is_allowed(tmp_path, files, digits_folder, monkeypatch):
    encoder, decoder = files()
    given = GivenNetworks(encoder, decoder, "mnist", digits_folder)
    loaded = []
    real = torch.jit.load
    monkeypatch.setattr(torch.jit, "load", lambda *args, **kwargs: loaded.append(1) or real(*args, **kwargs))
    with pytest.raises(ConfigError, match=r"encoder\.pt is a program, which would be executed"):
        list(import_networks(given, tmp_path / "runs"))
    assert not loaded
    assert list_runs(tmp_path / "runs") == []
    allow_programs(given.programs)
    [path] = [e.run for e in import_networks(given, tmp_path / "runs") if isinstance(e, Imported)]
    assert len(loaded) == 2
    # Another version of the file is another program.
    (path / "checkpoint" / "encoder.pt").write_bytes(files("joined")[0].read_bytes())
    with pytest.raises(CheckpointError, match="is not the file that the run was imported with"):
        load_model_without_data(Run.open(path))


def test_a_run_with_a_program_from_another_machine_asks_first(tmp_path, imported, monkeypatch):
    run, _ = imported()
    monkeypatch.setattr("engine.system.paths.platformdirs.user_config_path", lambda *a, **k: tmp_path / "other")
    assert [path.name for path in programs_of(run)] == ["encoder.pt", "decoder.pt"]
    with pytest.raises(CheckpointError, match=r"encoder\.pt is a program, which would be executed"):
        load_model_without_data(run)
    allow_programs(programs_of(run))
    assert programs_of(run) == []
    load_model_without_data(run)


def test_an_archive_carries_no_program_and_says_so(tmp_path, imported):
    run, _ = imported()
    said = [event.message for event in write_archive([run], tmp_path / "run.zip") if isinstance(event, Warned)]
    assert "no networks from elsewhere: encoder.pt, decoder.pt. Copy the run's folder instead." in said[0]
    for _ in read_archive(tmp_path / "run.zip", tmp_path / "elsewhere"):
        pass
    [path] = list_runs(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match="Archives of runs carry no networks from elsewhere"):
        load_model_without_data(Run.open(path))


# Files that cannot be used


def refused(tmp_path, digits_folder, encoder, decoder=None, **known):
    given = GivenNetworks(encoder, decoder, "mnist", digits_folder, Known(**known))
    allow_programs(given.programs)
    with pytest.raises((ConfigError, RunError)) as error:
        list(import_networks(given, tmp_path / "runs"))
    assert list_runs(tmp_path / "runs") == []
    return str(error.value)


def test_files_that_are_no_networks_are_explained(tmp_path, digits_folder):
    (tmp_path / "network.onnx").write_bytes(b"nothing")
    assert "network.onnx cannot be loaded" in refused(tmp_path, digits_folder, tmp_path / "network.onnx")
    (tmp_path / "network.pt").write_bytes(b"nothing")
    assert "network.pt cannot be loaded" in refused(tmp_path, digits_folder, tmp_path / "network.pt")
    torch.save(Encoder("pair").state_dict(), tmp_path / "weights.pt")
    assert "weights.pt holds weights or a pickled model" in refused(tmp_path, digits_folder, tmp_path / "weights.pt")
    with pytest.raises(ConfigError, match="is no network: use a TorchScript file"):
        GivenNetworks(tmp_path / "network.h5", None, "mnist").programs  # noqa: B018


def test_networks_that_do_not_fit_are_explained(tmp_path, files, digits_folder):
    encoder, _ = files()
    wide = tmp_path / "wide.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(nn.Linear(5, 9), torch.zeros(1, 5)).save(str(wide))
    assert "wide.pt cannot take an input of shape (16, 1, 28, 28)" in refused(tmp_path, digits_folder, wide)
    assert "wide.pt cannot take an input of shape (16, 3)" in refused(tmp_path, digits_folder, encoder, wide)
    means = files("mean")[0]
    assert "not a mean and a log-variance" in refused(tmp_path, digits_folder, means, layout="pair")


def test_without_onnxruntime_a_sentence_says_what_to_install(tmp_path, files, digits_folder, monkeypatch):
    encoder, _ = files(ending=".onnx")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install onnxruntime" in refused(tmp_path, digits_folder, encoder)
