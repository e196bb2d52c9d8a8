"""Metrics against slow, simple recomputations, closed forms, other libraries and published examples."""

import math
import statistics

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score
from torch.distributions import MultivariateNormal, kl_divergence

from engine.data.dataset import Factors
from engine.evaluation import dci
from engine.evaluation.beta_vae import beta_vae_score
from engine.evaluation.correlation import mean_correlation, total_correlation, varying
from engine.evaluation.factor_vae import factor_vae_score
from engine.evaluation.mig import entropies, gap, mig, mutual_information
from engine.evaluation.sampling import (
    Batches,
    Groups,
    Pairs,
    batch_variances,
    draw_batches,
    draw_images,
    draw_pairs,
    pair_sums,
)
from engine.evaluation.sap import latent_accuracies, sap


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def grid(*sizes):
    names = tuple("abcdef"[: len(sizes)])
    return Groups.of(Factors(names, tuple(np.arange(n, dtype=np.float64) for n in sizes)), math.prod(sizes))


def with_holes(rng):
    """300 images of three factors, classes unevenly frequent, one factor constant."""
    table = np.stack([rng.choice(4, 300, p=[0.6, 0.2, 0.15, 0.05]), np.full(300, 2), rng.integers(0, 7, 300)], axis=1)
    values = (np.arange(4.0), np.arange(3.0), np.arange(7.0))
    return table, Groups.of(Factors(("a", "constant", "c"), values, table=table), 300)


# Drawing


def test_factors_that_do_not_vary_are_left_out(rng):
    table, groups = with_holes(rng)
    assert groups.names == ("a", "c")
    np.testing.assert_array_equal(groups.classes, table[:, [0, 2]])


@pytest.mark.parametrize("holes", [False, True])
def test_pairs_and_batches_agree_in_their_factor(rng, holes):
    groups = with_holes(rng)[1] if holes else grid(3, 6, 5)
    pairs, batches = draw_pairs(groups, 200, rng), draw_batches(groups, 200, rng)
    assert set(pairs.factor) == set(batches.factor) == set(range(len(groups.names)))
    for point, k in enumerate(pairs.factor):
        np.testing.assert_array_equal(groups.classes[pairs.first[point], k], groups.classes[pairs.second[point], k])
    for point, k in enumerate(batches.factor):
        assert len(set(groups.classes[batches.images[point], k])) == 1


def test_factors_that_a_pair_does_not_share_are_independent(rng):
    # On a full grid another factor of n classes agrees by chance: 1 / n, within five standard deviations.
    groups = grid(3, 6, 5)
    pairs = draw_pairs(groups, 3000, rng)
    same = groups.classes[pairs.first] == groups.classes[pairs.second]
    for k in range(3):
        for other, size in enumerate((3, 6, 5)):
            share, n = same[pairs.factor == k][..., other].mean(), same[pairs.factor == k][..., other].size
            expected = 1 if other == k else 1 / size
            assert abs(share - expected) <= 5 * math.sqrt(expected * (1 - expected) / n)


def test_images_that_share_a_class_are_drawn_uniformly(rng):
    _, groups = with_holes(rng)
    like = np.full(40_000, np.flatnonzero(groups.classes[:, 0] == 1)[0])
    drawn = np.bincount(groups.sharing(np.zeros(1, int), like, rng), minlength=300)
    members = groups.classes[:, 0] == 1
    assert (drawn > 0).tolist() == members.tolist()
    expected = 40_000 / members.sum()
    # The chi-square statistic has the mean n - 1 and the standard deviation sqrt(2 (n - 1)).
    statistic = ((drawn[members] - expected) ** 2 / expected).sum()
    assert abs(statistic - (members.sum() - 1)) < 5 * math.sqrt(2 * (members.sum() - 1))


