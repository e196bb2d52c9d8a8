"""The run list: contents, order, and actions on runs with undo."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QInputDialog

from engine.runs.run import Run, RunState
from engine.settings.run_config import RunConfig
from gui.runs.compare import settings_table
from gui.runs.store import RunItem
from gui.widgets.theme import tokens


@pytest.fixture
def runs(window, make_run):
    """Four untrained runs: two methods, three seeds."""
    root = window.store.root
    made = [make_run(root, objective="vae", seed=seed) for seed in (3, 1)]
    made += [make_run(root, objective="beta-vae", seed=seed) for seed in (2, 3)]
    window.store.refresh()
    return made


def shown(window):
    return [item.name for item in window.run_list.shown_items()]


def choose(window, *runs):
    window.run_list.select(*(run.path for run in runs))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("", ["β-VAE · 3", "β-VAE · 2", "VAE · 1", "VAE · 3"]),
        ("β", ["β-VAE · 3", "β-VAE · 2"]),
        ("seed 3", ["β-VAE · 3", "VAE · 3"]),
        ("not started 2", ["β-VAE · 2"]),
        ("#thick", ["VAE · 1"]),
        ("finished", []),
    ],
)
def test_the_filter_shows_runs_that_contain_all_words(window, runs, text, left):
    runs[1].write_marks(runs[1].marks() | {"tags": ["thick"]})
    window.store.refresh()
    window.run_list.filter.setText(text)
    assert shown(window) == left


def test_the_list_is_sorted_and_the_order_is_remembered(qtbot, window, runs, settings, another_window):
    menu = window.run_list._sort_button.menu()
    next(action for action in menu.actions() if action.text() == "Seed").trigger()
    assert [name[-1] for name in shown(window)] == ["1", "2", "3", "3"]
    window.close()
    again = another_window(window.store.root)
    assert [name[-1] for name in shown(again)] == ["1", "2", "3", "3"]
    again.close()


def group_by(window, title):
    next(action for action in window.run_list._group_choices.actions() if action.text() == title).trigger()


def headings(window):
    """The headings in the list, with the number of their runs, and the names below them."""
    found = []
    for row in range(window.run_list.shown.rowCount()):
        index = window.run_list.shown.index(row, 0)
        group = window.run_list.shown.heading(index)
        if group is not None:
            found.append((group.title, len(group.members), []))
        if not (group is not None and group.folded):
            found[-1][2].append(index.data())
    return found


def click_heading(qtbot, window, row, *, marker):
    view = window.run_list.view
    place = view.visualRect(window.run_list.shown.index(row, 0))
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place.topLeft() + QPoint(10 if marker else 80, 12))


@pytest.mark.parametrize(
    ("by", "found"),
    [
        ("Method", [("VAE", 2, ["VAE · 1", "VAE · 3"]), ("β-VAE", 2, ["β-VAE · 3", "β-VAE · 2"])]),
        ("Tag", [("#thick", 1, ["VAE · 1"]), ("No tag", 3, ["β-VAE · 3", "β-VAE · 2", "VAE · 3"])]),
        ("Data set", [("MNIST", 4, ["β-VAE · 3", "β-VAE · 2", "VAE · 1", "VAE · 3"])]),
        ("Settings but the seed", [("VAE", 2, ["VAE · 1", "VAE · 3"]), ("β-VAE", 2, ["β-VAE · 3", "β-VAE · 2"])]),
        ("Study", [("My study", 1, ["β-VAE · 3"]), ("No study", 3, ["β-VAE · 2", "VAE · 1", "VAE · 3"])]),
    ],
)
def test_runs_are_grouped(window, runs, by, found):
    runs[1].write_marks(runs[1].marks() | {"tags": ["thick"]})
    runs[3].write_marks(runs[3].marks() | {"study": "My study"})
    window.store.refresh()
    group_by(window, by)
    assert headings(window) == found
    window.run_list.filter.setText("VAE · 3")
    assert sum(number for _, number, _ in headings(window)) == 2
    window.run_list.filter.setText("")
    group_by(window, "None")
    assert shown(window) == ["β-VAE · 3", "β-VAE · 2", "VAE · 1", "VAE · 3"]


def test_a_group_is_folded_and_selected_by_its_heading(qtbot, window, runs, settings, another_window):
    group_by(window, "Method")
    click_heading(qtbot, window, 2, marker=False)
    assert [item.name for item in window.run_list.items()] == ["β-VAE · 3", "β-VAE · 2"]
    click_heading(qtbot, window, 2, marker=True)
    assert headings(window)[1] == ("β-VAE", 2, [])
    assert len(window.run_list.items()) == 2  # what is selected stays selected
    click_heading(qtbot, window, 0, marker=False)
    assert [item.name for item in window.run_list.items()] == ["VAE · 1", "VAE · 3"]
    click_heading(qtbot, window, 2, marker=False)  # the single row of the folded group
    assert [item.name for item in window.run_list.items()] == ["β-VAE · 3", "β-VAE · 2"]
    assert window.run_list._count.text() == "4 runs"
    qtbot.keyClick(window.run_list.view, Qt.Key.Key_Right)
    assert headings(window)[1] == ("β-VAE", 2, ["β-VAE · 3", "β-VAE · 2"])
    qtbot.keyClick(window.run_list.view, Qt.Key.Key_Left)
    window.run_list.select(runs[2].path)  # unfolds its group
    assert headings(window)[1][2] == ["β-VAE · 3", "β-VAE · 2"]
    window.close()
    again = another_window(window.store.root)
    assert [title for title, _, _ in headings(again)] == ["VAE", "β-VAE"]
    again.close()


def test_a_tagged_or_hidden_run_changes_its_group_at_once(window, runs):
    group_by(window, "Tag")
    assert [title for title, _, _ in headings(window)] == ["No tag"]
    runs[1].write_marks(runs[1].marks() | {"tags": ["new"]})
    window.store.refresh()
    assert [(title, number) for title, number, _ in headings(window)] == [("#new", 1), ("No tag", 3)]
    choose(window, runs[1])
    window.actions_of_runs.hide.trigger()
    assert [(title, number) for title, number, _ in headings(window)] == [("No tag", 3)]


def test_hidden_runs_leave_the_list_and_return(window, runs):
    choose(window, runs[0], runs[2])
    window.actions_of_runs.hide.trigger()
    assert shown(window) == ["β-VAE · 3", "VAE · 1"]
    window.actions_of_runs.undo_stack.undo()
    assert len(shown(window)) == 4
    window.actions_of_runs.undo_stack.redo()
    window.run_list._hidden.setChecked(True)
    assert len(shown(window)) == 4


def test_tags_are_added_to_several_runs_and_undone_one_by_one(window, runs, monkeypatch):
    runs[0].write_marks(runs[0].marks() | {"tags": ["old"]})
    window.store.refresh()
    choose(window, runs[0], runs[1])
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, text: (f"{text} paper #thin thin", True))
    window.actions_of_runs.tags.trigger()
    assert Run.open(runs[0].path).marks()["tags"] == ["old", "paper", "thin"]
    assert Run.open(runs[1].path).marks()["tags"] == ["paper", "thin"]
    window.actions_of_runs.undo_stack.undo()
    assert Run.open(runs[0].path).marks()["tags"] == ["old"]
    assert "tags" not in Run.open(runs[1].path).marks()


def test_each_run_keeps_its_own_colour(qtbot, window, runs, settings, another_window):
    colours = {item.path: item.colour for item in window.store.items}
    assert len(set(colours.values())) == 4
    window.actions_of_runs._ask_colour(runs[1].path, QPoint())
    menu = window.actions_of_runs._dot_colours
    menu.actions()[7].trigger()
    menu.close()
    assert window.store.find(runs[1].path).colour == 7
    window.close()
    again = another_window(window.store.root)
    assert {item.path: item.colour for item in again.store.items} == colours | {runs[1].path: 7}
    assert len(tokens().runs) > 7
    again.close()


def test_trash_and_undo(window, runs):
    choose(window, runs[0], runs[3])
    window.actions_of_runs.trash.trigger()
    assert shown(window) == ["β-VAE · 2", "VAE · 1"]
    assert not runs[0].path.exists()
    assert "Moved 2 runs to the trash" in window.banner.text.text()
    window.actions_of_runs.undo_stack.undo()
    assert len(shown(window)) == 4
    assert Run.open(runs[0].path).config == runs[0].config


def test_a_run_in_training_is_not_moved_to_the_trash(window, runs):
    with runs[0].locked():
        choose(window, runs[0])
        window.actions_of_runs.trash.trigger()
        assert runs[0].path.exists()
    assert "is still training" in window.banner.text.text()


def test_restoring_onto_an_existing_folder_is_refused_without_loss(window, runs):
    choose(window, runs[0])
    window.actions_of_runs.trash.trigger()
    runs[0].path.mkdir()
    window.actions_of_runs.undo_stack.undo()
    assert "already exists. The run is still in the trash" in window.banner.text.text()


def test_the_comparison_shows_only_differences(window, runs):
    items = [window.store.find(runs[0].path), window.store.find(runs[2].path)]
    assert settings_table(items) == [("Method", ["VAE (unsupervised)", "β-VAE (unsupervised)"]), ("Seed", ["3", "2"])]
    # The common settings, and β: a VAE has none of its own. "method" is where those are held.
    assert len(settings_table(items, everything=True)) == len({*RunConfig.model_fields, "beta"} - {"method"})


def test_kept_weights_can_be_viewed_again(qtbot, window, tiny_run):
    import shutil

    run = Run.open(shutil.copytree(tiny_run.path, window.store.root / "tiny"))
    window.store.refresh()
    choose(window, run)
    window.actions_of_runs.keep.trigger()
    assert "at step 60." in window.banner.text.text()
    assert window.store.find(run.path).kept_steps == [60]
    window.header.tabs.button(1).click()
    page = window.traversal_page
    page.source.weights.setCurrentIndex(page.source.weights.findData(60))
    qtbot.waitUntil(lambda: page.answer is not None, timeout=60_000)
    assert page.answer.result.traversal.step == 60


def test_shortcuts_follow_the_selection_even_if_the_menu_was_opened_for_another_run(window, runs):
    actions = window.actions_of_runs
    choose(window, runs[0])
    window.run_list.menu.aboutToShow.emit()
    assert (actions.use.isEnabled(), actions.compare.isEnabled()) == (True, False)
    choose(window, *runs[:2])
    assert (actions.use.isEnabled(), actions.compare.isEnabled()) == (False, True)


def test_undo_by_key_withdraws_the_offer(window, runs):
    actions = window.actions_of_runs
    choose(window, runs[0])
    window.run_list.renamed.emit(runs[0].path, "mine")
    actions.hide.trigger()
    assert window.banner.action.text() == "Undo"
    assert window.banner.isVisible()
    actions.undo_stack.undo()  # Ctrl+Z
    assert window.banner.isHidden()
    assert Run.open(runs[0].path).marks()["name"] == "mine"


def test_if_the_selected_run_is_hidden_the_next_one_is_selected(window, runs):
    order = [item.path for item in window.run_list.shown_items()]
    window.run_list.select(order[1])
    window.actions_of_runs.hide.trigger()
    assert [item.path for item in window.run_list.items()] == [order[2]]
    assert window.run_list._count.text() == "3 of 4 runs shown"
    window.run_list.select(order[3])
    window.actions_of_runs.hide.trigger()  # the last: the one above
    assert [item.path for item in window.run_list.items()] == [order[2]]
    window.actions_of_runs.undo_stack.undo()
    assert window.run_list._count.text() == "3 of 4 runs shown"


def test_settings_that_a_method_does_not_use_are_not_compared(window, make_run):
    """A β-VAE has neither γ nor C; of the two lengths only the one in use counts."""
    root = window.store.root
    for gamma, capacity in ((10, 5), (100, 25)):
        make_run(root, objective="beta-vae", gamma=gamma, capacity_max=capacity, epochs=gamma)
    make_run(root, objective="annealed-relu", gamma=1000)
    window.store.refresh()
    annealed, *beta = window.store.items
    assert settings_table(beta) == []
    rows = dict(settings_table([annealed, *beta], everything=True))
    assert rows["γ"] == ["1,000", "–", "–"]
    assert rows["β"] == ["–", "4", "4"]
    methods = ["Annealed VAE (ReLU) (unsupervised)", "β-VAE (unsupervised)", "β-VAE (unsupervised)"]
    assert settings_table([annealed, *beta]) == [("Method", methods)]


def test_the_supervision_is_said_found_and_compared(window, make_run):
    for settings in ({"objective": "ada-gvae"}, {"objective": "vae", "conditional": True}, {"objective": "vae"}):
        make_run(window.store.root, dataset="dsprites", data_folder=None, **settings)
    window.store.refresh()
    supervised, paired, plain = (("vae", True),), (("ada-gvae", False),), (("vae", False),)
    for text, left in (
        ("supervised", supervised),
        ("unsuperv", plain),
        ("weakly supervised", paired),
        ("supervised weak", paired),
        ("supervised ada", ()),
        ("weakly", paired),
    ):
        window.run_list.filter.setText(text)
        shown = [item.run.config for item in window.run_list.shown_items()]
        assert tuple((config.objective, config.conditional) for config in shown) == left, text
    tip = window.run_list.shown.index(0, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert "Ada-GVAE (weakly supervised), dSprites" in tip
    window.run_list.filter.clear()
    rows = dict(settings_table(window.store.items))
    assert set(rows["Method"]) == {"Ada-GVAE (weakly supervised)", "VAE (supervised)", "VAE (unsupervised)"}


def test_the_supervision_is_painted_where_there_is_room(window, runs, make_run, monkeypatch):
    painted = []
    elide = QFontMetrics.elidedText
    monkeypatch.setattr(
        QFontMetrics, "elidedText", lambda m, text, *rest: painted.append(text) or elide(m, text, *rest)
    )
    make_run(window.store.root, dataset="dsprites", data_folder=None, objective="ada-gvae", name="pairs")
    window.store.refresh()
    window.run_list.filter.setText("pairs")
    for width, label, seed in ((500, "weakly supervised", True), (290, "weakly sup", True), (222, "weakly sup", False)):
        painted.clear()
        window.run_list.view.setFixedWidth(width)
        window.run_list.view.grab()
        [kind] = [text for text in painted if "Ada-GVAE" in text]
        assert kind.startswith(f"dSprites · Ada-GVAE · {label}")
        assert ("seed" in kind) == seed
    window.run_list.filter.setText("VAE · 3")
    for width, label in ((500, " · unsupervised · seed"), (190, "VAE · seed")):
        painted.clear()
        window.run_list.view.setFixedWidth(width)
        window.run_list.view.grab()
        assert any(label in text for text in painted)


def test_differing_settings_are_shown_with_enough_digits(window, make_run):
    for beta in (4.1234567, 4.12346):
        make_run(window.store.root, objective="beta-vae", beta=beta)
    window.store.refresh()
    assert settings_table(window.store.items) == [("β", ["4.12346", "4.1234567"])]


def test_in_a_narrow_list_the_time_is_dropped_before_text_is_cut(window, runs, monkeypatch):
    item = window.store.find(runs[0].path)
    item.state = RunState("running", 50, 100)
    monkeypatch.setattr(RunItem, "seconds", 8.0)
    painted_words = []
    elide = QFontMetrics.elidedText

    def spied(metrics, text, *rest):
        painted_words.append((text, elide(metrics, text, *rest)))
        return painted_words[-1][1]

    monkeypatch.setattr(QFontMetrics, "elidedText", spied)
    monkeypatch.setattr(RunItem, "last", lambda item, name: {"reconstruction": 2141.6, "kl": 12.7}[name])
    window.run_list.view.setFixedWidth(220)
    window.run_list.view.grab()
    [(text, painted)] = {pair for pair in painted_words if pair[0].startswith("training")}
    assert text == painted == "training 50 %"
    painted_words.clear()
    window.run_list.view.setFixedWidth(500)
    window.run_list.view.grab()
    assert ("training 50 % · 8 s", "training 50 % · 8 s") in painted_words
