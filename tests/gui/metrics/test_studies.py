"""Studies in the window: a growing table, opening runs, stopping and resuming, the methods text, bad files."""

import contextlib
import queue
import shutil
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMessageBox

from engine.evaluation.evaluate import evaluate
from engine.evaluation.table_formats import comma_separated
from engine.jobs.control import Control, drive, last_event
from engine.jobs.workers import Outcome
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.studies import (
    StudyEstimated,
    StudyProgress,
    estimate_study,
    load_study,
    methods_text,
    shipped_studies,
    study_table,
)
from engine.studies.cluster import host, remote
from engine.studies.workers import work_on
from engine.system.paths import RESOURCES
from engine.training.pace import Pace
from engine.training.trainer import train
from gui.metrics.study_builder import StudyBuilder
from gui.metrics.study_choice import StudyChoice
from gui.widgets.words import duration
from gui.window.header import TABS

LEFT = Qt.MouseButton.LeftButton
PATIENCE = 60_000
"""Milliseconds that a process may take to load torch on a busy machine."""


@pytest.fixture(scope="module")
def study(tmp_path_factory, study_file):
    """Two methods with one seed, 60 steps each, and a quick version that takes long."""
    changes = ("seeds = [0, 1]", "seeds = [0]"), ("\nepochs = 1", "\nsteps = 100_000")
    return load_study(study_file(tmp_path_factory.mktemp("study"), *changes))


class PoolInThread:
    """Does what `engine.studies.workers.WorkerPool` does, one task at a time, in a thread.

    Processes take seconds to load torch; tests/engine/studies/test_study_running.py has them.
    """

    def __init__(self, count):
        self.reports, self.control, self.number, self.thread = queue.SimpleQueue(), Control(), None, None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()

    def stop(self):
        self.control.stop()
        if self.thread is not None:
            self.thread.join()
        return []

    @property
    def busy(self):
        return self.number is not None

    @property
    def has_room(self):
        return not self.busy

    def assign(self, number, task):
        def work():
            for event in drive(work_on(task), self.control):
                self.reports.put(event)
            self.reports.put(Outcome())

        self.number, self.thread = number, threading.Thread(target=work)
        self.thread.start()

    def receive(self, timeout):
        found = []
        with contextlib.suppress(queue.Empty):
            found = [(self.number, self.reports.get(timeout=timeout))]
            if isinstance(found[0][1], Outcome):
                self.number = None
        return found


@pytest.fixture(scope="module")
def half(tmp_path_factory, study):
    """A runs folder with the first cell trained and evaluated, and the second stopped after some steps."""
    folder = tmp_path_factory.mktemp("half")
    for cell, stop in zip(study.cells, (False, True), strict=True):
        run = Run.create(folder, cell.config.changed(device="cpu", threads=1), study.run_name(cell))
        control = Control()
        for event in drive(train(run), control):
            if stop and getattr(event, "done", 0) >= 10:
                control.stop()
        if not stop:
            for _ in evaluate(run, study.metrics):
                pass
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory, half, study):
    """The same folder with both cells trained and evaluated."""
    folder = shutil.copytree(half, tmp_path_factory.mktemp("whole") / "runs")
    run = Run.open(folder / study.run_name(study.cells[1]))
    for job in (train(run), evaluate(run, study.metrics)):
        for _ in job:
            pass
    return folder


@pytest.fixture
def open_window(request, settings, study, tmp_path, monkeypatch):
    """Open the window on the Metrics page with that study; `open_window(runs, length)` returns its panel."""

    def measured(wanted, plan):
        # Steps are timed in processes, which take seconds to start; see tests/engine/studies/test_study_running.py.
        yield from ()
        return {key: Pace(0.01, 1_000_000, 1797) for key in wanted}

    monkeypatch.setattr("engine.studies.estimate._measured", measured)

    def make(runs: Path | None = None, length="full", file=study.path):
        if runs is not None:
            shutil.copytree(runs, tmp_path / "runs")
        settings.setValue("metrics/rows", "study")
        settings.setValue("metrics/study", str(file))
        settings.setValue("metrics/study-length", length)
        settings.setValue("tab", TABS.index("Metrics"))
        return request.getfixturevalue("window")

    return make


@pytest.fixture
def window_with_half(qtbot, open_window, half):
    window = open_window(half)
    qtbot.waitUntil(lambda: window.metrics_page.model.rowCount() == 2, timeout=PATIENCE)
    return window


