"""Metrics against simple recomputations, and their storage in evaluation.json."""

import json
import math
import shutil
import statistics
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from engine.data import load_dataset
from engine.errors import CheckpointError, DataError, RunError, StudioError
from engine.evaluation import evaluate as module
from engine.evaluation.catalogue import METRICS, usual_metrics
from engine.evaluation.evaluate import GROUND_TRUTH, HEADLINE, TRAINING, evaluate
from engine.evaluation.reasons import NEEDS_CATEGORY
from engine.evaluation.rows import row_of
from engine.evaluation.sampling import sample_of
from engine.evaluation.sharpness import laplacian_variance
from engine.evaluation.table import table_of
from engine.evaluation.table_formats import comma_separated, markdown
from engine.jobs.events import Evaluated, Progress
from engine.runs.checkpoints import load_trainer, load_weights, save_checkpoint
from engine.runs.divergence import active_latents, latents_by_kl
from engine.runs.run import Run
from engine.runs.trained import load_model
from engine.training.trainer import train

COLUMN = {column.metric: column for column in METRICS.values()}


def result_of(run, metrics=None):
    *_, last = evaluate(run, metrics)
    assert isinstance(last, Evaluated)
    assert last.run == run.path
    return last.result


def plain_laplacian_variance(image):
    """Convolve with [[0, 1, 0], [1, -4, 1], [0, 1, 0]], mirroring the border without its outermost pixel."""
    padded = np.pad(image.astype(np.float64), 1, mode="reflect")
    height, width = image.shape
    kernel = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    out = np.zeros((height, width))
    for row in range(3):
        for column in range(3):
            out += kernel[row][column] * padded[row : row + height, column : column + width]
    return np.mean((out - out.mean()) ** 2)


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory, make_run):
    """A run that has learned enough for its samples to cost more than its means: the report's network, 60 steps."""
    run = make_run(tmp_path_factory.mktemp("tiny"), name="tiny", network="report")
    for _ in train(run):
        pass
    return run


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, tiny_run):
    """The trained run, evaluated in a copy."""
    run = Run.open(shutil.copytree(tiny_run.path, tmp_path_factory.mktemp("evaluated") / "tiny"))
    return run, result_of(run)


@pytest.fixture(scope="module")
def trained(tiny_run, digits_folder):
    return load_model(tiny_run, load_dataset("mnist", digits_folder))


@pytest.fixture(scope="module")
def plain(trained):
    """One pass of the 297 test images through the network, in double precision."""
    indices = trained.dataset.splits["test"]
    originals = trained.dataset.images(indices)
    x = originals[..., 0] / 255
    with torch.no_grad():
        mean, log_variance = trained.model.encode(torch.tensor(x, dtype=torch.float32)[:, None])
        logits = trained.model.logits(mean)[:, 0].double().numpy()
    p = 1 / (1 + np.exp(-logits))
    losses = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum((1, 2))
    kl = kl_divergence(Normal(mean.double(), (0.5 * log_variance.double()).exp()), Normal(0.0, 1.0)).numpy()
    return {"originals": originals, "pixels": p, "losses": losses, "kl": kl}


def test_sharpness_agrees_with_a_simple_convolution():
    rng = np.random.default_rng(1)
    images = np.concatenate([rng.uniform(0, 255, (3, 28, 28)), rng.integers(0, 2, (2, 28, 28)) * 255.0])
    expected = [plain_laplacian_variance(image) for image in images]
    np.testing.assert_allclose(laplacian_variance(images[..., None]), expected, rtol=1e-12)


def test_sharpness_of_bytes_equals_that_of_floats():
    images = np.random.default_rng(2).integers(0, 256, (4, 64, 64, 1), np.uint8)
    np.testing.assert_array_equal(laplacian_variance(images), laplacian_variance(images.astype(np.float64)))


def test_sharpness_of_known_images():
    # Closed forms: no variance without edges; a checkerboard of 0 and 255 has a Laplacian of +-4 * 255 everywhere.
    flat = np.full((1, 28, 28, 1), 77.0)
    board = (np.indices((28, 28)).sum(0) % 2 * 255.0)[None, ..., None]
    assert laplacian_variance(flat)[0] == 0
    assert laplacian_variance(board)[0] == pytest.approx((4 * 255) ** 2)


def test_sharpness_grows_with_the_square_of_contrast_and_averages_colours():
    image = np.random.default_rng(3).uniform(0, 100, (1, 28, 28, 1))
    assert laplacian_variance(2 * image)[0] == pytest.approx(4 * laplacian_variance(image)[0])
    colours = np.concatenate([image * 0.5, image, image * 1.5], axis=-1)
    assert laplacian_variance(colours)[0] == pytest.approx(laplacian_variance(image)[0])


