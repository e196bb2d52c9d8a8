"""The settings of a run: ranges, messages, JSON, the ramp of C."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data import ENTRIES
from engine.errors import ConfigError
from engine.settings.run_config import DATASET_TITLES, RunConfig, choices_of, group_of, limits_of, range_text, unit_of

FIELDS = RunConfig.model_fields
NUMBERS = [
    name for name, field in FIELDS.items() if field.annotation in (int, float, int | None) and not choices_of(name)
]
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
    "capacity_max": 20,
    "capacity_epochs": 20,
    "learning_rate": 5e-4,
    "batch_size": 64,
    "epochs": 100,
    "steps": None,
    "seed": 0,
    "device": "auto",
    "threads": 0,
    "log_steps": 50,
    "checkpoint_steps": 1000,
    "preview_steps": 500,
}
"""Names and defaults that the project promises to scripts, presets and files (its contract's table)."""


def test_names_and_defaults_are_those_that_scripts_rely_on():
    assert {name: getattr(RunConfig(), name) for name in CONTRACT} == CONTRACT


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_explains_itself(name):
    field = FIELDS[name]
    assert field.title
    assert field.description
    assert field.description.endswith(".")
    assert group_of(field)


def test_every_number_has_a_range_that_holds_its_default():
    assert len(NUMBERS) == 14  # those in the contract's table
    for name in NUMBERS:
        low, high = limits_of(FIELDS[name])
        assert low is not None
        assert high is not None
        default = FIELDS[name].default
        assert default is None or low <= default <= high


@pytest.mark.parametrize("name", ["dataset", "objective", "device"])
def test_every_choice_has_a_title_of_its_own(name):
    choices = choices_of(name)
    assert len(choices) >= 2
    assert len({title for _, title in choices}) == len(choices)
    assert all(value != title for value, title in choices)


def test_every_data_set_that_can_be_named_can_be_loaded():
    assert list(ENTRIES) == list(DATASET_TITLES)


@pytest.mark.parametrize(("name", "value"), OUT_OF_RANGE)
def test_a_value_out_of_range_is_refused_with_field_value_and_range(name, value):
    low, high = limits_of(FIELDS[name])
    with pytest.raises(ConfigError) as error:
        RunConfig.parse({name: value})
    message = str(error.value)
    assert message.startswith(f"{name} is {value}")
    assert f"{low:,g}" in message
    assert f"{high:,.10g}" in message
    assert unit_of(FIELDS[name]) in message


@pytest.mark.parametrize("name", NUMBERS)
def test_the_ends_of_a_range_are_allowed(name):
    for limit in limits_of(FIELDS[name]):
        assert getattr(RunConfig.parse({name: limit}), name) == limit


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"^{name} is {value}; .*from"):
        RunConfig.parse({name: value})


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
    assert "capacity_max" in str(error.value)


def test_the_home_of_an_unknown_user_is_refused_as_a_setting():
    with pytest.raises(ConfigError, match="data_folder"):
        RunConfig.parse({"data_folder": "~no-such-user-here/digits"})


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(ValueError, match="frozen"):
        RunConfig().beta = 5


def test_a_changed_copy_is_validated_again():
    config = RunConfig(beta=2)
    assert config.changed(beta="8").beta == 8
    assert config.beta == 2
    with pytest.raises(ConfigError, match=r"^beta is -8"):
        config.changed(beta=-8)


def test_an_empty_field_of_a_form_means_not_set():
    config = RunConfig.parse({"steps": "", "data_folder": ""})
    assert config.steps is None
    assert config.data_folder is None


