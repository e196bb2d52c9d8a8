"""What each latent follows, for representations whose answer is known, and against SciPy and plain counting."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import f_oneway

from engine.data.dataset import ArrayStore, Dataset, Factors
from engine.evaluation.factor_links import Follower, Targets, correlation_ratio, errors_avoided, links
from engine.methods.latents import Latent
from engine.runs.latent_names import followed, link_text, link_words

NAMES = ("shape", "scale", "x")
FACTORS = np.array(list(product(range(3), range(6), range(12)))).repeat(20, axis=0)
TARGETS = Targets(FACTORS, NAMES, (("a", "b", "c"), tuple("012345"), tuple(map(str, range(12)))))


def found(means, targets=TARGETS, kl=(), kinds=None):
    return links(means, targets, kl, kinds or [Latent.gaussian()] * means.shape[1])


def test_an_inactive_latent_follows_nothing():
    # Both latents are the factor x exactly; one has a KL of 0.03 nats, under the 0.1 from which a latent is active.
    means = np.stack([FACTORS[:, 2], 1e-3 * FACTORS[:, 2]], axis=1)
    assert [link.latent for link in found(means, kl=(2.0, 0.03))] == [0]
    assert [link.latent for link in found(means, kl=(0.1, 0.1001))] == [1]


def test_a_latent_that_equals_a_factor_has_a_share_of_one_whatever_its_order_sign_and_scale():
    shuffled = np.array([7, 2, 9, 0, 4, 11, 1, 8, 3, 10, 5, 6.0])[FACTORS[:, 2]]  # no order, as of a period
    means = np.stack([-5.0 * FACTORS[:, 2], FACTORS[:, 0] + 100.0, 0.01 * FACTORS[:, 1], shuffled], axis=1)
    each = found(means)
    assert [(link.latent, link.factor) for link in each] == [(0, "x"), (1, "shape"), (2, "scale"), (3, "x")]
    assert [link.share for link in each] == pytest.approx([1, 1, 1, 1])


def test_shares_of_variance_add_up_over_the_factors_of_a_full_grid():
    # z = 2 x + 3 scale over a full grid of independent factors: by hand, 4 Var(x) = 47.7 and 9 Var(scale) = 26.25.
    z = 2.0 * FACTORS[:, 2] + 3.0 * FACTORS[:, 1]
    first, second = 4 * (12**2 - 1) / 12, 9 * (6**2 - 1) / 12
    assert correlation_ratio(z, FACTORS[:, 2]) == pytest.approx(first / (first + second), abs=2e-3)
    assert correlation_ratio(z, FACTORS[:, 1]) == pytest.approx(second / (first + second), abs=2e-3)
    assert correlation_ratio(z, FACTORS[:, 0]) == 0


def test_the_share_is_that_of_scipys_analysis_of_variance():
    rng = np.random.default_rng(1)
    values = rng.integers(0, 7, 300)
    codes = 0.3 * values + rng.normal(size=300)
    f = f_oneway(*(codes[values == value] for value in range(7))).statistic
    # F compares the variance between groups (6 degrees of freedom) with that within (293); ε² corrects for the former.
    assert correlation_ratio(codes, values) == pytest.approx(6 * (f - 1) / (6 * f + 293))


def test_noise_has_no_share_though_a_factor_has_many_values():
    # 500 images of 40 values: without the correction, the share would be about 39 / 499 = 0.08.
    rng = np.random.default_rng(0)
    shares = [correlation_ratio(rng.normal(size=500), rng.integers(0, 40, 500)) for _ in range(200)]
    assert np.mean(shares) < 0.015
    assert followed(found(rng.normal(size=(len(FACTORS), 3)))) == {}


def test_a_factor_with_more_values_than_images_in_each_is_taken_in_groups():
    place = np.random.default_rng(3).permutation(400)
    targets = Targets(place[:, None], ("place",), (tuple(map(str, range(400))),))
    [link] = found(np.sin(place / 400)[:, None], targets)
    assert (link.factor, link.images) == ("place", 400)
    assert link.share > 0.999
    assert correlation_ratio(np.sin(place / 400), place) == 0  # each image has its own value


def test_constant_latents_and_factors_have_no_share():
    assert correlation_ratio(np.full(60, 0.3, np.float32), np.arange(60) % 3) == 0
    constant = Targets(np.zeros((len(FACTORS), 1), np.int64), ("colour",), (("red",),))
    assert found(FACTORS[:, :1].astype(float), constant) == ()
    both = Targets(np.stack([0 * FACTORS[:, 0], FACTORS[:, 0]], axis=1), ("colour", "shape"), (("red",), tuple("abc")))
    assert [link.factor for link in found(FACTORS[:, :1].astype(float), both)] == ["shape"]


CLASSES = np.repeat(np.arange(5), 100)
LABELS = Targets(CLASSES[:, None], ("class",), (tuple("01234"),), tuple(f"class {n} vs rest" for n in range(5)))


def test_without_factors_a_latent_follows_one_class_or_all_of_them():
    one, all_of_them = (CLASSES == 3).astype(float), CLASSES.astype(float)
    noise = np.random.default_rng(4).normal(size=(500, 2))
    first, second = found(np.stack([one, all_of_them], axis=1) + 0.3 * noise, LABELS)
    assert (first.factor, second.factor) == ("class 3 vs rest", "class")
    # By hand: an indicator of a fifth has the variance 0.16, five even steps have 2; the noise adds 0.09.
    assert first.share == pytest.approx(0.16 / 0.25, abs=0.05)
    assert second.share == pytest.approx(2 / 2.09, abs=0.02)
    assert link_text(first) == f"≈ class 3 vs rest {first.share:.2f}"


def test_the_classes_of_a_data_set_are_named():
    images, none = np.arange(500), ArrayStore(np.zeros((500, 4, 4, 1), np.uint8))
    dataset = Dataset("own", "Own", none, (4, 4, 1), {"all": images}, "", CLASSES, ("0", "1", "2", "cat", "dog"))
    targets = Targets.of(dataset, images[::7])
    assert targets.alone == ("class 0 vs rest", "class 1 vs rest", "class 2 vs rest", "cat vs rest", "dog vs rest")
    np.testing.assert_array_equal(targets.columns[:, 0], CLASSES[::7])
    assert Targets.of(Dataset("own", "Own", none, (4, 4, 1), {"all": images}, ""), images) is None


def test_a_category_follows_the_class_that_is_most_frequent_in_it():
    categories = (CLASSES + 1) % 5
    categories[:20] = 2  # 20 images of class 0 are in class 1's category
    [link] = found(categories[:, None], LABELS, kinds=[Latent.categorical(6)])
    assert (link.factor, link.majority) == ("class", ("4", "0", "1", "2", "3", ""))
    # By hand: 20 of 500 images are guessed wrong by their category, 400 of 500 without it.
    assert link.share == pytest.approx(1 - 20 / 400)
    assert "avoids 95% of the errors" in link_words(link)
    assert "0: 4, 1: 0, 2: 1, 3: 2, 4: 3, 5: none" in link_words(link)
    assert errors_avoided(np.zeros(500, np.int64), CLASSES) == 0


def test_links_of_a_model_are_those_of_its_posterior_means(trained):
    # The digits with a factor for which the answer can be computed apart: how bright an image is, in ten classes.
    images = trained.dataset.images(np.arange(300))
    bright = (images.mean(axis=(1, 2, 3)).argsort().argsort() * 10 // 300).astype(np.int64)
    factors = Factors(("brightness",), (np.arange(10.0),), table=bright[:, None])
    dataset = Dataset("arrays", "Ours", ArrayStore(images), (28, 28, 1), {"all": np.arange(300)}, "", factors=factors)
    each = Follower(dataset).links(trained.model, [1.0] * 9 + [0.0])
    assert [link.latent for link in each] == list(range(9))
    with torch.no_grad():
        means = trained.model.encode(torch.tensor(images / 255.0, dtype=torch.float32).movedim(-1, 1))[0].numpy()
    for link in each:
        f = f_oneway(*(means[bright == value, link.latent] for value in range(10))).statistic
        assert link.share == pytest.approx(max(0.0, 9 * (f - 1) / (9 * f + 290)), abs=1e-3)
        assert (link.factor, link.images) == ("brightness", 300)


def test_a_model_without_an_active_latent_or_without_factors_and_classes_has_no_links(trained):
    assert Follower(trained.dataset).links(trained.model, [0.0] * 10) == ()
    nothing = Dataset("own", "Own", trained.dataset.store, (28, 28, 1), trained.dataset.splits, "")
    assert Follower(nothing).links(trained.model, [1.0] * 10) == ()
