"""The latent map, used as a user would: axes, colours, hover, click, lasso, manifold, cancelling, saving."""

import csv
import shutil
import threading

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from engine.data import load_dataset
from engine.runs.trained import load_model
from engine.traversal import encode
from gui.traversal import export
from gui.traversal.background import LatestJob
from gui.traversal.grid_card import MAP
from gui.traversal.map_view import PCA, UMAP

WAIT = 60_000


@pytest.fixture
def page(qtbot, window, tiny_run):
    """The Traversal page with the map of a run."""
    shutil.copytree(tiny_run.path, window.store.root / "tiny")
    window.store.refresh()
    window.resize(1280, 800)
    window.run_list.select(window.store.root / "tiny")
    window.header.tabs.button(1).click()
    page = window.traversal_page
    page.card.views.button(MAP).click()
    qtbot.waitUntil(lambda: len(page.card.map.plot.points) > 0, timeout=WAIT)
    for _ in range(3):  # the legend has just appeared, so the plot finds its size
        QApplication.processEvents()
    return page


def settled(qtbot, page):
    qtbot.waitUntil(lambda: page.answer is not None and page.request == page._asked, timeout=WAIT)


@pytest.fixture
def means(tiny_run, digits_folder):
    """Posterior means of the test images, encoded without the map."""
    trained = load_model(tiny_run, load_dataset("mnist", digits_folder))
    return encode(trained, trained.dataset.images(trained.dataset.splits["test"])).mean


def at(plot, x, y):
    """Return the position of a point of the plot in pixels of the plot's viewport."""
    return plot.mapFromScene(plot.box.mapViewToScene(QPointF(x, y)))


def lone_point(plot):
    """Return the point that is farthest from its nearest neighbour."""
    apart = np.linalg.norm(plot.points[:, None] - plot.points, axis=2)
    np.fill_diagonal(apart, np.inf)
    return int(apart.min(axis=1).argmax())


def test_the_map_shows_the_first_two_latents_and_others_on_request(qtbot, page, means):
    view, (first, second) = page.card.map, page.answer.loaded.order[:2]
    np.testing.assert_allclose(view.plot.points, means[:, [first, second]], atol=2e-5)
    assert (view.plot.across.labelText, view.plot.up.labelText) == (f"z{first}", f"z{second}")
    assert view.about.text() == "Posterior means of 297 test images, step 60"
    assert [button.entry.title for button in view.legend.buttons] == [str(digit) for digit in range(10)]

    view.across.setCurrentIndex(view.across.findData(second))  # both would show it, so they swap
    assert view.pair == (second, first)
    np.testing.assert_allclose(view.plot.points, means[:, [second, first]], atol=2e-5)
    view.kind.setCurrentIndex(view.kind.findData(PCA))
    centred = means - means.mean(axis=0)
    _, _, components = np.linalg.svd(centred)
    np.testing.assert_allclose(np.abs(view.plot.points), np.abs(centred @ components[:2].T), atol=1e-4)
    assert "% of variance" in view.plot.across.labelText
    assert view.across.isHidden()


def test_a_click_on_a_point_shows_its_image_and_sets_the_sliders_to_its_code(qtbot, page, means):
    view, plot = page.card.map, page.card.map.plot
    point = lone_point(plot)
    index = int(page.map._codes.images[point])
    place = at(plot, *plot.points[point])
    qtbot.mouseMove(plot.viewport(), place + QPoint(60, 60))
    qtbot.mouseMove(plot.viewport(), place)
    qtbot.waitUntil(view._preview.isVisible, timeout=WAIT)
    assert page.card.words.text().startswith(f"image {index:,}: ")
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=place)
    settled(qtbot, page)
    assert page.answer.index == index
    np.testing.assert_allclose(page.sliders.z, means[point], atol=0.006)
    np.testing.assert_allclose(plot.marker.getData()[0][0], plot.points[point, 0], atol=0.006)


def test_the_lasso_selects_counts_and_gives_the_mean(qtbot, page, means, digits_folder):
    view, plot = page.card.map, page.card.map.plot
    view.lasso.click()
    low, high = np.percentile(plot.points, [20, 80], axis=0)
    corners = [
        at(plot, *corner) for corner in ((low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1]))
    ]
    drawn = np.array([[place.x(), place.y()] for place in (plot._place(QPointF(corner)) for corner in corners)])
    qtbot.mousePress(plot.viewport(), Qt.MouseButton.LeftButton, pos=corners[0])
    for corner in corners[1:]:
        qtbot.mouseMove(plot.viewport(), corner)
    qtbot.mouseRelease(plot.viewport(), Qt.MouseButton.LeftButton, pos=corners[-1])
    inside = ((plot.points > drawn.min(axis=0)) & (plot.points < drawn.max(axis=0))).all(axis=1)
    np.testing.assert_array_equal(view.selected, inside)
    labels = load_dataset("mnist", digits_folder).labels[1500:][inside]
    assert view.summary.text().startswith(f"{inside.sum()} points selected")
    assert f"{np.bincount(labels).max() / len(labels):.0%}" in view.summary.text()
    assert len({brush.color().name() for brush in plot.dots.data["brush"]}) > 10  # the others are pale

    view.to_mean.click()
    np.testing.assert_allclose(page.sliders.z, means[inside].mean(axis=0), atol=0.006)
    view.clear_button.click()
    assert view.selection.isHidden()


