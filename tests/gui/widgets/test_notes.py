"""Notes below a table, and resizable parts of a page, whose sizes are remembered."""

from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QWidget

from gui.widgets.notes import Notes
from gui.widgets.splitter import Splitter

SHORT, LONG = "A note.", "A second note that goes on and on, and on, and on."


def test_notes_take_one_line_until_expanded(qtbot):
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


def test_no_notes_take_no_space(qtbot):
    notes = Notes()
    qtbot.addWidget(notes)
    notes.show_notes([])
    assert notes.isHidden()


def test_a_tooltip_shows_special_characters_literally(qtbot):
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


def test_splitter_sizes_are_remembered_and_grow_by_stretch(qtbot, settings):
    first = splitter(qtbot, settings)
    assert first.sizes() == [100, 300]
    first.moveSplitter(200, 1)
    again = splitter(qtbot, settings)
    assert again.sizes() == first.sizes() == [200, 200]
    assert again.handleWidth() == 8
    again.resize(508, 100)
    assert again.sizes() == [200, 300]


def test_a_damaged_setting_is_ignored(qtbot, settings):
    settings.setValue("parts", "what is no state")
    assert splitter(qtbot, settings).sizes() == [100, 300]
