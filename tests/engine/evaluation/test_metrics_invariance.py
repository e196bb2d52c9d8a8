"""Scores do not depend on the order of latents, nor on their scale except where the metric's docstring says so."""

import numpy as np
import pytest

from engine.data.dataset import Factors
from engine.evaluation import dci
from engine.evaluation.beta_vae import beta_vae_score
from engine.evaluation.correlation import mean_correlation, total_correlation, varying
from engine.evaluation.disentanglement import disentanglement_score
from engine.evaluation.factor_vae import factor_vae_score
from engine.evaluation.mig import mig
from engine.evaluation.sampling import Groups, batch_variances, draw_batches, draw_pairs, pair_sums
from engine.evaluation.sap import latent_accuracies, sap

ORDER = [2, 0, 3, 1]
SCALE = np.array([8.0, 0.25, -2.0, 1.0])
"""Powers of two, so that not even rounding differs."""


@pytest.fixture(scope="module")
def groups():
    return Groups.of(Factors(("a", "b", "c"), tuple(np.arange(n, dtype=np.float64) for n in (4, 6, 8))), 4 * 6 * 8)


@pytest.fixture(scope="module")
def codes(groups):
    """Partly disentangled: each latent mostly one factor, one latent noise."""
    rng = np.random.default_rng(0)
    mixing = np.eye(3, 4) + 0.25 * rng.standard_normal((3, 4))
    return ((groups.classes / [3, 5, 7]) @ mixing + 0.1 * rng.standard_normal((192, 4))).astype(np.float32)


def score(name, groups, codes):
    rng = np.random.default_rng(1)
    if name in ("disentanglement", "beta_vae"):
        pairs = draw_pairs(groups, 900, rng, batch=4)
        points = pair_sums(codes, pairs) / (1 if name == "disentanglement" else 4)
        work = disentanglement_score if name == "disentanglement" else beta_vae_score
        return work(points[:600], pairs.factor[:600], points[600:], pairs.factor[600:])
    if name == "factor_vae":
        batches = draw_batches(groups, 900, rng, batch=8)
        values = batch_variances(codes, batches)
        whole = codes.astype(np.float64).var(0, ddof=1)
        return factor_vae_score(whole, values[:600], batches.factor[:600], values[600:], batches.factor[600:])
    if name == "mig":
        return mig(codes, groups.classes)
    if name == "sap":
        classes, tests = groups.classes[::2], groups.classes[1::2]
        return sap(np.stack([latent_accuracies(c[::2], classes, c[1::2], tests) for c in codes.T]))
    if name == "dci":
        return dci.fit_factor(codes[::2], groups.classes[::2, 0], codes[1::2], groups.classes[1::2, 0], 0).accuracy
    return (total_correlation if name == "total_correlation" else mean_correlation)(varying(codes))


EVERY = ("disentanglement", "beta_vae", "factor_vae", "mig", "sap", "dci", "total_correlation", "mean_correlation")


@pytest.mark.parametrize("name", EVERY)
def test_the_order_of_latents_does_not_matter(groups, codes, name):
    value = score(name, groups, codes)
    # Solvers and trees that break ties take another path to the same place: at most a point or two of 300 or 96.
    tolerance = {"disentanglement": 0.01, "beta_vae": 0.01, "dci": 0.03}.get(name, 1e-9)
    assert score(name, groups, codes[:, ORDER]) == pytest.approx(value, abs=tolerance)
    assert 0.05 < value < 0.995  # neither empty nor saturated, so that a difference would show


@pytest.mark.parametrize("name", [n for n in EVERY if n not in ("beta_vae", "sap", "mig", "dci")])
def test_the_scale_and_sign_of_latents_do_not_matter(groups, codes, name):
    scaled = (codes * SCALE).astype(np.float32)
    assert score(name, groups, scaled) == pytest.approx(score(name, groups, codes), abs=1e-9)


@pytest.mark.parametrize("name", ["mig", "dci"])
def test_the_scale_of_latents_does_not_matter_to_scores_based_on_thresholds(groups, codes, name):
    # A change of sign moves values that lie on a threshold to its other side, so only positive factors here.
    scaled = (codes * np.abs(SCALE)).astype(np.float32)
    assert score(name, groups, scaled) == pytest.approx(score(name, groups, codes), abs=1e-9)


def test_the_beta_vae_score_does_depend_on_scale(groups, codes):
    # Regularised regression on features far below 1 cannot grow weights that are large enough.
    assert score("beta_vae", groups, codes * np.float32(1e-4)) < score("beta_vae", groups, codes) - 0.1


def test_factor_vae_drops_latents_with_a_small_deviation(groups, codes):
    assert score("factor_vae", groups, codes * np.float32(1e-3)) == 0
