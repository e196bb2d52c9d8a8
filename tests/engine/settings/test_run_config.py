"""The settings of a run: ranges, messages, JSON, weights that rise and fall."""

import json
import math

import hypothesis
import pytest
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.data import ENTRIES
from engine.errors import ConfigError
from engine.methods.annealed import CapacitySettings
from engine.methods.registry import METHODS, same_setting, setting_key
from engine.settings.run_config import DATASET_TITLES, RunConfig, all_settings
from engine.system.fields import (
    Settings,
    Weight,
    choices_of,
    group_of,
    invalid_text,
    is_weight,
    limits_of,
    range_text,
    setting,
    unit_of,
)
from engine.system.schedule import Schedule

COMMON = {name: field for name, field in RunConfig.model_fields.items() if name != "method"}
OWN = {
    setting_key(objective, name): (objective, name, field)
    for objective, method in METHODS.items()
    for name, field in method.Settings.model_fields.items()
}
FIELDS = COMMON | {key: field for key, (_, _, field) in OWN.items()}
"""Every setting there is: those of methods by the keys that tell them apart."""

NUMBERS = [
    key
    for key, field in FIELDS.items()
    if (field.annotation in (int, float, int | None) or is_weight(field)) and not choices_of(field)
]


def given(key, value):
    """Settings in which one has this value, and its name."""
    objective, name, _ = OWN.get(key, ("vae", key, None))
    return {"objective": objective} | {name: value}, name


OUT_OF_RANGE = [
    (name, value)
    for name in NUMBERS
    for value in (limits_of(FIELDS[name])[0] - 1, limits_of(FIELDS[name])[1] + 1)  # type: ignore[operator]
]
CONTRACT = {
    "dataset": "dsprites",
    "data_folder": None,
    "objective": "annealed-relu",
    "conditional": False,
    "latents": 10,
    "beta": 4,
    "gamma": 100,
    "capacity": Schedule(0, 20, 20, "epochs", "linear"),
    "learning_rate": 5e-4,
    "batch_size": 64,
    "epochs": 100,
    "steps": None,
    "seed": 0,
    "network": "plain",
    "normalisation": "none",
    "device": "auto",
    "threads": 0,
    "log_steps": 50,
    "checkpoint_steps": 1000,
    "preview_steps": 500,
}
"""Names and defaults that the project promises to scripts, presets and files (its contract's table)."""


def test_names_and_defaults_are_those_that_scripts_rely_on():
    defaults = {name: all_settings()[name].default for name in CONTRACT}
    assert defaults == CONTRACT
    own = ("beta", "gamma", "capacity")
    assert RunConfig().flat().items() >= {name: CONTRACT[name] for name in CONTRACT if name not in own}.items()


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_explains_itself(name):
    field = FIELDS[name]
    assert field.title
    assert field.description
    assert field.description.endswith(".")
    assert group_of(field) or name in OWN


def test_every_number_has_a_range_that_holds_its_default():
    assert {"beta", "gamma", "capacity", "latents", "learning_rate", "batch_size", "epochs", "steps"} <= {*NUMBERS}
    for name in NUMBERS:
        low, high = limits_of(FIELDS[name])
        assert low is not None
        assert high is not None
        default = FIELDS[name].default
        assert default is None or (default >= low and default <= high)


@pytest.mark.parametrize("name", ["dataset", "objective", "network", "normalisation", "device"])
def test_every_choice_has_a_title_of_its_own(name):
    choices = choices_of(FIELDS[name])
    assert len(choices) >= 2
    assert len({*choices.values()}) == len(choices)
    assert all(value != title for value, title in choices.items())


def test_every_data_set_that_can_be_named_can_be_loaded():
    assert list(ENTRIES) == list(DATASET_TITLES)


@pytest.mark.parametrize(("name", "value"), OUT_OF_RANGE)
def test_a_value_out_of_range_is_refused_with_field_value_and_range(name, value):
    low, high = limits_of(FIELDS[name])
    values, plain_name = given(name, value)
    with pytest.raises(ConfigError) as error:
        RunConfig.parse(values)
    message = str(error.value)
    assert message.startswith(f"{plain_name} is {value}")
    assert f"{low:,g}" in message
    assert f"{high:,.10g}" in message
    assert unit_of(FIELDS[name]) in message


