"""Plug-ins in the window: dropped, reviewed, listed, loaded and unloaded while it is open."""

import hashlib
import os
import shutil
from types import SimpleNamespace

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QMessageBox, QPushButton

from engine.evaluation.catalogue import METRICS
from engine.evaluation.metric import Metric, column
from engine.jobs import workers
from engine.methods.registry import METHODS
from engine.plugins.plugin import Plugin
from engine.plugins.registering import PLUGINS, register, unregister
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.system.paths import RESOURCES, plugins_folder
from engine.system.registry import Origin
from gui.plugins import host
from gui.plugins.review import ReviewDialog
from gui.runs.store import RunItem
from gui.settings.dialog import SettingsDialog
from gui.training.method_box import ABOUT
from gui.window.in_use import plugins_in_use

EXAMPLES = RESOURCES / "examples" / "plugins"
TIMEOUT = 60_000
"""Milliseconds: a process takes seconds to import the application on a busy machine."""

HANGS = "while context.step == 15: open({mark!r}, 'w').close()"
"""A step that never ends; a file says when it has begun."""

ODD = """'''A VAE whose step a test writes.'''
from engine.plugins.interface import INTERFACE, MethodSettings, Plugin, setting
from engine.methods.beta_vae import BetaVae


class Odd(BetaVae):
    title = "Odd VAE"
    short = "odd"

    class Settings(BetaVae.Settings):
        pass

    def step(self, batch, context):
        terms = super().step(batch, context)
        {step}
        return terms

    def decode(self, z, labels=None):
        {decode}
        return super().decode(z, labels)


PLUGIN = Plugin("odd", "{version}", INTERFACE, methods={{"odd-vae": Odd}}, about="Its step is written by a test.")
"""


