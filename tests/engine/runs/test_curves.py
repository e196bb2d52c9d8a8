"""Curves prepared for drawing, against closed forms, a plain loop and SciPy's filter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.signal import lfilter

from engine.runs.curves import Smoothing, logarithms, nearest, smooth, thinned, value_range, visible

FACTORS = (0.01, 0.3, 0.6, 0.9, 0.99, 0.999, 1 - 1e-9)


def plain(values, factor):
    """The definition, one point at a time (Kingma & Ba 2015, section 3, over the points that are finite)."""
    total = weight = 0.0
    found = []
    for value in values:
        if np.isfinite(value):
            total, weight = factor * total + (1 - factor) * value, factor * weight + (1 - factor)
            found.append(total / weight)
        else:
            found.append(value)
    return np.array(found)


@pytest.mark.parametrize("factor", FACTORS)
def test_a_constant_is_unchanged_from_the_first_point(factor):
    np.testing.assert_allclose(smooth(np.full(5000, 81.25), factor), 81.25, rtol=1e-12)


@pytest.mark.parametrize("factor", [0.3, 0.6, 0.9, 0.99])
def test_an_impulse_decays_by_the_factor(factor):
    impulse = np.zeros(400)
    impulse[0] = 1.0
    n = np.arange(1, 401)
    # After n points it has the weight f^(n-1) of (1 - f^n) / (1 - f).
    expected = factor ** (n - 1) * (1 - factor) / (1 - factor**n)
    np.testing.assert_allclose(smooth(impulse, factor), expected, rtol=1e-9, atol=1e-99)


def test_a_factor_close_to_one_gives_the_running_mean():
    values = np.random.default_rng(0).normal(100, 20, 2000)
    mean = np.cumsum(values) / np.arange(1, 2001)
    np.testing.assert_allclose(smooth(values, 1 - 1e-12), mean, rtol=1e-6)


def test_no_smoothing_changes_nothing():
    values = np.array([3.0, np.nan, -1.0])
    np.testing.assert_array_equal(smooth(values, 0.0), values)


@pytest.mark.parametrize("factor", FACTORS)
def test_smoothing_equals_scipys_filter_divided_by_that_of_ones(factor):
    values = np.random.default_rng(1).normal(0, 1, 30_000)
    filtered, weights = (lfilter([1 - factor], [1, -factor], v) for v in (values, np.ones(30_000)))
    np.testing.assert_allclose(smooth(values, factor), filtered / weights, rtol=1e-6, atol=1e-9)


@given(
    arrays(np.float64, st.integers(0, 60), elements=st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf, -np.inf])),
    st.floats(0.001, 0.999),
    st.lists(st.integers(0, 60), max_size=4),
)
def test_smoothing_in_any_pieces_equals_a_plain_loop_and_keeps_gaps(values, factor, cuts):
    average = Smoothing(factor)
    pieces = np.split(values, sorted(min(cut, len(values)) for cut in cuts))
    found = np.concatenate([average.append(piece) for piece in pieces])
    np.testing.assert_allclose(found, plain(values, factor), rtol=1e-7, atol=1e-4)


@pytest.mark.parametrize("factor", [-0.1, 1.0, 2.0, float("nan")])
def test_an_invalid_factor_is_rejected(factor):
    with pytest.raises(ValueError, match="smoothing factor"):
        Smoothing(factor)


def test_non_positive_values_are_gaps_on_a_logarithmic_axis():
    found = logarithms(np.array([100.0, 0.0, -5.0, np.nan, 0.1]))
    np.testing.assert_allclose(found, [2, np.nan, np.nan, np.nan, -1])


def test_the_visible_part_has_one_more_point_on_either_side():
    x = np.arange(0.0, 100.0, 10.0)
    assert x[visible(x, 25, 52)].tolist() == [20, 30, 40, 50, 60]
    assert x[visible(x, -5, 5)].tolist() == [0, 10]
    assert len(x[visible(x, 200, 300)]) <= 1


@given(st.integers(1, 5000), st.integers(10, 400), st.integers(0, 2**32 - 1))
def test_downsampling_keeps_the_extremes_and_few_points(count, points, seed):
    rng = np.random.default_rng(seed)
    x, y = np.arange(count, dtype=float), rng.normal(size=count)
    few_x, few_y = thinned(x, y, points)
    assert len(few_x) == len(few_y) <= max(points, 2)
    assert (few_y.min(), few_y.max()) == (y.min(), y.max())
    assert (np.diff(few_x) >= 0).all()


def test_downsampled_points_stay_in_place_while_a_curve_grows():
    rng = np.random.default_rng(0)
    x, y = np.arange(4000.0), rng.normal(size=4000)
    before, after = thinned(x[:3900], y[:3900], 1000), thinned(x, y, 1000)
    np.testing.assert_array_equal(np.array(before)[:, :900], np.array(after)[:, :900])


def test_a_long_gap_stays_a_gap_and_a_short_one_hides_no_extreme():
    y = np.ones(4000)
    y[1000:2000] = np.nan
    y[3000], y[3001] = np.nan, 50
    x, few = thinned(np.arange(4000.0), y, 200)
    assert np.isnan(few[(x > 1100) & (x < 1900)]).all()
    assert np.nanmax(few) == 50


def test_the_range_covers_everything_or_the_middle_of_each_curve():
    steep = np.concatenate([np.full(4, 1000.0), np.linspace(90, 80, 96)])
    short = np.full(3, 40.0)
    low, high = value_range([steep, short], ignore_outliers=False)
    assert low < 40 < 1000 < high
    low, high = value_range([steep, short], ignore_outliers=True)
    assert low < 40
    assert 90 < high < 100
    assert value_range([np.full(3, np.nan), np.empty(0)], ignore_outliers=True) is None


def test_a_flat_curve_has_a_range_around_it():
    for value in (0.0, 7.0, -3.0):
        low, high = value_range([np.full(9, value)], ignore_outliers=True)
        assert low < value < high
    value = 3.76054066
    recorded, smoothed = np.array([value]), np.array([np.nextafter(value, 4)])
    low, high = value_range([recorded, smoothed], ignore_outliers=False)
    assert low < 0.96 * value < 1.04 * value < high


@given(st.lists(st.integers(0, 100), min_size=1, max_size=20, unique=True), st.floats(-10, 110))
def test_the_nearest_point_is_nearest(places, position):
    x = np.array(sorted(places), dtype=float)
    assert abs(x[nearest(x, position)] - position) == np.abs(x - position).min()


def test_there_is_no_nearest_point_without_points():
    assert nearest(np.empty(0), 1.0) is None
