"""What latents of each kind are: the values a traversal takes them through, and draws from their priors."""

import numpy as np
import pytest

from engine.methods.latents import Kind, Latent, draws_words, priors_words, start_words

GAUSSIAN, UNIFORM, CATEGORY = Latent.gaussian(), Latent.uniform(), Latent.categorical(10)
ORDERED, CODE = Latent.ordered(64), Latent.code(10)


def test_the_ranges_are_the_papers():
    # Nguyen & Qiu, Figures 2-5: -3 to 3. Chen et al. 2016, Figure 2: codes drawn from -1..1 are shown from -2 to 2.
    assert GAUSSIAN.values() == pytest.approx(np.linspace(-3, 3, 11))
    assert (UNIFORM.values()[0], UNIFORM.values()[-1]) == (-2, 2)
    assert CATEGORY.values() == tuple(range(10))


def test_a_range_that_is_asked_for_holds_for_all_but_categories_and_codes():
    for latent in (GAUSSIAN, UNIFORM):
        assert latent.values((-1, 1.5), 3) == (-1, 0.25, 1.5)
    for latent in (CATEGORY, CODE):
        assert latent.values((-1, 1.5), 3) == tuple(range(10))


def test_ordered_categories_are_shown_at_their_own_positions_each_once():
    places = np.linspace(-1, 1, 64)  # lddr's run.py: jnp.linspace(-1.0, 1.0, 64)
    assert ORDERED.values(steps=64) == pytest.approx(places)
    for wanted, found in (
        (np.linspace(-1, 1, 11), ORDERED.values()),
        (np.linspace(-0.5, 0.25, 4), ORDERED.values((-0.5, 0.25), 4)),
    ):
        assert found == pytest.approx([places[np.abs(places - value).argmin()] for value in wanted])
    assert ORDERED.values((-2, 2), 3) == pytest.approx([-1, places[32], 1])  # nothing lies beyond
    assert Latent.ordered(3).values(steps=9) == (-1, 0, 1)
    assert Latent.ordered(3).values() == (-1, 0, 1)


def test_codes_are_integers_and_in_order_categories_only_integers():
    every = (GAUSSIAN, UNIFORM, CATEGORY, ORDERED, CODE)
    assert {latent.kind for latent in every} == set(Kind)
    assert [latent for latent in every if latent.integer] == [CATEGORY, CODE]
    assert [latent for latent in every if not latent.quantity] == [CATEGORY]
    assert [latent.middle for latent in every] == [0, 0, 0, 0, 4]


def test_draws_are_from_the_prior():
    rng = np.random.default_rng(0)
    drawn = {latent: np.array([latent.draw(rng) for _ in range(4000)])
             for latent in (GAUSSIAN, UNIFORM, CATEGORY, ORDERED, CODE)}  # fmt: skip
    assert drawn[GAUSSIAN].std() == pytest.approx(1, abs=0.05)
    assert np.abs(drawn[UNIFORM]).max() <= 1
    assert drawn[UNIFORM].std() == pytest.approx(1 / 3**0.5, abs=0.02)
    for latent in (CATEGORY, CODE):
        values, counts = np.unique(drawn[latent], return_counts=True)
        assert values.tolist() == list(range(10))
        assert counts.min() > 300
    values, counts = np.unique(drawn[ORDERED], return_counts=True)
    assert values == pytest.approx(np.linspace(-1, 1, 64))
    assert counts.min() > 30


def test_priors_are_said_once_each():
    assert priors_words((CATEGORY, UNIFORM, UNIFORM)) == "one of 10 categories, or U(−1, 1)"


def test_codes_have_no_prior_and_it_is_said():
    both = "Every latent is sampled from its prior, one of 10 categories, or U(−1, 1)."
    assert draws_words([CATEGORY, UNIFORM]) == both
    assert draws_words([ORDERED] * 2) == "Every latent is sampled from its prior, one of 64 categories from −1 to 1."
    assert draws_words([CODE] * 3) == "The method has no prior: every latent is one of 10 codes, all equally likely."
    assert [start_words([CODE], draw) for draw in (None, 7)] == ["the middle codes", "random codes, draw 7"]
    assert [start_words([ORDERED], draw) for draw in (None, 7)] == ["the prior", "the prior, draw 7"]
