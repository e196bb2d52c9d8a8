"""InfoVAE: the discrepancy of two Gaussians in closed form, its unbiased estimate, and the signs of the objective."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from engine.methods.gaussian import Codes
from engine.methods.registry import METHODS
from engine.methods.terms import discrepancy, imq, rbf
from engine.settings.run_config import RunConfig

METHOD = METHODS["info-vae"]


def expected_rbf(shift, variance, latents, width):
    """E exp(-|u|^2 / width), a known integral, for u normal, its mean of squared length `shift`, with this variance."""
    return (1 + 2 * variance / width) ** (-latents / 2) * math.exp(-shift / (width + 2 * variance))


def expected_imq(shift, variance, latents, width):
    """E width / (width + |u|^2): an integral over Gaussian kernels, since c / (c + s) is that of c exp(-t (c + s))."""
    return quad(lambda t: width * math.exp(-width * t) * expected_rbf(shift, variance, latents, 1 / t), 0, math.inf)[0]


def closed_form(expected, shift, variance, latents, width):
    """Squared discrepancy of N(m, variance) with |m|^2 = shift from N(0, 1), of so many latents."""
    own, drawn = expected(0, 2 * variance, latents, width), expected(0, 2, latents, width)
    return own + drawn - 2 * expected(shift, 1 + variance, latents, width)


KERNELS = {"rbf": (rbf, expected_rbf), "imq": (imq, expected_imq)}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("shift", "variance"), [(0.0, 1.0), (4.0, 1.0), (0.0, 0.25), (1.0, 2.25)])
def test_its_mean_over_many_small_batches_is_the_closed_form(kernel, shift, variance):
    """Batches of 6, where counting pairs of an image with itself would show, within four standard errors."""
    function, expected = KERNELS[kernel]
    rng = torch.Generator().manual_seed(3)
    mean = torch.tensor([math.sqrt(shift), 0.0, 0.0], dtype=torch.float64)
    found = []
    for _ in range(1000):
        z, drawn = torch.randn(2, 6, 3, generator=rng, dtype=torch.float64)
        found.append(discrepancy(mean + math.sqrt(variance) * z, drawn, function, 5.0).item())
    error = np.std(found) / math.sqrt(len(found))
    value = closed_form(expected, shift, variance, 3, 5.0)
    assert np.mean(found) == pytest.approx(value, abs=4 * error)
    bias = (1 - expected(0, 2 * variance, 3, 5.0)) / 6 + (1 - expected(0, 2, 3, 5.0)) / 6
    assert bias > 6 * error  # what the biased estimate adds would be seen


@pytest.mark.parametrize("kernel", KERNELS)
def test_an_estimate_is_the_sum_over_pairs(kernel):
    """Gretton et al. 2012, Eq. 3, pair by pair in Python."""
    rng = torch.Generator().manual_seed(3)
    z, drawn = torch.randn(2, 5, 4, generator=rng, dtype=torch.float64)
    formula = {"rbf": lambda s: math.exp(-s / 16), "imq": lambda s: 8 / (8 + s)}[kernel]

    def alike(one, other):
        return formula(sum((a - b) ** 2 for a, b in zip(one.tolist(), other.tolist(), strict=True)))

    pairs = [(i, j) for i in range(5) for j in range(5)]
    own = sum(alike(z[i], z[j]) + alike(drawn[i], drawn[j]) for i, j in pairs if i != j) / 20
    expected = own - 2 * sum(alike(z[i], drawn[j]) for i, j in pairs) / 25
    # The widths are those of an empty setting: d^2 (the authors' code) and 2 d (Tolstikhin et al.) for d = 4.
    found = discrepancy(z, drawn, KERNELS[kernel][0], {"rbf": 4**2, "imq": 2 * 4}[kernel])
    assert found.item() == pytest.approx(expected, rel=1e-9)
    codes = Codes(torch.tensor(0.0), z, z, z, 100, torch.Generator().manual_seed(9))
    same = torch.empty_like(z).normal_(generator=torch.Generator().manual_seed(9))
    usual = METHOD.penalty(codes, RunConfig(objective="info-vae", kernel=kernel).method)[1]["mmd"]
    assert usual.item() == discrepancy(z, same, KERNELS[kernel][0], {"rbf": 16, "imq": 8}[kernel]).item()


def test_the_help_says_how_small_it_is():
    # Closed form for ten latents that are always 0, with the authors' kernel.
    assert closed_form(expected_rbf, 0, 0, 10, 100) == pytest.approx(0.0105, abs=5e-5)
    assert "0.01 for ten latents that are always 0" in METHOD.Settings.model_fields["lambda_mmd"].description


@pytest.mark.parametrize(
    ("alpha", "weight", "of_kl", "of_mmd"),
    [
        (0, 1, 1, 0),  # the VAE
        (0, 50, 1, 49),  # the authors' defaults
        (1, 50, 0, 50),  # without KL
        (-3, 4, 4, 0),  # the beta-VAE with beta = 4
        (0.5, 0.03, 0.5, -0.47),  # pythae's defaults
    ],
)
def test_the_weights_are_those_of_the_paper(alpha, weight, of_kl, of_mmd):
    z = torch.randn(8, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 3
    kl = torch.tensor(12.0, dtype=torch.float64)
    codes = Codes(kl, z, z, z, 100, torch.Generator().manual_seed(9))
    config = RunConfig(objective="info-vae", alpha=alpha, lambda_mmd=weight)
    penalty, terms = METHOD.penalty(codes, config.method)
    assert terms["mmd"].item() > 0.05
    assert penalty.item() == pytest.approx(of_kl * 12 + of_mmd * terms["mmd"].item())
    assert bool(config.warnings(100_000)) is (of_mmd < 0)


def test_a_negative_weight_of_the_discrepancy_is_said_also_on_its_way():
    config = RunConfig.parse({"objective": "info-vae", "alpha": 0.5, "lambda_mmd": "0.2 to 9 over 10 steps"})
    assert config.warnings(100_000) == [
        "The weight of MMD², α + λ − 1, is -0.3: a negative weight drives the latents away from the prior."
    ]


def test_without_kl_the_latents_of_all_images_still_become_those_of_the_prior(trained_briefly):
    """Moments of z over all images, by numpy, with the weight and without."""

    def moments(weight):
        mean, log_variance = trained_briefly(objective="info-vae", alpha=1, lambda_mmd=weight)
        noise = torch.randn(50, *mean.shape, generator=torch.Generator().manual_seed(4))
        z = (mean + (log_variance / 2).exp() * noise).flatten(0, 1).double().numpy()
        return np.abs(z.mean(0)).max(), np.abs(np.cov(z.T) - np.eye(3)).max()

    assert max(moments(20_000)) < 0.3
    assert min(moments(0)) > 1
