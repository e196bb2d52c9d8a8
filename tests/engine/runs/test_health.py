"""Sentences about the state of a run, and when they must not appear, on synthetic curves whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from engine.runs.health import CurveData, health, improvement_text

ROWS = 2000


def curves(rows=ROWS, *, epochs=40.0, reconstruction=None, kl=None, capacity=None, each=None, seed=0):
    """A run of 40 epochs; by default, its reconstruction loss falls steadily, with noise of one nat."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, rows)
    reconstruction = 300 - 200 * t + rng.normal(0, 1, rows) if reconstruction is None else reconstruction
    kl = np.full(rows, 12.4) + rng.normal(0, 0.3, rows) if kl is None else kl
    return CurveData(
        step=np.arange(1.0, rows + 1) * 10,
        epoch=epochs * np.arange(1, rows + 1) / rows,
        loss=reconstruction + kl,
        reconstruction=reconstruction,
        kl=float(kl[-1]),
        capacity=float("nan") if capacity is None else float(capacity[-1]),
        kl_per_latent=np.array([4.0, 4.0, 4.4, 0.05, 0.0]) if each is None else each,
        steps=10,
    )


def said(found, words):
    return any(words in sentence for sentence in found)


def test_there_is_no_text_before_the_first_row():
    assert health(curves(rows=1)) != []
    empty = curves(rows=1)
    none = {name: np.empty(0) for name in ("step", "epoch", "loss", "reconstruction", "kl_per_latent")}
    assert health(replace(empty, **none)) == []


def test_kl_is_held_at_a_constant_or_rising_c():
    assert "KL is held at C = 12.4 nats." in health(curves(capacity=np.full(ROWS, 12.4)))
    rising = np.linspace(0, 20, ROWS)
    noise = np.random.default_rng(1).normal(0, 0.3, ROWS)
    assert "KL is held at C = 20.0 nats." in health(curves(kl=rising + noise, capacity=rising))


@pytest.mark.parametrize(("capacity", "words"), [(20.0, "KL is 7.6 nats below C = 20.0."), (5.0, "7.4 nats above C")])
def test_kl_away_from_c_is_not_called_held(capacity, words):
    found = health(curves(kl=np.full(ROWS, 12.4), capacity=np.full(ROWS, capacity)))
    assert said(found, words)
    assert not said(found, "held")


def test_without_a_capacity_nothing_is_held():
    found = health(curves())
    assert said(found, "KL is 12.")
    assert not said(found, "C =")


def test_active_latents_are_counted():
    over = "more than 0.1 nats over the last 10 steps of training."
    assert f"3 of 5 latents carry {over}" in health(curves())
    assert f"1 of 3 latents carries {over}" in health(curves(each=np.array([0.0, 2.0, 0.05])))
    assert f"No latent carries {over}" in health(curves(each=np.zeros(4)))


@pytest.mark.parametrize("seed", range(5))
def test_a_plateau_is_reported_with_its_length(seed):
    rng = np.random.default_rng(seed)
    t = np.arange(1, ROWS + 1) / ROWS
    flat = np.maximum(300 - 250 * t, 100) + rng.normal(0, 1, ROWS)  # flat from 80 % on: the last 8 of 40 epochs
    sentence = improvement_text(curves(reconstruction=flat))
    assert sentence.startswith("Reconstruction has not improved for ")
    assert int(sentence.split()[5]) in (5, 6, 7, 8)


@pytest.mark.parametrize("seed", range(5))
def test_an_improving_run_is_not_reported_as_stalled(seed):
    rng = np.random.default_rng(seed)
    t = np.arange(1, ROWS + 1) / ROWS
    for falling in (300 - 200 * t, 100 + 400 * np.exp(-3 * t), 81 - 8 * t):
        assert "not improved" not in improvement_text(curves(reconstruction=falling + rng.normal(0, 1, ROWS)))


@pytest.mark.parametrize("seed", range(5))
def test_slow_improvement_under_much_noise_is_not_reported_as_stalled(seed):
    # As on the digits: 300 rows, 5 nats of noise, and a third of a nat an epoch, which no average of few rows shows.
    rng = np.random.default_rng(seed)
    epoch = 60 * np.arange(1, 301) / 300
    values = 370 + 330 * np.exp(-epoch / 4) + 0.3 * (60 - epoch) + rng.normal(0, 5, 300)
    assert "not improved" not in improvement_text(curves(rows=300, epochs=60, reconstruction=values))


def test_the_speed_of_improvement_is_that_of_a_straight_line():
    t = np.arange(1, ROWS + 1) / ROWS
    # 200 nats over 40 epochs.
    assert improvement_text(curves(reconstruction=300 - 200 * t)) == (
        "Reconstruction is still improving, by 5 nats per epoch."
    )


def test_within_the_first_epoch_the_speed_is_per_100_steps():
    t = np.arange(1, ROWS + 1) / ROWS
    # 300 nats over 20,000 steps.
    assert improvement_text(curves(reconstruction=400 - 300 * t, epochs=0.09)) == (
        "Reconstruction is still improving, by 1.5 nats per 100 steps."
    )


def test_a_run_within_its_first_epoch_is_not_reported_as_stalled():
    flat = np.full(ROWS, 100.0) + np.random.default_rng(0).normal(0, 1, ROWS)
    assert improvement_text(curves(reconstruction=flat, epochs=0.9)) == ""


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_not_reported_as_improvement(seed):
    flat = 100 + np.random.default_rng(seed).normal(0, 5, ROWS)
    assert "still improving" not in improvement_text(curves(reconstruction=flat))


def test_nothing_is_reported_after_a_few_rows():
    assert improvement_text(curves(rows=20)) == ""


def test_a_rising_reconstruction_loss_has_not_improved():
    t = np.arange(1, ROWS + 1) / ROWS
    assert improvement_text(curves(reconstruction=100 + 50 * np.maximum(t - 0.5, 0) - 40 * np.minimum(t, 0.5))) in (
        "Reconstruction has not improved for 19 epochs.",
        "Reconstruction has not improved for 20 epochs.",
    )


def test_a_long_run_is_judged_like_a_short_one():
    t = np.arange(1, 130_001) / 130_000
    flat = np.maximum(300 - 250 * t, 100) + np.random.default_rng(0).normal(0, 2, 130_000)
    sentence = improvement_text(curves(rows=130_000, reconstruction=flat))
    assert int(sentence.split()[5]) in (6, 7, 8)


def test_only_a_loss_that_is_not_a_number_is_reported():
    broken = 300 - np.arange(100.0)
    broken[60:] = np.nan
    assert health(curves(rows=100, reconstruction=broken)) == ["The loss has not been a number since step 610."]
    once = 300 - np.arange(100.0)
    once[60] = np.nan
    assert not said(health(curves(rows=100, reconstruction=once)), "not a number")
