"""Weights that rise or fall, wherever settings are given; and the two names that the capacity had in version 1.0.0."""

import json

import pytest

from engine.errors import ConfigError
from engine.evaluation.grouping import setting_text
from engine.methods.registry import METHODS
from engine.runs.differences import differing_settings, experiment_settings
from engine.settings.presets import load_preset, save_preset
from engine.settings.run_config import RunConfig
from engine.studies import load_study
from engine.system.paths import presets_folder
from engine.system.schedule import Schedule

WEIGHTS = {
    "vae": (),
    "beta-vae": ("beta",),
    "annealed-abs": ("gamma", "capacity"),
    "annealed-relu": ("gamma", "capacity"),
    "beta-tcvae": ("beta",),
    "factor-vae": ("gamma",),
    "dip-vae-i": ("lambda_od", "lambda_d"),
    "dip-vae-ii": ("lambda_od", "lambda_d"),
    "info-vae": ("lambda_mmd",),
    "lambda-beta-vae": ("beta", "error_weight"),
    "dava": ("gamma", "adversarial_weight"),
    "ada-gvae": ("beta",),
    "ada-ml-vae": ("beta",),
    "ml-vae": ("beta",),
    "dc-ign": ("invariance",),
    "dc-ign-transformations": ("invariance",),
    "info-gan": ("information_weight",),
    "d-vae": ("noise_scale", "temperature"),
    "factor-d-vae": ("gamma", "noise_scale", "temperature"),
    "qlae": ("quantisation_weight", "commitment_weight"),
    "info-gan-cr": ("information_weight", "contrast_weight", "gap"),
}
WARM_UP = "0 to 4 over 20 epochs"
STUDY = """
title = "Mine"
about = "Of mine."
seeds = [0]
metrics = ["kl"]
[settings]
dataset = "digits"
{settings}
[quick]
epochs = 2
{quick}
[[methods]]
title = "One"
objective = "annealed-abs"
{own}
"""


def test_the_weights_of_each_method_are_those_of_its_formula_and_no_rate_or_count_is_one():
    assert {name: method.Settings.weights() for name, method in METHODS.items()} == WEIGHTS


@pytest.mark.parametrize(("objective", "name"), [(o, name) for o, names in WEIGHTS.items() for name in names])
def test_every_weight_takes_a_schedule_and_is_a_number_at_each_step(objective, name):
    config = RunConfig.parse({"objective": objective, name: "0.5 to 1.5 over 10 steps"})
    assert config.value(name) == Schedule(0.5, 1.5, 10, "steps")
    expected = pytest.approx([0.6, 1, 1.5, 1.5])
    assert [getattr(config.method.at(step, 7, 99), name) for step in (1, 5, 10, 11)] == expected
    assert getattr(config.method.ended(), name) == 1.5
    assert RunConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert config.to_json()["method"][name] == "0.5 to 1.5 over 10 steps"


def test_a_constant_stays_a_plain_number_and_costs_nothing():
    config = RunConfig(objective="beta-vae", beta=3)
    assert config.to_json()["method"] == {"beta": 3.0}
    assert config.method.at(5, 10, 100) is config.method
    assert config.method.ended() is config.method


@pytest.mark.parametrize(
    "text",
    [
        "0 to 4",
        "0 to 4 over 20",
        "0 to 4 over 20 weeks",
        "up",
        "-1 to 4 over 3 epochs",
        "0 to 1001 over 3 epochs",
        "0 to 4 over x epochs",
        "nan to 4 over 3 epochs",
    ],
)
def test_a_wrong_text_gets_a_sentence_that_shows_the_form(text):
    for objective in ("beta-vae", "vae"):  # also where only other methods have it
        with pytest.raises(ConfigError) as error:
            RunConfig.parse({"objective": objective, "beta": text})
        assert str(error.value) == (
            f"beta is {text!r}; it must be a number from 0 to 1,000, or a schedule between two such numbers, e.g. "
            "'0 to 4 over 20 epochs' or '0 to 4 over 50 % cosine'."
        )


def test_a_wrong_length_and_a_wrong_number_are_named_as_such():
    with pytest.raises(
        ConfigError, match=r"^beta is '0 to 4 over 101 %'; its length must be above 0 and at most 100 %"
    ):
        RunConfig.parse({"objective": "beta-vae", "beta": "0 to 4 over 101 %"})
    with pytest.raises(ConfigError, match=r"^beta is '1001'; it must be a number from 0 to 1,000\.$"):
        RunConfig.parse({"objective": "beta-vae", "beta": "1001"})


