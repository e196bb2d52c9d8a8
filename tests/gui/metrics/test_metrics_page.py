"""The Metrics page: table, sorting, columns, export, charts, evaluating, cancelling, bad input."""

import csv
import io
import json
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtGui import QGuiApplication

from engine.evaluation.catalogue import METRICS, ON_REQUEST, VERSION
from engine.evaluation.evaluate import evaluate
from engine.evaluation.grouping import METHOD
from engine.evaluation.intervals import OVER_DRAWS
from engine.evaluation.metric import Metric
from engine.evaluation.metric import column as column_of_own
from engine.evaluation.results import of_plugin
from engine.jobs.events import Link, Preview, Progress
from engine.jobs.processes import Children
from engine.plugins.plugin import Plugin
from engine.plugins.registering import register, unregister
from engine.runs.metrics_file import SCORE_COLUMNS
from engine.runs.previews import save_preview
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.system.registry import Origin
from gui.help.generated import metrics_topic
from gui.metrics import exports
from gui.metrics.options import ROWS
from gui.metrics.page import MetricsPage
from gui.metrics.session import EvaluationSession
from gui.metrics.study_session import StudySession
from gui.metrics.table_model import ENDS_GROUP, MetricsModel
from gui.runs.store import RunItem
from gui.settings.preferences import Preferences, write_preferences
from gui.widgets.axes import ValueAxis
from gui.widgets.save_dialog import PICTURES

Header, Tip = Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole
PROTOCOL = {"name": "as agreed", "n": 10_000, "split": "all", "z": "sampled"}
INFORMATION = {"factors": ["x", "y"], "latents": [[0.1, 0.2], [0.9, 0.0]]}


def evaluated(root, objective, seed, mig, dataset="dsprites", **values):
    """Create a run with an evaluation.json as written by the engine."""
    run = Run.create(root, RunConfig(dataset=dataset, objective=objective, seed=seed, latents=2))
    metrics = {name: {"value": value, "unit": "", "protocol": PROTOCOL} for name, value in values.items()}
    if mig is None:
        metrics["mig"] = {"value": None, "reason": "MNIST has no ground-truth factors"}
    else:
        protocol = PROTOCOL | {"interval": OVER_DRAWS.format(20)}
        entry = {"value": mig, "interval": [mig - 0.01, mig + 0.01], "protocol": protocol}
        metrics["mig"] = entry | {"mutual_information": INFORMATION}
    run.write_evaluation(
        {"step": 100, "checkpoint": f"{VERSION}-a", "metrics": metrics, "kl_per_latent": [0.5, 3.0]},
    )
    return run


@pytest.fixture
def items(tmp_path):
    root = tmp_path / "runs"
    runs = [
        evaluated(root, "vae", 0, 0.10, reconstruction=41.25, sharpness=700.0),
        evaluated(root, "beta-vae", 0, 0.20, reconstruction=81.0, sharpness=500.0),
        evaluated(root, "beta-vae", 1, 0.30, reconstruction=83.0, sharpness=520.0),
        evaluated(root, "vae", 0, None, dataset="mnist", reconstruction=90.0, sharpness=900.0),
        Run.create(root, RunConfig(objective="vae", seed=9)),
    ]
    return [RunItem(run) for run in runs]


@pytest.fixture
def make_page(qtbot, settings, tmp_path):
    """Open a page with some runs; its threads end with the test."""
    pages = []

    def make(items):
        page = MetricsPage(settings, StudySession(tmp_path / "runs"))
        qtbot.addWidget(page)
        pages.append(page)
        page.resize(1000, 700)
        page.show()
        page.show_runs(items, [])
        return page

    yield make
    for page in pages:
        page.close_worker()


@pytest.fixture
def page(make_page, items):
    return make_page(items)


def column(page, key):
    place = page.model.table.index(key)
    return [page.model.index(row, place).data() for row in range(page.model.rowCount())]


def click_heading(qtbot, page, key):
    header = page.view.horizontalHeader()
    place = page.model.table.index(key)
    page.view.scrollTo(page.model.index(0, place))
    x = header.sectionViewportPosition(place) + header.sectionSize(place) // 2
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(x, 20))