def test_classes_are_hidden_by_the_legend_and_an_ordered_factor_has_a_scale(qtbot, page):
    view = page.card.map
    numbers = page.map._codes.groupings[0].numbers
    next(button for button in view.legend.buttons if button.entry.title == "7").click()
    np.testing.assert_array_equal(view.plot.visible, numbers != 7)
    assert len(view.plot.dots.data) == (numbers != 7).sum()
    gone = int(np.flatnonzero(numbers == 7)[0])
    assert view.plot.point_at(QPointF(at(view.plot, *view.plot.points[gone]))) != gone
    view.colour.setCurrentIndex(view.colour.findText("one colour"))
    assert view.legend.isHidden()
    assert len({brush.color().name() for brush in view.plot.dots.data["brush"]}) == 1


def test_the_manifold_lies_behind_the_points_and_a_click_decodes_there(qtbot, page, tiny_run, digits_folder):
    from engine.traversal import decode

    view, plot = page.card.map, page.card.map.plot
    assert page.card._range.isHidden()
    page.card.steps.setValue(3)
    view.manifold.click()
    assert not page.card._range.isHidden()
    qtbot.waitUntil(plot.manifold.isVisible, timeout=WAIT)
    trained = load_model(tiny_run, load_dataset("mnist", digits_folder))
    z = page.sliders.z
    z[list(view.pair)] = 3.0, -3.0
    np.testing.assert_array_equal(page.map._tiles[-1, -1], decode(trained, z[None])[0])
    assert plot.manifold.boundingRect().width() == 3 * 28

    place = at(plot, 3.4, -3.4)
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=place)
    np.testing.assert_allclose(page.sliders.z[list(view.pair)], (3.4, -3.4), atol=0.05)
    other = page.answer.loaded.order[5]
    before = page.map._tiles
    page.sliders.set_latent(other, 3.0)
    qtbot.waitUntil(lambda: page.map._tiles is not before, timeout=WAIT)
    z = page.sliders.z
    z[list(view.pair)] = 0.0
    np.testing.assert_array_equal(page.map._tiles[1, 1], decode(trained, z[None])[0])


def test_umap_says_what_to_install(page):
    row = page.card.map.kind.findData(UMAP)
    assert not page.card.map.kind.model().item(row).isEnabled()
    assert "pip install umap-learn" in page.card.map.kind.itemData(row, Qt.ItemDataRole.ToolTipRole)


def test_the_wheel_keys_and_double_click_change_what_is_in_view(qtbot, page):
    plot = page.card.map.plot
    before = plot.box.viewRect()
    plot.setFocus()
    qtbot.keyClick(plot, Qt.Key.Key_Plus)
    assert plot.box.viewRect().width() < before.width()
    qtbot.keyClick(plot, Qt.Key.Key_Right)
    assert plot.box.viewRect().center().x() > before.center().x()
    qtbot.keyClick(plot, Qt.Key.Key_Home)
    assert plot.box.viewRect().width() == pytest.approx(before.width())


def test_the_points_are_saved_and_the_picture_is_copied(qtbot, page, means, tmp_path, monkeypatch):
    asked = []
    path = tmp_path / "points.csv"
    monkeypatch.setattr(export, "ask_file", lambda *a: asked.append([f.ending for f in a[-1]]) or path)
    page.card.export_menu.aboutToShow.emit()
    assert not page.exports._animation.isVisible()
    page.exports.save_numbers()
    assert asked == [["csv", "npz"]]
    with path.open() as file:
        assert float(list(csv.DictReader(file))[7]["z3"]) == pytest.approx(means[7, 3], abs=1e-4)
    page.exports.copy_picture()
    copied = QGuiApplication.clipboard().pixmap()
    assert abs(copied.width() - page.card.map.width() * copied.devicePixelRatio()) <= 1


def test_computing_can_be_cancelled_and_taken_up_again(qtbot, window, tiny_run, monkeypatch):
    from engine.evaluation.posterior_means import PosteriorMeans

    go, encode_batch = threading.Event(), PosteriorMeans._encode
    monkeypatch.setattr(PosteriorMeans, "_encode", lambda self, images: go.wait(60) and encode_batch(self, images))
    shutil.copytree(tiny_run.path, window.store.root / "tiny")
    window.store.refresh()
    window.run_list.select(window.store.root / "tiny")
    window.header.tabs.button(1).click()
    page = window.traversal_page
    view = page.card.map
    page.card.views.button(MAP).click()
    qtbot.waitUntil(lambda: view.foot.isVisible() and page.coder.working, timeout=WAIT)
    assert view.foot.words.text().startswith("Encoding the images")
    view.button.click()
    assert (view.button.text(), view.foot.words.text()) == ("Compute", "Cancelled.")
    go.set()
    page.source.choose_image(3)
    settled(qtbot, page)
    assert len(view.plot.points) == 0  # not before it is asked for
    view.button.click()
    qtbot.waitUntil(lambda: len(view.plot.points) == 297, timeout=WAIT)
    assert view.foot.isHidden()


def test_only_the_latest_job_counts(qtbot):
    from PySide6.QtCore import QObject

    from engine.errors import ConfigError
    from engine.jobs.events import Progress

    owner = QObject()
    jobs, go, found, failed = LatestJob(owner), threading.Event(), [], []
    jobs.found.connect(lambda key, value: found.append((key, value)))
    jobs.failed.connect(lambda key, words: failed.append((key, words)))

    def slow():
        go.wait(30)
        yield Progress(1, 2)
        return "slow"

    def wrong():
        yield Progress(1, 1)
        raise ConfigError("No such latent.")

    def quick():
        yield Progress(1, 1)
        return "quick"

    jobs.ask("slow", slow)
    jobs.ask("quick", quick)
    assert jobs.key == "quick"
    go.set()
    qtbot.waitUntil(lambda: found == [("quick", "quick")], timeout=WAIT)
    jobs.ask("wrong", wrong)
    qtbot.waitUntil(lambda: failed == [("wrong", "No such latent.")], timeout=WAIT)
    assert jobs.key is None
    jobs.close()