def test_what_is_no_weight_takes_no_schedule():
    for name in ("learning_rate", "latents", "steps"):
        with pytest.raises(
            ConfigError, match=rf"^{name} is '1 to 2 over 3 epochs'; it must be a .*number from"
        ) as error:
            RunConfig.parse({name: "1 to 2 over 3 epochs"})
        assert "schedule" not in str(error.value)


def test_commas_are_those_of_the_settings_own_range():
    # β is at most 1,000, γ at most 100,000: "2,500" of either is grouped, as in a number by itself.
    assert RunConfig.parse({"gamma": "0 to 2,500 over 1,500 steps"}).value("gamma") == Schedule(0, 2500, 1500, "steps")
    assert RunConfig.parse({"objective": "beta-vae", "beta": "0,5 to 1,5 over 2,5 epochs"}).value("beta") == Schedule(
        0.5, 1.5, 2.5
    )


# The former names of the capacity


@pytest.mark.parametrize(
    ("given", "capacity"),
    [
        ({}, "0 to 20 over 20 epochs"),
        ({"capacity_max": 5}, "0 to 5 over 20 epochs"),
        ({"capacity_epochs": 0.5}, "0 to 20 over 0.5 epochs"),
        ({"capacity_max": "7,5", "capacity_epochs": "3"}, "0 to 7.5 over 3 epochs"),
        ({"capacity_epochs": 0}, 20.0),
        ({"capacity_epochs": 0, "capacity_max": 5}, 5.0),
        ({"capacity": "1 to 9 over 50 % cosine", "capacity_max": 7}, "1 to 7 over 50 % cosine"),
        ({"capacity": "1 to 9 over 50 % cosine", "capacity_epochs": 2}, "1 to 9 over 2 epochs cosine"),
        ({"capacity": 3, "capacity_epochs": 4}, "0 to 3 over 4 epochs"),
        ({"capacity": 3, "capacity_max": 4}, 4.0),
        ({"capacity_max": 4, "capacity": "3"}, 3.0),  # what is given later counts
    ],
)
def test_the_former_names_combine_with_what_is_there(given, capacity):
    expected = Schedule.parse(capacity) if isinstance(capacity, str) else capacity
    config = RunConfig.parse({"objective": "annealed-abs"} | given)
    assert config.value("capacity") == expected
    assert RunConfig(objective="annealed-abs").changed(**given) == config
    for schema in (1, 2):
        network = {"network": "plain", "normalisation": "none"}
        assert RunConfig.from_json({"schema": schema, "objective": "annealed-abs"} | network | given) == config
    assert RunConfig.from_json({"schema": 2, "objective": "annealed-abs", "method": given}) == config
    assert config.flat().keys().isdisjoint({"capacity_max", "capacity_epochs"})


@pytest.mark.parametrize("objective", ["annealed-abs", "vae"])
@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("capacity_max", 1001, "from 0 to 1,000 nats"),
        ("capacity_max", "x", "from 0 to 1,000 nats"),
        ("capacity_epochs", -1, "from 0 to 100,000 epochs"),
        ("capacity_epochs", "", "from 0 to 100,000 epochs"),
    ],
)
def test_a_wrong_value_of_a_former_name_is_named_by_it(objective, name, value, allowed):
    with pytest.raises(ConfigError, match=rf"^{name} is {value!r}; it must be a number {allowed}\.$"):
        RunConfig.parse({"objective": objective, name: value})


def test_a_changed_copy_takes_the_former_names_over_what_it_has():
    config = RunConfig(objective="annealed-abs", capacity="0 to 9 over 50 %")
    assert config.changed(capacity_max=3).value("capacity") == Schedule(0, 3, 50, "%")
    assert config.changed(capacity_epochs=0).changed(capacity_max=3).value("capacity") == 3
    assert config.changed(objective="annealed-relu").value("capacity") == Schedule(0, 9, 50, "%")


def test_presets_are_read_with_former_names_and_written_with_the_new_one(tmp_path):
    path = tmp_path / "mine.toml"
    head = 'schema = 2\ntitle = "Mine"\ndescription = "For me."\n[settings]\nobjective = "annealed-abs"\n'
    path.write_text(head + "capacity_max = 5\n", encoding="utf-8")
    former = load_preset(path).config
    path.write_text(head + 'capacity = "0 to 5 over 20 epochs"\n', encoding="utf-8")
    assert load_preset(path).config == former
    saved = save_preset("Ramped", "For me.", former.changed(gamma="10 to 100 over 5000 steps"))
    assert saved.config == former.changed(gamma=Schedule(10, 100, 5000, "steps"))
    file = presets_folder() / f"{saved.name}.toml"
    assert 'gamma = "10 to 100 over 5000 steps"' in file.read_text(encoding="utf-8")
    file.unlink()