def test_evaluated_runs_are_shown_with_values_reasons_and_the_reports_numbers(page):
    assert (
        column(page, "name") == ["VAE · 0", "β-VAE · 0", "β-VAE · 1", "VAE · 0 (2)"] or len(column(page, "name")) == 4
    )
    assert column(page, "reconstruction") == ["41.25", "81.00", "83.00", "90.00"]
    assert column(page, "report:reconstruction") == ["25.98", "51.54", "51.54", "76.72"]  # Tables 1 and 2 as printed
    assert column(page, "mig") == ["0.100", "0.200", "0.300", "–"]
    table = page.model.table
    assert "no ground-truth factors" in page.model.index(3, table.index("mig")).data(Tip)
    assert "interval 0.090 to 0.110" in page.model.index(0, table.index("mig")).data(Tip)
    assert page.model.index(0, table.index("reconstruction")).data(Qt.ItemDataRole.FontRole).bold()
    assert page.model.index(1, table.index("reconstruction")).data(Qt.ItemDataRole.FontRole) is None
    assert "Chen et al." in page.model.headerData(table.index("mig"), Header, Tip)
    assert "Higher is better" in page.model.headerData(table.index("mig"), Header, Tip)
    assert "another scale" in page.notes.toolTip()


def test_methods_have_mean_and_deviation_and_are_grouped_by_settings(qtbot, page):
    qtbot.mouseClick(page.options.segments.button(1), Qt.MouseButton.LeftButton)
    assert column(page, "n") == ["1", "2", "1"]
    assert column(page, "reconstruction")[1] == "82.00 ± 1.41"  # 81 and 83: the deviation is sqrt(2)
    assert page.options.by == (METHOD,)


def test_seeds_share_a_row_that_is_opened_and_closed(qtbot, page, settings):
    qtbot.mouseClick(page.options.segments.button(ROWS.index("seeds")), Qt.MouseButton.LeftButton)
    assert column(page, "n") == ["1", "2", "1"]
    assert column(page, "mig")[1] == "0.250 ± 0.071"  # 0.2 and 0.3: the deviation is 0.1 / sqrt(2)
    assert column(page, "name")[1].startswith("▸ β-VAE")
    place = page.view.visualRect(page.model.index(1, 0))
    view = page.view.frozen.viewport()
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=place.topLeft() + QPoint(30, 10))
    assert column(page, "name")[1:4] == ["▾ β-VAE, dSprites", "     β-VAE · 0", "     β-VAE · 1"]
    assert column(page, "mig")[1:4] == ["0.250 ± 0.071", "0.200", "0.300"]
    assert len(page.full.lines) == 3  # the charts show each run once
    page.charts.picked.emit(2)
    assert page.view.currentIndex().row() == 4
    click_heading(qtbot, page, "mig")  # the best first; its runs stay below it
    assert column(page, "mig")[:3] == ["0.250 ± 0.071", "0.200", "0.300"]
    page.view.setCurrentIndex(page.model.index(0, 0))
    qtbot.keyClick(page.view, Qt.Key.Key_Space)
    assert len(column(page, "name")) == 3
    next(action for action in page.options.statistic.menu().actions() if action.data() == "range").trigger()
    assert column(page, "mig")[0] == "0.250 [0.200, 0.300]"
    assert settings.value("metrics/spread") == "range"
    assert "standard deviation 0.0707" in page.model.index(0, page.model.table.index("mig")).data(Tip)


def test_a_click_on_a_heading_sorts_best_first_and_another_reverses(qtbot, page):
    click_heading(qtbot, page, "mig")
    assert column(page, "mig") == ["0.300", "0.200", "0.100", "–"]
    click_heading(qtbot, page, "mig")
    assert column(page, "mig") == ["0.100", "0.200", "0.300", "–"]
    click_heading(qtbot, page, "reconstruction")
    assert column(page, "reconstruction") == ["41.25", "81.00", "83.00", "90.00"]


def test_rows_are_sorted_within_their_supervision_with_a_line_between(qtbot, make_page, items, tmp_path):
    pairs = [evaluated(tmp_path / "runs", "ada-gvae", seed, mig) for seed, mig in ((0, 0.4), (1, 0.5))]
    page = make_page([*items[:3], *map(RunItem, pairs)])
    click_heading(qtbot, page, "mig")
    assert column(page, "mig") == ["0.300", "0.200", "0.100", "0.500", "0.400"]
    assert column(page, "supervision") == [*["unsupervised"] * 3, *["weakly supervised"] * 2]
    assert [page.model.index(row, 0).data(ENDS_GROUP) for row in range(5)] == [False, False, True, False, False]
    fonts = [page.model.index(row, page.model.table.index("mig")).data(Qt.ItemDataRole.FontRole) for row in range(5)]
    assert [font is not None and font.bold() for font in fonts] == [True, False, False, True, False]
    assert "Learns from images alone." in page.model.headerData(page.model.table.index("supervision"), Header, Tip)


