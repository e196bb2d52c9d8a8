"""Ground-truth scores of a trained run, from its images to evaluation.json, and what cannot be scored."""

import json
import multiprocessing
import shutil
import time

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from engine.data import load_dataset
from engine.data.dataset import ArrayStore, Dataset, Factors
from engine.errors import RunError
from engine.evaluation import ground_truth as module
from engine.evaluation import representation, sampling
from engine.evaluation.catalogue import METRICS, quick_metrics, usual_metrics
from engine.evaluation.evaluate import GROUND_TRUTH, MEASURED, evaluate
from engine.evaluation.intervals import wilson
from engine.evaluation.mig import mig, mutual_information
from engine.evaluation.posterior_means import PosteriorMeans
from engine.evaluation.protocols import protocol_text
from engine.evaluation.representation import unscorable_reason
from engine.evaluation.sampling import Groups, draw_images, draw_pairs
from engine.jobs.events import Evaluated, Progress
from engine.runs.checkpoints import load_trainer, load_weights, save_checkpoint
from engine.runs.run import Run
from engine.runs.trained import load_model
from engine.settings.run_config import RunConfig
from engine.training.trainer import train

DCI = "dci_disentanglement"
NO_LABELS = ("category_error", "category_error_matched", "class_probe", "class_neighbours")
NO_NAMES = ("mig_ordered", "mig_sampled_ordered")
"""Metrics without a value for these data: they have no labels, and the values of their factors have no names."""
COLUMN = {column.metric: column for column in METRICS.values()}


@pytest.fixture(scope="module")
def squares(tmp_path_factory):
    """An .npz of 8 x 8 x 3 images: a square at a position in x and y, in three greys; a fourth factor is constant."""
    x, y, grey = (part.ravel() for part in np.indices((8, 8, 3)))
    images = np.zeros((192, 28, 28), np.uint8)
    for image, left, top, level in zip(images, 3 * x, 3 * y, 85 * (grey + 1), strict=True):
        image[top : top + 6, left : left + 6] = level
    path = tmp_path_factory.mktemp("squares") / "squares.npz"
    factors = np.stack([x, y, grey, np.zeros_like(x)], axis=1)
    np.savez(path, images=images, factors=factors, factor_names=np.array(["x", "y", "grey", "nothing"]))
    return path


@pytest.fixture(scope="module")
def run(squares, tmp_path_factory):
    config = RunConfig.parse(
        {
            "dataset": "arrays",
            "data_folder": squares,
            "objective": "vae",
            "latents": 4,
            "network": "burgess",
            "normalisation": "batch",
            "batch_size": 32,
            "steps": 120,
            "device": "cpu",
        }
    )
    made = Run.create(tmp_path_factory.mktemp("runs"), config, "squares")
    for _ in train(made):
        pass
    return made


def result_of(run, metrics=None):
    *_, last = evaluate(run, metrics)
    assert isinstance(last, Evaluated)
    return last.result


@pytest.fixture(scope="module")
def scored(run):
    return result_of(run, [*usual_metrics(), *quick_metrics()])


@pytest.fixture(scope="module")
def means(run, squares):
    """Posterior means of all images, encoded one at a time."""
    trained = load_model(run, load_dataset("arrays", squares))
    images = torch.tensor(trained.dataset.images(np.arange(192))[..., 0] / 255, dtype=torch.float32)[:, None]
    with torch.no_grad():
        return np.concatenate([trained.model.encode(image[None])[0].numpy() for image in images])


def test_every_score_has_a_value_its_counts_and_its_factors(scored):
    entries = {name: scored["metrics"][name] for name in GROUND_TRUTH}
    for name in NO_NAMES:
        assert entries.pop(name) == {"value": None, "reason": "no factor has values with names: the same as MIG"}
    for name, entry in entries.items():
        assert -0.1 <= entry["value"] <= 1, name  # a fit that stops early may be worse than a guess
        protocol = entry["protocol"]
        assert protocol["factors"] == ["x", "y", "grey"]
        z = "sampled" if name == "mig_sampled" else "mean"
        assert (protocol["split"], protocol["z"], protocol["seed"]) == ("all", z, 0)
    counts = {name: (entry["protocol"]["n"], entry["protocol"].get("n_test")) for name, entry in entries.items()}
    points, images = (10_000, 5_000), (128, 64)
    assert counts["disentanglement"] == counts["beta_vae"] == counts["factor_vae"] == points
    assert counts["sap"] == counts["dci_disentanglement"] == counts["dci_informativeness"] == images
    assert counts["mig"] == (128, None)
    with_interval = {name for name, entry in entries.items() if "interval" in entry}
    assert with_interval == {"disentanglement", "beta_vae", "factor_vae", "mig", "modularity", "irs"}
    assert {entry["protocol"]["of"] for entry in entries.values()} == {192}
    words = protocol_text(entries["beta_vae"], COLUMN["beta_vae"])
    assert "; 10,000 points of 64 pairs drawn from all 192 images, tested on 5,000 others; z = posterior" in words
    words = protocol_text(entries["mig"], COLUMN["mig"])
    assert "; 128 of 192 images; z = posterior mean" in words
    assert words.endswith(" of the score's mean over draws like this one, from the spread of 20 others")
    assert entries["beta_vae"]["interval"] == pytest.approx(wilson(entries["beta_vae"]["value"], 5000))
    json.dumps(scored)


