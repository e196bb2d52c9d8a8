"""A run of a method without reconstruction and KL, with a category among its latents, wherever runs are shown."""

import csv
import shutil
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from engine.cli.main import parse, run_command
from engine.errors import ConfigError
from engine.evaluation.catalogue import usual_metrics
from engine.evaluation.evaluate import evaluate, kept_kl
from engine.evaluation.reasons import known_reason
from engine.evaluation.rows import row_of
from engine.evaluation.table import table_of
from engine.evaluation.table_formats import FORMATS
from engine.export.runs import export
from engine.export.summary import traversal_caption, write_report
from engine.export.traversal import Look, save_traversal
from engine.figures.curves import curves_figure
from engine.figures.drawing import traversal_figure
from engine.jobs.events import Evaluated, Preview, StepMetrics
from engine.methods.registry import METHODS
from engine.networks.tensors import to_tensor
from engine.runs.archive import read_archive, write_archive
from engine.runs.archive_limits import check_sizes
from engine.runs.health import CurveData, health
from engine.runs.metrics_file import MetricsReader, header
from engine.runs.previews import list_previews, load_preview
from engine.runs.run import Run
from engine.runs.trained import load_model, load_model_without_data
from engine.settings.run_config import RunConfig
from engine.studies.methods_text import methods_text
from engine.training.pace import Pace, estimate
from engine.training.trainer import train
from engine.traversal import (
    choose_latents,
    encode,
    latent_kl,
    path,
    start_from_image,
    start_from_prior,
    traverse_from,
    walk,
    ways,
)

pytestmark = pytest.mark.usefixtures("narrow")

SETTINGS = {"objective": "info-gan", "dataset": "digits", "batch_size": 64, "steps": 6, "log_steps": 2,
            "preview_steps": 3, "checkpoint_steps": 3, "threads": 1}  # fmt: skip
OWN = ("discriminator_loss", "generator_loss", "category_information", "continuous_information")


@pytest.fixture(scope="module")
def reported_events(tmp_path_factory, narrow):
    run = Run.create(tmp_path_factory.mktemp("adversarial"), RunConfig.parse(SETTINGS), "gan")
    return run, list(train(run))


@pytest.fixture(scope="module")
def run(reported_events):
    return reported_events[0]


@pytest.fixture(scope="module")
def digits():
    from engine.data import load_dataset

    return load_dataset("digits")


@pytest.fixture(scope="module")
def gan(run, digits):
    return load_model(run, digits)


@pytest.fixture(scope="module")
def evaluated(run):
    *_, last = evaluate(run)
    assert isinstance(last, Evaluated)
    return last.result


# The run's files


def test_missing_values_of_its_curves_are_empty(reported_events):
    run, events = reported_events
    with run.metrics_file.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["step", "epoch", "seconds", "loss", "reconstruction", "kl", "capacity", *OWN]
    assert [row["step"] for row in rows] == ["2", "4", "6"]
    assert all(row["reconstruction"] == row["kl"] == row["capacity"] == "" for row in rows)
    assert all(float(row[name]) for row in rows for name in ("loss", *OWN))
    metrics = [event for event in events if isinstance(event, StepMetrics)]
    assert all(event.reconstruction is event.kl is event.capacity is None for event in metrics)
    assert all(event.kl_per_latent == () for event in metrics)
    reader = MetricsReader(run.metrics_file)
    reader.refresh()
    assert (reader.problem, reader.latents, reader.own) == ("", 0, OWN)
    assert np.isnan(reader.column("kl")).all()
    assert not run.held_out_file.exists()


def test_its_pictures_have_a_column_for_each_category(reported_events):
    run, events = reported_events
    preview = [event for event in events if isinstance(event, Preview)][-1]
    assert preview.kl_per_latent == ()
    assert preview.latents == (0, 1, 2)
    assert preview.traversal.shape == (3, 10, 32, 32, 1)
    assert preview.reconstructions.shape == (8, 32, 32, 1)
    kept = load_preview(list_previews(run.previews_folder)[-1])
    assert kept is not None
    np.testing.assert_array_equal(kept.traversal, preview.traversal)
    np.testing.assert_array_equal(kept.originals, preview.originals)
    assert (kept.latents, kept.kl_per_latent) == ((0, 1, 2), ())


