"""Runs that are alike but for the seed as one curve on the Training page, used as a user would."""

import statistics

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine.figures.curves import curves_figure
from engine.jobs.events import StepMetrics
from engine.runs.curves import smooth
from engine.runs.metrics_file import MetricsWriter
from engine.runs.run import Run, RunState
from engine.settings.run_config import RunConfig
from gui.runs.delegate import run_colour
from gui.runs.groups import SEEDS
from gui.training import page as page_module
from gui.training.seed_band import SeedBand
from gui.training.view_options import OptionsBar

T3 = 4.303
"""97.5 % quantile of Student's t with two degrees of freedom, from any table."""


def make_run(root, seed, rows=60, *, objective="vae", **settings):
    """A run of rows ten steps apart, whose KL is 10 + row + seed², and drops with beta."""
    config = RunConfig(
        dataset="digits", objective=objective, latents=2, seed=seed, steps=1000, log_steps=10, **settings
    )
    run = Run.create(root, config)
    writer = MetricsWriter(run.metrics_file, 2)
    for row in range(1, rows + 1):
        kl = 10.0 + row + seed**2
        writer.append(
            StepMetrics(10 * row, row / 10, 10 * row * (1 + seed), 200.0, 190.0 - row - seed, kl, None, (kl, 0.0))
        )
    run.write_state(RunState("finished", 10 * rows, 10 * rows))
    return run


@pytest.fixture
def page(window):
    window.resize(1500, 800)
    window.training_page.options.smoothing.setValue(0)
    return window.training_page


@pytest.fixture
def show(window, qtbot):
    """Select all runs, and wait until their curves have been read."""

    def shown():
        window.store.refresh()
        window.run_list.view.selectAll()
        window._show_runs()
        page = window.training_page
        qtbot.waitUntil(lambda: not page._reader.isActive())
        page.curves._draw()
        QApplication.processEvents()

    return shown


def entry(plot, start):
    return next(button for button in plot.legend.buttons if button.entry.title.startswith(start))


def titles(plot):
    return [button.entry.title for button in plot.legend.buttons]


def choose(page, name):
    """Choose in the box as a user does."""
    box = page.options.seeds
    box.setCurrentIndex(box.findData(name))
    box.activated.emit(box.currentIndex())


def band_key(page, column):
    [band] = [item for item in page.curves._items if isinstance(item, SeedBand)]
    return f"{column} {band.path}"


@pytest.mark.parametrize(
    ("spread", "ends"),
    [
        ("std", lambda v: (statistics.mean(v) - statistics.stdev(v), statistics.mean(v) + statistics.stdev(v))),
        ("range", lambda v: (min(v), max(v))),
        ("interval", lambda v: tuple(statistics.mean(v) + s * T3 * statistics.stdev(v) / 3**0.5 for s in (-1, 1))),
    ],
)
def test_three_seeds_are_one_curve_with_their_spread(page, show, tmp_path, spread, ends):
    for seed in (0, 1, 3):
        make_run(tmp_path / "runs", seed)
    choose(page, spread)
    show()
    plot = page.curves.kl
    assert titles(plot) == ["VAE · 3 seeds"]
    [(key, item)] = plot.drawn.items()
    values = [10.0 + 30 + seed**2 for seed in (0, 1, 3)]
    x, y = item.getData()
    assert (x[29], y[29]) == (300, pytest.approx(statistics.mean(values)))
    box = plot._bands[key].path()
    low, high = ends(values)
    inside, outside = QPointF(300, high - 0.01), QPointF(300, high + 0.01)
    assert box.contains(inside)
    assert not box.contains(outside)
    assert box.contains(QPointF(300, low + 0.01))
    assert not box.contains(QPointF(300, low - 0.02))


