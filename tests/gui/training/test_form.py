"""The form: every field of RunConfig, validated while typing."""

import dataclasses

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QLineEdit

from engine.errors import ConfigError
from engine.methods.registry import METHODS, by_supervision, setting_key
from engine.networks.architectures import NETWORKS
from engine.settings.run_config import RunConfig
from engine.system.fields import help_of
from engine.system.schedule import Schedule
from gui.training.editors import FolderField, WeightField
from gui.training.form import ConfigForm
from gui.training.method_box import ABOUT


@pytest.fixture
def form(qtbot):
    made = ConfigForm()
    qtbot.addWidget(made)
    made.show()
    return made


def editor(form, name):
    return form.findChild(object, f"field-{name}")


def test_every_setting_has_an_editor_with_its_help(form):
    own = {setting_key(o, name): field for o, m in METHODS.items() for name, field in m.Settings.model_fields.items()}
    for key, field in (RunConfig.model_fields | own).items():
        if key != "method":
            assert help_of(field) in editor(form, key).toolTip().replace("<br>", " "), key


def test_displayed_settings_are_read_back_unchanged(form):
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
def test_text_that_is_not_a_number_is_refused(form, text):
    editor(form, "latents").setText(text)
    assert form.errors
    assert form.errors[0].startswith("Latents is")


def test_settings_that_the_method_does_not_use_are_hidden(form):
    method = editor(form, "objective")
    assert isinstance(method, QComboBox)
    for objective, shown in (
        ("vae", []),
        ("beta-vae", ["beta"]),
        ("annealed-abs", ["gamma", "capacity"]),
        ("beta-tcvae", ["beta-tcvae-beta"]),
    ):
        method.setCurrentIndex(method.findData(objective))
        names = ("beta", "gamma", "capacity", "beta-tcvae-beta")
        assert [name for name in names if editor(form, name).isVisible()] == shown


def test_edits_for_a_method_are_kept_while_another_is_chosen(form):
    method = editor(form, "objective")
    method.setCurrentIndex(method.findData("beta-vae"))
    editor(form, "beta").setText("7")
    method.setCurrentIndex(method.findData("beta-tcvae"))
    assert form.config() == RunConfig(objective="beta-tcvae")  # not the same β
    method.setCurrentIndex(method.findData("beta-vae"))
    assert form.config() == RunConfig(objective="beta-vae", beta=7)
    method.setCurrentIndex(method.findData("annealed-abs"))
    editor(form, "gamma").setText("3")
    method.setCurrentIndex(method.findData("annealed-relu"))
    assert form.config() == RunConfig(objective="annealed-relu", gamma=3)  # the very same γ
    form.show_config(form.basis)
    assert form.config() == RunConfig()


def test_another_method_is_one_difference_and_its_defaults_add_none(form):
    form.show_config(RunConfig(objective="annealed-abs", gamma=9))
    method = editor(form, "objective")
    method.setCurrentIndex(method.findData("beta-vae"))
    assert form.differences == 1
    editor(form, "beta").setText("5")
    assert form.differences == 2
    assert form.edits == {"objective": "beta-vae", "beta": "5"}
    method.setCurrentIndex(method.findData("annealed-relu"))
    assert form.differences == 1  # γ is still the basis's
    form.show_config(RunConfig(objective="beta-vae", beta=9))
    method.setCurrentIndex(method.findData("beta-tcvae"))
    assert form.differences == 1  # its β is another setting, and at its default


def test_an_error_of_a_hidden_method_does_not_block(form):
    method = editor(form, "objective")
    method.setCurrentIndex(method.findData("beta-vae"))
    editor(form, "beta").setText("x")
    assert form.errors
    method.setCurrentIndex(method.findData("vae"))
    assert not form.errors


def test_a_method_that_needs_factors_is_refused_for_data_without_them(form):
    for name, value in (("objective", "ada-gvae"), ("dataset", "digits")):
        editor(form, name).setCurrentIndex(editor(form, name).findData(value))
    assert form.errors == [
        "Ada-GVAE learns from images chosen by their ground-truth factors, and Digits has none. Choose dSprites, or "
        "own arrays with factors."
    ]
    for dataset in ("dsprites", "arrays"):
        editor(form, "dataset").setCurrentIndex(editor(form, "dataset").findData(dataset))
        assert not any("Ada-GVAE" in error for error in form.errors)