def column(page, key):
    place = page.model.table.index(key)
    return [page.model.index(row, place).data() for row in range(page.model.rowCount())]


def test_a_study_shows_its_status_resumes_and_ends_with_the_engines_table(qtbot, window_with_half, study, monkeypatch):
    monkeypatch.setattr("engine.studies.running.WorkerPool", PoolInThread)
    page, panel = window_with_half.metrics_page, window_with_half.metrics_page.study
    assert column(page, "name") == ["VAE", "Annealed, γ = 10"]
    assert column(page, "n") == ["1", "0"]
    assert column(page, "state")[0] == "done"
    assert column(page, "state")[1].startswith("stopped at ")
    first, missing = column(page, "reconstruction")
    assert float(first) > 0
    assert missing == "–"
    place = page.model.index(1, page.model.table.index("reconstruction"))
    assert "trained up to step" in place.data(Qt.ItemDataRole.ToolTipRole)
    needed = last_event(estimate_study(study, window_with_half.store.root), StudyEstimated).needed
    assert 0 < needed.seconds < 0.01 * (60 + 1.2 * 1797)  # the rest of the 60 steps, and the evaluation of each image
    estimate = f"Time left: about {duration(needed.seconds)} on this machine"
    qtbot.waitUntil(lambda: estimate in panel.summary.text(), timeout=PATIENCE)
    assert panel.summary.text().startswith("2 runs: 2 methods × 1 seed; 1 done, 1 started.")
    assert panel.foot.start.text() == "Resume"
    seen = []
    window_with_half.studies.changed.connect(lambda: seen.append(window_with_half.studies.progress))
    with qtbot.waitSignal(window_with_half.studies.ended, timeout=PATIENCE):
        qtbot.mouseClick(panel.foot.start, LEFT)
        assert not panel.choice.isEnabled()
        assert panel.foot.stop.isVisible()
        assert window_with_half.training.blocked
    assert any(isinstance(progress, StudyProgress) and progress.cells_done == 1 for progress in seen)
    qtbot.waitUntil(lambda: column(page, "n") == ["1", "1"], timeout=PATIENCE)
    assert page.model.table.index("state") is None  # no message is left
    expected = study_table(study, window_with_half.studies.root)
    expected = expected.only({heading.key for heading in expected.headings} - {"dataset"})
    assert comma_separated(page.model.table) == comma_separated(expected)
    assert "all trained and evaluated" in panel.summary.text()
    assert not panel.foot.start.isEnabled()
    assert panel.foot.words.text() == "2 of 2 runs are trained and evaluated."
    assert not window_with_half.training.blocked


def test_closing_asks_and_stop_keeps_what_was_trained(qtbot, open_window, monkeypatch):
    monkeypatch.setattr("engine.studies.running.WorkerPool", PoolInThread)
    window = open_window(length="quick")
    panel, session = window.metrics_page.study, window.studies
    qtbot.waitUntil(panel.foot.start.isEnabled, timeout=PATIENCE)
    qtbot.mouseClick(panel.foot.start, LEFT)

    def trains():
        window.store.refresh()
        return len(window.store.items) == 1 and window.store.items[0].last("step")

    qtbot.waitUntil(trains, timeout=PATIENCE)
    asked = []

    def ask(box):
        asked.append((box.text(), box.informativeText()))
        return 0  # no button is pressed: the study continues

    monkeypatch.setattr(QMessageBox, "exec", ask)
    window.close()
    assert asked[0][0] == "A study is running."
    assert window.isVisible()
    assert session.active
    with qtbot.waitSignal(session.ended, timeout=PATIENCE):
        qtbot.mouseClick(panel.foot.stop, LEFT)
        assert "Stopping" in panel.foot.words.text()
    qtbot.waitUntil(lambda: panel.foot.start.text() == "Resume", timeout=PATIENCE)
    assert window.store.items[0].run.state().step > 0
    assert "0 of 2 runs" in panel.foot.words.text()


def test_a_row_opens_its_run(qtbot, window_with_half, study):
    page = window_with_half.metrics_page
    runs = window_with_half.studies.root
    page.view.doubleClicked.emit(page.model.index(1, 0))
    assert window_with_half.pages.currentWidget() is window_with_half.training_page
    assert [item.path for item in window_with_half.run_list.items()] == [runs / study.run_name(study.cells[1])]
    window_with_half._show_page(TABS.index("Metrics"))
    page.view.setCurrentIndex(page.model.index(0, 0))
    qtbot.mouseClick(page.subject.open, LEFT)
    assert [item.path for item in window_with_half.run_list.items()] == [runs / study.run_name(study.cells[0])]


