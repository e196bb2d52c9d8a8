"""Metrics that compare runs, and PIPE: against other libraries, on planted orders, and for trained runs."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import spearmanr

from engine.data import load_dataset
from engine.errors import ConfigError
from engine.evaluation import generated, model_centrality, pipe, udr
from engine.evaluation.apart import evaluations
from engine.evaluation.catalogue import COMPARED, METRICS, usual_metrics
from engine.evaluation.comparing import ALONE, compare
from engine.evaluation.evaluate import evaluate
from engine.evaluation.protocols import protocol_text
from engine.evaluation.reasons import COMPARES
from engine.evaluation.rows import read_row
from engine.evaluation.table import COMPARISON_NOTE, table_of
from engine.jobs.events import Evaluated, Progress, Warned
from engine.methods.latents import Latent
from engine.runs.run import Run
from engine.training.trainer import train

LATENTS = 4
EVERY = ("good", "another", "third", "early", "rotated", "collapsed")
"""Planted runs: three that found the factors, one that began to, one that mixes them, and one without information."""


def planted(kind, factors, seed):
    """Encode independent factors, (n, latents): up to order, sign and scale, and an own noise."""
    rng = np.random.default_rng(seed)
    order, scale = rng.permutation(LATENTS), rng.choice([-1, 1], LATENTS) * rng.uniform(0.7, 1.5, LATENTS)
    turned = np.linalg.qr(rng.standard_normal((LATENTS, LATENTS)))[0] if kind == "rotated" else np.eye(LATENTS)
    codes = (factors @ turned)[:, order] * scale
    if kind == "collapsed":
        return np.zeros_like(codes)
    return codes + (0.9 if kind == "early" else 0.1) * rng.standard_normal(codes.shape)


def as_planted(values):
    """Whether good runs rank above the early one, that above the rotated one, and the collapsed one last."""
    of = dict(zip(EVERY, values, strict=True))
    best, worst = sorted(of, key=lambda name: -of[name])[:3], of["collapsed"]
    return set(best) == {"good", "another", "third"} and of["early"] > of["rotated"] > worst


@pytest.mark.parametrize("name", ["udr_lasso", "udr_spearman"])
def test_udr_ranks_a_planted_order(name):
    factors = np.random.default_rng(0).standard_normal((1500, LATENTS))
    codes = [planted(kind, factors, seed) for seed, kind in enumerate(EVERY)]
    latents = [udr.standardised(each, each.std(0) > 0) for each in codes]
    pairs = np.zeros((6, 6))
    for i, source in enumerate(latents):
        for j, target in enumerate(latents):
            if i != j and source.shape[1] and target.shape[1]:
                pairs[i, j] = udr.correspondence(udr.STRENGTHS[name](source, target))
    found = udr.scores(pairs)
    assert as_planted(found)
    assert found[0] > 0.5
    assert found[-1] == 0
    # Independently: the median over the other five, by hand.
    assert found[2] == sorted([pairs[0, 2], pairs[1, 2], pairs[3, 2], pairs[4, 2], pairs[5, 2]])[2]


def test_model_centrality_ranks_a_planted_order():
    # Generators show their factors as pixels: an encoder of another run sees them in its own order, sign, scale, noise.
    agreements, collapsed = np.zeros((6, 6)), EVERY.index("collapsed")
    for i, kind in enumerate(EVERY):
        points, reference, fixed = model_centrality.draw((Latent.gaussian(),) * LATENTS, np.random.default_rng(i))
        rng = np.random.default_rng(i)
        order, _, _ = rng.permutation(LATENTS), rng.choice([-1, 1], LATENTS), rng.uniform(0.7, 1.5, LATENTS)
        turned = np.linalg.qr(rng.standard_normal((LATENTS, LATENTS)))[0] if kind == "rotated" else np.eye(LATENTS)
        inverse = np.argsort(order)
        z = np.concatenate([points.reshape(-1, LATENTS), reference])
        shown = np.zeros_like(z) if i == collapsed else z[:, inverse] @ turned.T
        for j, other in enumerate(EVERY):
            if i != j:
                codes = planted(other, shown, j)
                cut = len(points) * points.shape[1]
                agreements[i, j] = model_centrality.agreement(codes[:cut].reshape(points.shape), codes[cut:], fixed)
    found = model_centrality.centrality(agreements)
    assert as_planted(found)
    assert agreements[0, 1] == agreements[1, 2] == 1
    plain = [(agreements[2, j] + agreements[j, 2]) / 2 for j in (0, 1, 3, 4, 5)]
    assert found[2] == pytest.approx(np.mean(plain))


def test_points_of_a_model_share_the_latent_that_is_fixed():
    kinds = (Latent.gaussian(), Latent.uniform(), Latent.categorical(3))
    points, reference, fixed = model_centrality.draw(kinds, np.random.default_rng(2))
    assert points.shape == (model_centrality.POINTS, model_centrality.IMAGES, 3)
    assert fixed[:6].tolist() == [0, 1, 2, 0, 1, 2]
    for point, k in zip(points, fixed, strict=True):
        assert len(set(point[:, k])) == 1
        assert all(len(set(point[:, other])) > 1 for other in range(3) if other != k)
    assert set(reference[:, 2]) == {0, 1, 2}
    assert np.abs(reference[:, 1]).max() <= 1


def test_strengths_of_udr_are_a_lassos_and_spearmans():
    rng = np.random.default_rng(1)
    first = rng.standard_normal((300, 3))
    second = np.stack([np.exp(first[:, 1]), rng.standard_normal(300)], axis=1)
    a, b = (udr.standardised(each, np.ones(each.shape[1], bool)) for each in (first, second))
    plain = [[abs(spearmanr(x, y).statistic) for y in b.T] for x in a.T]
    np.testing.assert_allclose(udr.spearman(a, b), plain)

    def loss(split, target):  # (|y - X w|^2 / 2n + alpha |w|), with w split into positive and negative parts
        w = split[:3] - split[3:]
        return ((target - a @ w) ** 2).sum() / 600 + udr.ALPHA * split.sum()

    found = udr.lasso(a, b)
    for k in range(2):
        best = minimize(loss, np.full(6, 0.1), (b[:, k],), bounds=[(0, None)] * 6, tol=1e-12).x
        np.testing.assert_allclose(found[:, k], np.abs(best[:3] - best[3:]), atol=2e-3)
    assert found[1, 0] > 0.5


def test_correspondence_by_hand():
    strengths = np.array([[0.9, 0.0], [0.3, 0.0], [0.0, 0.0]])
    # Rows 0.9, 0.3 and nothing; columns 0.81 / 1.2 and nothing.
    assert udr.correspondence(strengths) == pytest.approx(((0.9 + 0.3 + 0) / 3 + (0.81 / 1.2 + 0) / 2) / 2)
    assert udr.correspondence(np.zeros((0, 3))) == 0


# PIPE


class Pretended:
    """A representation of stripes whose brightness are its latents, which may depend on each other."""

    def __init__(self, equal):
        rng = np.random.default_rng(3)
        self._z = rng.uniform(0, 1, (400, 4)).astype(np.float32)
        if equal:
            self._z[:] = self._z[:, :1]
        self.dataset = SimpleNamespace(image_shape=(28, 28, 1), labels=None, __len__=lambda: 400)
        self.kinds, self.conditional = (Latent.gaussian(),) * 4, False
        self.dataset = _Sized(400)

    def rng(self, draw=0):
        return np.random.default_rng((9, draw))

    def means(self, images):
        yield Progress(0, 1)
        return self._z

    def sampled(self, images):
        yield Progress(0, 1)
        return self._z[images].astype(float)

    def decoded(self, z, labels=None):
        stripes = np.repeat(np.asarray(z), 7, axis=1)[:, None, :, None]
        return (255 * np.clip(np.broadcast_to(stripes, (len(z), 28, 28, 1)), 0, 1)).astype(np.uint8)


class _Sized:
    image_shape, labels = (28, 28, 1), None

    def __init__(self, number):
        self._number = number

    def __len__(self):
        return self._number


def test_pipe_tells_independent_latents_from_dependent_ones(monkeypatch):
    monkeypatch.setattr(pipe, "STEPS", 40)
    monkeypatch.setattr(pipe, "RATE", 1e-3)
    scores = []
    for equal in (False, True):
        job = generated.Pipe().compute(Pretended(equal))
        while True:
            try:
                next(job)
            except StopIteration as end:
                scores.append(end.value)
                break
    assert scores[0].value > 0.75  # decodings of independent latents are like its reconstructions
    assert scores[1].value < 0.35
    assert scores[1].value == pytest.approx(2 * (1 - scores[1].more["accuracy"]))
    assert scores[0].counts == {"n": 40 * 32, "n_test": 132}
    assert [pipe.score_of(accuracy) for accuracy in (1, 0.75, 0.5, 0.4)] == [0, 0.5, 1, 1]


# Trained runs


@pytest.fixture(scope="module")
def trained(tmp_path_factory, make_run):
    """Two runs on the same data."""
    root = tmp_path_factory.mktemp("compared")
    made = [make_run(root, name=f"run {seed}", seed=seed, steps=12, preview_steps=100) for seed in (0, 1)]
    for run in made:
        for _ in train(run):
            pass
    return made


@pytest.fixture
def runs(trained, tmp_path):
    return [Run.open(shutil.copytree(run.path, tmp_path / run.path.name)) for run in trained]


@pytest.fixture
def few(monkeypatch):
    """Generate fewer images."""
    for name, number in (("POINTS", 20), ("IMAGES", 8), ("REFERENCE", 60)):
        monkeypatch.setattr(model_centrality, name, number)


def test_runs_on_the_same_data_are_compared_and_each_keeps_its_value(runs, few):
    events = list(compare(runs, COMPARED))
    results = {event.run: event.result["metrics"] for event in events if isinstance(event, Evaluated)}
    assert set(results) == {run.path for run in runs}
    assert any(isinstance(event, Progress) and event.unit == "pairs of runs" for event in events)
    totals = [event for event in events if isinstance(event, Progress) and "ModelCentrality" in event.what]
    assert totals[-1].done == totals[-1].total
    for run in runs:
        kept = run.evaluation()["metrics"]
        for name in COMPARED:
            assert 0 <= kept[name]["value"] <= 1
            assert kept[name]["protocol"]["among"] == [run.name for run in runs]
        json.dumps(kept)
        words = protocol_text(kept["udr_lasso"], METRICS["udr_lasso"])
        assert f"compared 2 runs: {runs[0].name}, {runs[1].name}" in words
        row = read_row(run)
        assert row.value("udr_lasso") == kept["udr_lasso"]["value"]
        # An evaluation of this run alone keeps what is known among the others.
        *_, last = evaluate(run, ["udr_lasso", "kl"])
        assert last.result["metrics"]["udr_lasso"] == kept["udr_lasso"]
    # Two runs: both have the same score by centrality, since it is their mutual agreement.
    assert len({results[run.path]["model_centrality"]["value"] for run in runs}) == 1
    again = {
        event.run: event.result["metrics"] for event in compare(runs[::-1], COMPARED) if isinstance(event, Evaluated)
    }
    for run in runs:  # whatever the order of the runs
        for name in COMPARED:
            assert again[run.path][name]["value"] == pytest.approx(results[run.path][name]["value"])


def test_values_among_other_selections_are_not_ranked_together(runs, few):
    list(compare(runs, ["udr_lasso"]))
    rows = [read_row(run) for run in runs]
    table = table_of(rows)
    place = table.index("udr_lasso")
    assert COMPARISON_NOTE.format("UDR") not in table.notes()
    marked = [line.cells[place].best for line in table.lines]
    other = runs[1].evaluation()
    other["metrics"]["udr_lasso"]["protocol"]["comparison"] = "another"
    runs[1].write_evaluation(other)
    apart = table_of([read_row(run) for run in runs])
    assert not any(line.cells[place].best for line in apart.lines)
    assert COMPARISON_NOTE.format("UDR") in apart.notes()
    assert sum(marked) == (len({round(row.value("udr_lasso"), 3) for row in rows}) > 1)


def test_a_run_alone_has_a_reason_instead(runs):
    *_, last = compare(runs[:1], ["udr_lasso"])
    assert last.result["metrics"]["udr_lasso"] == {"value": None, "reason": ALONE}
    *_, last = evaluate(runs[1], ["udr_lasso"])
    assert last.result["metrics"]["udr_lasso"] == {"value": None, "reason": COMPARES}
    assert read_row(runs[1]).reason("model_centrality") == COMPARES
    assert not set(COMPARED) & set(usual_metrics())
    with pytest.raises(ConfigError, match="'mig' does not compare runs"):
        list(compare(runs, ["mig"]))


def test_a_run_without_weights_is_left_out_with_a_warning(runs):
    shutil.rmtree(runs[1].checkpoint_folder)
    events = list(compare(runs, ["udr_lasso"]))
    [warned] = [event.message for event in events if isinstance(event, Warned)]
    assert warned.startswith(f"{runs[1].name} is not compared: ")
    assert [event.run for event in events if isinstance(event, Evaluated)] == [runs[0].path]


def test_runs_are_evaluated_one_by_one_and_then_compared(runs):
    planned = [(run, type(job).__name__) for run, job in evaluations(runs, ["kl", "udr_lasso"])]
    assert [run for run, _ in planned] == [*runs, None]
    assert [run for run, _ in evaluations(runs, ["udr_lasso"])] == [None]
    assert [run for run, _ in evaluations(runs)] == runs


def test_pipe_of_a_trained_run_says_how_it_was_computed(runs, monkeypatch):
    monkeypatch.setattr(pipe, "STEPS", 2)
    *_, last = evaluate(runs[0], ["pipe"])
    entry = last.result["metrics"]["pipe"]
    assert 0 <= entry["value"] <= 1
    assert entry["protocol"]["z"] == "sampled"
    assert entry["protocol"]["n_test"] == 2 * (len(load_dataset(*runs[0].config.data)) // 6)
