"""The widgets of the Traversal page: canvas, slider track, grid keys, labels, Figure 1."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from gui.help.posteriors import FigureOneDialog
from gui.training.live_pictures import LivePictures
from gui.traversal.canvas import SIDE, DrawingBoard
from gui.traversal.labels import heading_texts
from gui.traversal.track import TICKS, LatentTrack
from gui.widgets.heat_map import HeatMap
from gui.widgets.image_grid import ImageGrid, Row


def stroke(qtbot, canvas, *points, button=Qt.MouseButton.LeftButton):
    qtbot.mousePress(canvas, button, pos=points[0])
    for point in points[1:]:
        qtbot.mouseMove(canvas, point)
    qtbot.mouseRelease(canvas, button, pos=points[-1])


def test_the_canvas_draws_erases_undoes_and_clears(qtbot):
    board = DrawingBoard()
    qtbot.addWidget(board)
    board.resize(240, 290)
    board.show()
    canvas = board.canvas
    scale = canvas._box().width() / SIDE
    place = lambda x, y: (canvas._box().topLeft() + QPoint(x, y) * scale).toPoint()  # noqa: E731
    stroke(qtbot, canvas, place(60, 112), place(160, 112))
    first = canvas.pixels
    assert first[112, 110] == 255
    assert first[112, 30] == 0
    height = (first[:, 110] > 128).sum()
    assert height == pytest.approx(2.5 * SIDE / 28, abs=2)  # as wide as MNIST's strokes
    board._tools.button(1).click()
    stroke(qtbot, canvas, place(110, 112))
    assert canvas.pixels[112, 110] == 0
    canvas.setFocus()
    qtbot.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert np.array_equal(canvas.pixels, first)
    board.clear_button.click()
    assert canvas.empty
    assert not board.clear_button.isEnabled()
    board.undo_button.click()
    assert np.array_equal(canvas.pixels, first)


def test_a_click_moves_the_handle_there_and_keys_move_it_by_a_tenth(qtbot):
    track = LatentTrack()
    qtbot.addWidget(track)
    track.set_range(-3, 3)
    track.resize(216, 24)
    track.show()
    for value in (-3.0, 0.0, 1.5, 3.0):
        qtbot.mouseClick(track, Qt.MouseButton.LeftButton, pos=QPoint(round(track._x(value)), 12))
        assert track.value() / TICKS == pytest.approx(value, abs=0.03)
    track.setValue(0)
    qtbot.keyClick(track, Qt.Key.Key_Right)
    assert track.value() == TICKS // 10


def test_arrow_keys_move_through_the_grid_and_return_clicks(qtbot):
    grid = ImageGrid(keys=True)
    qtbot.addWidget(grid)
    grid.show_rows([Row(np.zeros((3, 8, 8, 1), np.uint8))] * 2)
    pressed, over = [], []
    grid.clicked.connect(lambda *place: pressed.append(place))
    grid.hovered.connect(lambda *place: over.append(place))
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Return):
        qtbot.keyClick(grid, key)
    assert pressed == [(1, 1)]
    assert over == [(0, 0), (0, 1), (1, 1)]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((-3, -1.5, 0, 1.5, 3), ["−3.0", "−1.5", "0.0", "+1.5", "+3.0"]),
        ((-3, -2.25, -1e-17), ["−3.00", "−2.25", "0.00"]),
        ((-1, -1 / 3, 1 / 3, 1), ["−1.00", "−0.33", "+0.33", "+1.00"]),
    ],
)
def test_headings_have_only_the_decimals_they_need_and_no_minus_zero(values, words):
    assert heading_texts(values) == words


def test_figure_one_says_what_a_larger_beta_does(qtbot):
    dialog = FigureOneDialog()
    qtbot.addWidget(dialog)
    dialog.show()
    said, overlaps = [], []
    for place in (0, 64, 84, 120):
        dialog.slider.setValue(place)
        said.append(dialog.words.text().split(":")[0].split(".")[0])
        overlaps.append(int(dialog.numbers.text().split("overlap ")[1].split(" %")[0]))
    assert dialog.beta.text() == "β = 100"
    assert len(set(said)) == 4
    assert overlaps == sorted(overlaps)
    assert overlaps[0] == 0


@pytest.mark.parametrize("longest", ["x position", "the angle at which it is drawn"])
@pytest.mark.parametrize("width", [210, 330, 420, 900])
def test_names_of_latents_are_complete_in_the_live_view(qtbot, width, longest):
    card = LivePictures()
    qtbot.addWidget(card)
    grid = card.traversal
    names = ("thickness", "0.4", longest)
    grid.show_rows([Row(np.zeros((8, 32, 32, 1), np.uint8), "z3", name) for name in names])
    grid.resize(width, grid.heightForWidth(width))
    assert [grid.shown_text(n) for n in range(3)] == [("z3", name) for name in names]
    assert grid._rect(2, 7).right() <= width
    assert grid._rect(2, 0).bottom() <= grid.height()
    assert grid._rect(1, 0).top() - grid._rect(0, 0).bottom() >= grid._line(width)  # no words on a picture


def test_a_long_name_is_elided_beside_images_and_complete_in_the_tooltip(qtbot):
    grid = ImageGrid(side=44, largest=56)
    qtbot.addWidget(grid)
    name = "the angle at which a stroke is drawn"
    grid.show_rows([Row(np.zeros((8, 32, 32, 1), np.uint8), "z3", name)])
    grid.resize(330, 60)
    title, note = grid.shown_text(0)
    assert (title, note[-1]) == ("z3", "…")
    assert grid._tip(QPoint(4, grid._rect(0, 0).center().y())) == f"z3 {name}"


def test_names_of_rows_appear_in_the_heat_map(qtbot):
    heat = HeatMap()
    qtbot.addWidget(heat)
    heat.resize(420, 200)
    heat.show_values(np.ones((2, 3)), ["z0 (thickness)", "z1 (" + "w" * 40 + ")"], ["a", "b", "c"], "{row} {value}")
    assert heat.row_text(0) == "z0 (thickness)"
    assert heat.row_text(1).endswith("…")
    assert heat.tip_at(QPoint(3, round(heat._cell(1, 0).center().y()))) == "z1 (" + "w" * 40 + ")"
    assert heat._cell(0, 2).right() <= 420
