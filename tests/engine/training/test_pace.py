"""Estimates before a run, against an actual run and values computed by hand."""

import pytest
import torch

from engine.errors import PluginError
from engine.methods.registry import spec_for
from engine.networks.vae import VAE
from engine.settings.run_config import RunConfig
from engine.training.pace import Pace, estimate, measure_pace, measure_pace_apart, pace_of
from engine.training.stepper import Stepper

CONFIG = RunConfig(dataset="dsprites", steps=1000)


def test_the_pace_is_the_median_of_similar_runs():
    alike = [(CONFIG.changed(seed=s, steps=9), 100, seconds, 5_000) for s, seconds in enumerate((10.0, 20.0, 60.0))]
    others = [(CONFIG.changed(batch_size=8), 100, 1000.0, 1), (CONFIG.changed(dataset="mnist"), 100, 1000.0, 1)]
    assert pace_of([*alike, *others], CONFIG) == Pace(0.2, 5_000, 737_280)


def test_runs_of_a_few_seconds_are_ignored():
    assert pace_of([(CONFIG, 10, 3.0, 5_000)], CONFIG) is None
    assert pace_of([], CONFIG) is None


def test_time_is_steps_times_pace():
    answer = estimate(CONFIG, Pace(0.05, 1_000_000, 737_280))
    assert (answer.steps, answer.seconds) == (1000, pytest.approx(50))


def test_the_disk_space_of_a_run_is_estimated_within_a_third(tiny_run):
    """Independent check: the files of a run that was trained."""
    weights = (tiny_run.checkpoint_folder / "model.safetensors").stat().st_size
    taken = sum(file.stat().st_size for file in tiny_run.path.rglob("*") if file.is_file())
    assert estimate(tiny_run.config, Pace(1, weights, 1500)).disk == pytest.approx(taken, rel=1 / 3)


@pytest.mark.parametrize("settings", [{"dataset": "kmnist"}, {"dataset": "mnist", "conditional": True}])
def test_the_measured_pace_depends_on_the_network(settings):
    config = RunConfig.parse(settings | {"batch_size": 4})
    pace = measure_pace(config)
    model = VAE(spec_for(config, (28, 28, 1), 10))
    assert pace.weights == sum(t.numel() * t.element_size() for t in model.state_dict().values())
    assert pace.seconds > 0


@pytest.mark.parametrize(("objective", "images"), [("vae", 6), ("factor-vae", 12), ("ada-gvae", 12), ("dc-ign", 6)])
def test_a_step_of_two_batches_is_timed_with_both(monkeypatch, narrow, objective, images):
    seen = []

    def step(self, batch, number):
        seen.append(len(batch.images))
        assert (batch.factors is not None) is (objective == "dc-ign")
        return torch.zeros(1)

    monkeypatch.setattr(Stepper, "__call__", step)
    measure_pace(RunConfig(dataset="dsprites", objective=objective, batch_size=6, network="burgess"))
    assert set(seen) == {images}


def test_the_pace_of_a_plug_in_that_is_sound_is_measured_as_ours_is(odd_plugin):
    odd_plugin("pass")
    config = RunConfig(dataset="digits", objective="odd-vae", device="cpu", threads=1)
    pace = measure_pace_apart(config)
    assert pace.weights == measure_pace(config.changed(objective="beta-vae")).weights
    assert pace.seconds > 0
    assert measure_pace_apart(config, lambda: True) is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('no')", "odd raised ValueError: no (odd.py, line 12)."),
        ("import os; os._exit(3)", "odd ended its process with exit status 3 (odd.py, line 12)."),
        ("while True: pass", "odd did not take 10 steps within 6 seconds."),
    ],
)
def test_steps_of_a_plug_in_are_tried_where_they_can_do_no_harm(odd_plugin, monkeypatch, body, words):
    odd_plugin(body, step=5)
    if "while" in body:
        monkeypatch.setattr("engine.training.pace.LONGEST", 6.0)
    config = RunConfig(dataset="digits", objective="odd-vae", device="cpu", threads=1)
    with pytest.raises(PluginError) as raised:
        measure_pace_apart(config)
    assert str(raised.value) == words