def odd(step="pass", decode="pass", version="1.0"):
    return ODD.format(step=step, decode=decode, version=version)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """A configuration folder for each test, and nothing loaded after it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("engine.jobs.processes._preparation", [])
    monkeypatch.setattr(host, "POLL_MS", 100)
    yield
    for name in list(PLUGINS):
        unregister(name)


@pytest.fixture
def folder():
    folder = plugins_folder()
    folder.mkdir(parents=True)
    return folder


def drop(widget, *paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    none, left = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton
    event = QDropEvent(QPointF(20, 20), Qt.DropAction.CopyAction, data, left, none)
    widget.dropEvent(event)
    return event


def dialog_of(window, kind):
    return next(dialog for dialog in window.findChildren(kind) if dialog.isVisible())


def press(qtbot, button):
    assert button.isVisible()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def wait_until(qtbot, condition):
    """Wait as long as a busy machine may need: a limit that is reached is a failure, whatever its length."""
    qtbot.waitUntil(condition, timeout=TIMEOUT)


def wait_for_loaded(qtbot, window, key):
    wait_until(qtbot, lambda: window.plugins.plugins.find(key).standing == "loaded")


def add(qtbot, window, path):
    """Drop a file on the window and allow it, as a user would."""
    drop(window, path)
    press(qtbot, dialog_of(window, ReviewDialog).allow_button)
    wait_for_loaded(qtbot, window, path.name)


def methods_offered(window):
    combo = window.training_page.settings.form._editors["objective"]
    return [combo.itemData(number) for number in range(combo.count())]


def open_page(qtbot, window):
    next(action for action in window.actions() if action.text() == "Plug-ins…").trigger()
    dialog = dialog_of(window, SettingsDialog)
    wait_until(qtbot, dialog.plugins.isVisible)
    return dialog


def rows(page):
    items = [page.list.topLevelItem(number) for number in range(page.list.topLevelItemCount())]
    return [[item.text(column) for column in range(3)] for item in items]


def test_a_dropped_file_is_asked_about_and_what_it_brings_is_there_without_a_restart(qtbot, window):
    path = EXAMPLES / "free_bits_vae.py"
    form = window.training_page.settings.form
    form.set_values(batch_size=17)
    event = drop(window, path)
    assert event.isAccepted()
    asked = dialog_of(window, ReviewDialog)
    assert asked.title.text() == "Add the plug-in free_bits_vae.py?"
    assert not asked.text.isVisible()
    press(qtbot, asked.show_text)
    assert asked.text.toPlainText() == path.read_text("utf-8")
    assert not (plugins_folder() / path.name).exists()
    assert "free-bits-vae" not in methods_offered(window)
    press(qtbot, asked.allow_button)
    wait_for_loaded(qtbot, window, path.name)
    assert (plugins_folder() / path.name).read_bytes() == path.read_bytes()
    assert "free-bits-vae" in methods_offered(window)
    assert form.edits["batch_size"] == "17"  # what was typed stays
    wait_until(qtbot, lambda: window.banner.text.text() == "free-bits 1.0 is loaded: method free-bits-vae.")
    combo = form._editors["objective"]
    place = combo.findData("free-bits-vae")
    assert "From the plug-in free-bits 1.0." in combo.itemData(place, Qt.ItemDataRole.ToolTipRole)
    assert combo.itemData(place, ABOUT).endswith(" · plug-in free-bits")
    form.set_values(objective="free-bits-vae")
    assert form.config().value("free_nats") == 0.5


def test_cancel_leaves_no_file(qtbot, window):
    drop(window, EXAMPLES / "free_bits_vae.py")
    press(qtbot, dialog_of(window, ReviewDialog).cancel)
    assert not plugins_folder().exists()
    assert window.plugins.plugins.listed() == []


def test_several_files_are_asked_about_one_after_the_other(qtbot, window, tmp_path):
    (tmp_path / "long.py").write_text("#" * 1_000_001)
    drop(window, EXAMPLES / "free_bits_vae.py", tmp_path / "long.py", EXAMPLES / "broadcast_network.py")
    first = dialog_of(window, ReviewDialog)
    assert first.title.text() == "Add the plug-in free_bits_vae.py?"
    press(qtbot, first.cancel)
    wait_until(qtbot, lambda: not first.isVisible())
    second = dialog_of(window, ReviewDialog)
    assert second.title.text() == "Add the plug-in broadcast_network.py?"
    assert "long.py" in window.banner.text.text()  # what can be no plug-in does not keep the others back
    press(qtbot, second.cancel)
    assert window.plugins.plugins.listed() == []


def test_a_plug_in_among_other_files_is_not_taken(qtbot, window, tmp_path):
    assert not drop(window, EXAMPLES / "free_bits_vae.py", tmp_path).isAccepted()


@pytest.mark.parametrize("page", ["Traversal", "Metrics", "Data"])
def test_a_file_can_be_dropped_on_every_page(qtbot, window, page):
    window._show_page(["Training", "Traversal", "Metrics", "Data"].index(page))
    target = window.pages.currentWidget()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(EXAMPLES / "free_bits_vae.py"))])
    if page == "Traversal":  # it takes images itself, and leaves this to the window
        assert not target.incoming.welcomes(data)
    drop(window, EXAMPLES / "free_bits_vae.py")
    press(qtbot, dialog_of(window, ReviewDialog).cancel)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has none")
def test_what_can_be_no_plug_in_is_a_sentence(qtbot, window, tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    drop(window, tmp_path / "pipe.py")
    assert window.banner.text.text() == "pipe.py cannot be read: it is not a regular file."


def test_a_new_file_in_the_folder_is_offered_once_and_refused_in_the_list(qtbot, window, folder):
    (folder / "odd.py").write_text(odd())
    words = "odd.py is new in the plug-in folder. It is not loaded until you allow it."
    wait_until(qtbot, lambda: window.banner.text.text() == words)
    press(qtbot, window.banner.action)
    page = dialog_of(window, SettingsDialog).plugins
    assert rows(page) == [["odd.py", "new, not allowed yet", ""]]
    press(qtbot, page.refuse)
    assert rows(page) == [["odd.py", "refused", ""]]
    assert window.banner.isHidden()
    assert "odd-vae" not in METHODS
    press(qtbot, page.allow)
    wait_for_loaded(qtbot, window, "odd.py")
    wait_until(qtbot, lambda: rows(page) == [["odd 1.0", "loaded", "method odd-vae"]])
    assert page.about.text() == "Its step is written by a test."


def test_the_code_that_was_shown_is_allowed_and_not_what_the_file_holds_by_then(qtbot, window, folder):
    """Once the answer was for whatever the list showed when it was given."""
    shown, changed = odd().encode(), odd(version="6.6").encode()
    (folder / "odd.py").write_bytes(shown)
    page = open_page(qtbot, window).plugins
    wait_until(qtbot, lambda: rows(page) == [["odd.py", "new, not allowed yet", ""]])
    press(qtbot, page.text)
    asked = dialog_of(window, ReviewDialog)
    assert asked.text.toPlainText().encode() == shown
    (folder / "odd.py").write_bytes(changed)
    plugins = window.plugins.plugins
    wait_until(qtbot, lambda: plugins.find("odd.py").fingerprint == hashlib.sha256(changed).hexdigest())
    press(qtbot, asked.allow_button)
    answers = plugins.consent.read()
    assert [answers.answer(hashlib.sha256(code).hexdigest()) for code in (shown, changed)] == ["allowed", None]
    assert rows(page) == [["odd.py", "changed, not allowed yet", ""]]
    assert "odd-vae" not in METHODS


class FakeJob:
    """As far as `plugins_in_use` looks at the sessions and the page that it is given."""

    active = preparing = False
    run = study = None
    runs = ()


def test_a_metric_is_in_use_while_a_study_computes_it(tmp_path):
    """Once it was replaced meanwhile, and one study had the values of both versions."""
    score = type("Score", (Metric,), {"columns": (column("own", "Own", "A.", "b"),), "compute": None})
    score.__abstractmethods__ = frozenset()
    register(Plugin("own", "1.0", 1, metrics={"own": score()}), Origin("", "", "a" * 64))
    studies = FakeJob()
    studies.study = SimpleNamespace(cells=[SimpleNamespace(config=RunConfig())], metrics=("kl", "own"))
    idle = FakeJob()
    assert plugins_in_use(idle, idle, studies, idle) == set()
    studies.active = True
    assert plugins_in_use(idle, idle, studies, idle) == {"own"}
    studies.study.metrics = ("kl",)
    assert plugins_in_use(idle, idle, studies, idle) == set()


def test_runs_of_ours_are_not_opened_again_when_a_plug_in_comes(window, tiny_run, tmp_path, monkeypatch):
    """With thousands of runs the window stood still, and the table was made again for each."""
    for number in range(3):
        shutil.copytree(tiny_run.path, tmp_path / "runs" / f"r{number}")
    window.store.refresh()
    opened, told = [], []
    monkeypatch.setattr(RunItem, "reopen", opened.append)
    window.store.updated.connect(told.append)
    window._take_plugins()
    assert (len(window.store.items), opened, told) == (3, [], [])


def test_an_answer_given_in_a_terminal_withdraws_the_offer_and_counts(qtbot, window, folder):
    from engine.system.consent import Consent

    (folder / "odd.py").write_text(odd())
    wait_until(qtbot, lambda: window.banner.text.text().startswith("odd.py is new"))
    listed = window.plugins.plugins.find("odd.py")
    Consent(folder.parent / "plugins.json").give(listed.fingerprint, "odd.py", "allowed")
    wait_for_loaded(qtbot, window, "odd.py")
    assert window.banner.isHidden()


def test_a_changed_file_is_asked_about_and_replaces_what_was_loaded(qtbot, window, folder, tmp_path):
    (tmp_path / "odd.py").write_text(odd())
    add(qtbot, window, tmp_path / "odd.py")
    window.training_page.settings.form.set_values(objective="odd-vae", beta=7)
    first = METHODS["odd-vae"]
    (folder / "odd.py").write_text(odd(version="1.1"))
    words = "odd.py has changed since you were asked about it. It is not loaded until you allow it."
    wait_until(qtbot, lambda: window.banner.text.text() == words)
    assert METHODS["odd-vae"] is first
    press(qtbot, window.banner.action)
    page = dialog_of(window, SettingsDialog).plugins
    press(qtbot, page.allow)
    wait_until(qtbot, lambda: rows(page) == [["odd 1.1", "loaded", "method odd-vae"]])
    assert METHODS["odd-vae"] is not first
    config = window.training_page.settings.form.config()
    assert (config.objective, config.value("beta")) == ("odd-vae", 7)


def test_removing_it_leaves_its_runs_and_the_form_shows_something_else(
    qtbot, window, folder, tmp_path, make_run, agree, monkeypatch
):
    (tmp_path / "odd.py").write_text(odd())
    add(qtbot, window, tmp_path / "odd.py")
    run = make_run(tmp_path / "runs", objective="odd-vae", steps=5)
    window.store.refresh()
    form = window.training_page.settings.form
    form.set_values(objective="odd-vae", beta=7, latents=3, seed=600)
    page = open_page(qtbot, window).plugins
    monkeypatch.setattr("gui.plugins.page.ask", lambda parent, sentence, yes, accepted: accepted())
    press(qtbot, page.remove)
    assert rows(page) == []
    assert not (folder / "odd.py").exists()
    assert "odd-vae" not in methods_offered(window)
    shown = form.config()
    assert (shown.objective, shown.latents, shown.seed) == (form.basis.objective, 3, 600)  # what was typed stays
    [item] = window.store.items
    assert item.path == run.path
    assert METHODS[item.run.config.objective].title == "Odd VAE"  # what stands in for it


def test_what_cannot_be_loaded_says_why_and_can_be_tried_again(qtbot, window, folder, tmp_path):
    mark = tmp_path / "mark"
    (tmp_path / "odd.py").write_text(f"import pathlib\npathlib.Path({str(mark)!r}).read_text()\n{odd()}")
    drop(window, tmp_path / "odd.py")
    press(qtbot, dialog_of(window, ReviewDialog).allow_button)
    wait_until(qtbot, lambda: window.plugins.plugins.find("odd.py").standing == "not loaded")
    sentence = "odd.py cannot be loaded: it raised FileNotFoundError"
    wait_until(qtbot, lambda: sentence in window.banner.text.text())
    assert "(odd.py, line 2)" in window.banner.text.text()
    page = open_page(qtbot, window).plugins
    assert "line 2" in page.problem.text()
    mark.write_text("")
    press(qtbot, page.retry)
    wait_for_loaded(qtbot, window, "odd.py")


def test_a_metric_that_came_is_chosen_and_says_whose_it_is(qtbot, window):
    add(qtbot, window, EXAMPLES / "mig_sup_metric.py")
    assert "mig_sup" in METRICS
    chooser = window.metrics_page.chooser
    assert "mig_sup" in chooser.metrics
    assert "From the plug-in mig-sup 1.0." in chooser.box("mig_sup").toolTip()


def test_a_data_set_that_came_is_listed_and_says_whose_it_is(qtbot, window):
    window._show_page(3)
    add(qtbot, window, EXAMPLES / "blobs_dataset.py")
    data = window.data_page
    names = [data.list.item(number).text() for number in range(data.list.count())]
    data.list.setCurrentRow(len(names) - 1)
    assert "From the plug-in" in data.facts.text()
    assert data.entry.title == names[-1]


def test_the_help_lists_what_is_loaded_and_f1_leads_to_it(qtbot, window):
    add(qtbot, window, EXAMPLES / "free_bits_vae.py")
    dialog = open_page(qtbot, window)
    assert dialog.plugins.property("helpTopic") == "plugins"
    window.help.show_topic("plugins#plugin-free-bits")
    topics = window.help.shown._library.topics
    assert "VAE with free bits" in topics["plugins"].text
    assert "From the plug-in free-bits 1.0" in topics["settings"].text


def test_everything_on_the_page_has_a_name_and_a_tooltip(qtbot, window, folder):
    (folder / "odd.py").write_text(odd())
    wait_until(qtbot, window.banner.isVisible)
    page = open_page(qtbot, window).plugins
    assert page.list.accessibleName() == "Plug-ins"
    for button in page.findChildren(QPushButton):
        assert button.text()
        assert button.toolTip()
    press(qtbot, page.text)
    asked = dialog_of(page, ReviewDialog)
    assert asked.text.accessibleName() == "Text of odd.py"
    assert (asked.cancel.text(), asked.cancel.isDefault()) == ("Not now", True)
    press(qtbot, asked.refuse_button)
    assert rows(page) == [["odd.py", "refused", ""]]


# Runs


def train_odd(qtbot, window, tmp_path, **changes):
    (tmp_path / "odd.py").write_text(odd(**changes))
    add(qtbot, window, tmp_path / "odd.py")
    settings = {"dataset": "digits", "objective": "odd-vae", "network": "mlp", "latents": 3, "batch_size": 16}
    config = RunConfig.parse(settings | {"steps": 200, "device": "cpu", "threads": 1, "checkpoint_steps": 10})
    window._start(config)
    assert window.training.active


def train_until_it_hangs(qtbot, window, tmp_path):
    """Train to step 15, which does not end; the checkpoint is that of step 10."""
    mark = tmp_path / "it hangs"
    train_odd(qtbot, window, tmp_path, step=HANGS.format(mark=str(mark)))
    wait_until(qtbot, mark.exists)
    assert (window.training.run.checkpoint_folder / "model.safetensors").exists()


def test_a_run_with_it_trains_and_a_change_waits_until_it_has_ended(qtbot, window, folder, tmp_path):
    may_end = tmp_path / "may end"
    waits = f"while context.step == 15 and not os.path.exists({str(may_end)!r}): time.sleep(0.01)"
    train_odd(qtbot, window, tmp_path, step=f"import os, time\n        {waits}")
    (folder / "odd.py").unlink()
    page = open_page(qtbot, window).plugins
    wait_until(qtbot, lambda: page.problem.text() == host.WAITING)
    assert "odd-vae" in METHODS
    with qtbot.waitSignal(window.training.ended, timeout=TIMEOUT):
        may_end.touch()
    [item] = window.store.items
    assert item.run.state().state == "finished"
    wait_until(qtbot, lambda: rows(page) == [])


def test_a_step_that_never_ends_is_offered_to_be_ended_and_the_window_goes_on(qtbot, window, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "SILENCE", 1.5)
    reminder = window.training._reminder
    reminder.setInterval(100)
    train_until_it_hangs(qtbot, window, tmp_path)
    window.training_page.settings.stop_button.click()
    kept = "The run keeps its checkpoint at step 10."
    words = f"odd does not answer (odd.py, line 15). {kept}"
    wait_until(qtbot, lambda: window.banner.text.text() == words)
    reminder.stop()  # it could be back at once
    press(qtbot, window.banner.dismiss)
    assert not window.banner.isVisible()
    reminder.start()
    wait_until(qtbot, lambda: window.banner.isVisible() and window.banner.text.text() == words)
    with qtbot.waitSignal(window.training.ended, timeout=TIMEOUT):
        press(qtbot, window.banner.action)
    ended = f"odd did not answer (odd.py, line 15) and was ended. {kept}"
    assert window.banner.text.text() == f"odd · 0: {ended}"
    state = window.training.run.state()
    assert (state.state, state.message) == ("failed", ended)


def test_closing_the_window_ends_what_does_not_answer(qtbot, window, tmp_path, monkeypatch):
    monkeypatch.setattr(QMessageBox, "exec", lambda box: box.buttons()[0].click() or 0)
    window.closing._limit.setInterval(1000)  # not the five seconds of `closing.PATIENCE`
    train_until_it_hangs(qtbot, window, tmp_path)
    run = window.training.run
    with qtbot.waitSignal(window.training.ended, timeout=TIMEOUT):
        window.leave()
    assert run.state().state == "failed"
    assert "odd did not answer" in run.state().message


def test_a_decoder_that_raises_costs_its_answer_and_names_the_line(qtbot, window, tmp_path, tiny_run):
    (tmp_path / "odd.py").write_text(odd(decode="raise ZeroDivisionError('no picture')"))
    add(qtbot, window, tmp_path / "odd.py")
    # Weights of a β-VAE of the same network are its weights, too.
    shutil.copytree(tiny_run.path, tmp_path / "runs" / "odd")
    run = Run.open(tmp_path / "runs" / "odd")
    run.config = run.config.changed(objective="odd-vae")
    run._rewrite_config(run.config.to_json())
    window.store.refresh()
    window.run_list.select(run.path)
    window._show_page(1)
    words = "odd raised ZeroDivisionError: no picture (odd.py, line 19)."
    wait_until(qtbot, lambda: window.traversal_page.card.message.text() == words)
