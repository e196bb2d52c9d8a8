"""The form: every field of RunConfig, checked as one types."""

import pytest
from PySide6.QtWidgets import QComboBox, QLineEdit

from engine.errors import ConfigError
from engine.settings.run_config import RunConfig
from gui.training.form import ConfigForm, FolderField


@pytest.fixture
def form(qtbot):
    made = ConfigForm()
    qtbot.addWidget(made)
    made.show()
    return made


def editor(form, name):
    return form.findChild(object, f"field-{name}")


def test_every_setting_has_an_editor_with_its_help(form):
    for name, field in RunConfig.model_fields.items():
        assert field.description in editor(form, name).toolTip().replace("<br>", " "), name


def test_settings_shown_come_back_unchanged(form):
    config = RunConfig(
        dataset="mnist",
        data_folder="/data",
        objective="beta-vae",
        conditional=True,
        beta=2.5,
        gamma=1,
        capacity_max=3,
        capacity_epochs=0.02,
        latents=3,
        learning_rate=2e-3,
        batch_size=7,
        epochs=2,
        steps=9,
        seed=5,
        device="cpu",
        threads=1,
        log_steps=2,
        checkpoint_steps=3,
        preview_steps=4,
    )
    form.show_config(config)
    assert form.config() == config
    assert form.differences == 0


def test_a_value_out_of_range_is_marked_and_named(form):
    line = editor(form, "learning_rate")
    assert isinstance(line, QLineEdit)
    line.setText("7")
    assert line.property("invalid")
    assert form.errors == ["Learning rate is '7'; it must be a number from 1e-07 to 1."]
    with pytest.raises(ConfigError, match="learning_rate"):
        form.config()
    line.setText("0.001")
    assert not line.property("invalid")
    assert form.config().learning_rate == 0.001


@pytest.mark.parametrize("text", ["", "abc", "1e", "--3", "nan", "inf"])
def test_what_is_no_number_is_refused(form, text):
    editor(form, "latents").setText(text)
    assert form.errors
    assert form.errors[0].startswith("Latents is")


def test_what_the_method_does_not_use_is_hidden(form):
    method = editor(form, "objective")
    assert isinstance(method, QComboBox)
    for objective, shown in (
        ("vae", []),
        ("beta-vae", ["beta"]),
        ("annealed-abs", ["gamma", "capacity_max"]),
        ("beta-tcvae", ["beta"]),
    ):
        method.setCurrentIndex(method.findData(objective))
        visible = [name for name in ("beta", "gamma", "capacity_max") if editor(form, name).isVisible()]
        assert visible == shown


def test_differences_from_the_preset_are_counted(form):
    form.show_config(RunConfig())
    editor(form, "gamma").setText("1000")
    editor(form, "seed").setText("3")
    assert form.differences == 2
    editor(form, "gamma").setText("100")
    assert form.differences == 1


def test_a_value_is_shown_as_exact_as_it_is(form):
    """Six digits were shown, and what was shown was trained."""
    form.show_config(RunConfig(objective="beta-vae", beta=4.1234567, learning_rate=0.000123456789))
    assert editor(form, "beta").text() == "4.1234567"
    assert form.config().beta == 4.1234567
    assert form.config().learning_rate == 0.000123456789
    assert form.differences == 0
    editor(form, "beta").setText("4.12346")
    assert form.differences == 1


def test_the_same_value_written_otherwise_is_no_difference(form):
    form.show_config(RunConfig(objective="beta-vae", beta=0.8))
    for text in ("0,8", "0.80", ".8"):
        editor(form, "beta").setText(text)
        assert form.differences == 0


def test_an_empty_folder_means_the_default(form):
    folder = editor(form, "data_folder")
    assert isinstance(folder, FolderField)
    folder.line.setText("")
    assert form.config().data_folder is None


def test_a_data_folder_that_is_not_there_is_marked(form, tmp_path):
    form.show_config(RunConfig(dataset="mnist"))
    line = editor(form, "data_folder").line
    line.setText(str(tmp_path / "gone"))
    assert line.property("invalid")
    assert form.errors == [f"{tmp_path / 'gone'} does not exist."]
    line.setText(str(tmp_path))
    assert not line.property("invalid")
    assert form.errors == []
    too_long = tmp_path / ("x" * 300)
    line.setText(str(too_long))
    assert form.errors == [f"{too_long} does not exist."]
    form.set_values(dataset="digits")  # they come with the application, and look at no folder
    assert form.errors == []
