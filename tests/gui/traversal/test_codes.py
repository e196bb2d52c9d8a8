"""A run of a method with codes, and one with ordered categories: sliders, grid, range, prior and live pictures."""

import shutil

import numpy as np
import pytest

from engine.runs.run import Run
from engine.settings.run_config import RunConfig
from engine.training.trainer import train
from gui.traversal.grid_card import LATENTS, WALK
from gui.traversal.source_card import PRIOR
from gui.traversal.track import TICKS

WAIT = 60_000


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    settings = {"dataset": "digits", "batch_size": 32, "steps": 2, "log_steps": 2, "latents": 3, "threads": 1,
                "network": "burgess"}  # fmt: skip
    folder = tmp_path_factory.mktemp("codes")
    for name in ("qlae", "d-vae"):
        list(train(Run.create(folder, RunConfig.parse(settings | {"objective": name}), name)))
    return folder


@pytest.fixture
def shown(qtbot, window, runs):
    """Show a run on the Traversal page."""

    def show(name):
        shutil.copytree(runs / name, window.store.root / name)
        window.store.refresh()
        window.run_list.select(window.store.root / name)
        window.header.tabs.button(1).click()
        settled(qtbot, window.traversal_page)
        return window.traversal_page

    return show


def settled(qtbot, page):
    qtbot.waitUntil(lambda: page.answer is not None and page.request == page._asked, timeout=WAIT)


def test_codes_have_sliders_of_whole_steps_and_no_range_to_choose(qtbot, shown):
    page = shown("qlae")
    card, row = page.card, page.sliders.rows[1]
    assert (row.track.minimum(), row.track.maximum()) == (0, 9 * TICKS)
    assert row.number == round(row.number)
    assert f"Code of the image: {row.number:.0f}." in row.track.toolTip()
    assert [len(each.images) for each in card.latents.grid.rows] == [11, 11, 11]  # the original, ten codes
    assert {each.note for each in card.latents.grid.rows} == {"0 to 9"}
    assert not any(box.isVisible() for box in (card.low, card.high, card.steps))
    card.show_view(WALK)
    settled(qtbot, page)
    assert card.steps.isVisible()
    card.show_view(LATENTS)
    page.source.segments.button(PRIOR).click()
    settled(qtbot, page)
    assert page.source._prior_words.text().startswith("The method has no prior: every latent is one of 10 codes")
    assert set(page.answer.start.mean) <= set(range(10))


def test_ordered_categories_have_a_range_of_their_own_and_a_band_for_their_posterior(qtbot, shown):
    page = shown("d-vae")
    card, row = page.card, page.sliders.rows[1]
    assert (card.low.value(), card.high.value(), card.steps.value()) == (-1, 1, 11)
    assert card.low.isVisible()
    assert "where 64 categories are spaced evenly from −1 to 1" in card.low.toolTip()
    assert (row.track.minimum(), row.track.maximum()) == (-TICKS, TICKS)
    assert "standard deviation" in row.track.toolTip()
    assert not row.bar.isHidden()
    card.steps.setValue(5)
    settled(qtbot, page)
    places = np.linspace(-1, 1, 64)
    values = page.answer.result.traversal.values[0]
    assert values == pytest.approx([places[np.abs(places - wanted).argmin()] for wanted in (-1, -0.5, 0, 0.5, 1)])
    assert [len(each.images) for each in card.latents.grid.rows] == [6, 6, 6]