def test_a_hidden_column_stays_hidden_and_a_visible_one_visible(page, make_page, items):
    hide = next(a for a in page.view.heading_menu(page.model.table.index("sharpness")).actions() if "Hide" in a.text())
    hide.trigger()
    assert page.model.table.index("sharpness") is None
    page.options.columns.box("sap").click()
    assert column(page, "sap") == ["–"] * 4
    again = make_page(items)
    assert again.model.table.headings == page.model.table.headings
    again.options.usual_columns()
    assert again.model.table.index("sharpness") is not None
    assert again.model.table.index("sap") is None


def test_export_and_copy_match_the_displayed_table(qtbot, page, tmp_path, monkeypatch):
    click_heading(qtbot, page, "mig")
    page.options.hide_column("sharpness")
    model = page.model
    shown = [[model.headerData(c, Header) for c in range(model.columnCount())]]
    shown += [[model.index(r, c).data() for c in range(model.columnCount())] for r in range(model.rowCount())]
    read = [["" if text == "–" else text for text in line] for line in shown]  # files for programs contain no dashes
    for name in ("table.csv", "table.md", "table.tex", "table.json"):
        monkeypatch.setattr(exports, "ask_file", lambda *question, name=name: tmp_path / name)
        qtbot.mouseClick(page.export, Qt.MouseButton.LeftButton)
        assert "Saved as" in page.words.text()
    assert list(csv.reader(io.StringIO((tmp_path / "table.csv").read_text(encoding="utf-8")))) == read
    content = json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    assert [[cell["text"] for cell in row] for row in content["rows"]] == shown[1:]
    assert (tmp_path / "table.tex").read_text().count(r" \\") == len(shown)
    assert "**0.300**" in (tmp_path / "table.md").read_text(encoding="utf-8")
    page.view.setFocus()
    page._copy_text()
    assert [line.split("\t") for line in QGuiApplication.clipboard().text().splitlines()] == read


