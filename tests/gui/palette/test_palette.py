"""The command palette, used by keys: what it finds, in which order, and what it does."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QMenu

from engine.settings.presets import shipped_presets
from gui.help.topics import Library, outline
from gui.palette.commands import keys_of
from gui.palette.entries import Entry, ranked
from gui.window.header import TABS

CTRL = Qt.KeyboardModifier.ControlModifier


def entry(title, place="", **more):
    return Entry(f"{place}/{title}", title, place, lambda: None, **more)


def titles(entries, query, recent=()):
    return [found.title for found in ranked(entries, query, recent)]


def open_palette(qtbot, window, words=""):
    qtbot.waitActive(window)
    qtbot.keyClick(window, Qt.Key.Key_K, CTRL)
    palette = window.palette_
    assert palette.isVisible()
    assert QApplication.focusWidget() is palette.line
    qtbot.keyClicks(palette.line, words)
    return palette


def choose(qtbot, window, words):
    palette = open_palette(qtbot, window, words)
    found = palette.found.entries[0]
    qtbot.keyClick(palette.line, Qt.Key.Key_Return)
    return found


def test_beginnings_come_before_words_before_letters_in_order():
    entries = [entry("Spare seat"), entry("Restart"), entry("Quick start"), entry("Start"), entry("Data")]
    assert titles(entries, "start") == ["Start", "Quick start", "Restart"]
    assert titles(entries, "rstr") == ["Restart"]


def test_initials_places_and_greek_letters_are_found():
    entries = [entry("Train again with another seed"), entry("Export", "Metrics"), entry("Weight β", "Setting")]
    assert titles(entries, "taw") == ["Train again with another seed"]
    assert titles(entries, "metrics exp") == ["Export"]
    assert titles(entries, "beta") == ["Weight β"]
    assert titles(entries, "exp seed") == []


def test_the_recent_come_first_and_what_cannot_be_done_now_last():
    entries = [entry("Run one"), entry("Run two"), entry("Run", enabled=False), entry("Help page", listed=False)]
    assert titles(entries, "run") == ["Run one", "Run two", "Run"]
    assert titles(entries, "run", recent=["/Run two"]) == ["Run two", "Run one", "Run"]
    assert titles(entries, "") == ["Run one", "Run two"]
    assert titles(entries, "", recent=["/Help page", "/Run two"]) == ["Help page", "Run two", "Run one"]


def test_every_action_of_every_menu_is_offered(window):
    """But for the menus of what a page does not show now, such as the study while it shows runs."""

    def usable(menu):
        holder = menu.parentWidget()
        pages = [page for page in map(window.pages.widget, range(len(TABS))) if page.isAncestorOf(holder)]
        return all(holder.isVisibleTo(page) for page in pages)

    offered = {found.title for found in window._gather()}
    checked = 0
    for menu in filter(usable, window.findChildren(QMenu)):
        for action in menu.actions():
            words = action.text().replace("&", "").rstrip("…")
            if words and action.isVisible() and not (action.menu() or action.isSeparator()):
                assert words in offered
                checked += 1
    assert checked > 40


def test_a_button_of_another_page_is_pressed_there(qtbot, window):
    found = choose(qtbot, window, "selected only")
    assert found.place.startswith("Metrics")
    assert window.pages.currentIndex() == TABS.index("Metrics")
    assert window.metrics_page.options.selected_only.isChecked()


def test_its_keys_are_those_that_work(qtbot, window):
    shown = {found.keys: found.title for found in window._gather() if found.keys}
    assert shown["Ctrl+K"] == "Command palette"
    assert shown["F5"].startswith("Evaluate")
    assert set(shown) <= set(keys_of(window))


def test_a_setting_of_a_closed_group_is_shown_and_gets_the_focus(qtbot, window):
    form = window.training_page.settings.form
    editor = form._editors["threads"]
    assert editor.isHidden()
    window._show_page(1)
    choose(qtbot, window, "threads setting")
    assert window.pages.currentIndex() == 0
    assert editor.isVisible()
    assert editor.hasFocus()
    area = window.training_page.settings._area.viewport()
    assert area.rect().contains(editor.mapTo(area, editor.rect().center()))


def test_an_application_setting_is_shown_in_its_dialog(qtbot, window):
    choose(qtbot, window, "redraw curves")
    dialog = QApplication.activeModalWidget()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is dialog.redraw)
    dialog.reject()


def test_a_preset_fills_in_the_form(qtbot, window):
    preset = shipped_presets()[3]
    window._use_preset(shipped_presets()[0].title)
    choose(qtbot, window, preset.title)
    assert window.training_page.settings.preset == preset


def test_a_run_is_selected(qtbot, window, tiny_run, make_run):
    first, second = (make_run(window._runs, name=name) for name in ("apple", "pear"))
    window.store.refresh()
    window.run_list.select(first.path)
    assert choose(qtbot, window, "pear").place == "Run · MNIST · VAE"
    assert [item.path for item in window.run_list.items()] == [second.path]


def test_a_heading_of_the_help_opens_it_there(qtbot, window):
    palette = open_palette(qtbot, window)
    qtbot.waitUntil(lambda: any(found.key.startswith("help/") for found in palette._entries))
    qtbot.keyClicks(palette.line, "kl per latent help")
    qtbot.keyClick(palette.line, Qt.Key.Key_Return)
    assert window.help.shown.where == "curves#latents"


def test_the_outline_is_the_contents_of_the_help(qapp):
    """Qt's own reading of the same HTML finds the same titles and anchors."""
    library = Library({"Ctrl+K": "Palette"})
    theirs = [
        (f"{topic.name}#{section.anchor}" if section.anchor else topic.name, " ".join(section.title.split()))
        for topic in library.topics.values()
        for section in topic.sections
    ]
    assert [(where, " ".join(title.split())) for where, title, _ in outline({"Ctrl+K": "Palette"})] == theirs


def test_escape_closes_it_and_gives_the_focus_back(qtbot, window):
    window.run_list.filter.setFocus()
    palette = open_palette(qtbot, window, "qu")
    qtbot.keyClick(palette.line, Qt.Key.Key_Escape)
    assert palette.isHidden()
    assert window.run_list.filter.hasFocus()


def test_the_arrow_keys_choose_and_the_choice_is_remembered(qtbot, window):
    palette = open_palette(qtbot, window, "tra")
    second = palette.found.entries[1]
    qtbot.keyClick(palette.line, Qt.Key.Key_Down)
    qtbot.keyClick(palette.line, Qt.Key.Key_Return)
    assert second.title == TABS[window.pages.currentIndex()] == "Traversal"
    assert open_palette(qtbot, window).found.entries[0].key == second.key


def test_what_cannot_be_done_now_is_not_done(qtbot, window):
    palette = open_palette(qtbot, window, "compare settings")
    assert not palette.found.entries[0].enabled
    qtbot.keyClick(palette.line, Qt.Key.Key_Return)
    assert palette.isVisible()


@pytest.mark.parametrize("key", ["theme", "redraw", "runs", "cache", "device", "ask_close"])
def test_every_kind_of_application_setting_has_an_editor(qtbot, window, key):
    dialog = window._open_settings()
    dialog.show_setting(key)
    assert dialog.focusWidget() is not None
    dialog.reject()
