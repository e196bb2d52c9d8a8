"""Further scores against slow loops, other libraries and closed forms, and on representations whose score is known."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import digamma
from scipy.stats import entropy, mannwhitneyu

from engine.data import dsprites
from engine.data.dataset import Factors
from engine.evaluation import dci, dci_fast, dci_forest, info_mec, infogan_cr, mig
from engine.evaluation.explicitness import explicitness
from engine.evaluation.factor_vae import counted
from engine.evaluation.irs import irs, robustness
from engine.evaluation.modularity import NO_INFORMATION, modularity
from engine.evaluation.predictors import nearest, probe
from engine.evaluation.regression_inputs import regression_inputs
from engine.evaluation.sampling import Groups, draw_in_turn
from engine.evaluation.sap import determined, sap

SIZES = (3, 4, 5)
ROTATION = np.linalg.qr(np.random.default_rng(4).standard_normal((3, 3)))[0]


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture(scope="module")
def classes():
    """900 images of three independent factors."""
    return np.stack([np.random.default_rng(k).integers(0, n, 900) for k, n in enumerate(SIZES)], axis=1)


def codes_of(classes, kind):
    """A representation that was not learned, (images, latents), with a little noise that tells images apart."""
    rng = np.random.default_rng(9)
    factors = (classes - classes.mean(0)) / classes.std(0) + 0.02 * rng.standard_normal(classes.shape)
    return {
        "factors": factors,
        "permuted": factors[:, [2, 0, 1]],
        "rotated": factors @ ROTATION,
        "noise": rng.standard_normal(classes.shape),
        "twice": np.hstack([factors, factors]),
        "nothing": np.zeros(classes.shape),
    }[kind]


def score(name, codes, classes):
    plain = (False,) * codes.shape[1]
    if name in ("info_m", "info_c", "mig_nearest"):
        information = np.stack([info_mec.latent_information(code, classes, False) for code in codes.T])
        nmi = info_mec.normalised(information, classes)[info_mec.active(codes, plain)]
        if name == "mig_nearest":
            return mig.gap(information, mig.entropies(classes))
        return info_mec.info_m(nmi) if name == "info_m" else info_mec.info_c(nmi)
    if name == "info_e":
        return np.mean([info_mec.info_e(codes, column, plain) for column in classes.T])
    if name == "modularity":
        return modularity(mig.mutual_information(codes, classes))
    if name == "irs":
        return irs(codes, classes)
    if name == "sap_continuous":
        return sap(determined(codes, classes.astype(float)))
    half = len(codes) * 2 // 3
    if name == "explicitness":
        inputs, tests = regression_inputs(plain, codes[:half], codes[half:])
        return np.mean([explicitness(inputs, c[:half], tests, c[half:]) for c in classes.T])
    if name == "probe":
        return np.mean([probe(codes[:half], c[:half], codes[half:], c[half:], plain) for c in classes.T])
    if name == "neighbours":
        return np.mean([nearest(codes[:half], c[:half], codes[half:], c[half:], plain) for c in classes.T])
    if name == "dci_forest":
        importance = [dci_forest.importances(codes, c, np.arange(5.0), False) for c in classes.T]
    else:
        importance = [dci_fast.fit_factor(codes[:half], c[:half], codes[half:], c[half:])[0] for c in classes.T]
    return dci.disentanglement(np.stack(importance, axis=1))


APART = ("info_m", "info_c", "mig_nearest", "modularity", "irs", "sap_continuous", "dci_forest", "dci_fast")
"""Scores of how far factors are apart; the others say what a predictor finds in the latents."""

PREDICTED = ("info_e", "explicitness", "probe", "neighbours")


@pytest.mark.parametrize("name", [*APART, *PREDICTED])
def test_known_representations(classes, name):
    found = {
        kind: score(name, codes_of(classes, kind), classes) for kind in ("factors", "permuted", "rotated", "noise")
    }
    # The middle values of a factor are in no half-space, so a linear classifier does not find all of them.
    assert found["factors"] > {"info_e": 0.6, "explicitness": 0.85, "probe": 0.8}.get(name, 0.93)
    assert found["permuted"] == pytest.approx(found["factors"], abs=0.02)  # fits that stop early, and ties of trees
    if name in APART:  # a rotation hides the factors from each latent
        assert found["rotated"] < found["factors"] - 0.15
    else:  # but not from a predictor that sees all of them
        assert found["rotated"] == pytest.approx(found["factors"], abs=0.02)
    chance = {"probe": 0.26, "neighbours": 0.26, "explicitness": 0.5}.get(name, 0)  # 0.26: mean of 1/3, 1/4, 1/5
    # Of noise, scores of shares or distances have no known value: it is just lower.
    unknown = name in ("modularity", "irs", "info_m", "info_c")
    assert found["noise"] < (found["factors"] - 0.15 if unknown else chance + 0.2)


@pytest.mark.parametrize("name", ["info_c", "mig_nearest", "sap_continuous"])
def test_factors_in_two_latents_each_are_not_compact(classes, name):
    # Closed form of InfoC: half of a factor's information in each of two of six latents: (1/2 - 1/6) / (1 - 1/6).
    expected = (1 / 2 - 1 / 6) / (1 - 1 / 6) if name == "info_c" else 0
    assert score(name, codes_of(classes, "twice"), classes) == pytest.approx(expected, abs=0.06)
    assert score("info_m", codes_of(classes, "twice"), classes) > 0.93


def test_a_collapsed_posterior_has_no_score_or_that_of_chance(classes):
    nothing = codes_of(classes, "nothing")
    assert score("info_m", nothing, classes) == score("info_c", nothing, classes) == info_mec.NO_LATENT
    assert score("modularity", nothing, classes) == NO_INFORMATION
    for name in ("info_e", "irs", "sap_continuous", "dci_forest", "dci_fast", "mig_nearest"):
        assert score(name, nothing, classes) == 0, name
    assert score("explicitness", nothing, classes) == 0.5
    assert score("probe", nothing, classes) < 0.45


# InfoMEC


def test_information_of_continuous_latents_is_that_of_ross_2014(rng):
    # B. C. Ross, "Mutual Information between Discrete and Continuous Data Sets", Eq. 2, by brute force.
    labels = rng.integers(0, 4, (150, 1))
    code = labels[:, 0] + rng.normal(0, 0.8, 150)
    terms = []
    for x, y in zip(code, labels[:, 0], strict=True):
        same = np.sort(np.abs(code[labels[:, 0] == y] - x))  # its own distance 0 comes first
        distance = same[info_mec.NEIGHBOURS]
        within = (np.abs(code - x) < distance).sum()  # with itself, without the neighbour at that distance
        terms.append(digamma(info_mec.NEIGHBOURS) - digamma(len(same)) - digamma(within))
    plain = digamma(150) + np.mean(terms)
    assert 0.1 < plain < 1
    assert info_mec.latent_information(code, labels, False)[0] == pytest.approx(plain, abs=1e-6)


def test_information_of_quantised_latents_is_counted(rng):
    labels = rng.integers(0, 3, (400, 2))
    code = np.where(rng.random(400) < 0.6, labels[:, 0], 3 + labels[:, 1]).astype(float)
    found = info_mec.latent_information(code, labels, True)
    for k, column in enumerate(labels.T):
        joint = np.array([[np.sum((column == a) & (code == b)) for b in np.unique(code)] for a in range(3)])
        assert found[k] == pytest.approx(entropy(joint.sum(0)) + entropy(joint.sum(1)) - entropy(joint.ravel()))


def test_infom_and_infoc_of_a_matrix_by_hand():
    nmi = np.array([[0.8, 0.2], [0.3, 0.1], [0.0, 0.5]])
    assert info_mec.info_m(nmi) == pytest.approx(((0.8 + 0.75 + 1) / 3 - 1 / 2) / (1 / 2))
    assert info_mec.info_c(nmi) == pytest.approx(((8 / 11 + 5 / 8) / 2 - 1 / 3) / (2 / 3))
    assert info_mec.info_m(np.eye(3)) == info_mec.info_c(np.eye(3)) == 1
    assert info_mec.info_c(nmi[:1]) == info_mec.TOO_FEW


def test_latents_with_a_small_range_are_not_active_unless_quantised(rng):
    codes = rng.random((50, 4)) * [1.0, 0.06, 0.03, 0.0]
    assert info_mec.active(codes, (False,) * 4).tolist() == [True, True, False, False]
    assert info_mec.active(codes, (False, False, True, True)).tolist() == [True, True, True, False]


def test_infoe_is_that_of_cross_entropy_minimised_by_scipy(rng):
    # Two classes, one latent, balanced weights n / (2 n_c); the cross-entropy of the result is not weighted.
    labels = (rng.random(400) < 0.3).astype(int)
    code = labels + rng.normal(0, 0.7, 400)
    sign, balance = 2 * labels - 1, 400 / (2 * np.bincount(labels))[labels]

    def losses(parameters):
        return np.log1p(np.exp(-sign * (parameters[0] * code + parameters[1])))

    best = minimize(lambda parameters: (balance * losses(parameters)).sum(), np.zeros(2), tol=1e-10).x
    plain = 1 - losses(best).mean() / math.log(2)
    assert 0.1 < plain < 0.6
    assert info_mec.info_e(code[:, None], labels, (False,)) == pytest.approx(plain, abs=1e-3)
    assert info_mec.info_e(labels[:, None], labels, (True,)) > 0.99
    assert math.isnan(info_mec.info_e(code[:, None], np.zeros(400, int), (False,)))


def test_inputs_are_standardised_by_the_first_codes_and_categories_are_one_hot():
    codes = np.array([[0.0, 1.0, 5.0], [2.0, 4.0, 5.0], [4.0, 1.0, 5.0]])
    first, second = regression_inputs((False, True, True), codes, np.array([[6.0, 7.0, 5.0]]))
    deviation = math.sqrt(8 / 3)
    np.testing.assert_allclose(first, [[-2 / deviation, 1, 0], [0, 0, 1], [2 / deviation, 1, 0]])
    np.testing.assert_allclose(second, [[4 / deviation, 0, 0]])  # a category that was not seen is none of them


# Modularity, explicitness, robustness


def test_modularity_is_the_papers_one_latent_at_a_time(rng):
    # Ridgeway & Mozer, section 3: 1 - sum of squared deviations from a template.
    information = rng.random((6, 4))
    information[2] = 0
    scores = []
    for row in (row for row in information if max(row) > 0):
        best = max(row)
        template = [best if k == list(row).index(best) else 0 for k in range(len(row))]
        scores.append(1 - sum((m - t) ** 2 for m, t in zip(row, template, strict=True)) / (best**2 * (len(row) - 1)))
    assert modularity(information) == pytest.approx(np.mean(scores))
    assert modularity(np.eye(3)) == 1
    assert modularity(np.ones((4, 3))) == 0


def test_explicitness_of_one_latent_is_the_u_statistic(rng):
    # A logistic curve is monotone: the area under the ROC curve is Mann and Whitney's U over n_0 n_1, either way round.
    labels = rng.integers(0, 2, 500)
    code = labels + rng.normal(0, 1, 500)
    test, tests = code[300:, None], labels[300:]
    u = mannwhitneyu(test[tests == 1, 0], test[tests == 0, 0]).statistic
    plain = u / ((tests == 1).sum() * (tests == 0).sum())
    assert 0.6 < plain < 0.9
    assert explicitness(code[:300, None], labels[:300], test, tests) == pytest.approx(plain)


def test_robustness_agrees_with_a_loop(rng):
    labels = np.stack([rng.integers(0, 3, 200), rng.integers(0, 5, 200)], axis=1)
    codes = np.stack([labels[:, 0] + rng.normal(0, 0.3, 200), 3 * rng.standard_normal(200), np.full(200, 2.0)], axis=1)
    plain, reach = np.zeros((3, 2)), [max(abs(x - np.mean(c)) for x in c) for c in codes.T]
    for j in range(2):
        for k in range(2):
            far = []
            for value in set(labels[:, k].tolist()):
                alike = codes[labels[:, k] == value, j]
                far.append(np.percentile([abs(x - alike.mean()) for x in alike], 99))
            plain[j, k] = 1 - np.mean(far) / reach[j]
    np.testing.assert_allclose(robustness(codes, labels), plain)
    best = [max(row) for row in plain]
    assert irs(codes, labels) == pytest.approx((best[0] * reach[0] + best[1] * reach[1]) / (reach[0] + reach[1]))


# Other protocols


def test_points_of_infogan_cr_have_the_factors_in_turn(rng):
    groups = Groups.of(Factors(("a", "b", "c"), tuple(np.arange(float(n)) for n in SIZES)), 60)
    points = draw_in_turn(groups, 12, rng, 9)
    assert points.factor.tolist() == [0, 1, 2] * 4
    assert points.images.shape == (12, 9)
    for images, k in zip(points.images, points.factor, strict=True):
        assert len(set(groups.classes[images, k])) == 1


def test_infogan_crs_votes_are_scored_on_themselves_and_no_varying_latent_is_left_out(rng):
    factor = np.arange(500) % 3
    deviations = rng.exponential(1, (500, 4))
    deviations[np.arange(500), factor] *= 0.2
    spread = np.array([1.0, 0.004, 2.0, 0.0])  # the second would have no vote otherwise; the last is constant
    votes = {}
    for row, k in zip(deviations * [1, 0.004, 2, 0], factor, strict=True):
        latent = min((0, 1, 2), key=lambda j: row[j] / spread[j])
        votes.setdefault(latent, [0, 0, 0])[k] += 1
    plain = sum(max(own) for own in votes.values()) / 500
    assert 0.5 < plain < 0.95
    assert infogan_cr.factor_vae(deviations * [1, 0.004, 2, 0], spread, factor) == pytest.approx(plain)
    assert infogan_cr.factor_vae(deviations, np.zeros(4), factor) == 0


def test_infogan_crs_regression_is_scored_on_what_it_was_fitted_to(rng):
    from sklearn.linear_model import LogisticRegression

    factor, differences = np.arange(60) % 3, rng.random((60, 5))
    plain = LogisticRegression(max_iter=10_000).fit(differences, factor).score(differences, factor)
    assert infogan_cr.beta_vae(differences, factor) == plain


def test_lines_determine_what_their_correlation_says(rng):
    codes, values = rng.standard_normal((80, 3)), rng.standard_normal((80, 2))
    values[:, 1] += 2 * codes[:, 0]
    codes[:, 2] = 0.1
    plain = np.corrcoef(codes[:, :2], values, rowvar=False)[:2, 2:] ** 2
    np.testing.assert_allclose(determined(codes, values), [*plain, [0, 0]], atol=1e-12)


def test_mig_without_factors_with_names():
    information, entropies = np.array([[0.5, 0.1, 0.3], [0.2, 0.3, 0.3]]), np.array([1.0, 0.5, 2.0])
    named = np.array([True, False, False])
    assert mig.ordered_gap(information, entropies, named) == pytest.approx((0.2 / 0.5 + 0) / 2)
    assert mig.ordered_gap(information, entropies, ~named | named) == mig.ONLY_NAMES
    assert mig.ordered_gap(information, entropies, ~named & named) == mig.NO_NAMES
    # On dSprites that is the shape.
    assert Groups.of(dsprites.factors(), dsprites.COUNT).named.tolist() == [True, False, False, False, False]


def test_fast_dci_is_within_a_few_hundredths_of_the_reference_and_forests_are_above(rng, classes):
    # A partial rotation with noise, where the choice of trees matters; the reference are scikit-learn's boosted trees.
    angle = np.array([[0, 1, 0], [-1, 0, 0.5], [0, -0.5, 0]]) * 0.5
    codes = codes_of(classes, "factors") @ (np.eye(3) + angle) + 0.3 * rng.standard_normal((900, 3))
    split = (codes[:600], codes[600:])
    fits = [dci.fit_factor(split[0], c[:600], split[1], c[600:], 0) for c in classes.T]
    fast = [dci_fast.fit_factor(split[0], c[:600], split[1], c[600:]) for c in classes.T]
    forests = [
        dci_forest.importances(codes, c, np.arange(5.0), named) for c, named in zip(classes.T, (1, 0, 0), strict=True)
    ]
    wanted, found = (np.stack([fit.importance for fit in each], axis=1) for each in (fits, fast))
    assert found.sum(0) == pytest.approx([1, 1, 1])
    for work in (dci.disentanglement, dci.completeness):
        assert work(found) == pytest.approx(work(wanted), abs=0.05)
        assert work(np.stack(forests, axis=1)) > work(wanted) + 0.01
    for ours, theirs in zip(fast, fits, strict=True):
        assert ours.accuracy == pytest.approx(theirs.accuracy, abs=0.05)
    nothing = dci_fast.fit_factor(codes, np.zeros(900, int), codes[:4], np.array([0, 0, 0, 1]))
    assert (nothing.importance.tolist(), nothing.accuracy) == ([0, 0, 0], 0.75)


def test_votes_of_factor_vae_are_counted_for_each_latent():
    spread = np.array([1.0, 1e-6, 4.0])
    variances = np.array([[0.1, 0, 1.0], [0.9, 0, 0.4], [0.1, 0, 0.1], [0.2, 0, 3.0]])
    found = counted(spread, variances, np.array([0, 1, 1, 0]), 2)
    assert found.tolist() == [[2, 0], [0, 0], [0, 2]]
    assert not counted(spread * 1e-6, variances, np.array([0, 1, 1, 0]), 2).any()


# Predictors


def test_nearest_neighbours_agree_with_a_search(rng):
    codes, tests = rng.standard_normal((60, 2)), rng.standard_normal((40, 2))
    labels, test_labels = (codes[:, 0] > 0) + 2 * (codes[:, 1] > 0), (tests[:, 0] > 0) + 2 * (tests[:, 1] > 0)
    right = 0
    for x, y in zip(tests, test_labels, strict=True):
        near = sorted(range(60), key=lambda i: math.dist(codes[i], x))[:5]
        right += np.bincount(labels[near]).argmax() == y
    assert nearest(codes, labels, tests, test_labels, (False, False)) == right / 40
    # A category is near to itself alone: its number is no quantity.
    kinds = rng.integers(0, 3, (60, 1)).astype(float)
    assert nearest(kinds, kinds[:, 0].astype(int), kinds[:9], kinds[:9, 0].astype(int), (True,)) == 1