def test_the_best_run_is_selected_by_a_metric_that_compares_runs_or_by_one_of_the_study(
    qtbot, open_window, whole, study
):
    window = open_window(whole)
    page, panel = window.metrics_page, window.metrics_page.study
    qtbot.waitUntil(panel.best.isEnabled, timeout=PATIENCE)
    menu = panel.best.menu()
    menu.aboutToShow.emit()
    offered = {action.text(): action for action in menu.actions() if action.data()}
    assert list(offered)[:3] == ["By UDR (Lasso)", "By UDR (Spearman)", "By ModelCentrality"]
    assert "By Reconstruction loss" in offered
    with qtbot.waitSignal(window.evaluation.ended, timeout=PATIENCE):
        offered["By UDR (Lasso)"].trigger()
        assert page.cancel_button.isVisible()
        assert not page.evaluate_button.isVisible()
    values = {run: Run.open(run).evaluation()["metrics"]["udr_lasso"]["value"] for run in panel.evaluated}
    best = max(values, key=values.get)
    qtbot.waitUntil(lambda: panel.foot.words.text().startswith("Best of 2 runs by UDR (Lasso): "), timeout=PATIENCE)
    assert panel.each.isChecked()
    assert page.subject.row.path == best
    assert not page.cancel_button.isVisible()
    qtbot.waitUntil(lambda: page.model.table.index("udr_lasso") is not None, timeout=PATIENCE)
    menu.aboutToShow.emit()
    next(action for action in menu.actions() if action.text() == "By Reconstruction loss").trigger()
    values = {run: Run.open(run).evaluation()["metrics"]["reconstruction"]["value"] for run in panel.evaluated}
    qtbot.waitUntil(lambda: "by Reconstruction loss" in panel.foot.words.text(), timeout=PATIENCE)
    assert page.subject.row.path == min(values, key=values.get)  # lower is better


def test_more_seeds_add_runs_and_are_remembered(qtbot, window_with_half, settings):
    page, panel = window_with_half.metrics_page, window_with_half.metrics_page.study
    panel.choice.seeds.setValue(3)
    qtbot.mouseClick(panel.each, LEFT)
    qtbot.waitUntil(lambda: page.model.rowCount() == 6, timeout=PATIENCE)
    assert column(page, "name")[:3] == ["VAE, seed 0", "Annealed, γ = 10, seed 0", "VAE, seed 1"]
    assert column(page, "state")[2] == "not started"
    qtbot.mouseClick(panel.each, LEFT)
    assert column(page, "state")[0] == "1 done, 2 not started"
    panel.choice.lengths.button(1).click()
    assert panel.study.quick
    assert panel.choice.seeds.value() == 1
    panel.choice.lengths.button(0).click()
    assert panel.choice.seeds.value() == 3


def test_the_methods_text_is_copied_to_the_clipboard(qtbot, window_with_half, study):
    panel = window_with_half.metrics_page.study
    qtbot.mouseClick(panel.text, LEFT)
    assert QGuiApplication.clipboard().text() == methods_text(study, window_with_half.studies.root)
    assert "Adam" in QGuiApplication.clipboard().text()


def test_a_broken_file_is_explained_and_the_previous_study_stays(window_with_half, study, study_file, tmp_path):
    panel = window_with_half.metrics_page.study
    panel.choice.open_file(study_file(tmp_path, ('objective = "vae"', 'objective = "gan"'), name="broken"))
    assert "broken.toml" in panel.error.text()
    assert "gan" in panel.error.text()
    assert panel.error.isVisible()
    assert panel.study == study
    panel.choice.open_file(study_file(tmp_path, ("[quick]\nseeds = [0]\nepochs = 1\n", ""), name="good"))
    assert not panel.error.isVisible()
    assert panel.study.name == "good"
    assert not panel.choice.lengths.button(1).isEnabled()  # it has no [quick]


