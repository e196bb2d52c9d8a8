"""A run of a method without KL but with a category: plots, pictures, sliders, grid, walk and prior."""

import shutil
from itertools import pairwise

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from engine.export.traversal import Look
from engine.methods.latents import Latent
from engine.runs.latent_names import link_text
from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.training.trainer import train
from gui.traversal.grid_card import COMPARE, LATENTS, WALK
from gui.traversal.latent_row import LatentRow
from gui.traversal.player import TICKS as PLAYED
from gui.traversal.player import Moving, _paths
from gui.traversal.sheet import sheet_of
from gui.traversal.source_card import PRIOR
from gui.traversal.track import TICKS

WAIT = 60_000


@pytest.fixture(scope="module")
def gan_run(tmp_path_factory, narrow):
    settings = {"objective": "info-gan", "dataset": "digits", "batch_size": 64, "steps": 4, "log_steps": 2}
    run = Run.create(tmp_path_factory.mktemp("gan"), RunConfig.parse(settings | {"threads": 1}), "gan")
    list(train(run))
    return run


@pytest.fixture
def page(qtbot, window, gan_run):
    """The Traversal page with that run."""
    shutil.copytree(gan_run.path, window.store.root / "gan")
    window.store.refresh()
    window.run_list.select(window.store.root / "gan")
    window.header.tabs.button(1).click()
    page = window.traversal_page
    settled(qtbot, page)
    return page


def settled(qtbot, page):
    qtbot.waitUntil(lambda: page.answer is not None and page.request == page._asked, timeout=WAIT)


def test_a_category_has_a_slider_of_integers(qtbot):
    row = LatentRow(0, Latent.categorical(10))
    qtbot.addWidget(row)
    row.resize(280, 60)
    row.set_range(-3, 3)  # that of the other latents
    row.show_latent(float("nan"), "", 0.0, 4.0, 1.0)
    row.show()
    assert (row.track.minimum(), row.track.maximum()) == (0, 9 * TICKS)
    assert row.bar.isHidden()
    row.put(4)
    assert row.value.text() == "4"
    qtbot.mouseClick(row.track, Qt.MouseButton.LeftButton, pos=QPoint(round(row.track._x(6.3)), 12))
    assert row.number == 6
    assert row.track.value() == 6 * TICKS
    qtbot.keyClick(row.track, Qt.Key.Key_Right)
    assert row.number == 7
    row.track.setValue(530)  # as a wheel of another width may leave it
    assert row.number == 5
    assert "Most likely category of the image: 4" in row.track.toolTip()
    qtbot.mouseDClick(row.track, Qt.MouseButton.LeftButton)
    assert row.number == 4


def test_playing_a_category_steps_through_its_values():
    path = _paths([Moving(0, 4.0, 0.0, 9.0, integer=True)], PLAYED)
    values = [next(path)[1] for _ in range(72)]
    assert set(values) == set(range(10))
    assert all(abs(a - b) in (0, 1) for a, b in pairwise(values))


def test_the_grid_has_a_row_of_categories_and_does_not_mention_kl(qtbot, page):
    view = page.card.latents
    assert view.min_kl.isHidden()
    links = page.answer.loaded.links
    assert [(row.title, row.note) for row in view.grid.rows] == [
        (f"z{latent}", link_text(links[latent]) if latent in links else prior)
        for latent, prior in enumerate(("0 to 9", "U(−1, 1)", "U(−1, 1)"))
    ]
    assert [len(row.images) for row in view.grid.rows] == [11, 11, 11]
    assert (page.card.low.value(), page.card.high.value(), page.card.steps.value()) == (-2, 2, 10)
    assert [row.kind.integer for row in page.sliders.rows] == [True, False, False]
    assert page.sliders.rows[1].track.maximum() == 2 * TICKS
    qtbot.mouseMove(view.grid, view.grid._rect(0, 8).center())
    qtbot.waitUntil(lambda: page.card.words.text() == "z0 = 7")
    qtbot.mouseClick(view.grid, Qt.MouseButton.LeftButton, pos=view.grid._rect(0, 8).center())
    assert page.sliders.z[0] == 7