@pytest.mark.parametrize(
    ("images", "counts"), [(20_000, (10_000, 5_000)), (900, (600, 300)), (15_001, (10_000, 5_000))]
)
def test_training_and_test_images_are_disjoint(rng, images, counts):
    training, testing = draw_images(images, rng)
    assert (len(training), len(testing)) == counts
    assert len({*training.tolist(), *testing.tolist()}) == sum(counts)


def test_sums_over_pairs_agree_with_a_loop(rng):
    means = rng.standard_normal((50, 4)).astype(np.float32)
    pairs = Pairs(np.zeros(700, int), rng.integers(0, 50, (700, 9)), rng.integers(0, 50, (700, 9)))
    plain = [
        [math.fsum(abs(float(means[u, j]) - float(means[v, j])) for u, v in zip(us, vs, strict=True)) for j in range(4)]
        for us, vs in zip(pairs.first, pairs.second, strict=True)
    ]
    np.testing.assert_allclose(pair_sums(means, pairs), plain, rtol=1e-12)


def test_variances_agree_with_pythons_statistics(rng):
    means = rng.standard_normal((50, 3)).astype(np.float32)
    images = rng.integers(0, 50, (20, 8))
    plain = [[statistics.variance(means[row, j].astype(float).tolist()) for j in range(3)] for row in images]
    np.testing.assert_allclose(batch_variances(means, Batches(np.zeros(20, int), images)), plain, rtol=1e-10)


# Scores


def test_factor_vae_agrees_with_a_simple_vote(rng):
    variances, tests = rng.exponential(1, (300, 4)), rng.exponential(1, (200, 4))
    factor, test_factor = rng.integers(0, 3, 300), rng.integers(0, 3, 200)
    tests[np.arange(200), test_factor] *= 0.1
    variances[np.arange(300), factor] *= 0.1
    whole = np.array([1.0, 0.5, 2.0, 0.05**2 * 0.99])  # the last is inactive
    votes: dict[tuple[int, int], int] = {}

    def vote(row):
        return min((0, 1, 2), key=lambda j: row[j] / whole[j])

    for row, k in zip(variances, factor, strict=True):
        votes[vote(row), k] = votes.get((vote(row), k), 0) + 1
    vote_of = {j: max(range(3), key=lambda k: votes.get((j, k), 0)) for j in range(3)}
    right = sum(vote_of[vote(row)] == k for row, k in zip(tests, test_factor, strict=True))
    assert factor_vae_score(whole, variances, factor, tests, test_factor) == right / 200
    assert right / 200 > 0.5


def test_mutual_information_agrees_with_scikit_learn(rng):
    # mutual_info_score on np.histogram's edges and np.digitize, as disentanglement_lib does it.
    classes = np.stack([rng.integers(0, 3, 500), rng.integers(0, 32, 500)], axis=1)
    codes = np.stack([classes[:, 0] + rng.normal(0, 0.3, 500), rng.standard_cauchy(500), np.full(500, 1.5)], axis=1)
    binned = [np.digitize(c, np.histogram(c, 20)[1][:-1]) for c in codes.T]
    plain = [[mutual_info_score(b, y) for y in classes.T] for b in binned]
    np.testing.assert_allclose(mutual_information(codes, classes), plain, atol=1e-12)
    np.testing.assert_allclose(entropies(classes), [mutual_info_score(y, y) for y in classes.T], rtol=1e-12)
    best = [sorted(column) for column in zip(*plain, strict=True)]
    gaps = [(b[-1] - b[-2]) / mutual_info_score(y, y) for b, y in zip(best, classes.T, strict=True)]
    assert mig(codes, classes) == pytest.approx(statistics.mean(gaps))


def test_a_factor_that_does_not_vary_in_the_sample_does_not_count():
    assert gap(np.array([[0.5, 0.0], [0.2, 0.0]]), np.array([1.0, 0.0])) == pytest.approx(0.3)


