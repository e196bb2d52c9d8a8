"""Losses against torch.distributions, Equations 3 to 6 of the report by hand, and known total correlations."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Bernoulli, Categorical, Independent, MixtureSameFamily, Normal, kl_divergence

from engine.methods import terms
from engine.methods.gaussian import Codes, PenaltyMethod
from engine.methods.registry import METHODS
from engine.methods.terms import kl_per_latent, reconstruction_per_image
from engine.settings.run_config import RunConfig

PENALTIES = {name: method for name, method in METHODS.items() if issubclass(method, PenaltyMethod)}
nats = st.floats(0, 500, allow_nan=False)


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(7)


def test_kl_agrees_with_torch_distributions(rng):
    mean = torch.randn(50, 10, generator=rng, dtype=torch.float64) * 3
    log_variance = torch.randn(50, 10, generator=rng, dtype=torch.float64) * 2
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(kl_per_latent(mean, log_variance), expected)


def test_a_posterior_that_is_the_prior_has_no_kl():
    assert torch.equal(kl_per_latent(torch.zeros(3, 2), torch.zeros(3, 2)), torch.zeros(3, 2))


def test_reconstruction_agrees_with_bernoulli_log_probabilities(rng):
    logits = torch.randn(6, 1, 28, 28, generator=rng, dtype=torch.float64) * 4
    images = torch.randint(0, 2, (6, 1, 28, 28), generator=rng).double()
    expected = -Bernoulli(logits=logits).log_prob(images).sum((1, 2, 3))
    torch.testing.assert_close(reconstruction_per_image(logits, images), expected)


def test_reconstruction_of_grey_pixels_is_the_cross_entropy(rng):
    # The definition, -x ln p - (1 - x) ln(1 - p), written out; Bernoulli itself takes only 0 and 1.
    logits = torch.randn(4, 1, 8, 8, generator=rng, dtype=torch.float64)
    images = torch.rand(4, 1, 8, 8, generator=rng, dtype=torch.float64)
    p = 1 / (1 + (-logits).exp())
    expected = (-images * p.log() - (1 - images) * (1 - p).log()).sum((1, 2, 3))
    torch.testing.assert_close(reconstruction_per_image(logits, images), expected)


def test_undecided_pixels_cost_ln_2_each_summed_not_averaged():
    loss = reconstruction_per_image(torch.zeros(2, 1, 64, 64), torch.ones(2, 1, 64, 64))
    assert loss.tolist() == pytest.approx([4096 * 0.6931471805599453] * 2, rel=1e-6)


def test_extreme_logits_stay_finite():
    # Closed form: a certain and wrong pixel costs |logit| nats, a certain and right one nothing.
    logits = torch.tensor([[[[200.0, -200.0]]]])
    assert reconstruction_per_image(logits, torch.tensor([[[[0.0, 1.0]]]])).item() == pytest.approx(400)
    assert reconstruction_per_image(logits, torch.tensor([[[[1.0, 0.0]]]])).item() == pytest.approx(0)


def objective(reconstruction, codes, config):
    """What a method minimises, from the batch's mean reconstruction loss and its codes."""
    return reconstruction + METHODS[config.objective].penalty(codes, config.method)[0]


def total_correlation(codes):
    return terms.total_correlation(codes.mean, codes.log_variance, codes.z, codes.images)


def loss_of(name, reconstruction, kl, capacity=None, **settings):
    config = RunConfig(objective=name, capacity=capacity or 0.0, **settings)
    double = torch.float64
    codes = codes_of(torch.tensor(kl, dtype=double))
    return objective(torch.tensor(reconstruction, dtype=double), codes, config).item()


def codes_of(kl):
    """Codes of which a method needs only KL."""
    return Codes(kl, *[torch.zeros(2, 1)] * 3, images=2, noise=torch.Generator())


@pytest.mark.parametrize(
    ("name", "kl", "expected"),
    [
        ("vae", 12.0, 80 + 12),
        ("beta-vae", 12.0, 80 + 4 * 12),
        ("annealed-abs", 12.0, 80 + 100 * (15 - 12)),
        ("annealed-abs", 17.0, 80 + 100 * (17 - 15)),
        ("annealed-relu", 12.0, 80),
        ("annealed-relu", 17.0, 80 + 100 * (17 - 15)),
        ("annealed-relu", 15.0, 80),
    ],
)
def test_equations_3_to_6_by_hand(name, kl, expected):
    # Reconstruction 80 nats, beta 4, gamma 100, C = 15 nats.
    capacity = 15.0 if name.startswith("annealed") else None
    assert loss_of(name, 80.0, kl, capacity, beta=4, gamma=100) == pytest.approx(expected)


@given(nats, nats)
def test_beta_1_is_the_plain_vae(reconstruction, kl):
    assert loss_of("beta-vae", reconstruction, kl, beta=1) == loss_of("vae", reconstruction, kl)


@given(nats, nats, st.floats(0, 1000))
def test_without_capacity_both_annealed_objectives_are_gamma_times_kl(reconstruction, kl, gamma):
    # An identity, since KL is never negative: gamma then has beta's part.
    expected = loss_of("beta-vae", reconstruction, kl, beta=gamma)
    for name in ("annealed-abs", "annealed-relu"):
        assert loss_of(name, reconstruction, kl, 0.0, gamma=gamma) == pytest.approx(expected)