def test_fewer_steps_keep_all_categories_and_every_view_works(qtbot, page):
    page.card.steps.setValue(4)
    settled(qtbot, page)
    assert [len(row.images) for row in page.card.latents.grid.rows] == [11, 5, 5]
    page.card.latents.difference.setChecked(True)
    assert [len(row.images) for row in page.card.latents.grid.rows] == [12, 6, 6]
    page.card.show_view(WALK)
    settled(qtbot, page)
    qtbot.waitUntil(lambda: len(page.card.walk.grid.rows) == 1, timeout=WAIT)  # linear only
    assert page.card.walk.grid.rows[0].title == "linear"
    page.card.show_view(LATENTS)
    page.source.segments.button(PRIOR).click()
    settled(qtbot, page)
    assert "one of 10 categories, or U(−1, 1)" in page.source._prior_words.text()
    assert page.answer.start.mean[0] in range(10)


def test_the_range_is_remembered_for_each_kind_of_latent(qtbot, page, window, tiny_run):
    page.card.high.setValue(1.5)
    settled(qtbot, page)
    shutil.copytree(tiny_run.path, window.store.root / "vae")
    window.store.refresh()
    window.run_list.select(window.store.root / "vae")
    settled(qtbot, page)
    assert (page.card.low.value(), page.card.high.value(), page.card.steps.value()) == (-3, 3, 9)
    assert not page.card.latents.min_kl.isHidden()
    window.run_list.select(window.store.root / "gan")
    settled(qtbot, page)
    assert (page.card.low.value(), page.card.high.value()) == (-2, 1.5)


def test_runs_of_both_kinds_are_compared_and_saved(qtbot, page, window, tmp_path):
    settings = {"dataset": "digits", "objective": "beta-vae", "beta": 0.001, "latents": 2, "steps": 30, "threads": 1}
    config = RunConfig.parse(settings)
    list(train(Run.create(window.store.root, config, "vae")))
    window.store.refresh()
    window.run_list.view.selectAll()
    page.card.show_view(COMPARE)
    qtbot.waitUntil(lambda: len(page.card.compare.grids) == 2, timeout=WAIT)
    steps = page.card.range.steps
    kinds = [run.traversal.kinds for run in page.answer.result]
    both = [[row for row in grid.rows if len(row.images)] for grid in page.card.compare.grids]
    assert sorted(len(rows) for rows in both) == [2, 3]  # all latents are active
    assert sorted(len(each) for each in kinds) == [2, 3]
    sheet = sheet_of(page.answer, page.names, 0.0)
    assert sheet.tiles.shape == (5, max(11, steps + 1), 32, 32, 1)  # the original first
    assert len(sheet.head) == max(11, steps + 1)
    sheet.save(tmp_path / "compared.png", Look())
    assert (tmp_path / "compared.png").exists()


def test_there_is_no_empty_plot_and_pictures_are_titled(page, window):
    window.header.tabs.button(0).click()
    training = window.training_page
    training.curves._draw()
    plots = training.curves
    assert [plot.isHidden() for plot in (plots.reconstruction, plots.kl, plots.latents, plots.terms[0])] == [
        False, True, True, False
    ]  # fmt: skip
    assert plots.reconstruction.title.text() == "Loss"
    pictures = training.pictures
    assert pictures._second_title.text() == "Generated from the codes"
    assert pictures._third_title.text() == "Latents, 10 categories, from −2 to +2"
    assert [len(row.images) for row in pictures.traversal.rows] == [10, 10, 10]
    assert pictures.traversal.rows[0].tips[0] == "z0, one of 10 categories"
    assert training.health.text == ""


def test_with_several_runs_the_legend_names_the_run_and_terms_are_read_separately(page, window):
    shutil.copytree(window.store.root / "gan", window.store.root / "other")
    window.store.refresh()
    window.run_list.view.selectAll()
    window.header.tabs.button(0).click()
    curves = window.training_page.curves
    curves._draw()
    names = [button.entry.title for button in curves.terms[0].legend.buttons]
    assert sorted(names) == sorted(item.name for item in window.store.items)
    assert len(names) == 2
    assert {curve.title.split(" · ")[-1] for curve in curves.terms[0]._curves} == {
        "Discriminator", "Generator", "Category", "Continuous codes"
    }  # fmt: skip


def test_the_list_shows_no_missing_numbers(page, window):
    from gui.runs.model import SORTS, _tip

    item = next(item for item in window.store.items if item.path.name == "gan")
    assert np.isnan(item.last("reconstruction"))
    assert "Shown on the right:" not in _tip(item)
    assert SORTS["KL"](item) == float("inf")
    window.run_list.view.grab()  # painting it raises nothing