def test_a_category_with_fewer_values_ends_in_black_tiles(tmp_path):
    run = Run.create(tmp_path, RunConfig.parse(SETTINGS | {"steps": 1, "categories": 3}))
    [preview] = [event for event in train(run) if isinstance(event, Preview)]
    assert preview.traversal.shape[1] == 8
    assert (preview.traversal[0, 3:] == 0).all()
    assert (preview.traversal[0, :3] > 0).any()
    assert (preview.traversal[1, -1] > 0).any()


def test_its_archive_is_imported_completely(run, tmp_path):
    sizes = {str(p.relative_to(run.path)): p.stat().st_size for p in run.path.rglob("*") if p.is_file()}
    check_sizes({name: size for name, size in sizes.items() if name != "lock"}, run.config, "a.zip")
    list(write_archive([run], tmp_path / "a.zip"))
    *_, _ = read_archive(tmp_path / "a.zip", tmp_path / "in")
    [copy] = [Run.open(folder) for folder in (tmp_path / "in").iterdir() if folder.is_dir()]
    assert copy.metrics_file.read_bytes() == run.metrics_file.read_bytes()
    assert not copy.problems


def test_an_estimate_counts_its_columns():
    config, vae = RunConfig.parse(SETTINGS), RunConfig.parse(SETTINGS | {"objective": "vae", "latents": 10})
    sizes = [estimate(each, Pace(1.0, 0, 1500)).disk for each in (config, vae)]
    rows = 6 // 2 + 1
    assert sizes[1] - sizes[0] == rows * (10 - 4) * 11  # ten columns of KL per latent, and four of its own terms


# What is said of it


def test_a_missing_metric_is_a_dash_with_the_reason(run, evaluated):
    metrics = evaluated["metrics"]
    assert list(metrics) == usual_metrics()
    for name in (
        "reconstruction",
        "reconstruction_mean",
        "reconstruction_train",
        "elbo",
        "sharpness",
        "sharpness_ratio",
    ):
        assert metrics[name]["value"] is None
        assert metrics[name]["reason"].startswith(f"{run.config.method_title} has no reconstruction loss")
        assert known_reason(run.config, name) == metrics[name]["reason"]
    for name in ("kl", "active_latents"):
        assert metrics[name] == {"value": None, "reason": METHODS["info-gan"].lacks["kl"]}
    assert "kl_per_latent" not in evaluated
    for name in ("category_error", "sharpness_originals", "total_correlation", "mean_correlation"):
        assert metrics[name]["value"] is not None, name
    row = row_of(run)
    table = table_of([row])
    for name in FORMATS:
        assert FORMATS[name](table)
    cell = table.lines[0].cells[table.index("reconstruction")]
    assert (cell.text, cell.note) == ("–", metrics["reconstruction"]["reason"])
    assert "Category error" in FORMATS["markdown"](table.filled())
    assert "Reconstruction" not in FORMATS["markdown"](table.filled())


def test_its_category_error_is_that_of_the_encoded_test_images(gan, digits, evaluated):
    test = digits.splits["test"]
    categories = encode(gan, digits.images(test)).mean[:, 0].astype(int)
    right = sum(np.bincount(digits.labels[test][categories == c]).max() for c in set(categories.tolist()))
    entry = evaluated["metrics"]["category_error"]
    assert entry["value"] == pytest.approx(100 * (1 - right / len(test)))
    low, high = entry["interval"]
    assert low <= entry["value"] <= high
    assert evaluated["metrics"]["category_error_matched"]["value"] >= entry["value"]