def test_a_table_that_cannot_be_saved_is_reported(qtbot, page, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr(exports, "ask_file", lambda *question: tmp_path / "file" / "table.csv")
    qtbot.mouseClick(page.export, Qt.MouseButton.LeftButton)
    assert "Could not write" in page.words.text()


def test_selected_only_shows_runs_that_are_not_evaluated_and_why(qtbot, page, items):
    page.options.selected_only.click()
    assert page._stack.currentIndex() == 0
    assert "No runs are selected" in page._message.text()
    page.show_runs(items, [items[4], items[0]])
    assert column(page, "reconstruction") == ["41.25", "–"]
    place = page.model.table.index("reconstruction")
    assert "not evaluated yet" in page.model.index(1, place).data(Tip)


@pytest.mark.parametrize(
    ("content", "words"), [("{", "is damaged"), ('{"metrics": {}, "checkpoint": "0-a"}', "another version")]
)
def test_a_damaged_or_old_evaluation_is_explained_in_its_row(page, items, content, words):
    (items[0].path / "evaluation.json").write_text(content)
    items[0].refresh()
    page.show_runs(items, [])
    assert column(page, "reconstruction")[0] == "–"
    assert words in page.model.index(0, page.model.table.index("reconstruction")).data(Tip)


def test_the_matrix_shows_the_current_row_with_latents_by_kl(page):
    page.view.setCurrentIndex(page.model.index(1, 0))
    assert page.subject.row == page.full.lines[1].rows[0]
    np.testing.assert_array_equal(page.subject.map.values, [[0.9, 0.0], [0.1, 0.2]])  # z1 has the larger KL
    assert "latents by KL, largest first" in page.subject.words.text()
    page.subject.view.activated.emit(page.subject.view.currentIndex())  # as chosen
    page.view.setCurrentIndex(page.model.index(3, 0))
    assert "no ground-truth factors" in page.subject._message.text()
    assert not page.subject.save.isEnabled()


def test_the_matrix_of_a_run_whose_kl_was_not_evaluated_is_by_number_and_says_so(page, items):
    kept = json.loads((items[1].path / "evaluation.json").read_text())
    del kept["kl_per_latent"]
    (items[1].path / "evaluation.json").write_text(json.dumps(kept))
    items[1].refresh()
    page.show_runs(items, [])
    page.view.setCurrentIndex(page.model.index(1, 0))
    np.testing.assert_array_equal(page.subject.map.values, [[0.1, 0.2], [0.9, 0.0]])
    assert page.subject.words.text().splitlines() == ["Clear: x in z1, y in z0.", "nats; latents by number"]


def test_a_run_without_factors_shows_its_reconstructions_unless_another_view_was_chosen(page):
    page.view.setCurrentIndex(page.model.index(3, 0))
    assert page.subject.view.currentData() == "reconstructions"
    page.view.setCurrentIndex(page.model.index(1, 0))
    assert page.subject.view.currentData() == "mutual_information"


def test_a_single_point_is_shown_around_its_value(make_page, items):
    page = make_page(items[:3])
    page.charts.up.setCurrentIndex(page.charts.up.findData("sharpness"))
    page.charts.up.activated.emit(page.charts.up.currentIndex())
    page.show_runs(items[:1], [])
    page.charts.up.setCurrentIndex(page.charts.up.findData("mig"))
    page.charts.up.activated.emit(page.charts.up.currentIndex())
    (left, right), (low, high) = page.charts.scatter.plot.viewRange()
    assert 35 < left < 41.25 < right < 48
    assert 0.08 < low < 0.1 < high < 0.12


def test_digits_are_grouped_in_the_table_and_along_the_axes(make_page, tmp_path):
    large = evaluated(tmp_path / "runs", "vae", 2026, 0.1, reconstruction=1365.294, sharpness=12345.0)
    page = make_page([RunItem(large)])
    model = MetricsModel(page)
    model.show_table(page.full, [])
    shown = {heading.key: model.index(0, number).data() for number, heading in enumerate(page.full.headings)}
    assert shown["reconstruction"] == "1,365.29"
    assert shown["seed"] == "2026"  # a name rather than a quantity
    assert page.charts.scatter.up.tickStrings([9999.5, 12000.0], 1, 0.5) == ["9,999.5", "12,000"]
    assert ValueAxis().tickStrings([1000.0, 2000.0], 1, 1000) == ["1,000", "2,000"]
    assert ValueAxis().tickStrings([1000.5], 1, 0.5) == ["1,000.5"]


def test_an_axis_label_loses_its_unit_if_it_would_be_cut(make_page, items):
    scatter = make_page(items[:2]).charts.scatter
    reconstruction, sharpness = (
        next(c for c in METRICS.values() if c.metric == name) for name in ("reconstruction", "sharpness")
    )
    for height, name in ((600, sharpness.heading), (160, sharpness.title)):
        scatter.resize(500, height)
        scatter.show_points([], [], reconstruction, sharpness)
        assert scatter.up.labelText == name
        assert scatter.across.labelText == reconstruction.heading


def test_scatter_and_bars_show_the_tables_numbers_and_a_point_picks_its_row(page):
    page.charts.up.setCurrentIndex(page.charts.up.findData("mig"))
    page.charts.up.activated.emit(page.charts.up.currentIndex())
    x, y = page.charts.scatter.points.getData()
    assert list(zip(x, y, strict=True)) == [(41.25, 0.1), (81.0, 0.2), (83.0, 0.3)]
    page.charts.scatter.picked.emit(2)
    assert page.view.currentIndex().row() == 2
    page.charts.kind.setCurrentIndex(1)
    page.charts.kind.activated.emit(1)
    assert list(page.charts.bar_chart.bars.opts["width"]) == [0.1, 0.2, 0.3]
    assert page.charts.bar_chart.errors.opts["left"] == pytest.approx([0.01] * 3)  # the 95 % interval


def test_scores_are_drawn_against_steps_and_joined_where_a_run_recorded_them(make_page, items):
    scores = items[1].path / "scores.csv"
    scores.write_text(",".join(SCORE_COLUMNS) + "\n50,1,60,0.5,0.1\n100,2,120,0.6,0.2\n")
    charts = make_page(items[:3]).charts
    for box, name in ((charts.up, "mig"), (charts.across, "training_steps")):
        box.setCurrentIndex(box.findData(name))
        box.activated.emit(box.currentIndex())
    x, y = charts.scatter.points.getData()
    assert list(zip(x, y, strict=True)) == [(100, 0.1), (50, 0.1), (100, 0.2), (100, 0.3)]
    [line] = charts.scatter.lines
    assert [list(values) for values in line.getData()] == [[50, 100], [0.1, 0.2]]
    assert charts.file_name == "MIG against Training steps"
    assert charts.figure().axes[0].get_xlabel() == "Training steps"
    charts.across.setCurrentIndex(charts.across.findData("gpu_hours"))
    charts.across.activated.emit(charts.across.currentIndex())
    assert "GPU hours" in charts._message.text()


def test_a_scatter_plot_shows_the_current_rows_data_set_unless_another_is_chosen(page, items, make_page):
    charts = page.charts
    assert [charts.data.itemText(n) for n in range(charts.data.count())] == ["dSprites", "MNIST"]
    assert charts.data.isVisible()
    charts.up.setCurrentIndex(charts.up.findData("sharpness"))
    charts.up.activated.emit(charts.up.currentIndex())
    page.view.setCurrentIndex(page.model.index(3, 0))
    assert charts.data.currentText() == "MNIST"
    assert [list(values) for values in charts.scatter.points.getData()] == [[90.0], [900.0]]
    assert charts.file_name == "Sharpness against Reconstruction MNIST"
    charts.data.setCurrentIndex(0)
    charts.data.activated.emit(0)
    assert list(charts.scatter.points.getData()[0]) == [41.25, 81.0, 83.0]
    page._show()  # polling keeps the choice
    assert charts.data.currentText() == "dSprites"
    one = make_page(items[:3])
    assert not one.charts.data.isVisible()
    assert one.charts.file_name == "MIG against Reconstruction"


@pytest.mark.parametrize("format", PICTURES, ids=lambda each: each.ending)
def test_charts_are_saved(qtbot, page, tmp_path, monkeypatch, format):
    path = tmp_path / f"picture.{format.ending}"
    monkeypatch.setattr(exports, "ask_file", lambda *question: path)
    for button in (page.charts.save, page.subject.save):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert page.words.text() == f"Saved as {path}"
        assert path.stat().st_size > 1000
        path.unlink()


def test_reconstructions_of_several_runs_are_shown_side_by_side(qtbot, make_page, tiny_copy, tmp_path):
    from engine.evaluation.evaluate import evaluate

    list(evaluate(tiny_copy, ["sharpness"]))
    other = Run.open(shutil.copytree(tiny_copy.path, tmp_path / "other"))
    page = make_page([RunItem(tiny_copy), RunItem(other)])
    page.subject.view.setCurrentIndex(page.subject.view.findData("reconstructions"))
    page.subject.view.activated.emit(page.subject.view.currentIndex())
    qtbot.waitUntil(lambda: len(page.subject.grid.rows) == 3, timeout=20_000)
    originals, first, second = page.subject.grid.rows
    np.testing.assert_array_equal(first.images, second.images)  # copies of one model
    assert not np.array_equal(originals.images, first.images)
    assert first.note.startswith("sharpness")


@pytest.fixture(scope="module")
def grid_run(tmp_path_factory, make_run):
    """A run on images with the factors x and y, trained for a few steps."""
    from engine.training.trainer import train

    folder = tmp_path_factory.mktemp("grid")
    grid = np.stack([a.ravel() for a in np.indices((5, 6))], axis=1)
    images = np.zeros((30, 32, 32), np.uint8)
    for image, (x, y) in zip(images, grid, strict=True):
        image[4 * y : 4 * y + 6, 4 * x : 4 * x + 6] = 255
    np.savez(folder / "grid.npz", images=images, factors=grid, factor_names=["x", "y"])
    settings = {"dataset": "arrays", "data_folder": folder / "grid.npz", "batch_size": 8, "steps": 40}
    run = make_run(folder / "runs", "on a grid", **settings)
    list(train(run))
    return run


def test_inferred_is_shown_against_true_for_a_run_with_factors(
    qtbot, make_page, grid_run, tiny_run, tmp_path, monkeypatch
):
    page = make_page([RunItem(grid_run), RunItem(tiny_run)])
    page.options.selected_only.click()
    page.show_runs(page._items, page._items)
    subject = page.subject
    page.view.setCurrentIndex(page.model.index(1, 0))
    subject.view.setCurrentIndex(subject.view.findData("sweeps"))
    subject.view.activated.emit(subject.view.currentIndex())
    rows = [line.rows[0].name for line in page.full.lines]
    page.view.setCurrentIndex(page.model.index(rows.index("on a grid"), 0))
    qtbot.waitUntil(lambda: subject._stack.currentWidget() is subject._plots, timeout=20_000)
    sweeps = subject._sweeps.sweeps
    assert [sweep.factor for sweep in sweeps] == ["x", "y"]
    for chart, sweep in zip(subject.chart.charts, sweeps, strict=True):
        drawn = [item.getOriginalDataset() for item in chart.plot.listDataItems()]
        np.testing.assert_array_equal([x for x, _ in drawn], np.tile(sweep.values, (len(sweep.means), 1)))
        np.testing.assert_array_equal([y for _, y in drawn], sweep.means)
    path = tmp_path / "sweeps.svg"
    monkeypatch.setattr(exports, "ask_file", lambda *question: path)
    qtbot.mouseClick(subject.save, Qt.MouseButton.LeftButton)
    assert "x · |ρ| = " in path.read_text(encoding="utf-8")
    page.apply_theme()
    assert len(subject.chart.charts) == 2
    page.view.setCurrentIndex(page.model.index(rows.index("tiny"), 0))
    qtbot.waitUntil(lambda: subject._message.text() == "MNIST has no ground-truth factors.", timeout=20_000)
    assert not subject.save.isEnabled()


def test_metrics_are_chosen_by_group_without_the_slow_ones_at_first(page, make_page):
    assert set(page.chooser.metrics) == {name for name, column in METRICS.items() if column.group not in ON_REQUEST}
    assert {"mig", "info_m", "class_probe"} <= set(page.chooser.metrics)
    assert not {"dci_disentanglement", "mig_sampled"} & set(page.chooser.metrics)
    every, _, none = page.chooser.panel.findChildren(type(page.export))
    every.click()
    assert page.chooser.metrics == list(METRICS)
    none.click()
    assert not page.evaluate_button.isEnabled()
    page.chooser.box("kl").click()
    assert page.evaluate_button.isEnabled()
    again = make_page([])
    assert again.chooser.metrics == ["kl"]


def nap(seconds):
    time.sleep(seconds)


def test_cancel_ends_a_fit_in_a_child_process_within_two_seconds(qtbot, tmp_path, monkeypatch):
    def slow(run, metrics):
        yield Progress(0, 1, "before", "fits")
        with Children(1) as children:
            yield from children.run(nap, [(60,)], "a long fit", "fits")

    monkeypatch.setattr("engine.evaluation.evaluate.evaluate", slow)
    owner = QObject()
    session = EvaluationSession(owner)
    events = []
    session.progressed.connect(events.append)
    session.start([Run.create(tmp_path, RunConfig())], ["kl"])
    qtbot.waitUntil(lambda: any(event.what == "a long fit" for event in events), timeout=20_000)
    began = time.monotonic()
    with qtbot.waitSignal(session.ended, timeout=10_000) as ended:
        session.cancel()
    assert time.monotonic() - began < 2
    assert ended.args == ["Cancelled. Metrics computed so far are kept."]


def test_a_run_deleted_meanwhile_is_reported_and_the_others_are_evaluated(qtbot, window, tiny_run, monkeypatch):
    first, second = (Run.open(shutil.copytree(tiny_run.path, window.store.root / name)) for name in ("one", "two"))
    deleted = []

    def evaluate_and_delete(run, metrics):
        for event in evaluate(run, metrics):
            if run.path == first.path and not deleted:
                shutil.rmtree(first.path)
                deleted.append(True)
            yield event

    monkeypatch.setattr("engine.evaluation.evaluate.evaluate", evaluate_and_delete)
    with qtbot.waitSignal(window.evaluation.ended, timeout=60_000) as ended:
        window.evaluation.start([first, second], ["reconstruction"])
    assert deleted
    assert ended.args[0].startswith("Evaluated 1 of 2 runs. ")
    assert "moved or deleted" in ended.args[0]
    assert second.evaluation()["metrics"]["reconstruction"]["value"] > 0


def test_a_run_with_missing_data_is_reported_and_the_others_are_evaluated(qtbot, window, make_page, tiny_run, tmp_path):
    first, second = (Run.open(shutil.copytree(tiny_run.path, window.store.root / name)) for name in ("one", "two"))
    first.config = first.config.changed(data_folder=str(tmp_path / "gone"))
    with qtbot.waitSignal(window.evaluation.ended, timeout=60_000) as ended:
        window.evaluation.start([first, second], ["reconstruction"])
    assert ended.args[0].startswith("Evaluated 1 of 2 runs. ")
    assert f"{tmp_path / 'gone'} does not exist" in ended.args[0]
    config = second.path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"data_folder": str(tmp_path / "gone")}))
    page = make_page([RunItem(Run.open(second.path))])
    assert page.subject.view.currentData() == "reconstructions"
    qtbot.waitUntil(lambda: "gone does not exist" in page.subject._message.text() + page.subject.words.text())