@pytest.mark.parametrize("name", NUMBERS)
def test_the_ends_of_a_range_are_allowed(name):
    for limit in limits_of(FIELDS[name]):
        values, plain_name = given(name, limit)
        assert RunConfig.parse(values).value(plain_name) == limit


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_refused(name, value):
    values, plain_name = given(name, value)
    with pytest.raises(ConfigError, match=f"^{plain_name} is {value}; .*from"):
        RunConfig.parse(values)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("epochs", "many", "a whole number from 1"),
        ("epochs", 2.5, "a whole number"),
        ("beta", "large", "a number from 0"),
        ("conditional", "perhaps", "true or false"),
        ("objective", "gan", "vae, beta-vae, annealed-abs, annealed-relu"),
        ("dataset", "cifar", "dsprites"),
        ("data_folder", 3, "a folder"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_what_is_allowed(name, value, words):
    with pytest.raises(ConfigError, match=words) as error:
        RunConfig.parse({name: value})
    assert str(error.value).startswith(f"{name} is {value!r}")


def test_every_wrong_field_is_named_at_once():
    with pytest.raises(ConfigError) as error:
        RunConfig.parse({"epochs": 0, "beta": -1})
    assert "epochs is 0" in str(error.value)
    assert "beta is -1" in str(error.value)


def test_an_unknown_field_is_refused_with_the_names_there_are():
    with pytest.raises(ConfigError, match="no setting 'betta'") as error:
        RunConfig.parse({"betta": 4})
    assert "beta" in str(error.value)
    assert "capacity" in str(error.value)


def test_the_home_of_an_unknown_user_is_refused_as_a_setting():
    with pytest.raises(ConfigError, match="data_folder"):
        RunConfig.parse({"data_folder": "~no-such-user-here/digits"})


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(ValueError, match="frozen"):
        RunConfig().latents = 5
    with pytest.raises(ValueError, match="frozen"):
        RunConfig().method.gamma = 5


def test_a_changed_copy_is_validated_again():
    config = RunConfig(objective="beta-vae", beta=2)
    assert config.changed(beta="8").method.beta == 8
    assert config.method.beta == 2
    with pytest.raises(ConfigError, match=r"^beta is -8"):
        config.changed(beta=-8)


def test_an_empty_field_of_a_form_means_not_set():
    config = RunConfig.parse({"steps": "", "data_folder": ""})
    assert config.steps is None
    assert config.data_folder is None


def test_a_relative_data_folder_is_kept_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert RunConfig.parse({"data_folder": "digits"}).data_folder == tmp_path / "digits"


def drawn(name, field):
    """Values that a number field can have."""
    low, high = limits_of(field)
    if is_weight(field):
        ends = st.floats(low, high)
        lengths = st.sampled_from([("steps", 1e9), ("epochs", 1e5), ("%", 100.0)]).flatmap(
            lambda unit: st.tuples(st.floats(0, unit[1], exclude_min=True), st.just(unit[0]))
        )
        schedules = st.builds(
            lambda start, end, length, shape: Schedule(start, end, *length, shape),
            ends, ends, lengths, st.sampled_from(["linear", "cosine"]),
        )  # fmt: skip
        return ends | schedules | schedules.map(str)
    return st.integers(int(low), int(high)) if field.annotation in (int, int | None) else st.floats(low, high)


def settings_of(objective):
    """Settings of a method, each given or not."""
    fields = COMMON | METHODS[objective].Settings.model_fields
    numbers = {
        name: drawn(name, field)
        for name, field in fields.items()
        if (field.annotation in (int, float, int | None) or is_weight(field)) and not choices_of(field)
    }
    folders = {"data_folder": st.sampled_from([None, "/data/Mnist ü"])}
    labels = {"conditional": st.booleans()} if METHODS[objective].conditional else {}
    return st.fixed_dictionaries({"objective": st.just(objective)}, optional=numbers | folders | labels)


@hypothesis.given(st.sampled_from([*METHODS]).flatmap(settings_of))
def test_settings_survive_the_way_to_json_and_back(values):
    config = RunConfig.parse(values)
    written = json.loads(json.dumps(config.to_json()))
    assert written["schema"] == 2
    assert written["method"].keys() == METHODS[config.objective].Settings.model_fields.keys()
    assert RunConfig.from_json(written) == config
    assert RunConfig.parse(config.flat()) == config


def test_a_runs_whole_config_file_is_read_as_settings():
    envelope = {
        "created": "2024-01-01",
        "versions": {"torch": "2"},
        "resolved": {"device": "cpu"},
        "image_shape": [28, 28, 1],
        "classes": 10,
    }
    assert RunConfig.from_json(RunConfig(gamma=7).to_json() | envelope).method.gamma == 7


@pytest.mark.parametrize("schema", [0, 3, "1", None, True])
def test_another_schema_is_refused_by_number(schema):
    with pytest.raises(ConfigError, match=f"schema {schema!r}.*reads schema 1 and 2"):
        RunConfig.from_json({"schema": schema})


# Settings of a method's own


def test_a_setting_that_only_other_methods_have_is_left_out_but_checked():
    config = RunConfig.parse({"objective": "vae", "beta": 7, "gamma": 3, "capacity_max": 1})
    assert config == RunConfig(objective="vae")
    assert "beta" not in config.flat()
    with pytest.raises(ConfigError, match=r"^beta is -7; it must be a number from 0 to 1,000\.$"):
        RunConfig.parse({"objective": "vae", "beta": -7})


def test_what_is_wrong_with_common_and_own_settings_is_said_at_once():
    with pytest.raises(ConfigError, match=r"beta is -1; .*gamma is 'x'; .*epochs is 0;"):
        RunConfig.parse({"objective": "annealed-abs", "epochs": 0, "gamma": "x", "beta": -1})


def test_another_method_takes_over_the_settings_that_are_the_very_same():
    config = RunConfig(objective="annealed-abs", gamma=7, capacity_max=3, latents=4)
    other = config.changed(objective="annealed-relu")
    assert other.flat() == config.flat() | {"objective": "annealed-relu"}
    assert other.changed(objective="vae").flat().keys().isdisjoint(CapacitySettings.model_fields)
    # β weighs KL in one and the total correlation in the other: not the same setting.
    assert not same_setting("beta", METHODS["beta-vae"], METHODS["beta-tcvae"])
    assert RunConfig(objective="beta-vae", beta=9).changed(objective="beta-tcvae").method.beta == 4
    assert RunConfig(objective="beta-vae", beta=9).changed(objective="beta-tcvae", beta=2).method.beta == 2


def test_no_methods_setting_has_the_name_of_a_common_one():
    assert not {name for _, name, _ in OWN.values()} & COMMON.keys()


def test_settings_that_version_1_0_0_wrote_have_its_network_and_keep_what_their_method_uses():
    # A config.json of version 1.0.0, as its to_json wrote it: every field, flat.
    written = {
        "schema": 1, "dataset": "mnist", "data_folder": None, "image_size": 64, "objective": "beta-vae",
        "conditional": True, "beta": 6.0, "gamma": 100.0, "capacity_max": 20.0, "capacity_epochs": 20.0, "latents": 12,
        "learning_rate": 0.0005, "batch_size": 64, "epochs": 3, "steps": None, "seed": 5, "device": "auto",
        "threads": 0, "log_steps": 50, "checkpoint_steps": 1000, "preview_steps": 500, "keep_steps": [100],
    }  # fmt: skip
    config = RunConfig.from_json(written)
    kept = {name: value for name, value in written.items() if name in config.flat()}
    assert config.flat() == kept | {
        "keep_steps": (100,), "score_steps": None, "subset": "", "network": "report", "normalisation": "batch",
    }  # fmt: skip
    assert config.flat().keys().isdisjoint(CapacitySettings.model_fields)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ("[1, 2]", "must be a JSON object"),
        ('{"gamma": NaN}', "gamma is nan"),
        ('{"betta": 1}', "no setting 'betta'"),
        ("[" * 100_000, "nested more than 32 levels deep"),
    ],
)
def test_a_wrong_settings_file_is_refused_with_its_name(tmp_path, text, words):
    path = tmp_path / "mine.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=words) as error:
        RunConfig.load(path)
    assert str(path) in str(error.value)