@given(nats, nats, nats)
def test_abs_and_relu_agree_above_the_capacity_and_only_there_pull_below_it(reconstruction, kl, capacity):
    absolute = loss_of("annealed-abs", reconstruction, kl, capacity, gamma=10)
    relu = loss_of("annealed-relu", reconstruction, kl, capacity, gamma=10)
    if kl >= capacity:
        assert absolute == pytest.approx(relu)
    else:
        assert relu == pytest.approx(reconstruction)
        assert absolute - relu == pytest.approx(10 * (capacity - kl))


@pytest.mark.parametrize(
    ("name", "below", "above"), [("annealed-abs", -100.0, 100.0), ("annealed-relu", 0.0, 100.0), ("vae", 1.0, 1.0)]
)
def test_the_gradient_with_respect_to_kl_is_that_of_the_equation(name, below, above):
    # Derivatives by hand: gamma * sign(KL - C), gamma * [KL > C], 1.
    for kl, expected in ((10.0, below), (20.0, above)):
        at = torch.tensor(kl, requires_grad=True)
        objective(torch.tensor(80.0), codes_of(at), RunConfig(objective=name, gamma=100, capacity=15)).backward()
        assert at.grad is not None
        assert at.grad.item() == expected


@pytest.mark.parametrize("name", PENALTIES)
def test_reconstruction_is_never_weighted(name):
    # Nothing may be rescaled by image or batch size, or beta would mean something else.
    difference = loss_of(name, 81.0, 17.0, 15.0) - loss_of(name, 80.0, 17.0, 15.0)
    assert difference == pytest.approx(1)


def batch_of(mean, deviation, rng, images=None):
    """Codes with z drawn from Gaussians of one deviation around `mean` (n, latents)."""
    z = mean + deviation * torch.randn(mean.shape, generator=rng, dtype=mean.dtype)
    spread = torch.full_like(mean, 2 * math.log(deviation))
    return Codes(torch.tensor(12.0), mean, spread, z, images or len(mean), rng)


def test_total_correlation_over_all_images_is_that_of_the_mixture_of_posteriors(rng):
    # torch.distributions gives the log density of the mixture, jointly and for each latent.
    codes = batch_of(torch.randn(9, 3, generator=rng, dtype=torch.float64), 0.7, rng)
    each = Normal(codes.mean, (0.5 * codes.log_variance).exp())
    equal = Categorical(torch.ones(9))
    joint = MixtureSameFamily(equal, Independent(each, 1)).log_prob(codes.z)
    alone = [
        MixtureSameFamily(equal, Normal(each.mean[:, j], each.stddev[:, j])).log_prob(codes.z[:, j]) for j in range(3)
    ]
    torch.testing.assert_close(total_correlation(codes), (joint - sum(alone)).mean())


def test_total_correlation_of_independent_latents_is_0(rng):
    # An identity: over a full grid of means the mixture is the product of its marginals.
    grid = torch.cartesian_prod(*[torch.linspace(-2, 2, 5, dtype=torch.float64)] * 3)
    assert total_correlation(batch_of(grid, 0.5, rng)).item() == pytest.approx(0, abs=1e-12)


def test_total_correlation_of_a_batch_weighs_its_images_for_the_whole_data_set(rng):
    # By hand: posteriors that do not overlap leave each image its own weight 1/N in all densities, so TC is
    # (latents - 1) ln N; where all are the same, the weights sum to 1 and the latents are independent.
    apart = 1e3 * torch.arange(4, dtype=torch.float64)[:, None].expand(4, 3)
    assert total_correlation(batch_of(apart, 1.0, rng, images=50)).item() == pytest.approx(2 * math.log(50))
    same = torch.zeros(4, 3, dtype=torch.float64)
    assert total_correlation(batch_of(same, 1.0, rng, images=50)).item() == pytest.approx(0, abs=1e-12)


def test_beta_tcvae_adds_to_the_vae_only_the_total_correlation(rng):
    codes = batch_of(torch.randn(8, 2, generator=rng, dtype=torch.float64), 0.5, rng, images=100)
    reconstruction = torch.tensor(80.0)
    losses = [objective(reconstruction, codes, RunConfig(objective="beta-tcvae", beta=beta)) for beta in (1, 6)]
    assert losses[0].item() == 92
    assert (losses[1] - losses[0]).item() == pytest.approx(5 * total_correlation(codes).item())


def test_a_method_reports_its_own_terms(rng):
    codes = batch_of(torch.randn(8, 2, generator=rng, dtype=torch.float64), 0.5, rng, images=100)
    for name, method in PENALTIES.items():
        found = method.penalty(codes, RunConfig(objective=name).method.ended())[1]
        assert found.keys() == {term.name for term in method.terms}
    [correlation] = METHODS["beta-tcvae"].penalty(codes, RunConfig(objective="beta-tcvae", beta=6).method)[1].values()
    assert correlation.item() == total_correlation(codes).item()  # not weighed by beta