def test_a_band_is_opened_and_closed_in_the_legend(qtbot, page, show, tmp_path):
    runs = [make_run(tmp_path / "runs", seed) for seed in range(3)]
    show()
    plot = page.curves.reconstruction
    band = entry(plot, "VAE · 3")
    assert "Click ▸" in band.toolTip()
    qtbot.mouseClick(band, Qt.MouseButton.LeftButton, pos=QPoint(4, band.height() // 2))
    assert titles(plot) == ["VAE · 3 seeds", "VAE · 0", "VAE · 1", "VAE · 2"]
    colours = {button.entry.title: button.entry.colour for button in plot.legend.buttons[1:]}
    assert len(set(colours.values())) == 3
    assert colours["VAE · 0"] == entry(plot, "VAE · 3").entry.colour
    assert {f"reconstruction {run.path}" for run in runs} < set(plot.drawn)
    QTest.keyClick(entry(plot, "VAE · 3"), Qt.Key.Key_Left)
    assert titles(plot) == ["VAE · 3 seeds"]
    QTest.keyClick(entry(plot, "VAE · 3"), Qt.Key.Key_Right)
    assert len(titles(plot)) == 4
    # Elsewhere a click still hides the curve, with its band.
    shown = entry(plot, "VAE · 3")
    key = band_key(page, "reconstruction")
    assert plot._bands[key].isVisible()
    qtbot.mouseClick(shown, Qt.MouseButton.LeftButton, pos=QPoint(30, shown.height() // 2))
    assert key not in plot.drawn
    assert not plot._bands[key].isVisible()


def test_a_band_is_opened_and_closed_in_the_list(window, page, show, tmp_path):
    for seed in range(3):
        make_run(tmp_path / "runs", seed)
    show()
    runs = window.run_list
    runs._group(SEEDS)
    assert titles(page.curves.kl) == ["VAE · 3 seeds"]
    for shown in (1, 4, 1):  # folded, unfolded, folded
        runs.view.fold_asked.emit(runs.shown.heading(runs.shown.index(0, 0)))
        page.curves._draw()
        assert len(titles(page.curves.kl)) == shown


def test_the_crosshair_says_how_many_seeds_there_are_at_a_step(page, show, tmp_path):
    for seed, rows in ((0, 60), (1, 60), (2, 30)):
        make_run(tmp_path / "runs", seed, rows)
    sparse = tmp_path / "runs" / "vae-digits-1" / "metrics.csv"
    first, *rows = sparse.read_text().splitlines(keepends=True)
    sparse.write_text("".join([first, *rows[1::2]]))  # every 20 steps
    show()
    plot = page.curves.kl

    def readout(step):
        plot.point_at(step, here=True)
        [reading] = plot.readout._readings
        return reading.text

    deviation = statistics.stdev([0, 1, 4])
    assert readout(200) == f"{30 + 5 / 3:.2f} ± {deviation:.2f}, n = 3"
    assert readout(250) == f"{35 + 5 / 3:.2f} ± {deviation:.2f}, n = 3 (1 interpolated)"
    assert readout(400) == f"{50.5:.2f} ± {statistics.stdev([0, 1]):.2f}, n = 2"
    choose(page, "range")
    plot.point_at(200, here=True)
    assert plot.readout._readings[0].text == f"{30 + 5 / 3:.2f} [30.00, 34.00], n = 3"


def test_each_seed_is_smoothed_before_they_are_averaged(page, show, tmp_path):
    for seed in (0, 2):
        make_run(tmp_path / "runs", seed)
    page.options.smoothing.setValue(20)
    show()
    key = band_key(page, "kl")
    each = [smooth(10.0 + np.arange(1.0, 61) + seed**2, 0.9) for seed in (0, 2)]
    np.testing.assert_allclose(page.curves.kl.drawn[key].getData()[1], np.mean(each, axis=0))
    np.testing.assert_allclose(page.curves.kl.drawn[f"raw {key}"].getData()[1], 12.0 + np.arange(1, 61))


def test_only_runs_of_the_same_settings_are_one_curve(qtbot, page, show, tmp_path):
    for seed in (0, 1):
        make_run(tmp_path / "runs", seed, objective="beta-vae", beta=4)
        make_run(tmp_path / "runs", seed, objective="beta-vae", beta=8)
    make_run(tmp_path / "runs", 5)
    show()
    assert sorted(titles(page.curves.kl)) == ["VAE · 5", "β-VAE, β = 4 · 2 seeds", "β-VAE, β = 8 · 2 seeds"]
    assert len({button.entry.colour for button in page.curves.kl.legend.buttons}) == 3
    choose(page, "")
    qtbot.waitUntil(lambda: len(titles(page.curves.kl)) == 5)


def test_the_choice_is_remembered(qtbot, page, settings):
    choose(page, "interval")
    again = OptionsBar(settings)
    qtbot.addWidget(again)
    assert again.options.spread == "interval"
    settings.setValue("curves/seeds", "both")
    other = OptionsBar(settings)
    qtbot.addWidget(other)
    assert other.options.spread == "std"


def test_a_band_grows_while_its_seeds_train(page, show, tmp_path):
    for seed in (0, 2):
        make_run(tmp_path / "runs", seed, rows=5)
    show()
    key = band_key(page, "kl")
    assert len(page.curves.kl.drawn[key].getData()[0]) == 5
    writer = MetricsWriter(tmp_path / "runs" / "vae-digits-0" / "metrics.csv", 2)
    writer.append(StepMetrics(60, 0.6, 60, 1.0, 1.0, 99.0, None, (99.0, 0.0)))
    show()
    x, y = page.curves.kl.drawn[key].getData()
    assert (x[-1], y[-1]) == (60, 99.0)  # of the one seed that is there
    assert page.curves.kl._curves[0].notes(5) == "n = 1"


def test_many_runs_are_read_bit_by_bit_and_drawn_when_all_are_there(qtbot, page, show, tmp_path, monkeypatch):
    for seed in range(12):
        make_run(tmp_path / "runs", seed, rows=8)
    monkeypatch.setattr(page_module, "READ_SECONDS", 0.0)  # one at a time
    show()
    [band] = page.curves._items
    assert (len(band.members), band.metrics.band("kl").n.tolist()) == (12, [12] * 8)
    assert page.not_all.isHidden()  # it is one curve
    assert run_colour(band) == run_colour(band.members[0])


def test_the_figure_shows_bands_as_the_window_does(page, show, tmp_path):
    runs = [make_run(tmp_path / "runs", seed) for seed in (0, 1, 3)]
    figure = curves_figure(*runs, spread="range")
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["VAE · 3 seeds"]
    axes = next(axes for axes in figure.axes if axes.get_title().startswith("KL ("))
    [line], [area] = axes.get_lines(), axes.collections
    np.testing.assert_allclose(line.get_ydata()[29], 40 + 10 / 3)
    heights = area.get_paths()[0].vertices
    at_300 = heights[heights[:, 0] == 300, 1]
    assert (at_300.min(), at_300.max()) == (40, 49)
