"""The images to train on, typed in the form or chosen in its dialog."""

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QDialogButtonBox

from engine.data import ENTRIES
from engine.data.subsets import training_count
from engine.settings.run_config import RunConfig
from gui.training.form import ConfigForm
from gui.training.subset_dialog import SubsetDialog


@pytest.fixture
def form(qtbot):
    made = ConfigForm()
    qtbot.addWidget(made)
    made.show()
    return made


def field(form):
    return form._editors["subset"]


def test_it_is_offered_for_data_with_factors_alone(form):
    form.set_values(dataset="room")
    assert field(form).isVisible()
    form.set_values(dataset="digits")
    assert not field(form).isVisible()


def test_a_typed_subset_is_checked_against_the_factors_and_shown_as_stored(qtbot, form):
    form.set_values(dataset="dsprites")
    line = field(form).line
    qtbot.keyClicks(line, "scale~x")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert line.text() == "scale ~ x width 0.2"
    assert form.config().subset == "scale ~ x width 0.2"
    assert not form.errors
    form.set_values(dataset="room")
    assert form.errors == ["Room has no factor 'x'; its factors are floor hue, wall hue, object hue, scale, shape, "
                           "orientation."]  # fmt: skip
    form.set_values(dataset="dsprites", subset="scale")
    assert form.errors[0].startswith("Train on is 'scale': 'scale' is not understood")


def test_the_dialog_fills_the_line(qtbot, form):
    form.set_values(dataset="dsprites", subset="")

    def choose():
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, SubsetDialog)
        dialog.first.setCurrentIndex(dialog.first.findData("scale"))
        dialog.second.setCurrentIndex(dialog.second.findData("x"))
        dialog.width_box.setValue(0.4)
        first, second = dialog.conditions
        first.factor.setCurrentIndex(first.factor.findData("shape"))
        first.low.setCurrentIndex(1)
        first.high.setCurrentIndex(2)
        second.factor.setCurrentIndex(second.factor.findData("x"))
        second.high.setCurrentIndex(15)
        dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).click()

    QTimer.singleShot(0, choose)
    qtbot.mouseClick(field(form).button, Qt.MouseButton.LeftButton)
    assert form.config().subset == "scale ~ x width 0.4; without shape = ellipse..heart & x = 0..15"


def test_the_dialog_shows_a_subset_counts_its_images_and_keeps_what_it_does_not_show(qtbot):
    text = "scale ~ x width 0.3; x ~ y width 1; without shape = heart & y = 3 & x = 1; without scale = 0"
    dialog = SubsetDialog(None, ENTRIES["dsprites"], text)
    qtbot.addWidget(dialog)
    assert dialog.text() == text
    count = training_count(RunConfig(subset=text))
    assert dialog.note.text() == f"{count:,} of 737,280 images"
    dialog.first.setCurrentIndex(0)
    for row in dialog.conditions:
        row.factor.setCurrentIndex(0)
    assert dialog.text() == "x ~ y width 1; without scale = 0"


def test_an_impossible_range_cannot_be_accepted(qtbot):
    dialog = SubsetDialog(None, ENTRIES["dsprites"], "without x = 20..20")
    qtbot.addWidget(dialog)
    dialog.conditions[0].high.setCurrentIndex(5)
    assert "ends before it begins" in dialog.note.text()
    assert not dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).isEnabled()


def test_the_button_is_off_where_the_grid_is_not_complete(form):
    form.set_values(dataset="celeba")
    assert not field(form).button.isEnabled()
    assert "not a complete grid" in field(form).button.toolTip()
