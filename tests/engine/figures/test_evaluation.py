"""Figures of metrics contain the values of the table, in its order."""

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.evaluation.catalogue import METRICS
from engine.evaluation.charts import bars, matrix, points
from engine.evaluation.evaluate import evaluate
from engine.evaluation.reconstructions import originals, reconstructions
from engine.evaluation.rows import Row
from engine.evaluation.sweeps import Sweep
from engine.evaluation.table import table_of
from engine.figures.drawing import save
from engine.figures.evaluation import bars_figure, compared_figure, matrix_figure, scatter_figure, sweeps_figure
from engine.runs.trained import load_model
from engine.settings.run_config import RunConfig

BY_NAME = {column.metric: column for column in METRICS.values()}
DSPRITES = ("dsprites",)
COLOURS = ["#D55E00", "#0072B2", "#009E73"]


def row(name, objective, seed, kl=(), **metrics):
    config = RunConfig(objective=objective, seed=seed)
    return Row(name, config.method_title, "dSprites", seed, 1, metrics, config, kl_per_latent=kl)


@pytest.fixture
def table():
    rows = [
        row("$a_1$", "vae", 0, reconstruction={"value": 41.0}, mig={"value": 0.1}),
        row("b", "beta-vae", 0, reconstruction={"value": 80.0}, mig={"value": 0.2, "interval": [0.15, 0.3]}),
        row("c", "beta-vae", 1, reconstruction={"value": 84.0}, mig={"value": None}),
    ]
    return table_of(rows, report=True)