def test_a_trained_model_is_better_than_chance(scored):
    for name in ("disentanglement", "beta_vae", "factor_vae"):
        assert scored["metrics"][name]["value"] > 0.4  # chance is a third


def test_mig_agrees_with_separately_encoded_images(scored, means):
    images, _ = draw_images(192, np.random.default_rng(0))
    x, y, grey = (part.ravel() for part in np.indices((8, 8, 3)))
    expected = mig(means[images], np.stack([x, y, grey], axis=1)[images])
    assert scored["metrics"]["mig"]["value"] == pytest.approx(expected, abs=0.02)  # an image may lie on a bin's edge
    table = scored["metrics"]["mig"]["mutual_information"]
    plain = mutual_information(means[images], np.stack([x, y, grey], axis=1)[images])
    assert table["factors"] == ["x", "y", "grey"]
    np.testing.assert_allclose(table["latents"], plain, atol=0.03)


def test_sap_and_dci_agree_with_separately_encoded_images(scored, means):
    # Each factor predicted by scikit-learn's classifiers, fitted on the training images and tested on the others.
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.svm import LinearSVC

    fit, test = draw_images(192, np.random.default_rng(0))
    metrics = scored["metrics"]
    found = {name: np.array(metrics[of][name]["latents"]) for of, name in (("sap", "accuracies"), (DCI, "importance"))}
    columns = dict(zip(("x", "y", "grey"), (part.ravel() for part in np.indices((8, 8, 3))), strict=True))
    for k, (name, column) in enumerate(columns.items()):
        trees = GradientBoostingClassifier(random_state=0).fit(means[fit], column[fit])
        accuracy = metrics["dci_informativeness"]["accuracies"][name]
        assert accuracy == pytest.approx(
            np.mean(trees.predict(means[test]) == column[test]), abs=0.08
        )  # 5 images of 64
        assert accuracy > 1.5 / (3 if name == "grey" else 8)  # chance
        assert found["importance"][:, k] == pytest.approx(trees.feature_importances_, abs=0.05)
        for j in range(4):
            machine = LinearSVC(C=0.01, class_weight="balanced", dual=False).fit(means[fit][:, [j]], column[fit])
            plain = np.mean(machine.predict(means[test][:, [j]]) == column[test])
            assert found["accuracies"][j, k] == pytest.approx(plain, abs=0.04)
    importance = found["importance"]
    for of, share in ((DCI, importance), ("dci_completeness", importance.T)):
        rows = share / share.sum(1, keepdims=True)
        concentration = 1 - entropy(rows, base=rows.shape[1], axis=1)
        assert metrics[of]["value"] == pytest.approx(np.average(concentration, weights=share.sum(1)), abs=1e-4)


def test_the_beta_vae_score_uses_mean_differences_and_other_points(scored, means):
    # Higgins et al. 2017: the mean over a point's 64 pairs. A sum would be regularised 4,096 times less.
    from sklearn.linear_model import LogisticRegression

    factors = Factors(("x", "y", "grey"), tuple(np.arange(n, dtype=np.float64) for n in (8, 8, 3)))
    pairs = draw_pairs(Groups.of(factors, 192), 15_000, np.random.default_rng(0))
    points = np.abs(means[pairs.first] - means[pairs.second]).mean(1)
    model = LogisticRegression(max_iter=10_000).fit(points[:10_000], pairs.factor[:10_000])
    value = scored["metrics"]["beta_vae"]["value"]
    assert value == pytest.approx(model.score(points[10_000:], pairs.factor[10_000:]), abs=0.0006)  # 3 points


