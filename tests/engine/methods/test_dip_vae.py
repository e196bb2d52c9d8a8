"""DIP-VAE-I and II: the penalty recomputed entry by entry, what a batch leaves, and covariances after training."""

import numpy as np
import pytest
import torch

from engine.errors import ConfigError
from engine.methods.building import build
from engine.methods.gaussian import Codes
from engine.methods.registry import METHODS
from engine.methods.terms import covariance, distance_from_identity, kl_per_latent
from engine.networks.vae import sample
from engine.settings.run_config import RunConfig

BOTH = ("dip-vae-i", "dip-vae-ii")


def codes_of(n, latents, rng):
    mean = torch.randn(n, latents, generator=rng, dtype=torch.float64) @ torch.randn(
        latents, latents, generator=rng, dtype=torch.float64
    )
    log_variance = torch.randn(n, latents, generator=rng, dtype=torch.float64)
    kl = kl_per_latent(mean, log_variance).sum(1).mean()
    return Codes(kl, mean, log_variance, sample(mean, log_variance, rng), 1000, rng)


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(5)


@pytest.mark.parametrize("name", BOTH)
def test_the_penalty_is_that_of_equations_6_and_7_entry_by_entry(name, rng):
    """Plain sums in Python: expectations over the images, as disentanglement_lib's vae.py takes them."""
    codes = codes_of(7, 4, rng)
    mean, variance = codes.mean.tolist(), codes.log_variance.exp().tolist()
    off_diagonal = diagonal = 0.0
    for i in range(4):
        for j in range(4):
            product = sum(row[i] * row[j] for row in mean) / 7
            entry = product - sum(row[i] for row in mean) / 7 * sum(row[j] for row in mean) / 7
            if i != j:
                off_diagonal += entry**2
                continue
            if name == "dip-vae-ii":
                entry += sum(row[i] for row in variance) / 7
            diagonal += (entry - 1) ** 2
    settings = RunConfig(objective=name, lambda_od=3, lambda_d=0.5).method
    penalty, terms = METHODS[name].penalty(codes, settings)
    assert terms["off_diagonal"].item() == pytest.approx(off_diagonal, rel=1e-12)
    assert terms["diagonal"].item() == pytest.approx(diagonal, rel=1e-12)
    expected = codes.kl.item() + 3 * off_diagonal + 0.5 * diagonal
    assert penalty.item() == pytest.approx(expected, rel=1e-12)


def test_the_covariance_of_z_is_that_of_many_draws(rng):
    # numpy's covariance of a million draws, without the law of total covariance.
    codes = codes_of(5, 3, rng)
    noise = np.random.default_rng(1).standard_normal((200_000, 5, 3))
    z = codes.mean.numpy() + noise * codes.log_variance.mul(0.5).exp().numpy()
    expected = np.cov(z.reshape(-1, 3).T, bias=True)
    found = METHODS["dip-vae-ii"].covariance(codes).numpy()
    np.testing.assert_allclose(found, expected, atol=0.01 * expected.max())


def test_a_batch_of_independent_latents_leaves_what_the_help_says():
    # Of n draws of N(0, 1), a covariance has the variance 1/n, and a variance 2/n.
    rng = torch.Generator().manual_seed(2)
    parts = [distance_from_identity(covariance(torch.randn(64, 10, generator=rng))) for _ in range(400)]
    off_diagonal, diagonal = (float(np.mean(each)) for each in zip(*parts, strict=True))
    assert off_diagonal == pytest.approx(90 / 64, rel=0.05)
    assert diagonal == pytest.approx(20 / 64, rel=0.1)
    assert "1.4 for ten latents and batches of 64" in METHODS["dip-vae-i"].terms[0].help


def test_its_own_covariance_approaches_the_identity_and_that_of_the_other_method_does_not(trained_briefly):
    """numpy's covariance over all images, after a second of training; without the penalty it is far from it."""

    def distances(**settings):
        mean, log_variance = (each.double().numpy() for each in trained_briefly(**settings))
        of_means = np.cov(mean.T, bias=True)
        of_z = of_means + np.diag(np.exp(log_variance).mean(0))
        return [np.abs(matrix - np.eye(3)).max() for matrix in (of_means, of_z)]

    means, z = distances(objective="dip-vae-i", lambda_od=100, lambda_d=100)
    assert means < 0.02
    assert z > 0.04
    means, z = distances(objective="dip-vae-ii", lambda_od=100, lambda_d=100)
    assert z < 0.02
    assert means > 0.04
    assert min(distances(objective="dip-vae-i", lambda_od=0, lambda_d=0)) > 0.4


@pytest.mark.parametrize("name", BOTH)
def test_the_defaults_are_in_the_sweep_of_the_published_study(name):
    # disentanglement_lib, config/unsupervised_study_v1/sweep.py: lambda_d = 10 lambda_od in I, lambda_od in II.
    settings = METHODS[name].Settings()
    assert settings.lambda_od in (1, 2, 5, 10, 20, 50)
    assert settings.lambda_d == settings.lambda_od * (10 if name == "dip-vae-i" else 1)


@pytest.mark.parametrize("name", [*BOTH, "info-vae", "beta-tcvae"])
def test_a_single_training_image_is_refused_with_a_sentence(data, name):
    method = build(RunConfig.parse({"dataset": "arrays", "objective": name}), data)
    with pytest.raises(ConfigError, match=f"^{method.title} compares the images .* and Squares has only one image to"):
        method.sampler(data, np.arange(1))
    assert len(method.sampler(data, np.arange(2))(0)) == 2
