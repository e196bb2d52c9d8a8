"""Notes below a table, and parts of a page that are drawn wider: what a person chooses stays."""

from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QWidget

from gui.widgets.notes import Notes
from gui.widgets.splitter import Splitter

SHORT, LONG = "A note.", "A second note that goes on and on, and on, and on."


def test_notes_take_one_line_until_more_is_asked_for(qtbot):
    notes = Notes()
    qtbot.addWidget(notes)
    notes.resize(200, 40)
    notes.show()
    notes.show_notes([SHORT])
    assert notes.words.text() == SHORT
    assert not notes.more.isVisible()
    notes.show_notes([SHORT, LONG])
    assert notes.words.text().startswith(SHORT)
    assert notes.words.text().endswith("…")
    qtbot.mouseClick(notes.more, Qt.MouseButton.LeftButton)
    assert notes.words.text() == f"{SHORT}\n{LONG}"
    assert notes.more.text() == "Less"
    qtbot.mouseClick(notes.more, Qt.MouseButton.LeftButton)
    assert notes.words.text().endswith("…")
    notes.resize(900, 40)
    assert notes.words.text() == f"{SHORT} {LONG}"
    assert not notes.more.isVisible()


def test_no_notes_take_no_room(qtbot):
    notes = Notes()
    qtbot.addWidget(notes)
    notes.show_notes([])
    assert notes.isHidden()


def test_a_tooltip_shows_signs_as_they_are(qtbot):
    notes = Notes()
    qtbot.addWidget(notes)
    notes.show_notes(["KL < 0.1 & more"])
    assert "KL &lt; 0.1 &amp; more" in notes.toolTip()


def splitter(qtbot, settings: QSettings) -> Splitter:
    made = Splitter(Qt.Orientation.Horizontal, (QWidget(), QWidget()), (100, 300), (0, 1), settings, "parts")
    qtbot.addWidget(made)
    made.resize(408, 100)
    made.show()
    return made


def test_what_was_drawn_wider_is_so_the_next_time_and_grows_by_its_share(qtbot, settings):
    first = splitter(qtbot, settings)
    assert first.sizes() == [100, 300]
    first.moveSplitter(200, 1)
    again = splitter(qtbot, settings)
    assert again.sizes() == first.sizes() == [200, 200]
    assert again.handleWidth() == 8
    again.resize(508, 100)
    assert again.sizes() == [200, 300]


def test_a_damaged_setting_is_as_none(qtbot, settings):
    settings.setValue("parts", "what is no state")
    assert splitter(qtbot, settings).sizes() == [100, 300]
