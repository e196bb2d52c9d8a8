"""D-VAE and FactorD-VAE: divergence, draws and steps against closed forms, torch.distributions and plain loops."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Categorical, kl_divergence

from engine.methods.base import Batch, Context
from engine.methods.building import build
from engine.methods.d_vae import GAP_IMAGES, Categories
from engine.methods.factor_vae import permuted
from engine.methods.latents import Latent
from engine.methods.terms import kl_from_uniform
from engine.settings.run_config import RunConfig

pytestmark = pytest.mark.usefixtures("narrow")

SETTINGS = {"dataset": "arrays", "objective": "d-vae", "latents": 3, "categories": 5, "network": "burgess"}
PLACES = np.linspace(-1, 1, 5)


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(5)


def made(data, **settings):
    return build(RunConfig.parse(SETTINGS | settings), data).train()


def logits(rng, *shape):
    return 2 * torch.randn(*shape, generator=rng)


def posterior(log_probabilities):
    return Categories.of(log_probabilities.log_softmax(-1), torch.linspace(-1, 1, log_probabilities.shape[-1]))


def shares(values):
    """How often each of the five positions is the nearest."""
    nearest = np.abs(values.numpy()[:, None] - PLACES).argmin(1)
    return np.bincount(nearest, minlength=5) / len(values)


def test_kl_is_that_of_torch_distributions_and_between_none_and_log_k(rng):
    given = logits(rng, 7, 3, 64)
    expected = kl_divergence(Categorical(logits=given), Categorical(logits=torch.zeros(64)))
    torch.testing.assert_close(kl_from_uniform(given.log_softmax(-1)), expected, rtol=1e-5, atol=1e-6)
    assert kl_from_uniform(torch.zeros(64).log_softmax(-1)).item() == pytest.approx(0, abs=1e-6)
    certain = torch.zeros(64).index_fill(0, torch.tensor([3]), 200.0).log_softmax(-1)
    assert kl_from_uniform(certain).item() == pytest.approx(math.log(64))


def test_the_representation_is_the_expected_position(rng):
    given = logits(rng, 4, 3, 5)
    found = posterior(given)
    for i, latent in np.ndindex(4, 3):
        p = np.exp(given[i, latent].double().numpy())
        p /= p.sum()
        mean = sum(p[k] * PLACES[k] for k in range(5))
        assert found.mean[i, latent].item() == pytest.approx(mean, abs=1e-5)
        variance = sum(p[k] * (PLACES[k] - mean) ** 2 for k in range(5))
        assert found.log_variance[i, latent].item() == pytest.approx(math.log(variance), abs=1e-3)
    mean, log_variance = found  # as of every method
    assert mean is found.mean
    assert log_variance is found.log_variance
    moved = found.to("cpu")
    assert torch.equal(moved.log_probabilities, found.log_probabilities)


def test_a_posterior_that_is_certain_stays_finite():
    assert posterior(torch.tensor([[[400.0, 0, 0, 0, 0]]])).log_variance.isfinite().all()


def test_z_is_drawn_with_the_probabilities_of_the_posterior(data, rng):
    method, given = made(data), logits(rng, 1, 3, 5).expand(20_000, -1, -1)
    z = method.sample(posterior(given), rng)
    assert z.unique().tolist() == pytest.approx(PLACES.tolist())
    for latent in range(3):
        np.testing.assert_allclose(shares(z[:, latent]), given[0, latent].softmax(0), atol=0.015)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_noise_of_a_scale_draws_categories_with_the_logits_divided_by_it(data, rng, scale):
    """Closed form: the largest of logits with Gumbel noise of scale s is k with probability softmax(logits / s)."""
    method = made(data, noise_scale=scale, temperature=0.01)
    given = logits(rng, 1, 3, 5).expand(20_000, -1, -1)
    z = method.draw(posterior(given), rng)
    for latent in range(3):
        np.testing.assert_allclose(shares(z[:, latent]), (given[0, latent] / scale).softmax(0), atol=0.03)


def test_without_noise_training_uses_the_mean_position_of_a_softmax_at_the_temperature(data, rng):
    method, given = made(data, noise_scale=0, temperature=0.7), logits(rng, 6, 3, 5)
    weights = np.exp(given.double().numpy() / 0.7)
    expected = (weights * PLACES).sum(-1) / weights.sum(-1)
    np.testing.assert_allclose(method.draw(posterior(given), rng), expected, atol=1e-5)
    given.requires_grad_()
    method.draw(posterior(given), rng).sum().backward()
    assert given.grad.abs().min() > 0  # each logit learns


def test_noise_rises_along_half_a_cosine_over_the_run():
    # lddr's utils.cosine_anneal: 0.5 (a - b) cos(pi t / T) + 0.5 (a + b), a = 0.5, b = 2.
    settings = RunConfig(objective="d-vae").method
    for step in (1, 250, 500, 900, 1000):
        expected = 0.5 * (0.5 - 2) * math.cos(math.pi * step / 1000) + 0.5 * (0.5 + 2)
        assert settings.at(step, 100, 1000).noise_scale == pytest.approx(expected)
    assert (settings.categories, settings.temperature, RunConfig().latents) == (64, 1, 10)


def test_each_latent_is_ordered_categories_and_the_encoder_says_a_logit_for_each(data):
    method = made(data)
    assert method.kinds == (Latent.ordered(5),) * 3
    with torch.no_grad():
        found = method.eval().encode(torch.rand(2, 1, 32, 32))
    assert found.log_probabilities.shape == (2, 3, 5)
    torch.testing.assert_close(found.log_probabilities.exp().sum(-1), torch.ones(2, 3))


def plain_bce(method, z, images, labels=None):
    p = torch.sigmoid(method.logits(z, labels)).double()
    return -(images * p.log() + (1 - images) * (1 - p).log()).flatten(1).sum(1)


def context(method, seed=1):
    return Context(1, 10, 120, torch.Generator().manual_seed(seed), method.optimisers())


@pytest.mark.parametrize("conditional", [False, True])
def test_a_step_minimises_reconstruction_and_kl_and_reports_perplexity(data, rng, conditional):
    method = made(data, conditional=conditional, noise_scale=0.8)
    images = torch.rand(12, 1, 32, 32, generator=rng)
    labels = torch.arange(12) % 3 if conditional else None
    with torch.no_grad():
        found = method.encode(images)
        z = method.draw(found, torch.Generator().manual_seed(1))
        reconstruction = plain_bce(method, z, images, labels).mean().item()
        p = found.log_probabilities.exp().double().numpy()
    kl = (p * np.log(p * 5)).sum(-1).mean(0)
    terms = method.step(Batch(images, labels), context(method))
    assert terms["reconstruction"].item() == pytest.approx(reconstruction, rel=1e-5)
    np.testing.assert_allclose(terms["kl_per_latent"], kl, rtol=1e-3, atol=1e-6)
    assert terms["loss"].item() == pytest.approx(reconstruction + kl.sum(), rel=1e-5)
    expected = np.mean([2 ** -sum(each * np.log2(each)) for each in p.reshape(-1, 5)])
    assert terms["perplexity"].item() == pytest.approx(expected, rel=1e-4)


def test_the_gap_is_what_a_single_category_costs_after_the_step(data, rng):
    """In evaluation mode, so that running means are neither used up nor moved."""
    method = made(data, normalisation="batch")
    images = torch.rand(12, 1, 32, 32, generator=rng)
    method.step(Batch(images, None), context(method))
    with torch.no_grad():
        found = method.eval().encode(images)
        likeliest = torch.tensor(PLACES, dtype=torch.float32)[found.log_probabilities.argmax(-1)]
        straight, soft = (plain_bce(method, z[:GAP_IMAGES], images[:GAP_IMAGES]) for z in (likeliest, found.mean))
    method.train()
    before = {name: value.clone() for name, value in method.networks.named_buffers()}
    gap = method.observed(found, images, None)["straight_through_gap"].item()
    assert gap == pytest.approx((straight - soft).mean().item(), rel=1e-3, abs=1e-3)
    assert abs(gap) > 1e-3
    assert all(torch.equal(before[name], value) for name, value in method.networks.named_buffers())
    assert method.networks.training
    assert all(layer.training for layer in method.networks.modules() if isinstance(layer, nn.BatchNorm2d))


def test_with_a_discriminator_it_is_shown_what_the_decoder_is_shown(data, rng):
    """The loss of FactorVAE's algorithm 2 with the D-VAE's posterior, written out; z as drawn in training."""
    method = made(data, objective="factor-d-vae", gamma=7.0, noise_scale=0.8)
    images = torch.rand(12, 1, 32, 32, generator=rng)
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        found = method.encode(images[:6])
        z = method.draw(found, noise)
        reconstruction = plain_bce(method, z, images[:6]).mean().item()
        judged = method.discriminator(z)
        correlation = (judged[:, 0] - judged[:, 1]).mean().item()
    kl = method.kl(found).sum(1).mean().item()
    optimisers = method.optimisers()
    drawn = torch.Generator().manual_seed(1)
    before = {name: value.clone() for name, value in method.networks.named_parameters()}
    terms = method.step(Batch(images, None), Context(1, 10, 120, drawn, optimisers))
    assert terms["total_correlation"].item() == pytest.approx(correlation, rel=1e-4, abs=1e-6)
    assert terms["loss"].item() == pytest.approx(reconstruction + kl + 7 * correlation, rel=1e-5)
    changed = {name.split(".")[0] for name, p in method.networks.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {"vae", "discriminator"}
    # The discriminator's loss, with the encoder as it is after the VAE's update and the latents of the other batch.
    with torch.no_grad():
        others = permuted(method.draw(method.encode(images[6:]), noise), noise)
        apart = method.discriminator(others)  # after its own update: nearly as before
    expected = -(judged.log_softmax(1)[:, 0].mean() + apart.log_softmax(1)[:, 1].mean()) / 2
    assert terms["discriminator_loss"].item() == pytest.approx(expected.item(), rel=1e-2)
    assert torch.equal(noise.get_state(), drawn.get_state())
