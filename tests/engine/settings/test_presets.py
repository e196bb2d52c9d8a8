"""Presets of the application and of the user."""

import tomllib

import pytest

from engine.errors import ConfigError
from engine.settings.presets import load_preset, quick_preset, shipped_presets
from engine.settings.run_config import RunConfig
from engine.system.paths import RESOURCES
from engine.system.schedule import Schedule

IMAGES = {"mnist": 60_000, "dsprites": 737_280}
"""Training images, as published."""

PRESETS = shipped_presets()
GOOD = 'title = "Mine"\ndescription = "For me."\n[settings]\nobjective = "vae"\nepochs = 3\n'


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_preset_raises_no_warning_on_its_data(preset):
    assert preset.config.warnings(IMAGES[preset.config.dataset]) == []


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_presets_capacity_is_full_before_its_end(preset):
    config = preset.config
    per_epoch = config.steps_per_epoch(IMAGES[config.dataset])
    length = config.total_steps(IMAGES[config.dataset]) / per_epoch
    if config.objective.startswith("annealed"):
        assert config.method.capacity.unit == "epochs"
        assert config.method.capacity.length <= length
        total = config.total_steps(IMAGES[config.dataset])
        assert config.method.at(total, per_epoch, total).capacity == config.method.capacity.end


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_preset_describes_its_purpose(preset):
    assert preset.title
    assert preset.description.endswith(".")
    assert preset.config.data_folder is None  # no folders of the author's machine


@pytest.mark.parametrize(
    "preset",
    [p for p in PRESETS if p.title.endswith("ten minutes") and p.config.network != "mlp"],
    ids=lambda p: p.name,
)
def test_ten_minutes_are_ten_minutes(preset):
    # Measured with two threads: 70 ms for a step of the VAE with batches of 64 (the help's costs are relative to it).
    costs = tomllib.loads((RESOURCES / "help" / "costs.toml").read_text(encoding="utf-8"))
    seconds = 0.07 * costs[preset.config.objective]["step"] * preset.config.batch_size / 64
    assert 8 <= seconds * preset.config.steps / 60 <= 11
    assert "about ten minutes on two cores" in preset.description.casefold()


def test_there_are_presets_of_the_reports_methods_for_both_data_sets():
    found = {(preset.config.dataset, preset.config.objective) for preset in PRESETS if preset.name.startswith("paper-")}
    methods = ("vae", "beta-vae", "annealed-abs", "annealed-relu")
    assert found == {(data, method) for data in IMAGES for method in methods}


@pytest.mark.parametrize("preset", [p for p in PRESETS if p.name.startswith("paper-")], ids=lambda p: p.name)
def test_the_reports_presets_have_the_reports_numbers(preset):
    # Section 3: Adam at 5e-4, batches of 64, 100 epochs, 10 latents, beta 4, C from 0 to 20 nats in 20 epochs.
    config = preset.config
    assert (config.learning_rate, config.batch_size, config.latents) == (5e-4, 64, 10)
    assert (config.steps, config.epochs) == (None, 100)
    assert (config.network, config.normalisation) == ("report", "batch")
    report = {"beta": 4, "capacity": Schedule(0, 20, 20, "epochs", "linear")}
    assert {name: value for name, value in config.flat().items() if name in report}.items() <= report.items()


def test_quick_presets_come_first_and_the_quickest_on_top():
    quick = [preset.name.startswith("quick") for preset in PRESETS]
    assert quick == sorted(quick, reverse=True)
    assert PRESETS[0] == quick_preset()


def test_a_users_preset_is_read(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD, encoding="utf-8")
    preset = load_preset(path)
    assert (preset.name, preset.title, preset.description) == ("mine", "Mine", "For me.")
    # It says no schema, so it is of version 1.0.0, which had one network.
    assert preset.config == RunConfig(objective="vae", epochs=3, network="report", normalisation="batch")
    path.write_text("schema = 2\n" + GOOD, encoding="utf-8")
    assert load_preset(path).config == RunConfig(objective="vae", epochs=3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title = ", "not valid TOML"),
        ('title = "x"\n', "description"),
        ('title = "x"\ndescription = "y"\nsettings = 5\n', "not a preset"),
        ("schema = 3\n" + GOOD, "schema 3; this version reads schema 1 and 2"),
        (GOOD + "betta = 1\n", "no setting 'betta'"),
        (GOOD + "beta = -1\n", "beta is -1"),
        (GOOD + "beta = nan\n", "beta is nan"),
    ],
)
def test_an_invalid_preset_is_rejected_by_name(tmp_path, text, words):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=words) as error:
        load_preset(path)
    assert "mine.toml" in str(error.value)


def test_an_unreadable_preset_is_rejected_by_name(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.toml cannot be read"):
        load_preset(tmp_path / "gone.toml")
    path = tmp_path / "mine.toml"
    path.write_bytes(b"title = '\xff'")
    with pytest.raises(ConfigError, match=r"mine\.toml"):
        load_preset(path)
