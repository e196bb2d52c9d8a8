"""Figures of metrics contain the values of the table, in its order."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.evaluation.catalogue import METRICS
from engine.evaluation.charts import bars, courses, places, points
from engine.evaluation.costs import COSTS, course_note
from engine.evaluation.evaluate import evaluate
from engine.evaluation.matrices import matrix
from engine.evaluation.reconstructions import originals, reconstructions
from engine.evaluation.rows import Row
from engine.evaluation.sweeps import Sweep
from engine.evaluation.table import table_of
from engine.figures.drawing import save
from engine.figures.evaluation import bars_figure, compared_figure, matrix_figure, scatter_figure, sweeps_figure
from engine.figures.looks import Look, look, looks_of
from engine.jobs.events import Link
from engine.runs.colours import FURTHER, PALETTE
from engine.runs.metrics_file import SCORE_COLUMNS, header
from engine.runs.trained import load_model
from engine.settings.run_config import RunConfig

BY_NAME = {column.metric: column for column in METRICS.values()}
DSPRITES = ("dsprites",)
LOOKS = [Look("#D55E00"), Look("#0072B2"), Look("#009E73", 1)]


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
    figure = scatter_figure(points(table, "reconstruction", "mig", DSPRITES), ["$a_1$", "_b", "c"], LOOKS,
                            BY_NAME["reconstruction"], BY_NAME["mig"])  # fmt: skip
    [axes] = figure.axes
    assert np.concatenate([dots.get_offsets() for dots in axes.collections]).tolist() == [[41.0, 0.1], [80.0, 0.2]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["unsupervised", "$a_1$", "_b"]
    save(figure, tmp_path / "scatter.svg")
    assert "$a_1$" in (tmp_path / "scatter.svg").read_text()


def test_bars_have_error_bars_and_the_reports_values(table):
    found = bars(table, BY_NAME["mig"], DSPRITES)
    assert [(bar.title, bar.value, bar.low, bar.high) for bar in found] == [
        ("$a_1$", 0.1, None, None),
        ("b", 0.2, 0.15, 0.3),
    ]
    figure = bars_figure(bars(table, BY_NAME["reconstruction"], DSPRITES), LOOKS, BY_NAME["reconstruction"])
    [axes] = figure.axes
    assert [patch.get_width() for patch in axes.patches] == [41.0, 80.0, 84.0]
    diamonds = [line.get_xdata()[0] for line in axes.get_lines() if line.get_marker() == "D"]
    assert diamonds == [25.98, 51.54, 51.54]  # Table 2, as printed
    assert [label.get_text() for label in axes.get_yticklabels()] == ["$a_1$", "b", "c", "unsupervised"]
    assert list(axes.get_yticks()) == [1, 2, 3, 0]


def test_rows_are_below_the_label_of_their_supervision():
    rows = [
        row("pairs", "ada-gvae", 0, elbo={"value": 1.0}, mig={"value": 0.5}),
        row("none", "vae", 0, elbo={"value": 2.0}, mig={"value": 0.1}),
        row("pairs 2", "ada-gvae", 1, elbo={"value": 3.0}, mig={"value": 0.4}),
    ]
    table = table_of(rows).sorted_by("mig")
    titles = [line.title for line in table.lines]
    figure = scatter_figure(points(table, "elbo", "mig", DSPRITES), titles, LOOKS, BY_NAME["elbo"], BY_NAME["mig"])
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["unsupervised", "none", "weakly supervised", "pairs 2", "pairs"]
    at, headings = places(bars(table, BY_NAME["mig"], DSPRITES))
    assert (at, headings) == ([1, 3, 4], {0: "unsupervised", 2: "weakly supervised"})


def test_more_methods_than_colours_have_other_shapes():
    numbers = range(4 * len(PALETTE + FURTHER))
    assert len({look(number) for number in numbers}) == len(numbers)
    assert [look(number).shape for number in (0, 15, 16)] == [0, 0, 1]
    table = table_of([row(str(n), "vae", n, mig={"value": 0.1}) for n in range(15)], ("seed",))
    assert sorted(looks_of(table, {}, methods=True)) == list(range(15))


def test_no_two_runs_have_the_same_look_and_the_selected_keep_theirs():
    table = table_of([replace(row(str(n), "vae", n, mig={"value": 0.1}), path=Path(str(n))) for n in range(4)])
    wanted = {Path(str(n)): 3 for n in range(4)}
    assert looks_of(table, wanted, methods=False) == [3, 8, 9, 10]
    assert looks_of(table, wanted, methods=False, selected={Path("2")}) == [8, 9, 3, 10]


@pytest.fixture
def trained_row(tmp_path):
    """A run that was evaluated at step 150: 100 steps took 3,600 s, 200 steps 14,400 s, with two threads."""
    (tmp_path / "metrics.csv").write_text(header(0) + "\n100,1,3600,9,9,9,\n200,2,14400,9,9,9,\n")
    return replace(row("a", "vae", 0, mig={"value": 0.3}), path=tmp_path, step=150, threads=2)


def test_a_score_stands_at_the_steps_and_hours_it_took(trained_row):
    def at(cost, **changes):
        found = points(table_of([replace(trained_row, **changes)]), cost, "mig", DSPRITES)
        return [(point.x, point.y) for point in found]

    assert at("training_steps") == [(150, 0.3)]
    assert at("processor_hours") == [(5.0, 0.3)]  # halfway between 1 h and 4 h, on two threads
    assert at("gpu_hours") == []
    assert (at("gpu_hours", threads=0), at("processor_hours", threads=0)) == ([(2.5, 0.3)], [])
    assert at("processor_hours", threads=None) == at("processor_hours", path=None) == []


def test_scores_recorded_during_training_are_joined_and_replace_the_evaluation(trained_row, table):
    (trained_row.path / "scores.csv").write_text(",".join(SCORE_COLUMNS) + "\n100,1,3600,0.5,0.1\n200,2,7200,0.6,0.2\n")
    table = table_of([trained_row, table.lines[0].rows[0]])
    found = points(table, "processor_hours", "mig", DSPRITES)
    assert [(point.x, point.y) for point in found] == [(2.0, 0.1), (4.0, 0.2)]
    assert [[point.x for point in course] for course in courses(found)] == [[2.0, 4.0]]
    figure = scatter_figure(found, ["a", "b"], LOOKS, COSTS["processor_hours"], BY_NAME["mig"])
    [line] = figure.axes[0].get_lines()
    assert line.get_xydata().tolist() == [[2.0, 0.1], [4.0, 0.2]]
    assert figure.axes[0].get_xlabel() == "Processor hours"
    assert [(p.x, p.y) for p in points(table, "training_steps", "factor_vae", DSPRITES)] == [(100, 0.5), (200, 0.6)]
    assert course_note([trained_row], "factor_vae")
    assert not course_note([trained_row], "mig")  # as an evaluation has it
    assert len(points(table, "reconstruction", "mig", DSPRITES)) == 1  # metrics are those of evaluations


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
    links = {latent: Link(latent, "x", 0.4321, 500) for latent in (1, 2)}
    evaluated = row("a", "vae", 0, (0.05, 3.0, 1.0), mig={"value": 0.1, "mutual_information": kept})
    titles = matrix(evaluated, "mutual_information", {2: "tilt"}, links).latents
    assert titles == ("z1 ≈ x 0.43", "z2 (tilt)", "z0")
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
