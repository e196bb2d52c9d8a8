"""The gallery in the window: what greets a new user, how models open, what cannot be done to them, the tour."""

import shutil
from itertools import pairwise

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QEnterEvent
from PySide6.QtWidgets import QApplication

from engine.gallery import read_gallery
from gui.gallery.strip import Strip
from gui.gallery.tour import STOPS, TOUR_OVER
from gui.runs.trash import move_to_trash
from gui.training.estimator import PATIENCE_MS, Estimator
from gui.widgets import theme
from gui.window.header import TABS
from gui.window.main_window import COME_WITH_METRICS, GALLERY_PAGE, GREETING_MS, MainWindow


@pytest.fixture
def open_with(qtbot, qapp, tmp_path, settings, tiny_gallery):
    """Open a window with the tiny gallery, on a folder of runs."""
    theme.remember_scheme(qapp, "light")

    def make(gallery=tiny_gallery):
        qapp.setStyleSheet("")
        made = MainWindow(tmp_path / "runs", settings, gallery)
        theme.apply(qapp)
        qtbot.addWidget(made)
        made.resize(1280, 800)
        made.show()
        return made

    return make


@pytest.fixture
def greeting(open_with, qtbot):
    """A window that greets a new user, once its cards are there."""
    window = open_with()
    qtbot.waitUntil(lambda: len(window.gallery_page.cards) == 1)
    return window


@pytest.fixture
def with_run(tmp_path, tiny_run):
    """Put a run of the user's own into the runs folder."""
    return shutil.copytree(tiny_run.path, tmp_path / "runs" / "tiny")


def enter(widget):
    place = QPointF(widget.rect().center())
    QApplication.sendEvent(widget, QEnterEvent(place, place, QPointF(widget.mapToGlobal(place.toPoint()))))


def leave(widget):
    QApplication.sendEvent(widget, QEvent(QEvent.Type.Leave))


def shown_rows(window):
    answer = window.traversal_page.answer
    return answer is not None and len(window.traversal_page.card.latents.grid.rows)


# The greeting


def test_a_user_without_runs_is_greeted_by_the_gallery(greeting):
    assert greeting.pages.currentIndex() == GALLERY_PAGE
    assert not any(button.isChecked() for button in greeting.header.tabs.buttons())
    assert not greeting.run_list.isVisible()
    assert greeting.run_list.items() == []


def test_a_user_with_runs_is_not_greeted(with_run, open_with):
    window = open_with()
    assert window.pages.currentIndex() == 0
    assert [item.path for item in window.run_list.items()] == [with_run]
    window._show_gallery()
    assert window.gallery_page.isVisible()
    window.header.tabs.button(2).click()
    assert window.header.tabs.button(2).isChecked()
    assert window.run_list.isVisible()


def test_opening_a_model_comes_before_measuring_the_preset(open_with, monkeypatch):
    held = []
    monkeypatch.setattr(Estimator, "hold", lambda self, milliseconds: held.append(milliseconds))
    open_with()
    assert held == [GREETING_MS]
    assert held[0] > PATIENCE_MS


def test_a_card_has_the_story_and_the_numbers(greeting, tiny_gallery):
    [model], _ = read_gallery(tiny_gallery)
    [card] = greeting.gallery_page.cards
    assert card.story.text() == model.story
    assert card.numbers.text().replace("\N{NO-BREAK SPACE}", " ") == " · ".join(
        f"{value.title} {value.text}" for value in model.values
    )


def test_pictures_move_under_the_pointer(greeting, qtbot):
    [card] = greeting.gallery_page.cards
    assert not card.strip.playing
    still, frame = card.strip.grab().toImage(), card.strip.frame
    enter(card)
    qtbot.waitUntil(lambda: card.strip.frame != frame)
    assert card.strip.grab().toImage() != still
    leave(card)
    assert not card.strip.playing
    assert card.strip.grab().toImage() == still


def test_pictures_move_with_the_focus_of_the_keyboard(greeting):
    [card] = greeting.gallery_page.cards
    greeting.activateWindow()
    card.button.clearFocus()
    card.button.setFocus(Qt.FocusReason.TabFocusReason)
    assert card.strip.playing
    card.button.clearFocus()
    assert not card.strip.playing