def test_mnists_originals_have_the_known_sharpness(shared_data):
    # The project's notes on the paper: "MNIST's originals score about 10,300".
    dataset = load_dataset("mnist", shared_data / "mnist")
    score = laplacian_variance(dataset.images(dataset.splits["test"])).mean()
    assert score == pytest.approx(10_300, rel=0.01)


def test_reconstruction_at_the_posterior_mean_agrees_with_a_simple_recomputation(evaluated, plain):
    _, result = evaluated
    entry = result["metrics"]["reconstruction_mean"]
    assert entry["value"] == pytest.approx(plain["losses"].mean(), rel=1e-4)
    assert entry["unit"] == "nats"


def test_training_reconstruction_uses_training_images_with_z_sampled_and_with_its_mean(evaluated, trained):
    images = torch.tensor(trained.dataset.images(np.arange(1500))[..., 0] / 255, dtype=torch.float32)[:, None]

    def plain(z):
        made = trained.model.decode(z).double()
        return torch.nn.functional.binary_cross_entropy(made, images.double(), reduction="sum").item() / 1500

    with torch.no_grad():
        posterior = trained.model.encode(images)
        at_mean = plain(posterior.mean)
        sampled = statistics.mean(
            plain(Normal(posterior.mean, (posterior.log_variance / 2).exp()).sample()) for _ in range(5)
        )
    metrics = evaluated[1]["metrics"]
    assert metrics["reconstruction_train_mean"]["value"] == pytest.approx(at_mean, rel=1e-4)
    assert metrics["reconstruction_train"]["value"] == pytest.approx(sampled, rel=5e-3)
    assert metrics["reconstruction_train"]["value"] > at_mean * 1.001  # sampling costs


def test_the_interval_is_students_t_times_the_standard_error(evaluated, plain):
    # s / sqrt(n), with the sample's standard deviation from Python's statistics; t of 296 from a printed table.
    values = plain["losses"].tolist()
    half = 1.968 * statistics.stdev(values) / math.sqrt(len(values))
    low, high = evaluated[1]["metrics"]["reconstruction_mean"]["interval"]
    middle = statistics.mean(values)
    assert (low, high) == pytest.approx((middle - half, middle + half), rel=1e-4)


def test_kl_agrees_with_torch_distributions(evaluated, plain):
    _, result = evaluated
    assert result["metrics"]["kl"]["value"] == pytest.approx(plain["kl"].sum(1).mean(), rel=1e-4)
    np.testing.assert_allclose(result["kl_per_latent"], plain["kl"].mean(0), rtol=1e-3, atol=1e-5)
    assert result["metrics"]["active_latents"]["value"] == sum(k > 0.1 for k in plain["kl"].mean(0))


def test_the_elbo_is_minus_reconstruction_minus_kl(evaluated):
    values = {name: entry["value"] for name, entry in evaluated[1]["metrics"].items()}
    assert values["elbo"] == pytest.approx(-values["reconstruction"] - values["kl"])


def test_sampling_z_costs_more_than_taking_its_mean(evaluated, trained, plain):
    # Sampled by other numbers the mean over 297 images moves little; recomputed here with numbers of the test's own.
    value = evaluated[1]["metrics"]["reconstruction"]["value"]
    images = torch.tensor(plain["originals"][..., 0] / 255, dtype=torch.float32)[:, None]
    rng = np.random.default_rng(5)
    with torch.no_grad():
        mean, log_variance = trained.model.encode(images)
        noise = torch.tensor(rng.standard_normal((20, *mean.shape)), dtype=torch.float32)
        draws = [
            torch.nn.functional.binary_cross_entropy(
                trained.model.decode(mean + (log_variance / 2).exp() * n), images, reduction="sum"
            ).item()
            / len(images)
            for n in noise
        ]
    assert abs(value - statistics.mean(draws)) < 5 * statistics.stdev(draws) + 1e-3
    assert value > plain["losses"].mean()


def test_sharpness_of_reconstructions_and_originals_agrees_with_the_simple_convolution(evaluated, plain):
    values = {name: entry["value"] for name, entry in evaluated[1]["metrics"].items()}
    sharp = np.mean([plain_laplacian_variance(255 * image) for image in plain["pixels"]])
    originals = np.mean([plain_laplacian_variance(image) for image in plain["originals"][..., 0]])
    assert values["sharpness"] == pytest.approx(sharp, rel=1e-3)
    assert values["sharpness_originals"] == pytest.approx(originals)
    assert values["sharpness_ratio"] == pytest.approx(sharp / originals, rel=1e-3)