def test_the_disentanglement_score_agrees_with_encoding_each_pair(scored, means):
    # Section 3.3 of the report taken literally: draw factor values, look up both images, sum, fit, score.
    from sklearn.svm import SVC

    rng = np.random.default_rng(11)
    sizes = (8, 8, 3)

    def point():
        k = rng.integers(3)
        total = np.zeros(4)
        for _ in range(64):
            u, v = [int(rng.integers(n)) for n in sizes], [int(rng.integers(n)) for n in sizes]
            v[k] = u[k]
            total += np.abs(means[np.ravel_multi_index(u, sizes)] - means[np.ravel_multi_index(v, sizes)])
        return total, k

    sums, factor = map(np.array, zip(*(point() for _ in range(1500)), strict=True))
    standard = (sums - sums[:1000].mean(0)) / sums[:1000].std(0)
    plain = SVC(kernel="linear", C=1).fit(standard[:1000], factor[:1000]).score(standard[1000:], factor[1000:])
    # Five standard deviations of a share of 500 points, and a little for fewer points to fit on.
    value = scored["metrics"]["disentanglement"]["value"]
    assert value == pytest.approx(plain, abs=5 * (value * (1 - value) / 500) ** 0.5 + 0.02)


def test_every_image_is_encoded_once_for_all_metrics(run, squares, monkeypatch):
    posterior, encoded = PosteriorMeans(load_model(run, load_dataset("arrays", squares))), []
    plain = posterior._encode
    monkeypatch.setattr(posterior, "_encode", lambda images: encoded.extend(images) or plain(images))
    for images in (np.array([5, 3, 5]), np.array([[3, 4], [191, 5]]), np.arange(192)):
        events = list(posterior.encode(images, "Encoding"))
        assert all(isinstance(event, Progress) for event in events)
    assert sorted(encoded) == list(range(192))
    assert list(posterior.encode(np.arange(192), "Encoding")) == []


def test_folding_batch_normalisation_into_convolutions_changes_no_mean(run, squares, means):
    posterior = PosteriorMeans(load_model(run, load_dataset("arrays", squares)))
    for _ in posterior.encode(np.arange(192), "Encoding"):
        pass
    np.testing.assert_allclose(posterior.means, means, atol=1e-5)


def test_scores_are_the_same_alone_and_together(run, scored, tmp_path):
    alone = Run.open(shutil.copytree(run.path, tmp_path / "alone"))
    (alone.path / "evaluation.json").unlink()
    result = result_of(alone, ["factor_vae", "mig"])
    assert list(result["metrics"]) == ["factor_vae", "mig"]
    for name in ("factor_vae", "mig"):
        assert result["metrics"][name] == scored["metrics"][name]


def test_cancelling_during_dci_ends_its_processes_and_keeps_other_scores(run, tmp_path):
    copied = Run.open(shutil.copytree(run.path, tmp_path / "cancelled"))
    (copied.path / "evaluation.json").unlink(missing_ok=True)
    job = evaluate(copied, ["mig", "dci_disentanglement"])
    while (event := next(job)).unit != "trees" or not event.done:
        pass
    start = time.monotonic()
    job.close()
    assert time.monotonic() - start < 2
    assert multiprocessing.active_children() == []
    assert set(copied.evaluation()["metrics"]) == {"mig", "mig_ordered", "modularity"}  # computed together


def change_weights(run, change):
    weights = load_weights(run.checkpoint_folder)
    state = load_trainer(run.checkpoint_folder, weights)
    model = torch.nn.Module()
    model.state_dict = lambda: {k: change(k, v.clone()) for k, v in weights.tensors.items()}  # type: ignore[method-assign]
    save_checkpoint(run.checkpoint_folder, weights.step, model, state)


@pytest.fixture
def changed(run, tmp_path):
    return Run.open(shutil.copytree(run.path, tmp_path / "changed"))


def test_a_collapsed_posterior_has_the_documented_values(changed):
    change_weights(changed, lambda name, value: value * 0 if name.startswith("encoder.statistics") else value)
    nothing = ("factor_vae", "mig", "sap", "kl", "active_latents")
    correlations = ("total_correlation", "mean_correlation")
    values = result_of(changed, [*nothing, *correlations, "beta_vae"])["metrics"]
    assert {values[name]["value"] for name in nothing} == {0}
    assert values["beta_vae"]["value"] == pytest.approx(1 / 3, abs=0.03)
    # Without a pair to correlate, the correlation must not be 0, the best possible value.
    alone = {"value": None, "reason": "fewer than two latents vary over the images: there is nothing to correlate"}
    assert [values[name] for name in correlations] == [alone, alone]