def test_nothing_moves_with_reduced_motion(greeting, qapp):
    theme.reduce_motion(qapp, True)
    try:
        [card] = greeting.gallery_page.cards
        enter(card)
        assert not card.strip.playing
    finally:
        theme.reduce_motion(qapp, False)


def test_a_sweep_begins_at_rest_and_passes_through_all_frames(greeting):
    strip: Strip = greeting.gallery_page.cards[0].strip
    seen = [strip.frame]
    for _ in range(64):
        strip._move()
        seen.append(strip.frame)
    assert set(seen) == set(range(25))
    assert seen[0] == seen[-1]
    assert max(abs(a - b) for a, b in pairwise(seen)) <= 2


def test_a_damaged_model_is_said_and_the_others_are_shown(open_with, tiny_gallery, tmp_path, qtbot):
    own = shutil.copytree(tiny_gallery, tmp_path / "own")
    shutil.copytree(own / "tiny-model", own / "other")
    (own / "other" / "strip.png").write_bytes(b"no picture")
    window = open_with(own)
    page = window.gallery_page
    qtbot.waitUntil(lambda: bool(page.cards))
    assert [card.model.run.path.name for card in page.cards] == ["tiny-model"]
    assert page.problems.isVisible()
    assert page.problems.text() == "The gallery's model other cannot be shown: strip.png is damaged."


# Opening


def test_open_shows_the_model_in_traversal_without_its_data(greeting, qtbot, monkeypatch):
    def never(*args):
        raise AssertionError("the data set is not needed")

    monkeypatch.setattr("engine.data.load_dataset", never)
    [card] = greeting.gallery_page.cards
    qtbot.mouseClick(card, Qt.MouseButton.LeftButton)
    assert greeting.header.tabs.button(1).isChecked()
    qtbot.waitUntil(lambda: shown_rows(greeting) == 10, timeout=20_000)
    assert [item.name for item in greeting.run_list.items()] == ["A tiny VAE"]
    page = greeting.traversal_page
    assert page.answer.index == 3
    assert page.source.words.text() == f"One of 40 images: class {int(page.answer.loaded.dataset.labels[3])}"


def test_a_model_is_compared_beside_the_users_run(with_run, open_with, qtbot, tiny_gallery):
    window = open_with()
    window.run_list.select(with_run, tiny_gallery / "tiny-model")
    items = window.run_list.items()
    assert [item.shipped for item in items] == [False, True]
    assert len({item.colour for item in items}) == 2
    window._show_page(TABS.index("Metrics"))
    assert window.metrics_page.model.rowCount() == 1  # the run has not been evaluated, the model has
    window.run_list.select(with_run)
    assert window.metrics_page.model.rowCount() == 0


def test_the_users_own_list_does_not_change(with_run, open_with):
    window = open_with()
    assert [item.path for item in window.store.items] == [with_run]
    window.run_list.view.selectAll()
    assert [item.path for item in window.run_list.items()] == [with_run]
    assert window.run_list.gallery.fold_button.text() == "▸  Gallery · 1"
    assert not window.run_list.gallery.view.isVisible()