@pytest.mark.parametrize("chosen", [True, False])
def test_trained_runs_are_evaluated_if_the_user_wants_it(qtbot, window, settings, tiny_run, chosen):
    """One after the other, with the chosen metrics; a run that was stopped is left alone."""
    write_preferences(settings, Preferences(evaluate_after=chosen))
    window.metrics_page.chooser.choose({"reconstruction"})
    runs = [Run.open(shutil.copytree(tiny_run.path, window.store.root / name)) for name in ("one", "two", "stopped")]
    state = runs[2].state()
    runs[2].write_state(replace(state, state="stopped"))
    for run in runs:
        window._training_ended(run.path)
    assert window.evaluation.active == chosen
    if chosen:
        qtbot.waitUntil(lambda: bool(runs[1].evaluation()) and not window.evaluation.active, timeout=60_000)
        assert all("reconstruction" in run.evaluation()["metrics"] for run in runs[:2])
    assert not runs[2].evaluation()


def test_the_time_left_of_a_part_is_shown_after_two_seconds(page, monkeypatch):
    """3 of 10 units in 6 s leave 14 s; another part starts anew."""
    now = [100.0]
    monkeypatch.setattr("gui.metrics.page.time.monotonic", lambda: now[0])
    page.show_progress(Progress(0, 10, "Encoding", "images"))
    now[0] += 1
    page.show_progress(Progress(1, 10, "Encoding", "images"))
    assert page.words.text() == "Encoding · 1 of 10 images"
    now[0] += 5
    page.show_progress(Progress(3, 10, "Encoding", "images"))
    assert page.words.text() == "Encoding · 3 of 10 images · about 14 s left"
    page.show_progress(Progress(1, 10, "MIG", "samples"))
    assert "left" not in page.words.text()