@pytest.mark.parametrize("pictures", ["grey", "noise"])
def test_degenerate_data_have_finite_values_or_a_reason(tmp_path, monkeypatch, pictures):
    """Uniform grey images, and 20 test images for ten latents: 1.0.0 warned of invalid values. Warnings are errors."""
    for each in (module, representation, sampling):
        monkeypatch.setattr(each, "TRAINING", 400)
        monkeypatch.setattr(each, "TESTING", 200)
    count = 200
    rng = np.random.default_rng(0)
    images = np.full((count, 28, 28), 128) if pictures == "grey" else rng.integers(0, 256, (count, 28, 28))
    factors = np.stack([np.arange(count) % 3, np.arange(count) // 3 % 5], axis=1)
    np.savez(tmp_path / "few.npz", images=images.astype(np.uint8), factors=factors)
    config = RunConfig.parse({"dataset": "arrays", "data_folder": tmp_path / "few.npz", "objective": "vae", "steps": 3,
                              "batch_size": 16, "device": "cpu"})  # fmt: skip
    made = Run.create(tmp_path / "runs", config)
    list(train(made))
    metrics = result_of(made, [name for name in usual_metrics() if not name.startswith("dci")])["metrics"]
    for name, entry in metrics.items():
        numbers = [entry["value"], *entry.get("interval", ())] if entry["value"] is not None else []
        assert all(map(np.isfinite, numbers)), name
        assert numbers or entry["reason"], name
    without = {name for name, entry in metrics.items() if entry["value"] is None}
    no_edges = {"total_correlation", "mean_correlation", "sharpness_ratio", "info_m", "info_c", "modularity"}
    flat = no_edges if pictures == "grey" else set()
    assert without == {*NO_LABELS, *NO_NAMES} | flat
    assert metrics["kl"]["protocol"]["n"] == 20
    if pictures == "grey":
        assert [metrics[name]["value"] for name in ("mig", "sap", "factor_vae", "sharpness_originals")] == [0] * 4
    else:
        trained = load_model(made, load_dataset("arrays", tmp_path / "few.npz"))
        x = torch.tensor(trained.dataset.images(trained.dataset.splits["test"]) / 255, dtype=torch.float32)
        with torch.no_grad():
            codes = trained.model.encode(x.permute(0, 3, 1, 2))[0].double().numpy()
        plain = -np.log(np.linalg.det(np.corrcoef(codes, rowvar=False))) / 2
        assert metrics["total_correlation"]["value"] == pytest.approx(plain, rel=1e-3)


def test_a_constant_latent_scores_like_any_other(changed):
    def still(name, value):
        if name.startswith("encoder.statistics"):
            value[0] = 0
        return value

    change_weights(changed, still)
    scores = ("mig", "sap", "factor_vae", "beta_vae")
    metrics = result_of(changed, [*scores, "total_correlation"])["metrics"]
    assert all(0 < metrics[name]["value"] <= 1 for name in scores)
    assert metrics["total_correlation"]["protocol"]["latents"] == 3


def test_weights_that_give_no_numbers_are_said_to_have_diverged(changed):
    change_weights(changed, lambda name, value: value * float("nan") if value.is_floating_point() else value)
    with pytest.raises(RunError, match="diverged"):
        result_of(changed, ["mig"])


def dataset(classes):
    values = tuple(np.arange(column.max() + 1.0) for column in classes.T)
    names = tuple("abcdef"[: classes.shape[1]])
    store = ArrayStore(np.zeros((len(classes), 28, 28, 1), np.uint8))
    splits, factors = {"all": np.arange(len(classes))}, Factors(names, values, table=classes)
    return Dataset("arrays", "Mine", store, (28, 28, 1), splits, "", factors=factors)


@pytest.mark.parametrize(
    ("classes", "latents", "words"),
    [
        (np.indices((20, 20)).reshape(2, -1).T, 10, ""),
        (np.indices((20, 1)).reshape(2, -1).T, 10, "Mine has fewer than two factors that vary"),
        (np.indices((7, 7)).reshape(2, -1).T, 10, "Mine has 49 images; the scores need at least 100"),
        (np.indices((300, 2)).reshape(2, -1).T, 10, "factor 'a' has 300 values; the scores accept at most 256"),
        (
            np.stack([np.arange(150), np.arange(150) % 3], axis=1),
            10,
            "factor 'a' has 150 values in 150 images; the scores need at least 3 images per value on average",
        ),
        (np.stack([np.arange(150) // 3, np.arange(150) % 3], axis=1), 10, ""),
        (np.zeros((150, 3), int), 10, "Mine has fewer than two factors that vary"),
        (np.indices((20, 20)).reshape(2, -1).T, 1, "a model with one latent cannot be scored: scores compare latents"),
    ],
)
def test_data_and_models_that_cannot_be_scored_get_a_reason(classes, latents, words):
    data = dataset(classes)
    assert unscorable_reason(data, Groups.of(data.factors, len(data)), latents) == words


def test_scores_cover_all_names(scored):
    measured = {column.metric for metric in MEASURED for column in metric.columns}
    assert measured - {"class_probe", "class_neighbours", "pipe"} == set(GROUND_TRUTH)
    assert set(GROUND_TRUTH) <= set(scored["metrics"])
