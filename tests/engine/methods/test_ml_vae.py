"""ML-VAE: products of posteriors against densities multiplied on a grid, and which latents are shared."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from engine.data import Factors
from engine.errors import ConfigError, DataError
from engine.methods.base import Batch, Context, Posterior, Supervision
from engine.methods.building import build
from engine.methods.ml_vae import product
from engine.methods.registry import METHODS
from engine.methods.samplers import PairsAlike
from engine.methods.terms import kl_per_latent, reconstruction_per_image
from engine.networks.vae import sample
from engine.settings.run_config import RunConfig

SETTINGS = {"dataset": "arrays", "beta": 3, "latents": 6}


def made(data, objective):
    return build(RunConfig.parse(SETTINGS | {"objective": objective}), data).train()


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(5)


@pytest.fixture
def posterior(rng):
    """Of six pairs."""
    return Posterior(*(torch.randn(12, 6, generator=rng, dtype=torch.float64) for _ in range(2)))


def test_the_product_is_that_of_both_densities(posterior):
    """Multiplied value by value, normalised by their sum; mean and variance are sums over the grid, too."""
    first, second = (Posterior(*(values[part, 0] for values in posterior)) for part in (slice(6), slice(6, 12)))
    found = product(first, second)
    grid = torch.linspace(-20, 20, 40_001, dtype=torch.float64)[:, None]
    densities = [Normal(mean, (log_variance / 2).exp()).log_prob(grid).exp() for mean, log_variance in (first, second)]
    weights = densities[0] * densities[1]
    weights /= weights.sum(0)
    mean = (weights * grid).sum(0)
    torch.testing.assert_close(found.mean, mean, rtol=0, atol=1e-9)
    torch.testing.assert_close(found.log_variance.exp(), (weights * (grid - mean) ** 2).sum(0), rtol=1e-6, atol=0)


def test_of_equal_posteriors_the_precision_doubles_and_the_mean_stays(posterior):
    found = product(posterior, posterior)
    torch.testing.assert_close(found.mean, posterior.mean)
    torch.testing.assert_close((-found.log_variance).exp(), 2 * (-posterior.log_variance).exp())


def test_a_posterior_that_knows_nothing_leaves_the_other_as_it_is(posterior):
    for found in (product(posterior, Posterior(posterior.mean + 1, posterior.log_variance * 0 + 60)),
                  product(Posterior(posterior.mean - 1, posterior.log_variance * 0 + 60), posterior)):  # fmt: skip
        torch.testing.assert_close(found.mean, posterior.mean)
        torch.testing.assert_close(found.log_variance, posterior.log_variance)


def test_without_labels_the_latents_that_differ_least_are_multiplied(data, posterior):
    """Pair by pair, as disentanglement_lib's aggregate_argmax does it, with KL by torch.distributions."""
    method = made(data, "ada-ml-vae")
    found = method.shared(posterior, method.changed(posterior, Batch(posterior.mean, None)))
    joined = product(*(Posterior(*(values[part] for values in posterior)) for part in (slice(6), slice(6, 12))))
    for pair in range(6):
        one, other = (Normal(posterior.mean[j], (posterior.log_variance[j] / 2).exp()) for j in (pair, pair + 6))
        distance = kl_divergence(one, other)
        half_way = (distance.min() + distance.max()) / 2
        for j in (pair, pair + 6):
            for values, own, both in zip(found, posterior, joined, strict=True):
                torch.testing.assert_close(values[j], own[j].where(distance >= half_way, both[pair]))


def test_with_known_factors_latent_i_is_its_own_exactly_where_factor_i_differs(data, posterior):
    second = [[1, 0, 0, 0], [0, 3, 0, 0], [0, 0, 4, 1], [0] * 4, [2, 2, 2, 1], [0] * 4]
    factors = torch.tensor([[0] * 4] * 6 + second)
    method = made(data, "ml-vae")
    changed = method.changed(posterior, Batch(posterior.mean, None, factors))
    # Written out; latents 4 and 5 have no factor, and are always shared.
    assert changed.int().tolist() == [
        [1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0] * 6, [1, 1, 1, 1, 0, 0], [0] * 6
    ]  # fmt: skip
    term = method.more_terms(posterior, changed)["disagreement"].item()
    every = kl_divergence(*(Normal(posterior.mean[part], (posterior.log_variance[part] / 2).exp())
                            for part in (slice(6), slice(6, 12))))  # fmt: skip
    assert term == pytest.approx((every * ~changed).sum().item() / 6)


@pytest.mark.parametrize("objective", ["ada-ml-vae", "ml-vae"])
def test_a_step_minimises_the_mean_of_both_images(data, rng, objective):
    method = made(data, objective)
    images = torch.rand(8, 1, 32, 32, generator=rng)
    batch = Batch(images, None, torch.arange(8)[:, None] // 4 * torch.tensor([[1, 0, 1, 0]]))
    with torch.no_grad():
        encoded = method.encode(images)
        posterior = method.shared(encoded, method.changed(encoded, batch))
        each = reconstruction_per_image(method.logits(sample(*posterior, torch.Generator().manual_seed(1))), images)
        kl = kl_per_latent(*posterior).sum(1)
    expected = (0.5 * (each[:4] + each[4:]) + 3 * 0.5 * (kl[:4] + kl[4:])).mean()
    noise = torch.Generator().manual_seed(1)
    terms = method.step(batch, Context(1, 10, 120, noise, method.optimisers()))
    assert terms["loss"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_which_pairs_it_sees_is_what_ada_gvae_sees(data):
    """One class of settings, one sampler: the number of factors that change is a setting of all three."""
    for name in ("ada-gvae", "ada-ml-vae", "ml-vae"):
        config = RunConfig.parse({"dataset": "arrays", "objective": name, "latents": 4, "changing": 2})
        sampler = build(config, data).sampler(data, data.training)
        assert isinstance(sampler, PairsAlike)
        first, second = np.split(sampler(0), 2)
        assert (data.factors.classes(first) != data.factors.classes(second)).sum(1).max() == 2


def test_only_where_factors_are_known_it_is_supervised():
    assert METHODS["ada-ml-vae"].supervision is METHODS["ada-gvae"].supervision is Supervision.WEAK
    assert METHODS["ml-vae"].supervision is Supervision.FULL


def test_more_factors_than_latents_are_refused_with_a_sentence(data):
    method = build(RunConfig.parse({"dataset": "arrays", "objective": "ml-vae", "latents": 3}), data)
    with pytest.raises(ConfigError, match=r"Squares has 4 factors for 3 latents\. Set at least 4 latents"):
        method.sampler(data, data.training)


def test_factors_that_cannot_be_numbered_are_refused_with_a_sentence():
    many = Factors(tuple("abcdefgh"), tuple(np.arange(256.0) for _ in range(8)), table=np.zeros((5, 8), np.int64))
    with pytest.raises(DataError, match="a, b, c, d, e, f, g, h have too many combinations"):
        many.among(np.arange(5))