def test_the_beta_vae_scores_regression_agrees_with_one_written_in_torch(rng):
    # Cross-entropy summed over points plus |W|^2 / 2 (C = 1), minimised by torch's L-BFGS in double precision.
    factor, test_factor = rng.integers(0, 3, 300), rng.integers(0, 3, 400)

    def features(factor):
        values = np.abs(rng.normal(1, 0.5, (len(factor), 4)))
        values[np.arange(len(factor)), factor] *= 0.6
        return values

    training, testing = features(factor), features(test_factor)
    x, y = torch.tensor(training), torch.tensor(factor)
    weights, bias = (torch.zeros(shape, dtype=torch.double, requires_grad=True) for shape in ((4, 3), (3,)))
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=500, line_search_fn="strong_wolfe", tolerance_grad=1e-10)

    def closure():
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(x @ weights + bias, y, reduction="sum") + weights.square().sum() / 2
        loss.backward()
        return loss

    optimiser.step(closure)
    predicted = (torch.tensor(testing) @ weights + bias).argmax(1).numpy()
    plain = np.mean(predicted == test_factor)
    assert 0.4 < plain < 0.95
    assert beta_vae_score(training, factor, testing, test_factor) == pytest.approx(plain, abs=1 / 400)


def test_saps_svm_agrees_with_its_objective_minimised_by_scipy(rng):
    # One latent, two classes of 1 to 3: (w^2 + b^2) / 2 + C sum_i c_i max(0, 1 - y_i (w x_i + b))^2, c balanced.
    classes = (rng.random(400) < 0.25).astype(int)
    codes, C = 0.3 * classes + rng.normal(0, 0.3, 400), 0.01
    sign, balance = 2 * classes - 1, 400 / (2 * np.bincount(classes))[classes]

    def loss(parameters):
        slack = np.maximum(0, 1 - sign * (parameters[0] * codes + parameters[1]))
        return (parameters**2).sum() / 2 + C * (balance * slack**2).sum()

    w, b = minimize(loss, np.zeros(2), tol=1e-10).x
    tests = rng.normal(0.1, 0.4, 1000)
    predicted = (w * tests + b > 0).astype(int)
    assert 0.1 < predicted.mean() < 0.9
    [accuracy] = latent_accuracies(codes, classes[:, None], tests, predicted[:, None])
    assert accuracy >= 0.998


def test_sap_is_the_mean_gap_between_the_two_best():
    accuracies = np.array([[0.9, 0.2], [0.5, 0.5], [0.7, 0.4]])
    assert sap(accuracies) == pytest.approx(((0.9 - 0.7) + (0.5 - 0.4)) / 2)


DIAGONAL = np.diag(5 * np.ones(5))


@pytest.mark.parametrize(
    ("importance", "disentanglement", "completeness"),
    [
        (DIAGONAL, 1, 1),
        (np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), 1, 1),
        (np.zeros((10, 10)), 0, 0),
        (np.vstack([DIAGONAL, DIAGONAL]), 1, 1 - math.log(2) / math.log(10)),
        (DIAGONAL[:2], 1, 1),
        (np.hstack([DIAGONAL, DIAGONAL]), 1 - math.log(2) / math.log(10), 1),
    ],
)
def test_dci_agrees_with_published_examples(importance, disentanglement, completeness):
    # The examples of disentanglement_lib's dci_test.py.
    assert dci.disentanglement(importance) == pytest.approx(disentanglement)
    assert dci.completeness(importance) == pytest.approx(completeness)


def test_dci_agrees_with_scipys_entropy(rng):
    importance = rng.dirichlet(np.full(6, 0.4), 4).T  # six latents, four factors
    shares = importance.sum(1) / importance.sum()
    plain = sum(w * (1 - entropy(row, base=4)) for w, row in zip(shares, importance, strict=True))
    assert dci.disentanglement(importance) == pytest.approx(plain)
    assert dci.completeness(importance) == pytest.approx(np.mean([1 - entropy(c, base=6) for c in importance.T]))


