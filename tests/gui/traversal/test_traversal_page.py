"""The Traversal page, used as a user would: choose an image, move sliders, click cells, walk, compare, save."""

import random
import shutil

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication
from PySide6.QtWidgets import QApplication

from engine.data import load_dataset
from engine.runs.latent_names import followed
from engine.runs.previews import list_previews, load_links
from engine.runs.run import Run
from engine.runs.trained import load_model
from engine.traversal import decode, encode
from gui.bridge import LatestWorker
from gui.traversal import export
from gui.traversal.grid_card import CLASSES, COMPARE, LATENTS, WALK
from gui.traversal.source_card import DRAW, FACTORS, FILE, IMAGE, PRIOR

WAIT = 60_000


@pytest.fixture(scope="module")
def conditional_run(tmp_path_factory, make_run):
    """A conditional run, trained for a few steps."""
    from engine.training.trainer import train

    run = make_run(tmp_path_factory.mktemp("conditional"), name="by label", conditional=True, steps=10)
    for _ in train(run):
        pass
    return run


@pytest.fixture
def show(qtbot, window):
    """Copy runs into the window's runs folder, select them and show the first on the Traversal page."""

    def copy(*runs):
        for number, run in enumerate(runs):
            shutil.copytree(run.path, window.store.root / f"{number}-{run.path.name}")
        window.store.refresh()
        paths = [window.store.root / f"{number}-{run.path.name}" for number, run in enumerate(runs)]
        window.run_list.select(paths[0])
        window.header.tabs.button(1).click()
        settled(qtbot, window.traversal_page)
        return window.traversal_page

    return copy


def settled(qtbot, page):
    """Wait until the latest request and the decoded sliders are shown."""
    qtbot.waitUntil(lambda: page.answer is not None and page.request == page._asked, timeout=WAIT)


def decoded(page):
    """Return the image next to the original."""
    return page.source.pictures.rows[0].images[-1]


def model_of(run, folder):
    return load_model(run, load_dataset("mnist", folder))


def cell(grid, row, column):
    return grid._rect(row, column).center()


def test_sliders_show_the_posterior_and_decode_their_values(qtbot, show, tiny_run, digits_folder):
    page = show(tiny_run)
    trained, index = model_of(tiny_run, digits_folder), page.answer.index
    posterior = encode(trained, trained.dataset.images(np.array([index])))
    np.testing.assert_allclose(page.sliders.z, posterior.mean[0], atol=0.005)
    kl = page.answer.loaded.kl
    assert page.sliders.order == sorted(range(10), key=lambda latent: -kl[latent])

    row = page.sliders.rows[page.sliders.order[0]]
    row.value.setFocus()
    row.value.selectAll()
    qtbot.keyClicks(row.value, "2.5")
    qtbot.keyClick(row.value, Qt.Key.Key_Return)
    expected = decode(trained, page.sliders.z[None])[0]
    qtbot.waitUntil(lambda: np.array_equal(decoded(page), expected), timeout=WAIT)
    assert page.sliders.z[row.latent] == 2.5

    qtbot.mouseDClick(row.track, Qt.MouseButton.LeftButton)
    assert page.sliders.z[row.latent] == pytest.approx(posterior.mean[0, row.latent], abs=0.005)


def test_clicking_a_cell_sets_the_sliders_and_shows_the_cells_image(qtbot, show, tiny_run):
    page = show(tiny_run)
    view, result = page.card.latents, page.answer.result
    qtbot.mouseMove(view.grid, cell(view.grid, 1, 9))
    latent = result.traversal.latents[1]
    qtbot.waitUntil(lambda: page.card.words.text() == f"z{latent} = +3.00")
    qtbot.mouseClick(view.grid, Qt.MouseButton.LeftButton, pos=cell(view.grid, 1, 9))
    assert page.sliders.z[latent] == 3
    # Sliders have two decimals, so the others may differ a little from the posterior mean.
    wanted = result.traversal.images[1, -1].astype(int)
    qtbot.waitUntil(lambda: np.abs(decoded(page) - wanted).max() <= 6, timeout=WAIT)
    page.sliders.reset_button.click()
    np.testing.assert_allclose(page.sliders.z, page.answer.start.mean, atol=0.005)