def test_a_click_in_one_list_leaves_the_other(with_run, open_with, qtbot, tiny_gallery):
    window = open_with()
    window.run_list.gallery.fold_button.click()
    view = window.run_list.gallery.view
    place = view.visualRect(view.model().index(0, 0)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert [item.path for item in window.run_list.items()] == [tiny_gallery / "tiny-model"]
    own = window.run_list.view
    qtbot.mouseClick(own.viewport(), Qt.MouseButton.LeftButton, pos=own.visualRect(own.model().index(0, 0)).center())
    assert [item.path for item in window.run_list.items()] == [with_run]


# Read-only


def test_what_would_change_a_model_is_disabled_and_says_why(greeting, tiny_gallery):
    greeting.run_list.select(tiny_gallery / "tiny-model")
    actions = greeting.actions_of_runs
    changing = (actions.resume, actions.longer, actions.rename, actions.tags, actions.notes, actions.hide, actions.keep,
                actions.trash, actions._colours.menuAction())  # fmt: skip
    for action in changing:
        assert not action.isEnabled()
        assert "belongs to the gallery" in action.toolTip()
    for action in (actions.use, actions.again, actions.export, actions.copy):
        assert action.isEnabled()


def test_names_colours_and_notes_of_a_model_stay(greeting, tiny_gallery, qtbot):
    folder = tiny_gallery / "tiny-model"
    before = (folder / "marks.json").read_text()
    greeting.run_list.select(folder)
    actions, said = greeting.actions_of_runs, []
    actions.noted.connect(said.append)
    actions.name_latents(folder, {0: "width"})
    actions._rename(folder, "mine")
    actions._note(folder, "mine")
    assert len(said) == 3
    assert all("belongs to the gallery" in words for words in said)
    assert actions.undo_stack.count() == 0
    index = greeting.run_list.gallery.shown.index(0, 0)
    assert not index.flags() & Qt.ItemFlag.ItemIsEditable
    greeting.run_list.notes.edit()
    assert not greeting.run_list.notes.editing
    assert (folder / "marks.json").read_text() == before


def test_a_model_does_not_go_to_the_trash(tiny_gallery):
    from engine.errors import RunError

    with pytest.raises(RunError, match="belongs to the gallery"):
        move_to_trash(tiny_gallery / "tiny-model")
    assert (tiny_gallery / "tiny-model" / "gallery.json").exists()


def test_evaluating_a_model_says_that_it_has_metrics(greeting, tiny_gallery):
    greeting.run_list.select(tiny_gallery / "tiny-model")
    greeting._show_page(TABS.index("Metrics"))
    greeting.metrics_page.evaluate_button.click()
    assert greeting.metrics_page.words.text() == COME_WITH_METRICS
    assert not greeting.evaluation.active


def test_a_copy_is_listed_and_selected(greeting, tiny_gallery, qtbot, tmp_path):
    greeting.run_list.select(tiny_gallery / "tiny-model")
    with qtbot.waitSignal(greeting.actions_of_runs.copied, timeout=20_000):
        greeting.actions_of_runs.copy.trigger()
    [item] = greeting.run_list.items()
    assert item.path == tmp_path / "runs" / "tiny-model"
    assert not item.shipped
    assert greeting.actions_of_runs.rename.isEnabled()
    assert greeting.actions_of_runs.longer.isEnabled()


# The tour


def test_the_tour_has_five_cards_and_ends(greeting, settings):
    tour = greeting.tour
    greeting.gallery_page.tour.click()
    seen = []
    while tour.isVisible():
        seen.append((tour.title.text(), greeting.pages.currentIndex()))
        tour.next_button.click()
    assert seen == [("Train", 0), ("Live", 0), ("Traversal", 1), ("Metrics", 2), ("Help", 0)]
    assert len(STOPS) == 5
    assert settings.value(TOUR_OVER, type=bool)


def test_escape_leaves_the_tour_for_good(greeting, qtbot):
    greeting.gallery_page.tour.click()
    assert greeting.tour.isVisible()
    greeting.activateWindow()
    qtbot.keyClick(greeting.training_page.settings.presets, Qt.Key.Key_Escape)
    assert not greeting.tour.isVisible()
    greeting._show_gallery()
    assert not greeting.gallery_page.tour.isVisible()
    greeting._begin_tour()  # from the menu
    assert greeting.tour.isVisible()
    greeting.tour.leave_button.click()


def test_the_menu_and_the_palette_lead_to_gallery_tour_and_models(greeting):
    titles = {entry.title: entry for entry in greeting._gather()}
    for title in ("Gallery", "Tour", "A tiny VAE"):
        assert title in titles
    titles["A tiny VAE"].run()
    assert greeting.header.tabs.button(1).isChecked()


# Training one


def test_train_one_now_starts_the_preset(greeting, qtbot):
    started = []
    greeting.training_page.settings.start.disconnect()
    greeting.training_page.settings.start.connect(started.append)
    greeting.gallery_page.train_button.click()
    assert greeting.pages.currentIndex() == 0
    [config] = started
    assert config.dataset == "dsprites"


def test_the_time_it_takes_is_said_once_it_is_measured(greeting):
    from engine.training.pace import Estimate

    page, config = greeting.gallery_page, greeting.training_page.settings.config()
    assert "being measured" in page.cost.text()
    page.take_estimate(config.changed(steps=7), Estimate(7, 1.0, 1))
    assert "being measured" in page.cost.text()
    page.take_estimate(config, Estimate(4400, 171.0, 1))
    assert page.cost.text().endswith("It takes about 3 min on this machine.")
    page.take_estimate(config, Estimate(4400, 400.0, 1, beside=True))
    assert page.cost.text().endswith("It takes at most 7 min on this machine.")