def test_a_relative_data_folder_is_kept_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert RunConfig.parse({"data_folder": "digits"}).data_folder == tmp_path / "digits"


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: (
                st.integers(*map(int, limits_of(FIELDS[name])))  # type: ignore[arg-type]
                if FIELDS[name].annotation in (int, int | None)
                else st.floats(*limits_of(FIELDS[name]))  # type: ignore[arg-type]
            )
            for name in NUMBERS
        }
        | {
            "objective": st.sampled_from(["vae", "beta-vae", "annealed-abs", "annealed-relu"]),
            "data_folder": st.sampled_from([None, "/data/Mnist ü"]),
            "conditional": st.booleans(),
        },
    )
)
def test_settings_survive_the_way_to_json_and_back(values):
    config = RunConfig.parse(values)
    written = json.loads(json.dumps(config.to_json()))
    assert written["schema"] == 1
    assert RunConfig.from_json(written) == config


def test_a_runs_whole_config_file_is_read_as_settings():
    envelope = {"created": "2024-01-01", "versions": {"torch": "2"}, "resolved": {"device": "cpu"}}
    assert RunConfig.from_json(RunConfig(beta=7).to_json() | envelope).beta == 7


@pytest.mark.parametrize("schema", [0, 2, "1", None])
def test_another_schema_is_refused_by_number(schema):
    with pytest.raises(ConfigError, match=f"schema {schema!r}.*reads schema 1"):
        RunConfig.from_json({"schema": schema})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ("[1, 2]", "must be a JSON object"),
        ('{"beta": NaN}', "beta is nan"),
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
    assert range_text(FIELDS["capacity_max"]) == "from 0 to 1,000 nats"
    assert range_text(FIELDS["dataset"]) == ""


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


@pytest.mark.parametrize("objective", ["annealed-abs", "annealed-relu"])
def test_the_capacity_rises_linearly_and_then_stays(objective):
    # By hand: 20 nats over 2.5 epochs of 100 steps, so 250 steps and 0.08 nats a step.
    config = RunConfig(objective=objective, capacity_max=20, capacity_epochs=2.5)
    for step, nats in [(0, 0), (1, 0.08), (125, 10), (200, 16), (249, 19.92), (250, 20), (251, 20), (10_000, 20)]:
        assert config.capacity(step, 100) == pytest.approx(nats)


@given(st.floats(0.001, 50), st.integers(1, 2000), st.floats(0, 1000))
def test_every_step_of_the_ramp_adds_the_same(epochs, steps_per_epoch, capacity):
    config = RunConfig(capacity_max=capacity, capacity_epochs=epochs)
    ramp = int(epochs * steps_per_epoch)
    for step in {1, ramp // 2, ramp} - {0}:
        added = config.capacity(step, steps_per_epoch) - config.capacity(step - 1, steps_per_epoch)
        assert added <= capacity / (epochs * steps_per_epoch) * (1 + 1e-9) + 1e-9
        if step <= ramp:
            assert added == pytest.approx(capacity / (epochs * steps_per_epoch), rel=1e-6, abs=1e-9)


def test_a_ramp_of_no_length_starts_at_the_full_capacity():
    assert RunConfig(capacity_max=20, capacity_epochs=0).capacity(1, 938) == 20


@pytest.mark.parametrize("objective", ["vae", "beta-vae"])
def test_objectives_without_a_capacity_have_none(objective):
    assert RunConfig(objective=objective).capacity(10, 100) is None


def test_a_capacity_out_of_reach_is_warned_of_with_what_will_be_reached():
    # By hand: 5 epochs of a 20-epoch ramp to 20 nats reach 5 nats.
    config = RunConfig(objective="annealed-relu", epochs=5, capacity_epochs=20, capacity_max=20)
    (message,) = config.warnings(60_000)
    assert "only 5 of 20 nats" in message
    assert "5 epochs" in message


def test_a_length_in_steps_is_warned_of_too():
    # By hand: 469 of 938 steps are half an epoch, so half of the one-epoch ramp to 30 nats.
    (message,) = RunConfig(steps=469, capacity_epochs=1, capacity_max=30).warnings(60_000)
    assert "only 15 of 30 nats" in message


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
