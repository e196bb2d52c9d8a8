"""Intervals cover the mean over draws for 95 % of draws. The codes of all images are synthetic or cached.

The true mean is that of many more draws, so that the complete path from a seed to the interval in evaluation.json is
checked.
"""

import math
import os
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import binom
from scipy.stats import t as student

from engine.data import dsprites
from engine.data.dataset import Factors
from engine.evaluation import ground_truth, representation, sampling
from engine.evaluation.ground_truth import SCORES
from engine.evaluation.intervals import around_mean, around_one_draw, wilson
from engine.evaluation.metric import found_by
from engine.evaluation.representation import Representation

SIZES = (4, 3, 6)
KINDS = ("rotated", "heavy tails", "clean and noise")


def codes_of(kind, classes, sizes):
    """Posterior means (images, latents) of a representation that was not learned."""
    rng = np.random.default_rng(1)
    factors = classes / (np.array(sizes) - 1) - 0.5
    factors = factors / factors.std(0)
    k = len(sizes)
    if kind == "rotated":
        return factors @ np.linalg.qr(rng.standard_normal((k, k)))[0] + 0.3 * rng.standard_normal(factors.shape)
    if kind == "heavy tails":  # the range that bins span changes with each draw
        mixed = factors @ (np.eye(k) + 0.3 * rng.standard_normal((k, k)))
        return mixed + 0.5 * rng.standard_t(3, factors.shape)
    noise = rng.standard_normal((len(factors), 2))
    return np.hstack([factors[:, :-1] + 0.6 * rng.standard_normal(factors[:, :-1].shape), noise])


class Cached:
    """In the place of `PosteriorMeans`: the posterior means of all images are there."""

    def __init__(self, trained):
        self.means = trained.codes

    def encode(self, images, what):
        yield from ()


def score(monkeypatch, dataset, codes, metric, seed):
    """Value and interval of a metric in an evaluation with this seed."""
    monkeypatch.setattr(representation, "SEED", seed)
    monkeypatch.setattr(representation, "PosteriorMeans", Cached)
    looked_at = Representation(SimpleNamespace(dataset=dataset, codes=codes.astype(np.float32)), None, "test")
    looked_at.__dict__["_groups"] = dataset.groups
    [score_of] = [each for each in SCORES if each.columns[0].metric == metric]
    job = found_by(score_of, looked_at)
    try:
        while True:
            next(job)
    except StopIteration as done:
        found = done.value[metric]
    return found.value, found.interval


class Images:
    """A data set without pixels: a grid of factors, once or many times over."""

    title = "made up"

    def __init__(self, factors, count):
        self.factors, self._count = factors, count
        self.groups = sampling.Groups.of(factors, count)

    def __len__(self):
        return self._count


def grid(sizes, times):
    factors = Factors(tuple("abcde"[: len(sizes)]), tuple(np.arange(n, dtype=np.float64) for n in sizes))
    classes = np.tile(factors.classes(np.arange(math.prod(sizes))), (times, 1))
    return Images(Factors(factors.names, factors.values, table=classes), len(classes))


def check_coverage(found):
    """Assert that 95 % of the intervals cover the mean over draws, up to a chance of 1 in 1,000."""
    values, intervals = zip(*found, strict=True)
    mean = np.mean(values)
    held = sum(low <= mean <= high for low, high in intervals)
    least, most = binom.ppf([0.0005, 0.9995], len(found), 0.95)
    assert least <= held <= most, f"{held} of {len(found)} intervals hold the mean"


@pytest.fixture
def few_points(monkeypatch):
    """A thirty-third of the protocols' images and points."""
    for module in (sampling, ground_truth, representation):
        monkeypatch.setattr(module, "TRAINING", 300)
        monkeypatch.setattr(module, "TESTING", 150)


# Of few points the intervals of 1.0.0 hold the least: a bootstrap with fixed bins 36, 73 and 69 % of the means of MIG
# (600 points: 60, 84, 81 %), test points alone 91 and 70 % of those of FactorVAE. Its score of the rotated codes is
# always 1. With so few draws 1.0.0 passes one time in 100 (MIG), or 50 (FactorVAE, noise).
@pytest.mark.parametrize(
    ("metric", "draws", "kind"),
    [*(("mig", 75, kind) for kind in KINDS), *(("factor_vae", 50, kind) for kind in KINDS if kind != "rotated")],
)
def test_the_interval_of_a_score_covers_the_mean_over_draws(few_points, monkeypatch, metric, draws, kind):
    images = grid(SIZES, 300)
    codes = codes_of(kind, images.groups.classes, SIZES)
    check_coverage([score(monkeypatch, images, codes, metric, seed) for seed in range(draws)])


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*KINDS, "trained"])
@pytest.mark.parametrize("metric", ["mig", "factor_vae"])
def test_the_interval_covers_the_mean_over_draws_of_all_dsprites(monkeypatch, metric, kind):
    images = Images(dsprites.factors(), dsprites.COUNT)
    if kind == "trained":  # an .npy with the posterior means (737280, latents) of any model
        if "STUDIO_TEST_CODES" not in os.environ:
            pytest.skip("STUDIO_TEST_CODES names no .npy with the codes of a trained model")
        codes = np.load(os.environ["STUDIO_TEST_CODES"])
    else:
        codes = codes_of(kind, images.groups.classes, images.factors.sizes)
    check_coverage([score(monkeypatch, images, codes, metric, seed) for seed in range(200 if metric == "mig" else 60)])


def test_around_one_draw_is_students_t_times_the_spread_of_the_others():
    low, high = around_one_draw(0.5, [0.1, 0.2, 0.4])
    spread = np.std([0.1, 0.2, 0.4], ddof=1)
    assert (low, high) == pytest.approx((0.5 - 4.302653 * spread, 0.5 + 4.302653 * spread))  # t of 2, a printed table


def test_the_interval_of_a_mean_agrees_with_scipy_and_is_none_for_one_value():
    values = np.random.default_rng(0).exponential(2, 12)
    plain = student.interval(0.95, 11, values.mean(), values.std(ddof=1) / math.sqrt(12))
    assert around_mean(values) == pytest.approx(plain)
    assert around_mean(values[:1]) is None


@pytest.mark.parametrize(("right", "n"), [(0, 5000), (1, 20), (2741, 5000), (4999, 5000), (5000, 5000)])
def test_wilsons_interval_contains_the_proportions_that_his_test_does_not_reject(right, n):
    # Wilson 1927: the ends p are where |share - p| is 1.96 standard deviations of a proportion p, or 0 and 1.
    for end in wilson(right / n, n):
        distance = abs(right / n - end)
        assert distance == pytest.approx(1.959963984540054 * math.sqrt(end * (1 - end) / n), rel=1e-9, abs=1e-9)
    low, high = wilson(right / n, n)
    assert 0 <= low <= right / n <= high <= 1