def test_a_built_in_study_is_remembered_by_name_and_listed_once(window_with_half, settings):
    choice = window_with_half.metrics_page.study.choice
    choice.open_file(RESOURCES / "studies" / "table-2.toml")
    assert choice.study.name == "table-2"
    assert settings.value("metrics/study") == "table-2"
    titles = [choice.studies.itemText(place) for place in range(choice.studies.count())]
    assert titles == [*(study.title for study in shipped_studies()), "Tiny"]
    again = StudyChoice(settings)
    again.load()
    assert again.study.name == "table-2"


def test_a_study_waits_for_a_run_and_a_run_for_a_study(qtbot, window_with_half):
    panel, training = window_with_half.metrics_page.study, window_with_half.training
    window_with_half.studies.block("A run is training.")
    assert not panel.foot.start.isEnabled()
    assert panel.foot.words.text() == "A run is training."
    window_with_half.studies.block("")
    assert panel.foot.start.isEnabled()
    training.block(True)
    path = window_with_half.store.items[0].path
    training.train_or_queue(path)
    assert not training.active
    assert training.queue.position(path) == 0
    training.block(False)
    assert training.active
    assert window_with_half.studies.blocked_by
    with qtbot.waitSignal(training.ended, timeout=PATIENCE):
        training.stop()
    assert not window_with_half.studies.blocked_by


def test_without_a_choice_the_first_is_the_reports_first_table_quick(qtbot, open_window):
    window = open_window(file="", length="quick")
    panel = window.metrics_page.study
    qtbot.waitUntil(lambda: window.metrics_page.model.rowCount() == 4, timeout=PATIENCE)
    titles = [panel.choice.studies.itemText(n) for n in range(panel.choice.studies.count())]
    assert "Table 1: MNIST" in titles
    assert "Table 2: dSprites" in titles
    assert panel.foot.start.isEnabled()


def test_a_study_is_built_by_clicks_and_shown(qtbot, open_window, private_folders, monkeypatch):
    """β-VAE with two values of β and two of normalisation on the digits: the cells of the file, read back."""
    monkeypatch.setattr("engine.studies.estimate._measured", lambda wanted, plan: iter(()))
    window = open_window()
    window.training_page.settings.show_config(RunConfig(dataset="digits", objective="beta-vae", epochs=2, seed=9))
    menu = window.metrics_page.study.choice.more.menu()
    next(action for action in menu.actions() if action.text() == "New study…").trigger()
    builder = window.findChild(StudyBuilder)
    qtbot.waitUntil(builder.isVisible)
    assert builder.objectives == ("beta-vae",)
    qtbot.mouseClick(builder.add, LEFT)
    [row] = builder.rows
    assert (row.name, row.empty, builder.save.isEnabled()) == ("beta", True, False)
    assert builder.error.text() == ""  # nothing is wrong yet
    qtbot.keyClicks(row.values, "1, x")
    assert "β is 'x'" in builder.error.text()
    qtbot.keyClick(row.values, Qt.Key.Key_Backspace)
    qtbot.keyClicks(row.values, "8")
    qtbot.mouseClick(builder.add, LEFT)
    second = builder.rows[1]
    assert second.name == "normalisation"
    assert "beta" not in [second.setting.itemData(n) for n in range(second.setting.count())]
    for value in ("none", "group"):
        second.choices.box(value).click()
    builder.seeds.setValue(2)
    builder.title.setText("By clicks")
    assert builder.summary.text().startswith("4 rows × 2 seeds = 8 runs: β = 1, Normalisation = None;")
    qtbot.mouseClick(builder.save, LEFT)
    path = private_folders / "config" / "Disentangle Studio" / "studies" / "By-clicks.toml"
    cells = {(c.config.value("beta"), c.config.normalisation, c.seed) for c in load_study(path).cells}
    assert cells == {(beta, kind, seed) for beta in (1, 8) for kind in ("none", "group") for seed in (0, 1)}
    panel = window.metrics_page.study
    assert panel.study.title == "By clicks"
    assert window.metrics_page.options.study
    qtbot.waitUntil(lambda: window.metrics_page.model.rowCount() == 4, timeout=PATIENCE)
    panel.choice._remove_study(panel.study)
    assert not path.exists()
    assert panel.study.title != "By clicks"