def test_rows_are_chosen_by_kl_or_individually_and_differences_can_be_shown(qtbot, show, tiny_run):
    page = show(tiny_run)
    view, kl = page.card.latents, page.answer.loaded.kl
    view.min_kl.setValue(round(float(np.median(kl)), 2))
    expected = [f"z{i}" for i in page.sliders.order if kl[i] >= view.min_kl.value()]
    assert 0 < len(expected) < 10
    assert [row.title for row in view.grid.rows] == expected
    view.menu.actions()[0].trigger()
    assert [row.title for row in view.grid.rows] == expected[1:]
    page.card.latents.difference.click()
    images = page.answer.result.traversal.images[1]
    assert np.array_equal(view.grid.rows[0].images[-1], images.max(axis=0) - images.min(axis=0))


def test_range_and_steps_are_remembered_and_headings_are_even(qtbot, show, window, settings, tiny_run):
    page = show(tiny_run)
    page.card.low.setValue(-1)
    page.card.high.setValue(1)
    page.card.steps.setValue(5)
    settled(qtbot, page)
    assert list(page.card.latents.grid._headings) == ["original", "−1.0", "−0.5", "0.0", "+0.5", "+1.0"]
    from gui.traversal.grid_card import GridCard

    again = GridCard(settings)
    assert (again.range.low, again.range.high, again.range.steps) == (-1, 1, 5)
    again.deleteLater()


def test_keys_move_to_other_images_of_the_class(qtbot, show, window, tiny_run, digits_folder):
    page = show(tiny_run)
    labels = load_dataset("mnist", digits_folder).labels
    among = list(np.flatnonzero(labels == 3))
    page.source.images.category.setCurrentIndex(page.source.images.category.findData(3))
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    for keys, step in ((Qt.Key.Key_Right, 1), (Qt.Key.Key_Left, -1)):
        before = page.source._index
        qtbot.keyClick(page, keys, Qt.KeyboardModifier.AltModifier)
        wanted = among[among.index(before) + step]
        qtbot.waitUntil(lambda wanted=wanted: page.source._index == wanted)
    random.seed(1)
    before = page.answer
    qtbot.keyClick(page, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: page.answer is not before)
    settled(qtbot, page)
    assert labels[page.answer.index] == 3
    assert "class 3" in page.source.words.text()


def test_a_latents_name_appears_everywhere_and_can_be_undone(qtbot, show, window, tiny_run):
    page = show(tiny_run)
    latent = page.sliders.order[0]
    name = page.sliders.rows[latent].name
    name.setFocus()
    qtbot.keyClicks(name, "  thickness ")
    qtbot.keyClick(name, Qt.Key.Key_Return)
    assert Run.open(page.item.path).marks()["latents"] == {str(latent): "thickness"}
    window.store.refresh()
    assert page.card.latents.grid.rows[0].note == "thickness"
    name.clearFocus()
    window.actions_of_runs.undo_stack.undo()
    assert "latents" not in Run.open(page.item.path).marks()
    assert name.text() == ""
    assert page.card.latents.grid.rows[0].note == page.sliders.rows[latent].link.text()  # what it follows


def test_images_are_dropped_pasted_drawn_or_refused_with_a_message(qtbot, show, window, tiny_run, tmp_path):
    page = show(tiny_run)
    stroke = np.zeros((60, 50), np.uint8)
    stroke[10:50, 20:30] = 255
    Image.fromarray(stroke).save(tmp_path / "stroke.png")
    _drop(page, tmp_path / "stroke.png")
    qtbot.waitUntil(lambda: page.answer.start.words == "file stroke.png", timeout=WAIT)
    assert page.source.segments.checkedId() == FILE
    original = page.answer.start.original[..., 0]
    rows = np.flatnonzero(original.max(axis=1) > 128)
    assert len(rows) == 20  # MNIST's box

    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    _drop(page, broken)
    qtbot.waitUntil(lambda: "broken.png is not a picture" in page.source.words.text(), timeout=WAIT)
    assert page.answer.start.words == "file stroke.png"

    from gui.widgets.image_grid import to_qimage

    QGuiApplication.clipboard().setImage(to_qimage(stroke[..., None]))
    page.setFocus()
    page.incoming.paste()
    qtbot.waitUntil(lambda: page.answer.start.words == "an image from the clipboard", timeout=WAIT)

    page.source.segments.button(DRAW).click()
    canvas = page.source.board.canvas
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=QPoint(60, 30))
    qtbot.mouseMove(canvas, QPoint(90, 120))
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=QPoint(90, 120))
    qtbot.waitUntil(lambda: page.answer.start.words == "drawn by hand", timeout=WAIT)
    assert page.answer.start.original.max() > 200
    QGuiApplication.clipboard().clear()