def listed(method):
    """The lines of the list: each with its text, and whether it can be chosen."""
    lines = [method.model().index(row, 0) for row in range(method.count())]
    return [(line.data(), bool(line.flags() & Qt.ItemFlag.ItemIsEnabled)) for line in lines]


def test_methods_are_listed_below_what_they_learn_from(form):
    method = editor(form, "objective")
    lines = listed(method)
    labels = [text for text, enabled in lines if not enabled]
    assert labels == [str(label) for label in by_supervision()]
    place = lines.index(("weakly supervised", False))
    assert lines[0] == ("unsupervised", False)
    assert lines[place + 1] == ("Ada-GVAE", True)
    assert sum(enabled for _, enabled in lines) == len(METHODS)
    index = method.model().index(method.findData("ada-gvae"), 0)
    assert METHODS["ada-gvae"].about in index.data(ABOUT)
    assert "weakly supervised" in index.data(Qt.ItemDataRole.ToolTipRole)


@pytest.mark.parametrize(
    ("typed", "found"),
    [("beta", "beta-vae"), ("b", "beta-tcvae"), ("be", "beta-vae"), ("beta-t", "beta-tcvae"), ("tc", "beta-tcvae"),
     ("gvae", "ada-gvae"), ("gan", "info-gan"), ("info-gan", "info-gan"), ("factor", "factor-vae"),
     ("annealed-r", "annealed-relu"), ("abs", "annealed-abs"), ("VA", "vae"), ("zebra", "annealed-relu")],
)  # fmt: skip
def test_a_method_is_found_by_typing_its_name_or_a_part_of_it(qtbot, form, typed, found):
    method = editor(form, "objective")
    method.setFocus()
    qtbot.keyClicks(method, typed)
    assert method.currentData() == found
    assert form.config().objective == found


def test_greek_letters_find_a_method_too(form):
    method = editor(form, "objective")
    method.view().keyboardSearch("β-t")
    assert method.view().currentIndex().data() == "β-TCVAE"


def test_arrow_keys_pass_over_the_labels(qtbot, form):
    method = editor(form, "objective")
    method.setCurrentIndex(method.findData("ada-gvae") - 2)
    last = method.currentData()
    qtbot.keyClick(method, Qt.Key.Key_Down)
    assert method.currentData() == "ada-gvae"
    qtbot.keyClick(method, Qt.Key.Key_Up)
    assert method.currentData() == last


def test_the_label_stands_beside_the_method_and_follows_the_condition(form):
    def headings():
        return [label.text() for label in form.findChildren(QLabel) if label.isVisible() and "·" in label.text()]

    form.show_config(RunConfig(objective="vae"))
    assert headings() == ["VAE · unsupervised"]  # also without settings of its own
    form.set_values(objective="ada-gvae")
    assert headings() == ["Ada-GVAE · weakly supervised"]
    editor(form, "conditional").setChecked(True)
    assert headings() == ["Ada-GVAE · supervised"]
    form.set_values(objective="info-gan")  # cannot be conditional, and is not
    assert headings() == ["InfoGAN · unsupervised"]


def test_normalisation_is_offered_if_the_network_has_it(form):
    network = editor(form, "network")
    for name, shown in (("plain", True), ("mlp", False), ("report", True)):
        network.setCurrentIndex(network.findData(name))
        assert editor(form, "normalisation").isVisible() is shown


def test_differences_from_the_preset_are_counted(form):
    form.show_config(RunConfig())
    editor(form, "gamma").setText("1000")
    editor(form, "seed").setText("3")
    assert form.differences == 2
    editor(form, "gamma").setText("100")
    assert form.differences == 1


