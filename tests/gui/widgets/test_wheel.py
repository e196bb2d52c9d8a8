"""The wheel over a control in a scroll area scrolls, and changes no value in passing."""

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QScrollArea, QVBoxLayout, QWidget

from gui.traversal.track import LatentTrack
from gui.widgets.combo import Combo
from gui.widgets.number_box import NumberBox, WholeNumberBox


def combo():
    box = Combo()
    box.addItems(["a", "b", "c"])
    return box


def turn(widget):
    """Turn the wheel down by one notch over a widget; return whether it took the event, or left it to its parents."""
    place = QPointF(widget.rect().center())
    event = QWheelEvent(
        place, widget.mapToGlobal(place), QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


@pytest.fixture
def area(qtbot):
    """A scroll area with its controls in `controls`."""
    area, inside = QScrollArea(), QWidget()
    column = QVBoxLayout(inside)
    area.controls = combo(), NumberBox(2), WholeNumberBox(), LatentTrack()
    for box in area.controls[1:3]:
        box.setValue(5)
    area.controls[-1].set_range(-3, 3)
    for control in area.controls:
        column.addWidget(control)
    area.setWidget(inside)
    area.setWidgetResizable(True)
    area.resize(200, 100)
    qtbot.addWidget(area)
    with qtbot.waitExposed(area):
        area.show()
    area.activateWindow()
    return area


def values(area):
    choice, number, whole, track = area.controls
    return choice.currentIndex(), number.value(), whole.value(), track.value()


def test_it_is_left_to_the_area_and_changes_nothing(qtbot, area):
    area.setFocus()
    before = values(area)
    for control in area.controls:
        assert not turn(control)
        assert not control.hasFocus()
    assert values(area) == before


def test_numbers_and_sliders_that_have_the_focus_follow_it_but_choices_never(qtbot, area):
    choice, *others = area.controls
    for control in others:
        before = values(area)
        control.setFocus()
        qtbot.waitUntil(control.hasFocus)
        turn(control)
        assert values(area) != before
    choice.setFocus()
    assert not turn(choice)
    assert choice.currentIndex() == 0