def _drop(page, path):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    none, copy = Qt.KeyboardModifier.NoModifier, Qt.DropAction.CopyAction
    page.dropEvent(QDropEvent(QPointF(5, 5), copy, data, Qt.MouseButton.LeftButton, none))


def test_classes_are_shown_only_for_conditional_models(qtbot, show, conditional_run, digits_folder):
    page = show(conditional_run)
    page.card.show_view(CLASSES)
    settled(qtbot, page)
    grid = page.card.classes.grid
    assert [row.title for row in grid.rows] == [str(digit) for digit in range(10)]
    qtbot.mouseClick(grid, Qt.MouseButton.LeftButton, pos=cell(grid, 7, 0))
    assert page.source.chosen_label == 7
    latent = page.card.classes.latent
    assert page.sliders.z[latent] == -3
    settled(qtbot, page)
    expected = decode(model_of(conditional_run, digits_folder), page.sliders.z[None], np.array([7]))[0]
    qtbot.waitUntil(lambda: np.array_equal(decoded(page), expected), timeout=WAIT)


def test_a_walk_ends_at_its_target_and_its_cells_move_the_sliders(qtbot, show, tiny_run, digits_folder):
    page = show(tiny_run)
    page.card.show_view(WALK)
    page.card.walk.index.setValue(1600)
    settled(qtbot, page)
    grid = page.card.walk.grid
    dataset = load_dataset("mnist", digits_folder)
    for row in grid.rows:
        assert np.array_equal(row.images[0], dataset.images(np.array([page.answer.index]))[0])
        assert np.array_equal(row.images[-1], dataset.images(np.array([1600]))[0])
    qtbot.mouseClick(grid, Qt.MouseButton.LeftButton, pos=cell(grid, 0, len(grid.rows[0].images) - 2))
    end = encode(model_of(tiny_run, digits_folder), dataset.images(np.array([1600]))).mean[0]
    np.testing.assert_allclose(page.sliders.z, end, atol=0.006)


def test_runs_are_compared_on_the_same_image(qtbot, show, window, tiny_run, conditional_run):
    page = show(tiny_run, conditional_run)
    page.card.show_view(COMPARE)
    assert "Select two or more runs" in page.card.message.text()
    page.show_runs(
        [window.store.find(window.store.root / name) for name in ("0-tiny", f"1-{conditional_run.path.name}")]
    )
    settled(qtbot, page)
    first, second = page.card.compare.panels
    assert np.array_equal(first.image.rows[0].images[0], second.image.rows[0].images[0])
    assert not np.array_equal(first.image.rows[0].images[1], second.image.rows[0].images[1])
    loaded = page.answer.loaded
    shown = {row.title for row in first.grid.rows if len(row.images)}
    assert shown == {f"z{latent}" for latent, kl in enumerate(loaded.kl) if kl > 0.1}
    for row in first.grid.rows:
        link = loaded.links.get(int(row.title[1:])) if row.title else None
        assert link is None or row.note == f"≈ {link.factor} {link.share:.2f}"


def test_without_its_data_the_prior_still_works_with_a_message(qtbot, window, make_run, tiny_run, tmp_path):
    import json

    shutil.copytree(tiny_run.path, window.store.root / "tiny")
    file = window.store.root / "tiny" / "config.json"
    config = json.loads(file.read_text())
    config["data_folder"] = str(tmp_path / "gone")
    file.write_text(json.dumps(config))
    window.store.refresh()
    window.run_list.select(window.store.root / "tiny")
    window.header.tabs.button(1).click()
    page = window.traversal_page
    settled(qtbot, page)
    assert page.source.segments.checkedId() == PRIOR
    assert not page.source.segments.button(IMAGE).isEnabled()
    assert "the prior still work" in page.source.words.text()
    before = page.sliders.z
    page.source.again.click()
    settled(qtbot, page)
    assert not np.array_equal(page.sliders.z, before)
    assert len(page.card.latents.grid.rows) == 10