def test_the_trees_are_scikit_learns_and_each_is_reported(rng):
    from sklearn.ensemble import GradientBoostingClassifier

    codes, done = rng.standard_normal((200, 3)), []
    classes = np.digitize(codes[:, 1] + 0.3 * codes[:, 0], [-0.5, 0.5])
    fit = dci.fit_factor(codes[:150], classes[:150], codes[150:], classes[150:], 3, done.append)
    plain = GradientBoostingClassifier(random_state=3).fit(codes[:150], classes[:150])
    np.testing.assert_array_equal(fit.importance, plain.feature_importances_)
    assert fit.accuracy == np.mean(plain.predict(codes[150:]) == classes[150:])
    assert done == list(range(3, 301, 3))
    assert dci.trees_of(classes) == plain.estimators_.size == 300
    assert dci.trees_of(classes % 2) == 100


def test_the_total_correlation_of_gaussians_has_a_closed_form(rng):
    # KL of the joint from the product of its marginals, by torch.distributions; samples whitened to have exactly R.
    correlations = np.array([[1, 0.6, 0.1], [0.6, 1, -0.3], [0.1, -0.3, 1]])
    raw = rng.standard_normal((1000, 3))
    white = (raw - raw.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False))).T
    codes = white @ np.linalg.cholesky(correlations).T * [1.0, 20.0, 0.01] + [3.0, 0.0, -9.0]
    joint = MultivariateNormal(torch.zeros(3).double(), torch.tensor(correlations))
    apart = MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double())
    assert total_correlation(varying(codes)) == pytest.approx(kl_divergence(joint, apart).item())
    assert mean_correlation(varying(codes)) == pytest.approx((0.6 + 0.1 + 0.3) / 3)


def test_constant_latents_do_not_correlate_and_equal_ones_correlate_infinitely(rng):
    code = rng.standard_normal(200)
    assert varying(np.stack([code, np.full(200, 0.1)], axis=1)).shape == (200, 1)
    assert total_correlation(varying(np.stack([code, np.zeros(200)], axis=1))) == 0
    assert mean_correlation(varying(np.zeros((200, 3)))) == 0
    assert mean_correlation(varying(np.stack([code, code], axis=1))) <= 1
    assert total_correlation(varying(np.stack([code, code, rng.standard_normal(200)], axis=1))) > 15


def test_rounding_in_single_precision_is_not_information(rng):
    # A latent that the weights do not move takes two neighbouring floats: by the size of the batch it was encoded in.
    classes = rng.integers(0, 4, (400, 2))
    informed = classes[:, 0] + 0.01 * rng.standard_normal(400)
    rounded = np.where(classes[:, 0] > 1, np.float32(0.37), np.nextafter(np.float32(0.37), np.float32(1)))
    codes = np.stack([informed, rounded, np.full(400, 0.37)], axis=1).astype(np.float32)
    information = mutual_information(codes, classes)
    assert information[0, 0] > 1
    assert not information[1:].any()


@pytest.mark.parametrize("apart", [0, 8, 40])
def test_latents_of_few_neighbouring_floats_have_bins(apart):
    codes = np.float32(1) + np.finfo(np.float32).eps * np.float32(apart) * (np.arange(200) % 2).astype(np.float32)
    classes = np.arange(200)[:, None] % 2
    expected = np.log(2) if apart == 40 else 0  # 8 steps of rounding are within it, 40 are not
    assert mutual_information(codes[:, None], classes)[0, 0] == pytest.approx(expected)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_value_that_is_not_finite_is_never_stored(value):
    from engine.evaluation.results import entry

    found = entry(value, "nats", "made up", "all", 10, 10)
    assert found == {"value": None, "reason": f"its result is {value}, which is not a finite number"}
    assert "interval" not in entry(0.5, "nats", "made up", "all", 10, 10, interval=(value, 1.0))
