"""Rows of the comparison: by hand, for latents whose factors are given."""

import numpy as np

from engine.jobs.events import Link
from engine.methods.latents import Latent
from engine.traversal import Traversal
from gui.traversal.alignment import Compared, Line, aligned
from gui.traversal.compare_view import CompareView
from gui.traversal.sheet import _compared


def run(name, latents, kl, links, side=8, steps=9):
    """A run whose row r has images of the grey level r."""
    rows = len(latents)
    images = np.stack([np.full((steps, side, side, 1), row, np.uint8) for row in range(rows)])
    values = (tuple(np.linspace(-3, 3, steps).tolist()),) * rows
    grey = np.full((side, side, 1), 99, np.uint8)
    nothing = np.zeros(12)
    kinds = (Latent.gaussian(),) * rows
    traversal = Traversal(grey, grey, images, tuple(latents), tuple(kl), values, nothing, nothing, 100, kinds)
    follow = {latent: Link(latent, factor, share, 500) for latent, (factor, share) in links.items()}
    return Compared(name, {}, traversal, follow)


FIRST = run(
    "first", (4, 2, 7, 1, 0), (5.0, 4.0, 3.0, 2.0, 0.05),
    {4: ("x", 0.9), 2: ("y", 0.8), 1: ("x", 0.95), 0: ("shape", 0.5)},
)  # fmt: skip
SECOND = run("second", (3, 9, 5), (6.0, 1.0, 0.5), {3: ("scale", 0.7), 9: ("x", 0.6)})
MISSING = Compared("missing", {}, None, error="It is gone.")


def test_latents_that_follow_the_same_factor_are_in_one_row_and_inactive_ones_in_none():
    assert aligned([FIRST, SECOND, MISSING]) == [
        Line("x", (3, 1, None)),  # z1 follows it more closely than z4
        Line("x", (0, None, None)),
        Line("y", (1, None, None)),
        Line("scale", (None, 0, None)),
        Line("", (2, 2, None)),
    ]
    assert aligned([FIRST, SECOND], min_kl=3.5) == [
        Line("x", (0, None)),
        Line("y", (1, None)),
        Line("scale", (None, 0)),
    ]


def test_without_a_kl_no_latent_is_left_out_and_without_links_rows_are_as_they_were():
    assert aligned([run("own", (0, 1), (np.nan, np.nan), {})], min_kl=2.0) == [Line("", (0,)), Line("", (1,))]
    assert aligned([MISSING]) == []


def test_columns_stand_side_by_side_with_their_rows_at_the_same_height(qtbot):
    view = CompareView()
    qtbot.addWidget(view)
    view.resize(700, 900)
    view.show()
    view.show_runs([FIRST, SECOND, MISSING, FIRST], 0.0)
    qtbot.waitUntil(lambda: [panel.x() for panel in view.panels] == sorted({panel.x() for panel in view.panels}))
    assert len({panel.y() for panel in view.panels}) == 1
    first, second, third = view.grids
    assert [row.title for row in first.rows] == ["z1", "z4", "z2", "", "z7"]
    assert [row.note for row in second.rows][:3] == ["≈ x 0.60", "", "no latent follows y"]
    assert [row.note for row in first.rows][3:] == ["no latent follows scale", "3.00 nats"]
    assert [(row.title, row.note) for row in second.rows][3:] == [("z3", "≈ scale 0.70"), ("z5", "0.50 nats")]
    assert [row.images[0, 0, 0, 0] for row in first.rows if len(row.images)] == [3, 0, 1, 2]
    for row in range(5):
        heights = {grid.mapTo(view, grid._rect(row, 0).topLeft()).y() for grid in (first, second, third)}
        sizes = {grid._rect(row, 0).size().toTuple() for grid in (first, second, third)}
        assert (len(heights), len(sizes)) == (1, 1)
    # 700 pixels for four runs leave room for four images of 30 pixels each: both ends and two between them.
    assert first.rows[0].tips == ["z1 = −3.00", "z1 = −0.75", "z1 = +0.75", "z1 = +3.00"]
    assert list(first._headings) == ["−3.00", "", "+0.75", ""]  # narrower than a heading
    view.resize(1500, 900)
    qtbot.waitUntil(lambda: len(first.rows[0].images) == 9)


def test_a_run_without_an_active_latent_says_so(qtbot):
    view = CompareView()
    qtbot.addWidget(view)
    view.show_runs([FIRST, run("idle", (0, 1), (0.01, 0.02), {})], 0.0)
    assert [panel.nothing.isHidden() for panel in view.panels] == [True, False]


def test_the_saved_sheet_has_the_same_rows(qtbot):
    sheet = _compared((FIRST, SECOND, MISSING), "image 5", 0.0)
    assert sheet.side == [
        "first\nz1 ≈ x 0.95", "second\nz9 ≈ x 0.60", "first\nz4 ≈ x 0.90", "first\nz2 ≈ y 0.80",
        "second\nz3 ≈ scale 0.70", "first\nz7", "second\nz5",
    ]  # fmt: skip
    assert sheet.tiles[:, 1, 0, 0, 0].tolist() == [3, 1, 0, 1, 0, 2, 2]