def test_with_every_column_the_names_stay_visible(qtbot, make_page, tmp_path):
    values = {name: 0.5 + number for number, name in enumerate(METRICS)}
    runs = [
        evaluated(tmp_path / "runs", "vae", seed, 0.1, **{k: v for k, v in values.items() if k != "mig"})
        for seed in range(3)
    ]
    page = make_page([RunItem(run) for run in runs])
    for name in METRICS:
        box = page.options.columns.box(name)
        if not box.isChecked():
            box.click()
    assert set(METRICS) <= {heading.key for heading in page.model.table.headings}
    scroll = page.view.horizontalScrollBar()
    last = page.model.index(0, page.model.columnCount() - 1)

    def in_sight():
        scroll.setValue(scroll.maximum())
        return page.view.viewport().rect().contains(page.view.visualRect(last))

    qtbot.waitUntil(in_sight)
    shown = page.view.visualRect(last)
    assert page.view.frozen.isVisible()
    assert page.view.frozen.geometry().right() < page.view.viewport().geometry().left() + shown.left()


def test_tab_leaves_the_table(qtbot, window, page):
    for table in (page.view, page.view.frozen):
        table.setFocus()
        assert table.hasFocus()
        qtbot.keyClick(table, Qt.Key.Key_Tab)
        assert not table.hasFocus()


