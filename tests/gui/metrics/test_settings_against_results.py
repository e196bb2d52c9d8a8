"""Settings against results on the Metrics page: brushed together with the run list."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from engine.evaluation.catalogue import VERSION
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from gui.metrics.chart_card import PARALLEL, SETTINGS
from gui.runs.delegate import run_colour
from gui.window.header import TABS


@pytest.fixture
def runs(window):
    """Four runs of β 1, 2, 4 and 8; the first three were evaluated."""
    made = []
    for number, beta in enumerate((1, 2, 4, 8)):
        run = Run.create(window.store.root, RunConfig(objective="beta-vae", beta=beta, seed=number, latents=2))
        if number < 3:
            metrics = {"mig": {"value": 0.1 * beta, "unit": "", "protocol": {"name": "p"}}}
            run.write_evaluation({"step": 100, "checkpoint": f"{VERSION}-a", "metrics": metrics})
        kl = 20 - 2 * beta
        run.metrics_file.write_text(f"step,epoch,seconds,loss,reconstruction,kl,capacity,kl_0\n9,1,1,5,4,{kl},,1\n")
        made.append(run)
    return made


@pytest.fixture
def panel(qtbot, window, runs):
    """The panel over these runs, when the final terms have been read."""
    window.resize(1440, 900)
    window.store.refresh()
    window._show_page(TABS.index("Metrics"))
    choose(window, PARALLEL)
    panel = window.metrics_page.charts.settings
    qtbot.waitUntil(lambda: any(d.key == "term:kl" for d in panel._dimensions))
    return panel


def choose(window, kind):
    box = window.metrics_page.charts.kind
    box.setCurrentIndex(kind)
    box.activated.emit(kind)


def drag(chart, begin, end):
    QTest.mousePress(chart, Qt.MouseButton.LeftButton, pos=begin)
    QTest.mouseMove(chart, end)
    QTest.mouseRelease(chart, Qt.MouseButton.LeftButton, pos=end)


def on_axis(chart, key, place):
    number = [d.key for d in chart.dimensions].index(key)
    return QPoint(round(chart.across(number)), round(chart.height_of(place)))


def selected(window):
    return sorted(item.run.config.value("beta") for item in window.run_list.items())


def test_a_range_on_an_axis_selects_its_runs_and_another_narrows_the_choice(window, panel):
    chart = panel.chart
    assert next(d.key for d in chart.dimensions) == "setting:beta"
    drag(chart, on_axis(chart, "setting:beta", 0.0), on_axis(chart, "setting:beta", 0.5))
    assert selected(window) == [1, 2, 4]
    # The final KL falls with β: from 18 at 1 to 4 at 8.
    drag(chart, on_axis(chart, "term:kl", 0.5), on_axis(chart, "term:kl", 0.9))
    assert selected(window) == [2, 4]
    assert len(chart._colours) == 2
    QTest.mouseClick(chart, Qt.MouseButton.LeftButton, pos=on_axis(chart, "term:kl", 0.2))
    assert selected(window) == [1, 2, 4]
    assert list(chart.brushes) == ["setting:beta"]


def test_what_is_selected_in_the_list_is_highlighted(window, panel, runs):
    window.run_list.select(runs[3].path)
    [colour] = panel.chart._colours.values()
    item = window.store.find(runs[3].path)
    assert colour == run_colour(item)
    assert panel._shown[next(iter(panel.chart._colours))].path == runs[3].path


def test_a_setting_is_plotted_against_a_result_and_points_are_brushed(window, panel, settings):
    choose(window, SETTINGS)
    box = panel.up
    box.setCurrentIndex(box.findData("term:kl"))
    box.activated.emit(box.currentIndex())
    chart = panel.chart
    assert [d.key for d in chart.pair] == ["setting:beta", "term:kl"]
    area = chart._area()
    # β = 4 lies at 3/7 across, its KL of 12 at 8/14 up: drag over the lower right.
    drag(
        chart,
        QPoint(round(area.left() + 0.3 * area.width()), round(chart.height_of(0.7))),
        QPoint(round(area.right()), round(area.bottom())),
    )
    assert selected(window) == [4, 8]
    assert settings.value("metrics/settings-y") == "term:kl"
    at = chart.points()[[d.path for d in panel._shown].index(window.run_list.items()[0].path), 0]
    QTest.mouseClick(chart, Qt.MouseButton.LeftButton, pos=QPoint(round(at[0]), round(at[1])))
    assert len(selected(window)) == 1


def test_the_axes_are_chosen_and_remembered(window, panel, settings):
    panel.axes.box("metric:mig").setChecked(False)
    assert "metric:mig" not in [d.key for d in panel.chart.dimensions]
    assert "metric:mig" not in settings.value("metrics/axes")


def test_both_charts_are_saved_with_all_runs_and_the_selected_ones_in_colour(window, panel, runs, tmp_path):
    card = window.metrics_page.charts
    window.run_list.select(runs[1].path, runs[3].path)
    assert card.save.isEnabled()
    [axes] = card.figure().axes
    lines = [line for line in axes.lines if len(line.get_xdata()) == len(panel.chart.dimensions)]
    betas = [dimension.key for dimension in panel.chart.dimensions].index("setting:beta")
    by_hand = [0, 1 / 7, 3 / 7, 1]  # β 1, 2, 4, 8 from 0 to 1
    assert sorted(line.get_ydata()[betas] for line in lines) == pytest.approx(by_hand)
    assert {text.get_text() for text in card.figure().legends[0].get_texts()} == {runs[1].name, runs[3].name}
    choose(window, SETTINGS)
    assert card.file_name == f"{panel.up.currentText()} against {panel.across.currentText()}"
    [axes] = card.figure().axes
    assert len(axes.lines) == 4
    card.figure().savefig(tmp_path / "chart.svg")
    assert (tmp_path / "chart.svg").stat().st_size > 1000


def test_without_a_second_axis_there_is_no_chart_to_save(window, panel):
    panel.axes.choose({"setting:beta"})
    panel.axes.changed.emit()
    assert not window.metrics_page.charts.save.isEnabled()