def test_a_settings_file_in_another_encoding_or_missing_is_refused_with_its_name(tmp_path):
    path = tmp_path / "mine.json"
    with pytest.raises(ConfigError, match=r"mine\.json cannot be read"):
        RunConfig.load(path)
    path.write_bytes(b'{"objective": "\xff\xfe"}')
    with pytest.raises(ConfigError, match=r"mine\.json"):
        RunConfig.load(path)


def test_the_range_in_words_has_both_ends_and_the_unit():
    # The limits and the unit are those of the field's own definition.
    assert range_text(FIELDS["capacity"]) == "from 0 to 1,000 nats"
    assert range_text(FIELDS["dataset"]) == ""


@pytest.mark.parametrize(
    ("limits", "words", "wrong"),
    [
        ({"ge": 0, "le": 5}, "a number from 0 to 5 nats", "6"),
        ({"gt": 0, "le": 5}, "a number above 0 and up to 5 nats", "0"),
        ({"ge": 0, "lt": 5}, "a number from 0 and below 5 nats", "5"),
        ({"gt": 0, "lt": 5}, "a number above 0 and below 5 nats", "0"),
        ({"gt": 0}, "a number above 0 nats", "-1"),
        ({"ge": 0}, "a number from 0 nats", "-1"),
        ({"le": 5}, "a number up to 5 nats", "6"),
        ({"lt": 5}, "a number below 5 nats", "5"),
    ],
)
def test_every_kind_of_limit_is_checked_and_said_for_numbers_and_schedules(limits, words, wrong):
    class Own(Settings):
        weight: Weight = setting(1.0, "w", "A weight.", unit="nats", **limits)

    field = Own.model_fields["weight"]
    assert Own(weight="1 to 4 over 3 epochs").weight == Schedule(1, 4, 3)
    for value in (wrong, f"1 to {wrong} over 3 epochs", f"{wrong} to 1 over 3 epochs"):
        with pytest.raises(ValidationError):
            Own(weight=value)
    assert invalid_text("weight", field, wrong) == f"weight is '{wrong}'; it must be {words}."
    assert f"{words}, or a schedule" in invalid_text("weight", field, f"1 to {wrong} over 3 epochs")