def test_every_value_has_its_protocol(evaluated):
    _, result = evaluated
    assert result["step"] == 60
    assert list(result["metrics"]) == usual_metrics()
    for name, entry in result["metrics"].items():
        if name in GROUND_TRUTH:
            assert entry == {"value": None, "reason": "MNIST has no ground-truth factors"}
            continue
        if name in NEEDS_CATEGORY:
            assert entry["value"] is None
            assert entry["reason"].endswith("has no categorical code")
            continue
        training = "train" in name
        protocol = entry["protocol"]
        if name.startswith("class_"):  # fitted to one split, tested on the other
            assert (protocol["split"], protocol["n"], protocol["n_test"]) == ("all", 1500, 297)
            low, high = entry["interval"]
            assert 0.1 < low < entry["value"] < high < 1  # chance is a tenth
            continue
        assert set(protocol["versions"]) == {"numpy", "opencv", "scikit-learn", "torch"}
        assert protocol["name"]
        assert protocol["split"] == ("train" if training else "test")
        assert protocol["n"] == protocol["of"] == (1500 if training else 297)
        if "reconstruction" in name:
            assert protocol["z"] == ("mean" if name.endswith("mean") else "sampled")


def test_evaluating_the_same_checkpoint_again_computes_nothing(evaluated, monkeypatch):
    run, result = evaluated

    def refuse(*_, **__):
        raise AssertionError("nothing may be computed")

    monkeypatch.setattr(module, "forward", refuse)
    assert result_of(Run.open(run.path)) == result


def test_another_checkpoint_is_evaluated_again(tiny_copy, digits_folder):
    before = result_of(tiny_copy)
    trained = load_model(tiny_copy, load_dataset("mnist", digits_folder))
    with torch.no_grad():
        for parameter in trained.model.networks.decoder.parameters():
            parameter.zero_()
        trained.model.networks.decoder.pixels[-1].bias.zero_()
    save_checkpoint(tiny_copy.checkpoint_folder, 61, trained.model.networks, {})
    after = result_of(tiny_copy)
    assert (before["step"], after["step"]) == (60, 61)
    # Closed form: a decoder of zeros gives 1/2 everywhere, which costs ln 2 per pixel whatever the image.
    assert after["metrics"]["reconstruction"]["value"] == pytest.approx(784 * math.log(2), rel=1e-5)
    assert json.loads((tiny_copy.path / "evaluation.json").read_text(encoding="utf-8"))["step"] == 61


def test_evaluating_twice_from_scratch_gives_the_same_values(evaluated, tiny_copy):
    torch.manual_seed(123)  # torch's global state must not matter
    assert result_of(tiny_copy)["metrics"] == evaluated[1]["metrics"]


def test_evaluating_leaves_torchs_global_random_state_alone(tiny_copy):
    state = torch.get_rng_state()
    job = evaluate(tiny_copy)
    next(event for event in job if isinstance(event, Progress) and event.unit == "images")
    state = torch.get_rng_state()
    for _ in job:
        pass
    assert torch.equal(torch.get_rng_state(), state)


def test_only_requested_metrics_are_returned_and_all_computed_ones_are_stored(tiny_copy):
    result = result_of(tiny_copy, ["kl", "elbo"])
    assert list(result["metrics"]) == ["kl", "elbo"]
    assert list(tiny_copy.evaluation()["metrics"]) == list(HEADLINE)


def test_requesting_more_metrics_adds_them(tiny_copy, evaluated, monkeypatch):
    result_of(tiny_copy, ["reconstruction"])
    splits, forward = [], module.forward

    def spied(trained, indices, *arguments, **options):
        splits.append(len(indices))
        return forward(trained, indices, *arguments, **options)

    monkeypatch.setattr(module, "forward", spied)
    assert result_of(tiny_copy)["metrics"] == evaluated[1]["metrics"]
    assert splits == [1500]  # the test images were kept, only the training images are new


def test_other_weights_at_the_same_step_are_evaluated_again(tiny_copy):
    result_of(tiny_copy, ["kl"])
    weights = load_weights(tiny_copy.checkpoint_folder)
    state = load_trainer(tiny_copy.checkpoint_folder, weights)
    model = torch.nn.Module()
    model.state_dict = lambda: {k: v * 0 for k, v in weights.tensors.items()}  # type: ignore[method-assign]
    save_checkpoint(tiny_copy.checkpoint_folder, 60, model, state)
    # Closed form: an encoder of zeros gives N(0, 1), whose divergence from N(0, 1) is 0.
    assert result_of(tiny_copy, ["kl"])["metrics"]["kl"]["value"] == 0