def test_a_value_is_shown_exactly(form):
    """Once only six digits were shown, and the shown value was trained."""
    form.show_config(RunConfig(objective="beta-vae", beta=4.1234567, learning_rate=0.000123456789))
    assert editor(form, "beta").text() == "4.1234567"
    assert form.config().value("beta") == 4.1234567
    assert form.config().learning_rate == 0.000123456789
    assert form.differences == 0
    editor(form, "beta").setText("4.12346")
    assert form.differences == 1


def test_the_same_value_in_another_notation_is_no_difference(form):
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
    form.set_values(dataset="digits")  # they come with the application and need no folder
    assert form.errors == []


def test_a_network_that_does_not_take_the_images_is_marked(form, monkeypatch):
    narrow = dataclasses.replace(NETWORKS["mlp"], title="Narrow")
    object.__setattr__(narrow, "sides", (28,))
    monkeypatch.setitem(NETWORKS, "mlp", narrow)
    form.set_values(network="mlp", dataset="mnist")
    assert form.errors == []
    form.set_values(dataset="dsprites")
    [error] = form.errors
    assert error == (
        "The network Narrow takes images of 28 pixels, and dSprites has images of 64 × 64. Choose another network."
    )
    form.set_values(objective="info-gan")  # it has networks of its own
    assert form.errors == []


# A weight that rises or falls


@pytest.fixture
def beta(form):
    """The editor of β, the method being the β-VAE."""
    form.show_config(RunConfig(objective="beta-vae", beta=5, steps=100))
    return editor(form, "beta")


def seen(weight):
    parts = {"start": weight.start, "end": weight.end, "length": weight.length, "unit": weight.unit,
             "shape": weight.shape}  # fmt: skip
    return [name for name, part in parts.items() if part.isVisible()]


def click(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_every_weight_has_the_button_and_no_other_setting(form):
    own = {setting_key(o, name): (m, name) for o, m in METHODS.items() for name in m.Settings.model_fields}
    weights = {key for key, (method, name) in own.items() if name in method.Settings.weights()}
    assert {key for key in own if isinstance(editor(form, key), WeightField)} == weights
    assert not any(isinstance(editor(form, key), WeightField) for key in RunConfig.model_fields if key != "method")


def test_a_constant_unfolds_into_a_schedule_that_ends_there_and_folds_back(qtbot, form, beta):
    assert seen(beta) == ["end"]
    click(qtbot, beta.ramp)
    assert seen(beta) == ["start", "end", "length", "unit", "shape"]
    assert form.config().value("beta") == Schedule(0, 5, 50, "%")
    assert form.differences == 1
    click(qtbot, beta.ramp)
    assert seen(beta) == ["end"]
    assert form.config().value("beta") == 5
    assert form.differences == 0
    click(qtbot, beta.ramp)
    assert form.config().value("beta") == Schedule(0, 5, 50, "%")


def test_a_schedule_is_typed_part_by_part_by_keyboard_alone(qtbot, form, beta):
    form.activateWindow()
    form.findChild(object, "field-conditional").setFocus()
    reached = []
    for key in (Qt.Key.Key_Tab, Qt.Key.Key_Tab):
        qtbot.keyClick(QApplication.focusWidget(), key)
        reached.append(QApplication.focusWidget())
    assert reached == [beta.end, beta.ramp]
    qtbot.keyClick(beta.ramp, Qt.Key.Key_Space)
    qtbot.keyClick(beta.ramp, Qt.Key.Key_Backtab)
    qtbot.keyClick(beta.end, Qt.Key.Key_Backtab)
    assert QApplication.focusWidget() is beta.start
    for part, text in ((beta.start, "10"), (beta.end, "0,5"), (beta.ramp, ""), (beta.length, "20")):
        assert QApplication.focusWidget() is part
        if text:
            part.selectAll()
            qtbot.keyClicks(part, text)
        qtbot.keyClick(part, Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is beta.unit
    qtbot.keyClick(beta.unit, Qt.Key.Key_Up)
    qtbot.keyClick(beta.unit, Qt.Key.Key_Tab)
    qtbot.keyClick(beta.shape, Qt.Key.Key_Down)
    assert form.config().value("beta") == Schedule(10, 0.5, 20, "epochs", "cosine")
    assert beta.end.text() == "0.5"  # as it is understood


def test_a_schedule_that_is_shown_comes_back(form, beta):
    for text in (
        "0 to 4 over 20 epochs",
        "10 to 1.5 over 5000 steps cosine",
        "0 to 2 over 5000 steps jump",
        "1 to 2 over 1 epoch",
        "0 to 1 over 12.5 %",
    ):
        config = form.basis.changed(beta=text)
        form.show_config(config)
        assert form.config() == config
        assert form.differences == 0
        assert form.edits == {}
    form.show_config(form.basis.changed(beta=3))
    assert (seen(beta), beta.text()) == (["end"], "3")


def test_a_schedule_typed_into_the_line_of_the_number_unfolds_when_it_is_left(qtbot, form, beta):
    beta.end.setFocus()
    beta.end.setText("0 to 4 over 50% cosine")
    assert form.config().value("beta") == Schedule(0, 4, 50, "%", "cosine")
    beta.end.editingFinished.emit()
    assert seen(beta) == ["start", "end", "length", "unit", "shape"]
    assert [line.text() for line in beta.lines] == ["0", "4", "50"]
    assert form.config().value("beta") == Schedule(0, 4, 50, "%", "cosine")


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("start", ""),
        ("start", "-1"),
        ("end", "1001"),
        ("end", "x"),
        ("length", "0"),
        ("length", "101"),
        ("length", ""),
    ],
)
def test_the_wrong_part_of_a_schedule_is_marked_and_the_others_are_not(qtbot, form, beta, part, text):
    click(qtbot, beta.ramp)
    getattr(beta, part).setText(text)
    marked = [name for name in ("start", "end", "length") if getattr(beta, name).property("invalid")]
    assert marked == [part]
    [error] = form.errors
    assert error.startswith("β is '")
    assert form.edits["beta"] == beta.text().strip()
    # As after a change of preferences: what was typed is shown over the preset again, wrong as it is.
    edits = form.edits
    form.show_config(form.basis)
    form.set_values(**edits)
    assert form.errors == [error]
    getattr(beta, part).setText("3")
    assert not form.errors
    assert not getattr(beta, part).property("invalid")