def test_a_deleted_or_failed_run_is_explained(qtbot, show, window, tiny_run, make_run):
    page = show(tiny_run)
    shutil.rmtree(page.item.path)
    page.source.images.random.click()
    qtbot.waitUntil(lambda: "moved or deleted" in page.card.message.text(), timeout=WAIT)
    window.store.refresh()
    failed = make_run(window.store.root, name="failed")
    from engine.runs.run import RunState

    failed.write_state(RunState("failed", 3, 60, "The loss became NaN at step 3."))
    window.store.refresh()
    window.run_list.select(failed.path)
    assert page.card.message.text().endswith("failed before its first checkpoint: The loss became NaN at step 3.")
    assert page.source.words.text() == ""  # nothing of the previous run's image
    assert not page.source.images.isEnabled()


def test_the_factor_of_a_latent_is_shown_and_factor_sliders_choose_the_image(qtbot, window, tmp_path):
    """A data set with two obvious factors: the position and the brightness of a bar."""
    from engine.settings.run_config import RunConfig
    from engine.training.trainer import train

    places, levels = np.meshgrid(np.arange(8), np.arange(4), indexing="ij")
    factors = np.stack([places.ravel(), levels.ravel()], 1)
    images = np.zeros((32, 32, 32, 1), np.uint8)
    for image, (place, level) in zip(images, factors, strict=True):
        image[:, 4 * place : 4 * place + 4] = 60 + 60 * level
    file = tmp_path / "bars.npz"
    np.savez(file, images=images, factors=factors, factor_names=np.array(["place", "level"]))
    run = Run.create(
        window.store.root,
        RunConfig.parse(
            {
                "dataset": "arrays",
                "data_folder": file,
                "objective": "vae",
                "network": "report",
                "normalisation": "batch",
                "batch_size": 16,
                "steps": 60,
                "device": "cpu",
            }
        ),
    )
    for _ in train(run):
        pass
    window.store.refresh()
    window.run_list.select(run.path)
    page = window.traversal_page
    page.source.segments.button(PRIOR).click()
    window.header.tabs.button(1).click()
    settled(qtbot, page)
    # From the prior to the factors: the sliders show those of the image that is shown from the beginning.
    page.source.segments.button(FACTORS).click()
    settled(qtbot, page)
    assert page.answer.index is not None
    assert [slider.value() for slider in page.source.factors._sliders] == list(factors[page.answer.index])
    page.source.images.next_image()
    settled(qtbot, page)
    page.source.segments.button(FACTORS).click()
    assert [slider.value() for slider in page.source.factors._sliders] == list(factors[page.answer.index])
    found = page.answer.loaded.links
    assert found
    idle = [latent for latent, kl in enumerate(page.answer.loaded.kl) if kl <= 0.1]
    assert not any(page.sliders.rows[latent].link.text() for latent in idle)
    rows = page.sliders.rows
    assert {row.latent: row.link.text() for row in rows if not row.link.isHidden()} == {
        latent: f"≈ {link.factor} {link.share:.2f}" for latent, link in found.items()
    }
    # They are those of the last pictures of the run, which have the same weights, but the KL of the last steps.
    kept = followed(load_links(list_previews(run.previews_folder)[-1]))
    assert found.keys() & kept.keys()
    assert all(found[latent] == kept[latent] for latent in found.keys() & kept.keys())
    notes = {row.title: row.note for row in page.card.latents.grid.rows}
    assert all(notes[f"z{latent}"] == rows[latent].link.text() for latent in found)
    latent, link = next(iter(found.items()))
    qtbot.mouseClick(rows[latent].link, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: rows[latent].name.text() == link.factor)
    assert run.marks()["latents"] == {str(latent): link.factor}
    window.actions_of_runs.undo_stack.undo()
    qtbot.waitUntil(lambda: rows[latent].name.text() == "")
    page.source.segments.button(FACTORS).click()
    for slider, value in zip(page.source.factors._sliders, (5, 2), strict=True):
        slider.setValue(value)
    settled(qtbot, page)
    assert page.answer.index == 5 * 4 + 2
    assert np.array_equal(page.answer.start.original, images[22])


def test_playing_moves_latents_within_the_range_and_stops(qtbot, show, tiny_run):
    page = show(tiny_run)
    latent = page.sliders.order[0]
    seen = []
    page.player.step.connect(lambda which, value: seen.append((which, value)))
    page.sliders.rows[latent].play_button.click()
    qtbot.waitUntil(lambda: len(seen) > 4, timeout=WAIT)
    assert {which for which, _ in seen} == {latent}
    assert all(-3 <= value <= 3 for _, value in seen)
    page.card.play_button.click()
    assert not page.player.playing