def test_total_and_mean_correlation_agree_with_numpys_corrcoef(evaluated, trained, plain):
    images = torch.tensor(plain["originals"][..., 0] / 255, dtype=torch.float32)[:, None]
    with torch.no_grad():
        correlations = np.corrcoef(trained.model.encode(images)[0].double().numpy(), rowvar=False)
    values = evaluated[1]["metrics"]
    assert values["total_correlation"]["value"] == pytest.approx(-np.log(np.linalg.det(correlations)) / 2, rel=1e-3)
    apart = np.abs(correlations[~np.eye(len(correlations), dtype=bool)])
    assert values["mean_correlation"]["value"] == pytest.approx(apart.mean(), rel=1e-3)


def test_the_error_for_an_unknown_metric_lists_the_known_ones(tiny_run):
    with pytest.raises(StudioError, match=r"no metric 'fid'.*reconstruction"):
        list(evaluate(tiny_run, ["kl", "fid"]))


@pytest.mark.parametrize(
    "content", [b"", b'{"step": 60, "metr', b'{"step": 60}', b'{"step": 60, "metrics": null}', b"[]"]
)
def test_a_damaged_evaluation_is_computed_again(tiny_copy, evaluated, content):
    (tiny_copy.path / "evaluation.json").write_bytes(content)
    assert result_of(tiny_copy)["metrics"] == evaluated[1]["metrics"]


def test_the_evaluation_of_a_copied_run_names_its_current_folder(evaluated, tmp_path):
    run, _ = evaluated
    copied = Run.open(shutil.copytree(run.path, tmp_path / "copied"))
    result = result_of(copied)
    assert result["run"] == str(copied.path)


def test_the_evaluation_of_a_renamed_run_has_its_new_name(tiny_copy):
    result_of(tiny_copy)
    tiny_copy.write_marks({"name": "The good one"})
    assert result_of(tiny_copy)["name"] == "The good one"


def test_a_run_without_weights_gets_a_message(tmp_path, make_run):
    with pytest.raises(CheckpointError, match="fresh has no weights yet"):
        list(evaluate(make_run(tmp_path, name="fresh")))


def test_a_run_whose_data_are_gone_gets_a_message(tiny_copy):
    tiny_copy.config = tiny_copy.config.changed(data_folder="/nowhere/digits")
    with pytest.raises(DataError, match="/nowhere/digits does not exist"):
        list(evaluate(tiny_copy))
    assert tiny_copy.evaluation() == {}


def test_weights_that_give_no_numbers_are_said_to_have_diverged(tiny_copy):
    weights = load_weights(tiny_copy.checkpoint_folder)
    state = load_trainer(tiny_copy.checkpoint_folder, weights)
    model = torch.nn.Module()
    model.state_dict = lambda: {
        k: torch.full_like(v, math.nan) if v.is_floating_point() else v for k, v in weights.tensors.items()
    }  # type: ignore[method-assign]
    save_checkpoint(tiny_copy.checkpoint_folder, 60, model, state)
    with pytest.raises(RunError, match="diverged"):
        list(evaluate(tiny_copy))
    assert tiny_copy.evaluation() == {}


def test_an_abandoned_evaluation_keeps_the_metrics_computed_so_far(tiny_copy):
    job = evaluate(tiny_copy)
    while next(job).unit != "images":
        pass
    job.close()
    assert tiny_copy.evaluation() == {}
    job = evaluate(tiny_copy)
    while "training" not in next(job).what:
        pass
    job.close()
    assert list(tiny_copy.evaluation()["metrics"]) == list(HEADLINE)


def test_progress_ends_at_its_total(tiny_copy):
    wanted = (*HEADLINE, *TRAINING)
    counted = [event for event in evaluate(tiny_copy, wanted) if isinstance(event, Progress) and event.unit == "images"]
    last = {event.what: (event.done, event.total) for event in counted}
    assert sorted(last.values()) == [(297, 297), (1500, 1500)]
    name = tiny_copy.name
    assert sorted(last) == [f"Evaluating {name}: test images", f"Evaluating {name}: training images"]


