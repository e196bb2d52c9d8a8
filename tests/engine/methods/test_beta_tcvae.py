"""The beta-TCVAE's two estimates of the total correlation against sums in Python and an integral over the plane."""

import math

import numpy as np
import pytest
import torch

from engine.methods.gaussian import Codes
from engine.methods.registry import METHODS
from engine.methods.terms import total_correlation
from engine.settings.presets import shipped_presets
from engine.settings.run_config import RunConfig

IMAGES = 30
DEVIATION = 0.3


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(5)


def draw(mean, log_variance, rng):
    return mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=rng, dtype=mean.dtype)


def density(z, mean, log_variance):
    return math.exp(-((z - mean) ** 2) / (2 * math.exp(log_variance))) / math.sqrt(2 * math.pi * math.exp(log_variance))


@pytest.mark.parametrize("n", [2, 7])
def test_weighted_sampling_is_the_papers_without_its_constant(n, rng):
    """Image by image in Python, with the weights 1/(n N) of Chen et al. (rtqichen/beta-tcvae, vae_quant.py)."""
    mean, log_variance = torch.randn(2, n, 3, generator=rng, dtype=torch.float64)
    z = draw(mean, log_variance, rng)
    each = []
    for i in range(n):
        densities = [[density(z[i, k], mean[j, k], log_variance[j, k]) for k in range(3)] for j in range(n)]
        joint = math.log(sum(math.prod(row) for row in densities) / (n * IMAGES))
        product = sum(math.log(sum(row[k] for row in densities) / (n * IMAGES)) for k in range(3))
        each.append(joint - product)
    published = sum(each) / n
    found = total_correlation(mean, log_variance, z, IMAGES, weighted=True).item()
    assert found == pytest.approx(published - 2 * math.log(IMAGES), rel=1e-9)
    stratified = total_correlation(mean, log_variance, z, IMAGES).item()
    assert abs(found - stratified) > 1e-3


@pytest.fixture
def small():
    """Posteriors of 12 images with two dependent latents, and the exact total correlation of their mixture."""
    rng = torch.Generator().manual_seed(8)
    first = torch.randn(12, generator=rng, dtype=torch.float64)
    mean = torch.stack([first, 0.9 * first + 0.3 * torch.randn(12, generator=rng, dtype=torch.float64)], 1)
    log_variance = torch.full_like(mean, 2 * math.log(DEVIATION))
    # The integral of q log(q / (q1 q2)) over the plane, by sums over a fine grid.
    axis = np.linspace(-8, 8, 801)
    one, two = (
        np.exp(-((axis[:, None] - mean[:, k].numpy()) ** 2) / (2 * DEVIATION**2)) / math.sqrt(2 * math.pi) / DEVIATION
        for k in range(2)
    )
    joint = one @ two.T / 12
    marginal = one.mean(1)[:, None] * two.mean(1)
    cell = (axis[1] - axis[0]) ** 2
    assert joint.sum() * cell == pytest.approx(1, abs=1e-9)
    positive = joint > 0
    exact = (joint[positive] * np.log(joint[positive] / marginal[positive])).sum() * cell
    return mean, log_variance, exact


@pytest.mark.parametrize("weighted", [False, True])
def test_over_the_whole_data_set_both_estimates_are_exact(small, rng, weighted):
    mean, log_variance, exact = small
    found = [
        total_correlation(mean, log_variance, draw(mean, log_variance, rng), 12, weighted=weighted).item()
        for _ in range(2000)
    ]
    assert exact > 0.3
    assert np.mean(found) == pytest.approx(exact, abs=4 * np.std(found) / math.sqrt(len(found)))


def test_weighted_sampling_of_posteriors_apart_depends_on_the_batch_alone(rng):
    # By hand: of n posteriors that do not overlap each has the density 1/n of its own, jointly and for each latent, so
    # that the estimate is (latents - 1) ln n; of posteriors that are all the same it is 0.
    for n in (4, 9):
        apart = 1e3 * torch.arange(n, dtype=torch.float64)[:, None].expand(n, 3)
        for mean, expected in ((apart, 2 * math.log(n)), (torch.zeros_like(apart), 0)):
            narrow = torch.zeros_like(mean)
            found = total_correlation(mean, narrow, draw(mean, narrow, rng), 50, weighted=True)
            assert found.item() == pytest.approx(expected, abs=1e-12)


def test_the_setting_chooses_the_estimate_and_stratified_is_the_default(rng):
    mean, log_variance = torch.randn(2, 6, 3, generator=rng)
    codes = Codes(torch.tensor(2.0), mean, log_variance, draw(mean, log_variance, rng), 50, rng)
    for sampling, weighted in (("stratified", False), ("weighted", True)):
        config = RunConfig.parse({"objective": "beta-tcvae", "beta": 5, "sampling": sampling})
        expected = total_correlation(mean, log_variance, codes.z, 50, weighted=weighted)
        penalty, terms = METHODS["beta-tcvae"].penalty(codes, config.method)
        assert torch.equal(terms["total_correlation"], expected)
        assert penalty.item() == pytest.approx(2 + 4 * expected.item())
    assert RunConfig.from_json({"schema": 2, "objective": "beta-tcvae", "method": {"beta": 4}}).value("sampling") == (
        "stratified"
    )


def test_the_preset_of_the_published_models_has_their_settings():
    # rtqichen/beta-tcvae, vae_quant.py: batches of 2,048, 50 epochs, Adam at 1e-3, ten latents; its README: beta = 6.
    [config] = [preset.config for preset in shipped_presets() if preset.name == "dsprites-beta-tcvae-published"]
    assert (config.network, config.batch_size, config.epochs, config.steps) == ("mlp", 2048, 50, None)
    assert (config.learning_rate, config.latents, config.method.beta) == (1e-3, 10, 6)
    assert config.method.sampling == "weighted"
    assert config.total_steps(737_280) == 18_000