def test_a_scatter_has_the_runs_that_have_both_metrics(table, tmp_path):
    figure = scatter_figure(points(table, "reconstruction", "mig", DSPRITES), ["$a_1$", "_b", "c"], COLOURS,
                            BY_NAME["reconstruction"], BY_NAME["mig"])  # fmt: skip
    [axes] = figure.axes
    assert np.concatenate([dots.get_offsets() for dots in axes.collections]).tolist() == [[41.0, 0.1], [80.0, 0.2]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["$a_1$", "_b"]
    save(figure, tmp_path / "scatter.svg")
    assert "$a_1$" in (tmp_path / "scatter.svg").read_text()


def test_bars_have_error_bars_and_the_reports_values(table):
    found = bars(table, BY_NAME["mig"], DSPRITES)
    assert [(bar.title, bar.value, bar.low, bar.high) for bar in found] == [
        ("$a_1$", 0.1, None, None),
        ("b", 0.2, 0.15, 0.3),
    ]
    figure = bars_figure(bars(table, BY_NAME["reconstruction"], DSPRITES), COLOURS, BY_NAME["reconstruction"])
    [axes] = figure.axes
    assert [patch.get_width() for patch in axes.patches] == [41.0, 80.0, 84.0]
    diamonds = [line.get_xdata()[0] for line in axes.get_lines() if line.get_marker() == "D"]
    assert diamonds == [25.98, 51.54, 51.54]  # Table 2, as printed
    assert [label.get_text() for label in axes.get_yticklabels()] == ["$a_1$", "b", "c"]


def test_points_and_bars_are_of_one_data_set():
    own = RunConfig(dataset="arrays", data_folder=Path("/a/faces.npz"))
    other = own.changed(data_folder=Path("/b/faces.npz"))
    metrics = {"kl": {"value": 3.0}, "mig": {"value": 0.1}}
    rows = [
        Row("a", "VAE", "Arrays (faces.npz)", 0, 1, metrics, own),
        Row("b", "VAE", "Arrays (faces.npz)", 0, 1, metrics, other),
        Row("c", "VAE", "MNIST", 0, 1, metrics, RunConfig(dataset="mnist")),
    ]
    table = table_of(rows)
    for number, row in enumerate(rows):
        assert [(point.row.name, point.line) for point in points(table, "kl", "mig", row.data)] == [(row.name, number)]
        assert [(bar.title, bar.line) for bar in bars(table, BY_NAME["mig"], row.data)] == [(row.name, number)]


def test_error_bars_of_methods_span_the_mean_plus_or_minus_the_deviation(table):
    rows = [line.rows[0] for line in table.lines]
    both = bars(table_of(rows, ("method",)), BY_NAME["reconstruction"], DSPRITES)[1]
    assert (both.value, both.low, both.high) == pytest.approx((82.0, 82 - 8**0.5, 82 + 8**0.5))  # of 80 and 84


def test_a_matrix_is_ordered_by_kl_and_drawn_with_its_values():
    kept = {"factors": ["x", "$y$"], "latents": [[0.1, 0.2], [0.9, 0.0], [0.3, 0.4]]}
    found = matrix(
        row("a", "vae", 0, (0.05, 3.0, 1.0), mig={"value": 0.1, "mutual_information": kept}), "mutual_information"
    )
    assert found.latents == ("z1", "z2", "z0")
    np.testing.assert_array_equal(found.values, [[0.9, 0.0], [0.3, 0.4], [0.1, 0.2]])
    assert found.idle == (False, False, True)  # a KL of at most 0.1 nats
    [axes] = matrix_figure(found, "caption").axes
    assert [text.get_text() for text in axes.texts] == ["0.90", "0.00", "0.30", "0.40", "0.10", "0.20"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["x", "$y$"]
    drawn = axes.get_images()[0].get_array()
    reddish = drawn[..., 0] - drawn[..., 2]
    assert (reddish[:2, 0] > 0.1).all()  # orange
    assert (abs(reddish[2]) < 0.05).all()  # grey


def test_without_a_kl_no_latent_is_idle():
    kept = {"factors": ["x"], "latents": [[0.1], [0.9]]}
    found = matrix(row("a", "vae", 0, (), mig={"value": 0.1, "mutual_information": kept}), "mutual_information")
    assert found.latents == ("z0", "z1")
    assert found.idle == (False, False)


@pytest.mark.parametrize(
    "kept", [None, 5, {}, {"factors": ["x"], "latents": [[1, 2]]}, {"factors": ["x"], "latents": "no"},
             {"factors": [], "latents": []}, {"factors": ["x"], "latents": [[float("nan")]]}]
)  # fmt: skip
def test_a_damaged_matrix_is_ignored(kept):
    assert matrix(row("a", "vae", 0, mig={"value": 0.1, "mutual_information": kept}), "mutual_information") is None


def test_compared_reconstructions_use_each_images_own_label(label_alone, digit_files):
    files, labels = digit_files
    shown = originals(label_alone, 8).images[..., 0]
    own = [int(labels[np.flatnonzero((files == image).all((1, 2)))[0]]) for image in shown]
    assert all(one != other for one, other in zip(own, np.roll(own, 1), strict=True))
    with torch.no_grad():
        expected = 255 * label_alone.model.decode(torch.zeros(8, 10), torch.tensor(own))[:, 0].numpy()
    assert np.abs(reconstructions(label_alone, 8).images[..., 0] - expected).max() < 0.51


def test_sharpness_of_shown_images_agrees_with_the_metric(tiny_copy):
    from engine.data import load_dataset

    *_, last = evaluate(tiny_copy, ["sharpness", "sharpness_originals"])
    metrics = last.result["metrics"]
    trained = load_model(tiny_copy, load_dataset(*tiny_copy.config.data))
    every = len(trained.dataset.splits["test"])
    made, real = reconstructions(trained, every), originals(trained, every)
    assert made.sharpness.mean() == pytest.approx(metrics["sharpness"]["value"], rel=1e-4)
    assert real.sharpness.mean() == pytest.approx(metrics["sharpness_originals"]["value"], rel=1e-9)
    figure = compared_figure([("originals", real.images[:4]), ("tiny", made.images[:4])])
    np.testing.assert_array_equal(figure.axes[5].get_images()[0].get_array(), made.images[1, ..., 0])


def test_sweeps_have_a_panel_for_each_factor_with_the_means_against_its_values():
    means = np.array([[0.0, 1.0, np.nan], [0.5, 1.5, 2.5]])
    scale = Sweep("scale", np.array([0.5, 0.7, 1.0]), (), 3, means, 1.0)
    shape = Sweep("$shape$", np.array([1.0, 2.0, 3.0]), ("square", "ellipse", "heart"), 0, means[:1], None)
    figure = sweeps_figure([scale, shape], {3: "size"}, "a caption")
    first, second = figure.axes
    for line, expected in zip(first.get_lines(), means, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), [0.5, 0.7, 1.0])
        np.testing.assert_array_equal(line.get_ydata(), expected)
    assert (first.get_title(), first.get_ylabel()) == ("scale · |ρ| = 1.00", "z3 (size)")
    assert (second.get_title(), second.get_ylabel()) == ("$shape$", "z0")
    assert [tick.get_text() for tick in second.get_xticklabels()] == ["square", "ellipse", "heart"]
    assert second.axison
    assert not sweeps_figure([scale] * 4).axes[5].axison  # a panel that no factor takes