def test_the_number_of_a_category_is_not_correlated(run, gan, digits, tmp_path):
    images, copy = digits.images(digits.splits["test"]), Run.open(shutil.copytree(run.path, tmp_path / "copy"))
    # A recogniser that says many categories: running means of these images, and other weights behind them.
    networks = deepcopy(gan.model.networks).train()
    for layer in networks.recogniser.modules():
        if isinstance(layer, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None
    with torch.no_grad():
        networks.recogniser(to_tensor(images))
        networks.recogniser.codes[-1].weight.normal_(generator=torch.Generator().manual_seed(1))
    path = copy.checkpoint_folder / "model.safetensors"
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    save_file({name: tensor.contiguous() for name, tensor in networks.state_dict().items()}, path, metadata)
    codes = encode(load_model(copy, digits), images).mean
    assert len(set(codes[:, 0])) > 3
    *_, last = evaluate(copy, ["mean_correlation"])
    expected = abs(np.corrcoef(codes[:, 1:].T)[0, 1])
    assert last.result["metrics"]["mean_correlation"]["value"] == pytest.approx(expected, abs=1e-4)


def test_there_is_no_category_error_without_labels_or_without_a_category(run, digits, tmp_path, monkeypatch):
    np.savez(tmp_path / "bare.npz", images=digits.images(np.arange(150)))
    config = RunConfig.parse(SETTINGS | {"dataset": "arrays", "data_folder": tmp_path / "bare.npz", "steps": 1})
    bare = Run.create(tmp_path / "runs", config)
    list(train(bare))
    *_, last = evaluate(bare, ["category_error"])
    assert last.result["metrics"]["category_error"]["reason"].endswith("has no class labels")
    assert known_reason(RunConfig(objective="vae"), "category_error") == "VAE has no categorical code"
    assert known_reason(run.config, "category_error") == ""


def test_metrics_of_a_version_without_category_error_suffice_where_it_does_not_apply(tiny_copy):
    *_, last = evaluate(tiny_copy)
    kept = tiny_copy.evaluation()
    for name in ("category_error", "category_error_matched"):
        del kept["metrics"][name]
    tiny_copy.write_evaluation(kept)
    tiny_copy.config = tiny_copy.config.changed(data_folder=tiny_copy.path / "gone")
    *_, again = evaluate(tiny_copy)  # no data are needed to know that there is no category
    assert again.result["metrics"] == last.result["metrics"]


def test_health_does_not_mention_missing_curves(run):
    reader = MetricsReader(run.metrics_file)
    reader.refresh()
    column = reader.column
    nothing = CurveData(column("step"), column("epoch"), column("loss"), column("reconstruction"), float("nan"),
                        float("nan"), np.empty(0), 2)  # fmt: skip
    assert health(nothing) == []
    bad = replace(nothing, loss=np.array([1.0, np.nan, np.nan]))
    assert health(bad) == ["The loss has not been a number since step 4."]


def test_the_methods_text_names_its_networks_and_both_learning_rates(run, evaluated):
    text = methods_text([run])
    assert "The encoder" not in text
    assert "62 noise variables from U(−1, 1), 2 codes from U(−1, 1) and a category of 10 as one-hot" in text
    assert "layers of 1,024 and 128 × 8 × 8 units" in text
    assert "Adam (β1 = 0.5) with a learning rate of 0.001 for the generator and 0.0002 for discriminator" in text
    assert "with λ = 1" in text
    assert "0.0005" not in text  # the common learning rate, which it does not look at


def test_the_message_of_a_diverging_run_names_its_own_learning_rates(tmp_path):
    run = Run.create(tmp_path, RunConfig.parse(SETTINGS | {"generator_rate": 1, "discriminator_rate": 1, "steps": 400}))
    method = METHODS["info-gan"]
    assert method.rate_words(run.config) == "1 for the generator and 1 for discriminator and recogniser"
    assert method.advice(run.config) == " or a smaller λ (it is 1)"


# Figures and tables


def test_its_curves_have_no_empty_panel(run, tiny_run, tmp_path):
    assert [axes.get_title() for axes in curves_figure(run).axes] == ["Loss (nats)", "Terms (nats)"]
    both = curves_figure(run, tiny_run)
    titles = [axes.get_title().split("\n")[0] for axes in both.axes]
    assert titles == ["Loss (nats)", "Reconstruction (nats)", "KL (nats)", "KL per latent (nats)"]
    assert [len(axes.get_lines()) for axes in both.axes][:3] == [2, 1, 1]
    assert [axes.get_title() for axes in curves_figure(run, run).axes] == ["Loss (nats)"]


def test_curves_of_several_runs_are_stacked_by_name(run, tiny_run, tmp_path):
    list(export([run, tiny_run], tmp_path / "both.csv"))
    with (tmp_path / "both.csv").open() as file:
        rows = list(csv.DictReader(file))
    mine = [row for row in rows if row["run"] == "gan"]
    assert [row["generator_loss"] != "" for row in mine] == [True] * 3
    assert {row["kl_0"] for row in mine} == {""}
    others = [row for row in rows if row["run"] != "gan"]
    assert {row["generator_loss"] for row in others} == {""}
    assert all(float(row["kl_9"]) >= 0 for row in others)
    assert list(rows[0]) == ["run", *header(10, OWN).split(",")]


def test_a_report_of_it_is_written(run, tmp_path):
    list(write_report(run, tmp_path / "report"))
    assert {path.name for path in (tmp_path / "report").iterdir()} >= {"curves.png", "traversal.png", "table.md"}


# Traversals


def test_latents_come_in_their_order_without_a_kl(gan, evaluated):
    kl, over = latent_kl(gan)
    assert np.isnan(kl).all()
    assert over == ""
    assert kept_kl(gan) is None
    assert choose_latents(kl) == (0, 1, 2)
    assert choose_latents(kl, min_kl=3.0) == (0, 1, 2)
    assert choose_latents(kl, [2, 1]) == (1, 2)


def test_a_row_for_a_category_draws_each_of_them(gan):
    start = start_from_image(gan, 5)
    grid = traverse_from(gan, start, (1, 0), np.full(3, np.nan), (-1, 1), 4)
    assert grid.values == ((-1, pytest.approx(-1 / 3), pytest.approx(1 / 3), 1), tuple(range(10)))
    assert grid.images.shape == (2, 10, 32, 32, 1)
    assert (grid.images[0, 4:] == 0).all()
    for category in range(10):
        z = torch.tensor([[category, *start.mean[1:]]], dtype=torch.float32)
        with torch.no_grad():
            expected = gan.model.decode(z)[0, 0].numpy() * 255
        assert np.abs(grid.row(1)[category, ..., 0] - expected).max() <= 0.51
    assert [grid.note(row) for row in range(2)] == ["U(−1, 1)", "0 to 9"]
    assert grid.columns == grid.values[0]  # those of the code; the category says its own beside it
    assert traverse_from(gan, start, (0,), np.full(3, np.nan)).columns == tuple(range(10))


def test_figures_and_files_of_a_traversal_name_the_category(gan, run, tmp_path):
    grid = traverse_from(gan, start_from_prior(gan), (0, 1, 2), np.full(3, np.nan), steps=5)
    caption = traversal_caption(run, "the prior", grid, {})
    assert caption.endswith("step 6: z0 over its 10 categories; z1, z2 from -2 to +2")
    words = [text.get_text() for text in traversal_figure(grid, caption).texts]
    assert "z0\n0 to 9" in words
    assert "z1\nU(−1, 1)" in words
    assert {"-2.0", "+0.0", "+2.0"} <= set(words)
    save_traversal(grid, tmp_path / "t.gif", Look())
    save_traversal(grid, tmp_path / "t.npz", Look())
    with np.load(tmp_path / "t.npz") as file:
        assert file["values"].shape == (3, 10)
        assert file["values"][0].tolist() == list(range(10))
        assert np.isnan(file["values"][1, 5:]).all()


def test_the_prior_is_that_of_each_latent(gan):
    drawn = np.stack([start_from_prior(gan, draw).mean for draw in range(300)])
    assert set(drawn[:, 0]) == set(range(10))
    assert np.abs(drawn[:, 1:]).max() <= 1
    assert start_from_prior(gan).mean.tolist() == [0, 0, 0]


def test_a_walk_takes_the_category_of_the_nearer_end_and_is_not_spherical(gan):
    a = replace(start_from_prior(gan), mean=np.array([2.0, -1, 0]))
    b = replace(start_from_prior(gan), mean=np.array([7.0, 1, 0.5]))
    points = path(gan, a, b, 5, spherical=False)
    assert points[:, 0].tolist() == [2, 2, 7, 7, 7]
    assert points[:, 1].tolist() == [-1, -0.5, 0, 0.5, 1]
    assert ways(gan.model.kinds) == (False,)
    assert walk(gan, a, b, 5, spherical=False).shape == (5, 32, 32, 1)


def test_weights_are_loaded_without_data(run):
    alone = load_model_without_data(run)
    assert alone.model.image_shape == (32, 32, 1)
    assert latent_kl(alone).over == ""


def test_the_command_line_draws_it_and_rejects_min_kl(run, tmp_path, capsys):
    out = tmp_path / "t.png"
    assert run_command(parse(["traverse", str(run.path), "--output", str(out), "--prior"])) == 0
    assert out.exists()
    assert run_command(parse(["traverse", str(run.path), "--output", str(out), "--prior", "--min-kl", "1"])) == 2
    assert "leave --min-kl out" in capsys.readouterr().err


def test_it_cannot_be_conditional():
    with pytest.raises(ConfigError, match="InfoGAN cannot be conditional"):
        RunConfig.parse(SETTINGS | {"conditional": True})
