"""Runs alike but for the seed as one curve, against a plain computation in Python and published quantiles."""

import math
import statistics

import numpy as np
import pytest

from engine.data.fingerprint import Fingerprint
from engine.evaluation.grouping import experiment_titles
from engine.runs.alike import experiment_key, seed_groups
from engine.runs.bands import SPREADS, BandReader, band_of
from engine.runs.metrics_file import MetricsReader, header
from engine.runs.run import FormerData, Run
from engine.settings.run_config import RunConfig

T = {2: 12.706, 3: 4.303, 4: 3.182}
"""97.5 % quantiles of Student's t with n - 1 degrees of freedom, by n: any statistical table, e.g. Fisher and Yates."""


def plainly(curves, step, spread):
    """Mean, low, high, n and number interpolated at a step, one value at a time."""
    values, interpolated = [], 0
    for own, column in curves:
        rows = list(zip(own, column, strict=True))
        for (x, y), (x2, y2) in zip(rows, [*rows[1:], (None, None)], strict=True):
            if x == step:
                value = y
            elif x2 is not None and x < step < x2:
                value = y + (y2 - y) * (step - x) / (x2 - x)
            else:
                continue
            if math.isfinite(value):
                values.append(value)
                interpolated += x != step
    if not values:
        return math.nan, math.nan, math.nan, 0, 0
    mean, n = statistics.fmean(values), len(values)
    if spread == "range":
        return mean, min(values), max(values), n, interpolated
    if n == 1:
        return mean, math.nan, math.nan, n, interpolated
    half = statistics.stdev(values) * (T[n] / math.sqrt(n) if spread == "interval" else 1)
    return mean, mean - half, mean + half, n, interpolated


CURVES = [
    ([10, 20, 30, 40], [1.0, 2.0, 4.0, 8.0]),
    ([10, 20, 30], [2.0, 3.0, 3.5]),  # it ended early
    ([20, 40], [5.0, 1.0]),  # recorded every other row
    ([10, 20, 30, 40, 45], [math.nan, 6.0, math.nan, 2.0, 7.0]),  # two values are not numbers
]


@pytest.mark.parametrize("spread", SPREADS)
def test_mean_and_spread_are_those_of_the_runs_at_each_step(spread):
    curves = [(np.array(x, dtype=float), np.array(y)) for x, y in CURVES]
    steps = np.array([5.0, 10, 20, 25, 30, 40, 45])
    band = band_of(curves, steps, spread)
    for number, step in enumerate(steps):
        mean, low, high, n, interpolated = plainly(CURVES, step, spread)
        found = [band.mean[number], band.low[number], band.high[number]]
        np.testing.assert_allclose(found, [mean, low, high], rtol=1e-3, err_msg=f"step {step}")
        assert (band.n[number], band.interpolated[number]) == (n, interpolated)
    # The one recorded every other row lies halfway between 5 and 1 at step 30; nothing lies before the first row.
    assert band.n.tolist() == [0, 2, 4, 3, 3, 3, 1]
    assert band.interpolated.tolist() == [0, 0, 0, 3, 1, 0, 0]


def write(path, rows):
    """Rows of step, seconds and KL."""
    lines = [f"{step},{step / 100},{seconds},1,1,{kl},,{kl}" for step, seconds, kl in rows]
    path.write_text("\n".join([header(1), *lines, ""]))
    reader = MetricsReader(path)
    reader.refresh()
    return reader


def test_a_band_follows_its_files_and_time_does_not_fall_where_a_slow_run_ends(tmp_path):
    slow = write(tmp_path / "slow.csv", [(10, 100, 3.0), (20, 200, 5.0)])
    fast = write(tmp_path / "fast.csv", [(10, 10, 1.0), (20, 20, 2.0), (30, 30, 4.0)])
    band = BandReader([slow, fast], "range")
    assert band.column("step").tolist() == [10, 20, 30]
    assert band.column("kl").tolist() == [2.0, 3.5, 4.0]
    assert band.column("seconds").tolist() == [55, 110, 110]
    assert (band.band("kl").low.tolist(), band.band("kl").high.tolist()) == ([1, 2, 4], [3, 5, 4])
    with (tmp_path / "slow.csv").open("a") as file:
        file.write("30,0.3,300,1,1,6,,6\n")
    slow.refresh()
    assert band.column("kl").tolist() == [2.0, 3.5, 5.0]
    assert band.column("seconds").tolist() == [55, 110, 165]
    assert len(band) == 3


def test_a_column_that_only_some_runs_have_is_the_mean_of_theirs(tmp_path):
    one = write(tmp_path / "one.csv", [(10, 1, 3.0)])
    other = MetricsReader(tmp_path / "not yet.csv")
    band = BandReader([one, other], "std")
    assert band.column("kl").tolist() == [3.0]
    assert band.band("kl").n.tolist() == [1]
    assert np.isnan(band.band("kl").low).all()
    assert len(BandReader([other], "std")) == 0


def run_of(**settings):
    run = Run(None, RunConfig(**({"dataset": "digits", "objective": "beta-vae"} | settings)), {})
    run.trained_on = Fingerprint("a", "b", "", "", "c")
    return run


def groups_of(*runs):
    found = seed_groups(runs, experiment_key, lambda run: run.config.seed)
    return [[(runs.index(run), run.config.seed) for run in group] for group in found]


def test_runs_are_grouped_if_they_differ_in_their_seed_and_in_the_machine_only():
    runs = [run_of(seed=2), run_of(seed=0, beta=8), run_of(seed=1, threads=1), run_of(seed=1, beta=8), run_of(seed=2)]
    # The last has a seed that its group already has.
    assert groups_of(*runs) == [[(2, 1), (0, 2)], [(1, 0), (3, 1)], [(4, 2)]]


def test_runs_of_other_data_or_another_protocol_are_never_mixed():
    runs = [run_of(seed=seed) for seed in range(6)]
    runs[1].trained_on = Fingerprint("other", "b", "", "", "c")
    runs[2].trained_on = None  # not known
    runs[3].former = (FormerData(100, Fingerprint("other", "b", "", "", "c")),)
    runs[4].config = runs[4].config.changed(log_steps=7)  # each point is a mean over other steps
    runs[5].config = runs[5].config.changed(epochs=99)
    assert groups_of(*runs) == [[(number, number)] for number in range(6)]


def test_experiments_are_titled_by_what_they_differ_in():
    configs = [RunConfig(objective="beta-vae", beta=4, seed=3), RunConfig(objective="beta-vae", beta=8)]
    assert experiment_titles(configs) == ["β-VAE, β = 4", "β-VAE, β = 8"]
    assert experiment_titles(configs[:1]) == ["β-VAE"]
    assert experiment_titles([configs[0], RunConfig(objective="vae", dataset="digits")]) == [
        "β-VAE, dSprites",
        "VAE, Digits",
    ]
    assert experiment_titles([configs[0], configs[0]]) == ["β-VAE (1)", "β-VAE (2)"]
