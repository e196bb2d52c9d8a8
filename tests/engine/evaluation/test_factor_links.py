"""The factor that each latent follows, for representations whose answer is known."""

from itertools import product

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from engine.data.dataset import ArrayStore, Dataset, Factors
from engine.evaluation.factor_links import find_links, links
from engine.jobs.events import Progress
from engine.runs.trained import TrainedModel

NAMES = ("shape", "scale", "x")
FACTORS = np.array(list(product(range(3), range(6), range(12)))).repeat(20, axis=0)


def used(means):
    """A KL of 1 nat for each latent: all are active."""
    return np.ones(means.shape[1])


def test_an_inactive_latent_follows_nothing():
    # Both latents are the factor x exactly; one has a KL of 0.03 nats, under the 0.1 from which a latent is active.
    means = np.stack([FACTORS[:, 2], 1e-3 * FACTORS[:, 2]], axis=1)
    assert [link.latent for link in links(means, FACTORS, NAMES, np.array([2.0, 0.03]))] == [0]
    assert [link.latent for link in links(means, FACTORS, NAMES, np.array([0.1, 0.1001]))] == [1]


def test_a_latent_that_equals_a_factor_has_a_share_of_one_whatever_its_order_sign_and_scale():
    means = np.stack([-5.0 * FACTORS[:, 2], FACTORS[:, 0] + 100.0, 0.01 * FACTORS[:, 1]], axis=1)
    found = links(means, FACTORS, NAMES, used(means))
    assert [(link.latent, link.factor) for link in found] == [(0, "x"), (1, "shape"), (2, "scale")]
    assert [link.share for link in found] == pytest.approx([1, 1, 1])


def test_noise_has_a_share_near_zero():
    means = np.random.default_rng(0).normal(size=(len(FACTORS), 2))
    # Estimates from n images are too large by (bins - 1)(classes - 1) / 2n nats (Miller 1955), here at most 0.024.
    assert all(link.share < 0.03 for link in links(means, FACTORS, NAMES, used(means)))


def test_a_latent_with_half_of_a_factors_information_has_that_share():
    # Which half x (12 equal classes) lies in: ln 2 of ln 12 nats.
    (link,) = links((FACTORS[:, 2:] >= 6).astype(float), FACTORS, NAMES, used(FACTORS[:, 2:]))
    assert (link.factor, link.share) == ("x", pytest.approx(np.log(2) / np.log(12)))


def test_shares_agree_with_scikit_learn():
    rng = np.random.default_rng(1)
    means = FACTORS @ rng.normal(size=(3, 4)) + rng.normal(size=(len(FACTORS), 4))
    for link in links(means, FACTORS, NAMES, used(means)):
        code = means[:, link.latent]
        bins = np.minimum(((code - code.min()) / np.ptp(code) * 20).astype(int), 19)
        shares = [mutual_info_score(bins, f) / mutual_info_score(f, f) for f in FACTORS.T]
        assert link.factor == NAMES[int(np.argmax(shares))]
        assert link.share == pytest.approx(max(shares), abs=2e-3)  # values on the edge of a bin


def test_factors_that_do_not_vary_are_left_out():
    means = FACTORS[:, :1].astype(float)
    constant = np.stack([np.zeros(len(FACTORS), np.int64), FACTORS[:, 0]], axis=1)
    assert [link.factor for link in links(means, constant, ("colour", "shape"), used(means))] == ["shape"]
    assert links(means, np.zeros((len(FACTORS), 1), np.int64), ("colour",), used(means)) == []


def finish(job):
    """Events of a job, and its return value."""
    events = []
    while True:
        try:
            events.append(next(job))
        except StopIteration as end:
            return events, end.value


def test_links_of_a_model_are_computed_from_its_posterior_means_with_progress(trained):
    # The digits with a factor for which the answer can be computed apart: how bright an image is, in ten classes.
    images = trained.dataset.images(np.arange(900))
    means = images.mean(axis=(1, 2, 3))
    bright = (means.argsort().argsort() * 10 // 900).astype(np.int64)
    factors = Factors(("brightness",), (np.arange(10.0),), table=bright[:, None])
    dataset = Dataset("arrays", "Ours", ArrayStore(images), (28, 28, 1), {"all": np.arange(900)}, "", factors=factors)
    events, found = finish(find_links(TrainedModel(trained.run, dataset, trained.model, trained.step), np.ones(10)))
    assert [event.done for event in events if isinstance(event, Progress)][-1] == 900
    from engine.traversal import encode

    expected = links(encode(trained, images).mean, bright[:, None], ["brightness"], np.ones(10))
    assert len(found) == 10
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.latent, ours.factor) == (theirs.latent, theirs.factor)
        assert ours.share == pytest.approx(theirs.share, abs=0.01)


def test_a_data_set_without_factors_has_no_links(trained):
    assert finish(find_links(trained, np.ones(10))) == ([], [])