@pytest.mark.parametrize(
    ("settings", "quick", "own", "full", "fast"),
    [
        (
            "capacity_max = 5\ncapacity_epochs = 10",
            "capacity_epochs = 1",
            "",
            "0 to 5 over 10 epochs",
            "0 to 5 over 1 epochs",
        ),
        (
            "capacity_max = 5\ncapacity_epochs = 10",
            "",
            'capacity = "0 to 3 over 80 %"',
            "0 to 3 over 80 %",
            "0 to 3 over 80 %",
        ),
        ('capacity = "0 to 3 over 80 %"', "", "capacity_max = 7", "0 to 7 over 80 %", "0 to 7 over 80 %"),
        # A method's own counts over [quick], whichever name either uses.
        (
            "capacity_max = 20",
            'capacity = "0 to 9 over 10 %"',
            "capacity_max = 5",
            "0 to 5 over 20 epochs",
            "0 to 5 over 10 %",
        ),
        ('capacity = "0 to 3 over 80 %"', "capacity_epochs = 1", "", "0 to 3 over 80 %", "0 to 3 over 1 epochs"),
    ],
)
def test_in_a_study_the_nearer_place_counts_whichever_name_it_uses(tmp_path, settings, quick, own, full, fast):
    path = tmp_path / "mine.toml"
    path.write_text(STUDY.format(settings=settings, quick=quick, own=own), encoding="utf-8")
    for is_quick, expected in ((False, full), (True, fast)):
        [cell] = load_study(path, quick=is_quick).cells
        assert cell.config.value("capacity") == Schedule.parse(expected)


# What is said of them


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        # By hand: 5 of 20 epochs reach a quarter; of 60,000 images 938 steps are an epoch.
        ({"beta": WARM_UP, "epochs": 5}, "only 1 on its way from 0 to 4 over 20 epochs: the run lasts 5 epochs."),
        (
            {"beta": "10 to 2 over 1000 steps", "steps": 500},
            "only 6 on its way from 10 to 2 over 1,000 steps: the run lasts 500 steps.",
        ),
    ],
)
def test_a_schedule_that_does_not_end_within_the_run_is_said_to_with_what_it_reaches(settings, words):
    [warning] = RunConfig.parse({"objective": "beta-vae"} | settings).warnings(60_000)
    assert warning == f"β will reach {words}"


@pytest.mark.parametrize("beta", ["1 to 4 over 100 %", "1 to 4 over 5 epochs", "10 to 1 over 4690 steps"])
def test_a_schedule_that_ends_in_time_brings_no_warning(beta):
    assert RunConfig.parse({"objective": "beta-vae", "epochs": 5, "beta": beta}).warnings(60_000) == []


def test_a_beta_that_ends_below_1_is_warned_of_and_one_that_begins_there_is_not():
    assert RunConfig(objective="beta-vae", beta=WARM_UP).warnings(60_000) == []
    [warning] = RunConfig(objective="beta-tcvae", beta="4 to 0.5 over 50 %").warnings(60_000)
    assert warning.startswith("β ends at 0.5: below 1")


def test_tables_and_comparisons_know_a_schedule():
    one, other = (RunConfig(objective="annealed-abs", capacity_max=c) for c in (5, 10))
    assert setting_text(one, "capacity") == "0 to 5 nats over 20 epochs"
    assert setting_text(one.changed(capacity=7), "capacity") == "7 nats"
    assert differing_settings([one, other]) == ["capacity"]
    assert experiment_settings(one) == experiment_settings(
        RunConfig(objective="annealed-abs", capacity="0 to 5 over 20 epochs")
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"objective": "beta-vae", "beta": WARM_UP}, "β rose linearly from 0 to 4 over 20 epochs (18,760 steps)"),
        (
            {"objective": "beta-vae", "beta": "9 to 1 over 50 % cosine", "steps": 400},
            "β fell along half a cosine from 9 to 1 over 50 % of the run (200 steps)",
        ),
        (
            {"objective": "annealed-abs", "gamma": "0 to 100 over 5000 steps", "capacity_max": 5, "capacity_epochs": 1},
            "γ rose linearly from 0 to 100 over 5,000 steps; "
            "Capacity C rose linearly from 0 to 5 nats over 1 epoch (938 steps)",
        ),
        ({"objective": "annealed-abs", "capacity_epochs": 0}, "Capacity C was constant at 20 nats"),
        ({"objective": "beta-vae"}, ""),
    ],
)
def test_the_methods_section_says_how_each_weight_went(settings, words):
    config = RunConfig.parse(settings)
    assert METHODS[config.objective].schedule_words(config, 60_000) == words
