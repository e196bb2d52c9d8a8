"""Ada-GVAE: the shared posteriors by hand, and the pairs against what they must share."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from engine.data import ArrayStore, Dataset, Factors
from engine.errors import ConfigError
from engine.methods.base import Batch, Context, Posterior
from engine.methods.building import build
from engine.methods.samplers import PairsAlike
from engine.methods.terms import kl_per_latent, reconstruction_per_image
from engine.networks.vae import sample
from engine.settings.run_config import RunConfig

CONFIG = RunConfig.parse({"dataset": "arrays", "objective": "ada-gvae", "beta": 3, "latents": 4})


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(5)


@pytest.fixture(scope="module")
def shared(data):
    """What Ada-GVAE makes of the posteriors of pairs, and which latents it takes as changed."""
    method = build(CONFIG, data)

    def of(mean, log_variance):
        posterior = Posterior(mean, log_variance)
        changed = method.changed(posterior, Batch(mean, None))
        return method.shared(posterior, changed), changed

    return of


def test_the_latents_that_differ_most_keep_their_posteriors_and_the_others_are_averaged(rng, shared):
    """One pair at a time, with KL by torch.distributions, as disentanglement_lib's weak_vae.py does it."""
    mean = torch.randn(20, 6, generator=rng, dtype=torch.float64)
    log_variance = torch.randn(20, 6, generator=rng, dtype=torch.float64)
    found, changed = shared(mean, log_variance)
    for i in range(10):
        first, second = (Normal(mean[j], (log_variance[j] / 2).exp()) for j in (i, i + 10))
        divergence = kl_divergence(first, second)
        half_way = (divergence.min() + divergence.max()) / 2
        for latent in range(6):
            differs = bool(divergence[latent] >= half_way)
            assert bool(changed[i, latent]) is differs
            for j in (i, i + 10):
                if differs:
                    expected = mean[j, latent], log_variance[j, latent].exp()
                else:
                    variances = log_variance[[i, i + 10], latent].exp()
                    expected = mean[[i, i + 10], latent].mean(), variances.mean()
                torch.testing.assert_close(found.mean[j, latent], expected[0])
                torch.testing.assert_close(found.log_variance[j, latent].exp(), expected[1])


def test_of_equal_posteriors_nothing_is_altered(shared):
    mean, log_variance = torch.ones(4, 3), torch.full((4, 3), -1.0)
    found, _ = shared(mean, log_variance)
    torch.testing.assert_close(found.mean, mean)
    torch.testing.assert_close(found.log_variance, log_variance)


def test_a_step_minimises_the_mean_of_both_images(data, rng, shared):
    method = build(CONFIG, data).train()
    images = torch.rand(8, 1, 32, 32, generator=rng)
    with torch.no_grad():
        posterior, changed = shared(*method.encode(images))
        z = sample(*posterior, torch.Generator().manual_seed(1))
        each = reconstruction_per_image(method.logits(z), images)
        kl = kl_per_latent(*posterior).sum(1)
    # Half the sum over the two images of a pair, mean over the pairs (section 4 of the paper).
    expected = (0.5 * (each[:4] + each[4:]) + 3 * 0.5 * (kl[:4] + kl[4:])).mean()
    noise = torch.Generator().manual_seed(1)
    terms = method.step(Batch(images, None), Context(1, 10, 120, noise, method.optimisers()))
    assert terms["loss"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert terms["changed_latents"].item() == changed.sum().item() / 4


# The pairs


def pairs(data, changing, epochs=20):
    sampler = PairsAlike(data.training, 8, 3, 15, data.factors, changing)
    drawn = [np.split(sampler(step), 2) for step in range(15 * epochs)]
    first, second = (np.concatenate(each) for each in zip(*drawn, strict=True))
    return first, second, data.factors.classes(first) != data.factors.classes(second)


@pytest.mark.parametrize("changing", [1, 2, 3])
def test_as_many_factors_change_as_are_asked_for_and_each_as_often(data, changing):
    first, _, changed = pairs(data, changing)
    assert sorted(first[:120]) == list(range(120))
    assert changed.sum(1).max() == changing
    # A factor is redrawn with probability changing / 4, and of n values gets a different one with (n - 1) / n.
    expected = changing / 4 * (1 - 1 / np.array([3, 4, 5, 2]))
    np.testing.assert_allclose(changed.mean(0), expected, atol=4 * np.sqrt(0.25 / len(changed)))


def test_a_drawn_number_is_one_or_any_up_to_all_but_one(data):
    # disentanglement_lib: k' uniform in 1..3, then 1 or k' with even chances; so 1 of 4 with 2/3, 2 and 3 with 1/6.
    _, _, changed = pairs(data, None, epochs=60)
    expected = (2 / 3 * 1 + 1 / 6 * 2 + 1 / 6 * 3) / 4 * (1 - 1 / np.array([3, 4, 5, 2]))
    np.testing.assert_allclose(changed.mean(0), expected, atol=4 * np.sqrt(0.25 / len(changed)))
    assert changed.sum(1).max() == 3


def test_the_partner_of_a_grid_with_holes_is_an_image_that_is_there(data):
    """Half of the images of the grid, each twice: a partner shares its factors with one of them."""
    kept = np.random.default_rng(0).permutation(120)[:60]
    table = np.tile(data.factors.classes(kept), (2, 1))
    factors = Factors(data.factors.names, data.factors.values, table=table)
    sampler = PairsAlike(np.arange(0, 120, 2), 8, 3, 8, factors, 1)
    for step in range(40):
        first, second = np.split(sampler(step), 2)
        assert set(second) <= set(range(0, 120, 2))  # training images
        assert ((table[first] != table[second]).sum(1) <= 1).all()


def test_pairs_are_a_function_of_seed_and_step(data):
    forward = [PairsAlike(data.training, 8, 3, 15, data.factors, None)(step) for step in (4, 31)]
    sampler = PairsAlike(data.training, 8, 3, 15, data.factors, None)
    np.testing.assert_array_equal(sampler(31), forward[1])
    np.testing.assert_array_equal(sampler(4), forward[0])
    other = PairsAlike(data.training, 8, 4, 15, data.factors, None)
    assert not np.array_equal(other(4), forward[0])


def test_data_without_factors_are_refused_with_a_sentence():
    bare = Dataset("digits", "Digits", ArrayStore(np.zeros((9, 32, 32, 1), np.uint8)), (32, 32, 1),
                   {"all": np.arange(9)}, "drawn")  # fmt: skip
    with pytest.raises(ConfigError, match="Ada-GVAE learns from images chosen by their ground-truth factors"):
        build(CONFIG, bare)