def test_the_current_view_is_saved(qtbot, show, window, tiny_run, tmp_path, monkeypatch):
    page = show(tiny_run)
    page.card.latents.min_kl.setValue(round(float(np.median(page.answer.loaded.kl)), 2))
    monkeypatch.setattr(export, "ask_file", lambda *question: tmp_path / f"out.{question[4][-1].ending}")
    monkeypatch.setattr(export.PictureDialog, "exec", lambda self: self.accept() or self.result())
    page.exports.save_numbers()
    arrays = np.load(tmp_path / "out.npz")
    shown = [int(row.title[1:]) for row in page.card.latents.grid.rows]
    assert list(arrays["latents"]) == shown
    assert np.array_equal(arrays["images"][0], page.card.latents.grid.rows[0].images[1:])
    assert page.card.words.text() == f"Saved as {tmp_path / 'out.npz'}"
    page.exports.save_picture()
    assert (tmp_path / "out.pdf").read_bytes().startswith(b"%PDF")
    page.card.show_view(WALK)
    settled(qtbot, page)
    (tmp_path / "out.pdf").unlink()
    page.exports.save_picture()
    assert (tmp_path / "out.pdf").exists()
    page.exports.save_numbers()
    arrays = np.load(tmp_path / "out.npz")
    assert np.array_equal(arrays["images"][:, 1:-1], page.answer.result.images)
    assert np.array_equal(arrays["latents"], page.answer.result.paths)
    page.exports.save_animation()
    with Image.open(tmp_path / "out.gif") as animation:
        steps = page.answer.result.images.shape[1]
        assert animation.n_frames == 2 * steps - 2  # back and forth, each end once
    page.card.show_view(LATENTS)
    settled(qtbot, page)
    page.exports.save_latents()
    arrays = np.load(tmp_path / "out.npz")
    assert arrays["means"].shape == (1797, 10)


def test_only_the_latest_slider_position_is_decoded(qtbot, show, tiny_run):
    page = show(tiny_run)
    row, arrived = page.sliders.rows[page.sliders.order[0]], []
    page.decoder.answered.connect(lambda key, image: arrived.append(image))
    for value in range(-200, 201, 2):
        row.track.setValue(value)
    last = decode(page.answer.loaded.trained, page.sliders.z[None])[0]
    qtbot.waitUntil(lambda: bool(arrived) and np.array_equal(arrived[-1], last), timeout=WAIT)
    assert len(arrived) < 100
    assert np.array_equal(decoded(page), last)
    assert isinstance(page.decoder, LatestWorker)
    QApplication.processEvents()


def test_without_visible_latents_the_grid_says_so(show, tiny_run):
    page = show(tiny_run)
    page.card.latents.min_kl.setValue(50)
    assert page.card.latents.grid.rows == []
    assert f"The largest mean KL is {page.answer.loaded.kl.max():.2f} nats" in page.card.latents.nothing.text()
    assert page.card.latents.nothing.isVisible()


def test_naming_a_latent_does_not_move_the_sliders(qtbot, show, window, tiny_run):
    page = show(tiny_run)
    latent = page.sliders.order[0]
    page.sliders.set_latent(latent, 2.4)
    row = page.sliders.rows[latent]
    row.name.setText("thickness")
    row.name.editingFinished.emit()
    qtbot.waitUntil(lambda: page.names.get(latent) == "thickness", timeout=WAIT)
    window.store.refresh()
    qtbot.wait(300)  # an answer that would reset them
    assert page.sliders.z[latent] == 2.4


def test_another_run_on_the_same_data_shows_the_same_image(qtbot, show, window, tiny_run):
    page = show(tiny_run, tiny_run)
    usual = page.answer.index
    page.source.choose_image(usual + 3)
    qtbot.waitUntil(lambda: page.answer is not None and page.answer.index == usual + 3, timeout=WAIT)
    first, second = (item.path for item in window.run_list.shown_items())
    other = second if page.item.path == first else first
    window.run_list.select(other)
    qtbot.waitUntil(lambda: page.answer is not None and page.item.path == other, timeout=WAIT)
    assert page.answer.index == usual + 3
    assert page.source.images.index.value() == usual + 3