def test_images_drawn_from_a_data_set_without_a_split_are_not_called_all_images(tiny_copy, digits_folder):
    dataset = load_dataset("mnist", digits_folder)
    whole = replace(dataset, splits={"all": np.arange(1500)})
    found = {event.what for event in module._compute_headline(load_model(tiny_copy, whole), "Evaluating tiny")}
    assert found == {"Evaluating tiny"}


def test_a_conditional_run_is_evaluated_with_each_images_own_label(tmp_path, make_run, digits_folder):
    from engine.training.trainer import train

    run = make_run(tmp_path, conditional=True, steps=12, preview_steps=100)
    for _ in train(run):
        pass
    trained = load_model(run, load_dataset("mnist", digits_folder))
    indices = trained.dataset.splits["test"]
    x = torch.tensor(trained.dataset.images(indices)[..., 0] / 255, dtype=torch.float32)[:, None]
    labels = torch.tensor(trained.dataset.labels[indices])
    with torch.no_grad():
        p = trained.model.decode(trained.model.encode(x)[0], labels).double()
    plain = -(x * p.log() + (1 - x) * (1 - p).log()).sum((1, 2, 3)).mean().item()
    assert result_of(run)["metrics"]["reconstruction_mean"]["value"] == pytest.approx(plain, rel=1e-4)


def test_active_latents_are_above_a_tenth_of_a_nat():
    assert active_latents(np.array([0.0, 0.0999, 0.1001, 3.0])) == 2


def test_latents_are_ordered_by_kl_and_ties_keep_their_order():
    assert latents_by_kl(np.array([0.5, 2.0, 0.5, 3.0])).tolist() == [3, 1, 0, 2]


def test_a_sample_of_a_split_is_ordered_and_reproducible(digits_folder):
    dataset = load_dataset("mnist", digits_folder)
    chosen = sample_of(dataset, "test", 100)
    assert len(set(chosen.tolist())) == 100
    assert set(chosen.tolist()) <= set(range(1500, 1797))
    assert chosen.tolist() == sorted(chosen.tolist()) == sample_of(dataset, "test", 100).tolist()
    assert sample_of(dataset, "test").tolist() == list(range(1500, 1797))


def test_the_protocol_of_a_sample_says_how_many_images_there_are(tiny_copy, monkeypatch):
    from engine.evaluation import evaluate as module
    from engine.evaluation.protocols import protocol_text

    whole = module.drawn_from
    for place in ("evaluate", "sampling"):
        monkeypatch.setattr(f"engine.evaluation.{place}.drawn_from", lambda indices, limit=100: whole(indices, 100))
    metrics = result_of(tiny_copy, ("kl", "reconstruction_train"))["metrics"]
    assert (metrics["kl"]["protocol"]["n"], metrics["kl"]["protocol"]["of"]) == (100, 297)
    words = {name: protocol_text(metrics[name], COLUMN[name], interval=False) for name in metrics}
    assert words["kl"].endswith("mean over images; 100 of 297 test images")
    assert "; 100 of 1,500 training images; z sampled" in words["reconstruction_train"]


def test_a_table_has_a_line_for_each_run_and_rounded_values(evaluated):
    run, result = evaluated
    row = row_of(run)
    assert row is not None
    head, rule, line, end = markdown(table_of([row]).filled()).split("\n")
    assert end == ""
    none = {*GROUND_TRUTH, *NEEDS_CATEGORY}  # MNIST has none of these, nor has the method
    columns = [column for column in METRICS.values() if column.metric in usual_metrics() and column.metric not in none]
    assert head.count("|") == rule.count("|") == line.count("|") == 6 + len(columns) + 1
    assert f"{result['metrics']['reconstruction']['value']:.2f}" in line
    assert "tiny" in line
    assert "VAE" in line
    first, second = comma_separated(table_of([row]).filled()).strip().split("\r\n")
    assert first.split(",")[6:] == [column.heading for column in columns]
    assert second.startswith("tiny,VAE,unsupervised,MNIST,0,60,")


def test_a_run_that_was_not_evaluated_has_no_row(tiny_run):
    assert row_of(tiny_run) is None


def test_a_pipe_or_comma_in_a_runs_name_does_not_break_its_table(evaluated, tmp_path):
    run = Run.open(shutil.copytree(evaluated[0].path, tmp_path / "named"))
    run.write_marks({"name": "γ|1,5"})
    row = row_of(run)
    assert row is not None
    head, _, line, _ = markdown(table_of([row]).filled()).split("\n")
    cells = line.replace(r"\|", "").count("|")
    assert cells == head.count("|")
    assert '"γ|1,5"' in comma_separated(table_of([row]).filled())