def test_those_who_cannot_see_it_are_told_each_part(qtbot, beta):
    assert beta.end.accessibleName() == "β"
    click(qtbot, beta.ramp)
    parts = (beta.start, beta.end, beta.length, beta.unit, beta.shape, beta.ramp)
    names = [part.accessibleName() for part in parts]
    assert names[:2] == ["β at the start", "β at the end"]
    assert len({*names}) == len(names)
    assert all(name.startswith("β") for name in names)


def test_the_second_line_is_hidden_with_its_method(qtbot, form, beta):
    click(qtbot, beta.ramp)
    assert beta.below.isVisible()
    method = editor(form, "objective")
    method.setCurrentIndex(method.findData("vae"))
    assert not beta.below.isVisible()
    method.setCurrentIndex(method.findData("beta-vae"))
    assert beta.below.isVisible()
    assert form.config().value("beta") == Schedule(0, 5, 50, "%")


def test_the_capacity_is_shown_as_its_schedule_also_from_its_former_names(form):
    capacity = editor(form, "capacity")
    form.show_config(RunConfig(objective="annealed-abs"))
    assert [line.text() for line in capacity.lines] == ["0", "20", "20"]
    form.show_config(RunConfig(objective="annealed-abs", capacity_max=7, capacity_epochs=0.5))
    assert [line.text() for line in capacity.lines] == ["0", "7", "0.5"]
    form.show_config(RunConfig(objective="annealed-abs", capacity_max=7, capacity_epochs=0))
    assert capacity.text() == "7"


def test_what_is_typed_in_a_schedule_is_undone_as_elsewhere(qtbot, form, beta):
    click(qtbot, beta.ramp)
    beta.start.setFocus()
    qtbot.keyClick(beta.start, Qt.Key.Key_End)
    qtbot.keyClicks(beta.start, ".5")
    assert form.config().value("beta").start == 0.5
    beta.start.undo()
    assert form.config().value("beta").start == 0