def test_a_setting_is_no_longer_varied_once_it_is_removed(qtbot, open_window, monkeypatch):
    monkeypatch.setattr("engine.studies.estimate._measured", lambda wanted, plan: iter(()))
    window = open_window()
    window.training_page.settings.study_asked.emit()
    builder = window.findChild(StudyBuilder)
    qtbot.mouseClick(builder.add, LEFT)
    assert not builder.save.isEnabled()
    builder.rows[0]._remove()
    assert (builder.rows, builder.save.isEnabled()) == ([], True)
    builder.methods.choose(())
    builder.methods.changed.emit()
    assert "at least one method" in builder.error.text()
    builder.reject()


@pytest.fixture
def cluster(monkeypatch):
    """The address of a scheduler with one slot; what a cell does in a child process is done in the worker's thread."""
    from distributed import LocalCluster

    class Commands:
        """What the host tells a cell, obeyed at once."""

        def __init__(self, control, names):
            self.append = lambda name: getattr(control, name)()
            for name in names:
                self.append(name)

        def __contains__(self, name):
            return False

    def work(cell, task):
        control = Control()
        cell.commands = Commands(control, cell.commands)
        for event in drive(work_on(task), control):
            remote._add(cell, event)
        return Outcome()

    monkeypatch.setattr(remote, "_work", work)
    monkeypatch.setattr(host, "POLL_SECONDS", 0.05)
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as made:
        yield made.scheduler_address


def choose_cluster(panel, monkeypatch, address):
    """Choose "On a cluster…" and type an address; return what was offered to be confirmed."""
    offered = []

    def ask(parent, title, words, text):
        offered.append(text)
        return address, True

    monkeypatch.setattr("gui.metrics.study_panel.ask_text", ask)
    place = panel.foot.where.findData("cluster")
    panel.foot.where.setCurrentIndex(place)
    panel.foot.where.activated.emit(place)
    return offered[0]


def test_a_wrong_address_is_a_sentence_and_the_right_one_trains_the_study(
    qtbot, window_with_half, study, cluster, monkeypatch
):
    monkeypatch.setattr(host, "CONNECT_SECONDS", 2)
    page, panel, session = window_with_half.metrics_page, window_with_half.metrics_page.study, window_with_half.studies
    assert choose_cluster(panel, monkeypatch, "tcp://127.0.0.1:9") == "tcp://"
    assert "On the cluster at tcp://127.0.0.1:9." in panel.summary.text()
    with qtbot.waitSignal(session.ended, timeout=PATIENCE):
        qtbot.mouseClick(panel.foot.start, LEFT)
    assert "There is no scheduler at tcp://127.0.0.1:9." in panel.foot.words.text()
    assert panel.foot.start.isEnabled()
    assert choose_cluster(panel, monkeypatch, cluster) == "tcp://127.0.0.1:9"
    with qtbot.waitSignal(session.ended, timeout=PATIENCE):
        qtbot.mouseClick(panel.foot.start, LEFT)
    assert panel.foot.words.text() == "2 of 2 runs are trained and evaluated."
    qtbot.waitUntil(lambda: column(page, "n") == ["1", "1"], timeout=PATIENCE)
    run = Run.open(session.root / study.run_name(study.cells[1]))
    assert run.state().step == 60


def test_a_study_on_a_cluster_is_paused_resumed_and_stopped(qtbot, open_window, cluster, monkeypatch):
    window = open_window(length="quick")
    panel, session = window.metrics_page.study, window.studies
    qtbot.waitUntil(panel.foot.start.isEnabled, timeout=PATIENCE)
    choose_cluster(panel, monkeypatch, cluster)
    qtbot.mouseClick(panel.foot.start, LEFT)

    def steps():
        window.store.refresh()
        return window.store.items[0].last("step") or 0 if window.store.items else 0

    qtbot.waitUntil(lambda: steps() > 0, timeout=PATIENCE)
    qtbot.mouseClick(panel.foot.pause, LEFT)
    run = window.store.items[0].run
    qtbot.waitUntil(lambda: run.state().state == "paused", timeout=PATIENCE)
    assert panel.foot.pause.text() == "Resume"
    at = run.state().step
    qtbot.mouseClick(panel.foot.pause, LEFT)
    qtbot.waitUntil(lambda: steps() > at, timeout=PATIENCE)
    with qtbot.waitSignal(session.ended, timeout=PATIENCE):
        qtbot.mouseClick(panel.foot.stop, LEFT)
    assert run.state().state == "stopped"
    assert not run.is_locked()
    qtbot.waitUntil(lambda: panel.foot.start.text() == "Resume", timeout=PATIENCE)
