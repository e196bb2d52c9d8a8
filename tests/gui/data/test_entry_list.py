"""Data sets are listed under headings, which cannot be chosen, in the list and in the form."""

import numpy as np
import pytest
from PySide6.QtCore import Qt

from engine.data import ENTRIES
from engine.data.entry import FROM_PLUGINS
from gui.data.entry_list import EntryBox, EntryList
from gui.data.page import DataPage

Role = Qt.ItemDataRole
WAIT = 60_000


def rows(widget):
    model = widget.model()
    return [model.index(row, 0) for row in range(model.rowCount())]


@pytest.fixture(params=[EntryList, EntryBox])
def shown(qtbot, request):
    widget = request.param()
    qtbot.addWidget(widget)
    return widget


def test_each_data_set_is_listed_once_below_the_heading_of_its_kind(shown):
    heading, found = "", {}
    for index in rows(shown):
        if index.data(Role.UserRole) is None:
            heading = index.data()
            assert not index.flags() & (Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled)
        else:
            found[index.data(Role.UserRole)] = heading
    assert found == {entry.name: entry.group for entry in ENTRIES.values()}
    assert [*dict.fromkeys(found.values())] == [
        "Drawn here, with factors", "Published, with factors", "With classes", "Your own",
    ]  # fmt: skip
    assert FROM_PLUGINS not in found.values()


def test_arrow_keys_pass_over_headings(qtbot):
    entries = EntryList()
    qtbot.addWidget(entries)
    entries.select("room")
    with qtbot.waitSignal(entries.chosen):
        qtbot.keyClick(entries, Qt.Key.Key_Down)
    assert entries.entry.name == "shapes3d"
    qtbot.keyClick(entries, Qt.Key.Key_Up)
    assert entries.entry.name == "room"


def test_a_published_data_set_can_be_downloaded_or_chosen_and_celeba_only_chosen(qtbot, settings):
    page = DataPage(settings)
    qtbot.addWidget(page, before_close_func=DataPage.close_worker)
    page.show()
    page.show_entry("shapes3d")
    assert page.prepare_button.text() == "Download"
    assert page.prepare_button.isVisible()
    assert page.choose_button.isVisible()
    assert page.use_button.isEnabled()  # training says what is missing
    page.show_entry("celeba")
    assert not page.prepare_button.isVisible()
    assert not page.use_button.isEnabled()
    assert "Choose its folder or file" in page.nothing.text()


def test_a_copy_that_is_missing_is_prepared_with_progress_and_not_again_once_cancelled(qtbot, window, tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, images=np.random.default_rng(0).integers(0, 256, (60, 32, 32), np.uint8))
    page = window.data_page
    page._tried["arrays"] = path
    page.show_entry("arrays")
    seen = []
    page.progressed.connect(seen.append)
    with qtbot.waitSignal(page.ended, timeout=WAIT):
        qtbot.mouseClick(window.header.tabs.button(3), Qt.MouseButton.LeftButton)
    assert {progress.what for progress in seen} >= {"Reading own.npz", "Checking own.npz"}
    qtbot.waitUntil(lambda: page._details is not None, timeout=WAIT)
    page._details = page._asked = None
    for file in page.entry.cached():
        file.unlink()
    page._held.add("arrays")  # as after Cancel
    page._read()
    qtbot.waitUntil(page.prepare_button.isVisible, timeout=WAIT)
    assert not page.preparing
    with qtbot.waitSignal(page.ended, timeout=WAIT):
        qtbot.mouseClick(page.prepare_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page._details is not None, timeout=WAIT)
    assert not page.prepare_button.isVisible()
