"""The toy model of Figure 1, checked by numerical minimisation and integration, and torch's KL."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize

from engine.methods.posterior_width import best_posterior, divergence, overlap, reconstruction_loss


def log_density(z, mean, deviation):
    """Of a normal distribution; scipy.stats takes a hundred times as long for a single number."""
    return -(((z - mean) / deviation) ** 2) / 2 - math.log(deviation) - math.log(2 * math.pi) / 2


def loss_by_integration(mean, deviation, target, beta, precision):
    """Reconstruction + beta * KL of Eq. 4, as integrals over z with decoder a = 1 and noise variance 1 / precision."""
    span = (mean - 9 * deviation, mean + 9 * deviation)

    def average(of):
        return quad(lambda z: math.exp(log_density(z, mean, deviation)) * of(z), *span)[0]

    reconstruction = average(lambda z: (target - z) ** 2 * precision / 2)
    kl = average(lambda z: log_density(z, mean, deviation) - log_density(z, 0, 1))
    return reconstruction, kl, reconstruction + beta * kl


@pytest.mark.parametrize(("target", "beta", "precision"), [(1.0, 0.3, 8.0), (-1.5, 4.0, 8.0), (0.5, 20.0, 2.0)])
def test_the_best_posterior_is_the_one_a_minimiser_finds(target, beta, precision):
    found = minimize(
        lambda p: loss_by_integration(p[0], np.exp(p[1]), target, beta, precision)[2],
        [0.0, 0.0],
        method="Nelder-Mead",
        options={"xatol": 1e-6, "fatol": 1e-10},
    ).x
    best = best_posterior(target, beta, precision)
    assert best.mean == pytest.approx(found[0], abs=1e-4)
    assert best.deviation == pytest.approx(np.exp(found[1]), abs=1e-4)
    reconstruction, kl, _ = loss_by_integration(best.mean, best.deviation, target, beta, precision)
    assert reconstruction_loss(best, target, precision) == pytest.approx(reconstruction)
    assert divergence(best) == pytest.approx(kl)


def test_overlap_is_the_area_below_both_densities_and_grows_with_beta():
    areas = []
    for beta in (0.1, 1, 4, 16):
        one, other = (best_posterior(target, beta, 8.0) for target in (-1.0, 1.3))
        below = quad(
            lambda z, pair=(one, other): math.exp(min(log_density(z, q.mean, q.deviation) for q in pair)),
            -8,
            8,
            limit=200,
        )[0]
        assert overlap(one, other) == pytest.approx(below, abs=1e-6)
        areas.append(below)
    assert areas == sorted(areas)
