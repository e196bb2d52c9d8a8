"""What latents of each kind are: the values a traversal takes them through, and draws from their priors."""

import numpy as np
import pytest

from engine.methods.latents import Latent, priors_words

GAUSSIAN, UNIFORM, CATEGORY = Latent.gaussian(), Latent.uniform(), Latent.categorical(10)


def test_the_ranges_are_the_papers():
    # Nguyen & Qiu, Figures 2-5: -3 to 3. Chen et al. 2016, Figure 2: codes drawn from -1..1 are shown from -2 to 2.
    assert GAUSSIAN.values() == pytest.approx(np.linspace(-3, 3, 11))
    assert (UNIFORM.values()[0], UNIFORM.values()[-1]) == (-2, 2)
    assert CATEGORY.values() == tuple(range(10))


def test_a_range_that_is_asked_for_holds_for_all_but_categories():
    for latent in (GAUSSIAN, UNIFORM):
        assert latent.values((-1, 1.5), 3) == (-1, 0.25, 1.5)
    assert CATEGORY.values((-1, 1.5), 3) == tuple(range(10))


def test_draws_are_from_the_prior():
    rng = np.random.default_rng(0)
    drawn = {latent: np.array([latent.draw(rng) for _ in range(4000)]) for latent in (GAUSSIAN, UNIFORM, CATEGORY)}
    assert drawn[GAUSSIAN].std() == pytest.approx(1, abs=0.05)
    assert np.abs(drawn[UNIFORM]).max() <= 1
    assert drawn[UNIFORM].std() == pytest.approx(1 / 3**0.5, abs=0.02)
    values, counts = np.unique(drawn[CATEGORY], return_counts=True)
    assert values.tolist() == list(range(10))
    assert counts.min() > 300


def test_priors_are_said_once_each():
    assert priors_words((CATEGORY, UNIFORM, UNIFORM)) == "one of 10 categories, or U(−1, 1)"