def test_names_keep_their_heading_in_a_scrolled_table(page):
    page.resize(700, 700)
    view = page.view
    view.horizontalScrollBar().setValue(view.horizontalScrollBar().maximum())
    assert view.horizontalScrollBar().value() > 0
    right, below = view.columnWidth(0) - 4, view.horizontalHeader().height() + 10
    for place in (QPoint(10, 10), QPoint(right, 30), QPoint(10, below)):
        under = view.childAt(place)
        assert under is view.frozen or view.frozen.isAncestorOf(under)
    heading = view.frozen.horizontalHeader()
    assert page.model.headerData(heading.logicalIndexAt(QPoint(10, 10)), Header) == "Run"


def test_metrics_that_a_data_set_cannot_have_are_explained_before_evaluating(make_page, tmp_path):
    root = tmp_path / "plain"
    runs = [Run.create(root, RunConfig(dataset=name, objective="vae", latents=2)) for name in ("mnist", "dsprites")]
    for run in runs:
        entry = {"value": 90.0, "unit": "nats", "protocol": PROTOCOL}
        run.write_evaluation({"step": 1, "checkpoint": f"{VERSION}-a", "metrics": {"reconstruction": entry}})
    page = make_page([RunItem(run) for run in runs])
    table = page.full
    notes = {
        (line.rows[0].dataset, key): line.cells[table.index(key)].note
        for line in table.lines
        for key in ("disentanglement", "dci_completeness", "reconstruction_train", "kl")
    }
    for key in ("disentanglement", "dci_completeness"):
        assert notes["MNIST", key] == "MNIST has no ground-truth factors"
        assert notes["dSprites", key] == "not computed yet"
    assert notes["MNIST", "reconstruction_train"] == "not computed yet"
    assert "dSprites has no training split" in notes["dSprites", "reconstruction_train"]
    assert notes["MNIST", "kl"] == "not computed yet"