@pytest.mark.parametrize(
    ("images", "batch", "expected"),
    [
        (60_000, 64, 938),  # 937 full batches and 32 images more
        (128, 64, 2),  # nothing left over
        (129, 64, 2),  # a single image left over is dropped, as the contract says
        (130, 64, 3),
        (10, 64, 1),
        (737_280, 64, 11_520),
    ],
)
def test_steps_in_an_epoch_are_full_batches_and_a_rest_of_more_than_one(images, batch, expected):
    assert RunConfig(batch_size=batch).steps_per_epoch(images) == expected


def test_a_number_of_steps_overrules_the_epochs():
    assert RunConfig(epochs=3).total_steps(60_000) == 3 * 938
    assert RunConfig(epochs=3, steps=17).total_steps(60_000) == 17


def test_a_capacity_out_of_reach_is_warned_of_with_what_will_be_reached():
    # By hand: 5 epochs of a 20-epoch ramp to 20 nats reach 5 nats.
    config = RunConfig(objective="annealed-relu", epochs=5, capacity_epochs=20, capacity_max=20)
    (message,) = config.warnings(60_000)
    assert "reach only 5 on its way from 0 to 20 nats" in message
    assert "the run lasts 5 epochs" in message


def test_a_length_in_steps_is_warned_of_too():
    # By hand: 469 of 938 steps are half an epoch, so half of the one-epoch ramp to 30 nats.
    (message,) = RunConfig(steps=469, capacity_epochs=1, capacity_max=30).warnings(60_000)
    assert "reach only 15 on its way from 0 to 30 nats" in message


@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "annealed-relu", "epochs": 20, "capacity_epochs": 20},
        {"objective": "annealed-abs", "epochs": 1, "capacity_epochs": 0},
        {"objective": "vae", "epochs": 1, "capacity_epochs": 20},
        {"objective": "beta-vae", "epochs": 1, "beta": 1},
    ],
)
def test_settings_that_fit_together_bring_no_warning(settings):
    assert RunConfig.parse(settings).warnings(60_000) == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"objective": "beta-vae", "beta": 0.5}, "below 1"),
        ({"objective": "beta-tcvae", "batch_size": 450, "latents": 256}, "1.3 GB"),
        ({"objective": "vae", "batch_size": 512}, "512"),
        ({"objective": "vae", "steps": 10, "log_steps": 50}, "single point"),
    ],
)
def test_other_settings_that_do_not_fit_are_warned_of(settings, words):
    (message,) = RunConfig.parse(settings).warnings(500)
    assert words in message


def test_a_single_training_image_is_said_as_one():
    (message,) = RunConfig.parse({"objective": "vae", "batch_size": 64}).warnings(1)
    assert message == "A batch of 64 is more than the only training image."


def test_the_method_in_words_says_conditional():
    assert RunConfig(objective="beta-vae", conditional=True).method_title == "Conditional β-VAE"


def test_settings_of_an_unknown_method_are_not_judged_by_those_of_others():
    """Once the only thing that mattered, that a plug-in is not loaded, stood before the names of all settings."""
    with pytest.raises(ConfigError) as raised:
        RunConfig.parse({"objective": "lean-vae", "margin": 0.2, "alpha": "0 to 2 over 200 steps", "latents": 0})
    only, latents = "or come with a plug-in that is loaded.", " latents is 0; it must be a whole number from 1 to 256."
    assert str(raised.value).endswith(only + latents)
    with pytest.raises(ConfigError, match="There is no setting 'margin'"):
        RunConfig.parse({"objective": "vae", "margin": 0.2})
