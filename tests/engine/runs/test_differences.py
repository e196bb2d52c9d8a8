"""Settings that a run uses, those that change what it learns, and those in which runs differ."""

import pytest

from engine.evaluation.grouping import differing, setting_text
from engine.evaluation.rows import Row
from engine.methods.registry import METHODS
from engine.runs.differences import differing_settings, experiment_settings, settings_in_use
from engine.settings.run_config import RunConfig


def row(config: RunConfig) -> Row:
    fields = dict.fromkeys(Row.__slots__)
    return Row(**fields | {"config": config})


def beta_vae(**settings):
    return RunConfig(objective="beta-vae", **settings)


def test_a_beta_vae_has_neither_gamma_nor_capacity():
    one, other = beta_vae(gamma=10, capacity_max=5), beta_vae(gamma=100, capacity_max=25, capacity_epochs=3)
    assert differing_settings([one, other]) == []
    assert experiment_settings(one) == experiment_settings(other)
    assert differing([row(one), row(other)]) == []
    assert not {"gamma", "capacity"} & settings_in_use(one).keys()


@pytest.mark.parametrize("objective", METHODS)
def test_a_method_uses_only_its_own_settings(objective):
    every = {name for method in METHODS.values() for name in method.Settings.model_fields}
    assert every & settings_in_use(RunConfig(objective=objective)).keys() == {*METHODS[objective].Settings.model_fields}


def test_a_setting_of_one_method_differs_only_between_runs_that_have_it():
    thin, thick = RunConfig(gamma=10), RunConfig(gamma=1000)
    assert differing_settings([thin, beta_vae()]) == ["objective"]
    assert differing_settings([thin, thick, beta_vae()]) == ["objective", "gamma"]


def test_only_the_length_in_force_can_differ():
    assert differing_settings([beta_vae(steps=10, epochs=3), beta_vae(steps=10, epochs=5)]) == []
    assert differing_settings([beta_vae(steps=10), beta_vae(epochs=5)]) == ["epochs", "steps"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("device", "cpu"),
        ("threads", 3),
        ("log_steps", 7),
        ("checkpoint_steps", 7),
        ("preview_steps", 7),
        ("keep_steps", (5,)),
    ],
)
def test_recording_settings_differ_but_do_not_change_the_experiment(name, value):
    """`keep_steps` was forgotten in one of two lists of version 1.0.0."""
    one, other = beta_vae(), beta_vae(**{name: value})
    assert differing_settings([one, other]) == [name]
    assert experiment_settings(one) == experiment_settings(other)
    assert differing([row(one), row(other)]) == []


def test_the_image_size_is_used_only_for_folders_of_pictures(tmp_path):
    for dataset, used in (("images", True), ("arrays", False), ("dsprites", False)):
        assert ("image_size" in settings_in_use(RunConfig(dataset=dataset, data_folder=tmp_path))) == used


def test_different_values_are_never_written_alike():
    one, other = beta_vae(beta=4.1234567), beta_vae(beta=4.12345)
    assert differing([row(one), row(other)]) == ["beta"]
    assert setting_text(one, "beta") == "4.1234567"
    assert setting_text(other, "beta") == "4.12345"