def test_names_of_latents_appear_in_the_heat_map(make_page, items):
    items[1].run.write_marks({"latents": {"1": "thickness"}})
    page = make_page([RunItem(item.run) for item in items])
    page._select_line(next(n for n, line in enumerate(page.full.lines) if line.rows[0].path == items[1].path))
    page.subject.view.setCurrentIndex(page.subject.view.findData("mutual_information"))
    page.subject._chosen()
    assert page.subject.map._rows == ("z1 (thickness)", "z0")


def test_the_heat_map_says_what_latents_follow_at_the_step_that_was_evaluated(make_page, items):
    item = items[1]
    grey = np.zeros((8, 28, 28, 1), np.uint8)
    for step, share in ((100, 0.4321), (200, 0.9)):  # the evaluation is of step 100
        links = (Link(0, "x", 0.05, 500), Link(1, "y", share, 500))
        rows = np.zeros((2, 8, 28, 28, 1), np.uint8)
        save_preview(item.run.previews_folder, Preview(step, grey, grey, rows, (0, 1), (0.5, 3.0), links))
    page = make_page(items)
    page._select_line(next(n for n, line in enumerate(page.full.lines) if line.rows[0].path == item.path))
    page.subject.view.setCurrentIndex(page.subject.view.findData("mutual_information"))
    page.subject._chosen()
    assert page.subject.map._rows == ("z1 ≈ y 0.43", "z0")


class Own(Metric):
    columns = (column_of_own("own_score", "Own <b>score</b>", "What it says: 1 < 2.", "how it is computed"),)

    def compute(self, representation):
        return 1.0


@pytest.fixture
def own_metric():
    register(Plugin("own", "1.0", 1, metrics={"own": Own()}), Origin("", "", "a" * 64))
    yield
    unregister("own")


def test_a_plug_ins_metric_can_be_chosen_and_has_a_column_like_others(own_metric, items, make_page):
    kept = items[0].run.evaluation()
    entry = {"value": 0.5, "unit": "", "protocol": PROTOCOL}
    kept["metrics"]["own_score"] = of_plugin(METRICS["own_score"], entry, METRICS.origin("own_score"))
    items[0].run.write_evaluation(kept)
    page = make_page(items)
    assert "own_score" in page.chooser.metrics
    assert page.chooser.box("own_score").text() == "Own <b>score</b>"
    assert "1 &lt; 2" in page.chooser.box("own_score").toolTip()
    place = page.model.table.index("own_score")
    assert page.model.headerData(place, Header) == "Own <b>score</b> ↑"
    assert column(page, "own_score")[0] == "0.500"
    assert "computed by the plug-in own 1.0" in page.model.index(0, place).data(Tip)
    shown = metrics_topic()
    assert "<h2 id='own_score'>Own &lt;b&gt;score&lt;/b&gt;</h2>" in shown
    assert "<h3>Plug-ins · takes an unknown time</h3>" in shown


def test_without_the_plug_in_its_kept_values_are_still_shown(own_metric, items, make_page):
    kept = items[0].run.evaluation()
    entry = {"value": 0.5, "unit": "", "protocol": PROTOCOL}
    kept["metrics"]["own_score"] = of_plugin(METRICS["own_score"], entry, METRICS.origin("own_score"))
    items[0].run.write_evaluation(kept)
    unregister("own")
    page = make_page(items)
    assert "own_score" not in page.chooser.metrics
    assert column(page, "own_score")[0] == "0.500"
    assert page.charts.across.findData("own_score") >= 0
    assert "Plug-ins" not in metrics_topic()
