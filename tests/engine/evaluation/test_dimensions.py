"""Settings, metrics and final terms as places on axes, against places worked out by hand."""

import numpy as np
import pytest

from engine.evaluation.dimensions import RunValues, dimensions_of, within
from engine.evaluation.rows import Row
from engine.settings.run_config import RunConfig


def run(objective="beta-vae", *, mig=None, terms=None, **settings):
    config = RunConfig(objective=objective, **settings)
    metrics = {} if mig is None else {"mig": {"value": mig}}
    return RunValues(Row("r", config.method_title, "dSprites", config.seed, 100, metrics, config), terms or {})


def by_title(runs):
    return {d.title: d for d in dimensions_of(runs)}


def test_numbers_lie_between_the_smallest_and_the_largest_and_names_have_a_tick_each():
    runs = [run(beta=2, mig=0.1, seed=3), run(beta=4, mig=0.4, network="mlp"), run(beta=10), run("vae", mig=0.2)]
    found = by_title(runs)
    assert list(found) == ["Method", "Network", "β", "MIG ↑"] or set(found) >= {"Network", "β", "MIG ↑"}
    np.testing.assert_allclose(found["β"].places, [0, 0.25, 1, np.nan])  # a VAE has no β
    np.testing.assert_allclose(found["MIG ↑"].places, [0, 1, np.nan, 1 / 3])
    assert found["β"].ticks == ((0, "2"), (0.25, "4"), (1, "10"))
    assert [name for _, name in found["Network"].ticks] == sorted(set(found["Network"].texts), key=str.casefold)
    assert set(found["Network"].places) == {0.0, 1.0}
    assert found["β"].texts[3] == "–"
    assert "Seed" not in found


def test_a_schedule_counts_with_its_end_value():
    found = by_title([run(beta="0 to 8 over 20 epochs"), run(beta=4), run(beta=0)])
    np.testing.assert_allclose(found["β"].places, [1, 0.5, 0])


def test_axes_that_span_two_powers_of_ten_are_logarithmic():
    found = by_title([run(learning_rate=rate) for rate in (1e-5, 1e-4, 1e-3)])
    [(_title, dimension)] = [(title, d) for title, d in found.items() if title.endswith(", log")]
    np.testing.assert_allclose(dimension.places, [0, 0.5, 1], atol=1e-12)


def test_final_terms_have_axes_with_the_methods_own():
    terms = [{"kl": 10.0, "total_correlation": 1.0}, {"kl": 20.0, "total_correlation": 3.0}, {"kl": float("nan")}]
    found = by_title([run("beta-tcvae", terms=each, seed=seed) for seed, each in enumerate(terms)])
    np.testing.assert_allclose(found["Final KL"].places, [0, 1, np.nan])
    np.testing.assert_allclose(found["Final Total correlation"].places, [0, 1, np.nan])


def test_dimensions_without_differences_are_left_out():
    assert dimensions_of([run(mig=0.5), run(mig=0.5, seed=1, threads=2)]) == []
    assert dimensions_of([]) == []


@pytest.mark.parametrize(
    ("brushes", "inside"),
    [
        ({}, [True, True, True]),
        ({"setting:beta": (-0.01, 0.3)}, [True, True, False]),
        ({"setting:beta": (-0.01, 0.3), "metric:mig": (0.5, 1.01)}, [False, True, False]),
        ({"metric:mig": (-0.01, 1.01)}, [True, True, False]),  # the last has none
    ],
)
def test_runs_within_all_ranges_are_found(brushes, inside):
    dimensions = dimensions_of([run(beta=2, mig=0.1), run(beta=4, mig=0.4), run(beta=10)])
    assert within(dimensions, brushes).tolist() == inside
