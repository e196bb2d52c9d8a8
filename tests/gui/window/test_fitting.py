"""The window opens within the available area of its screen, including its frame."""

import pytest
from PySide6.QtCore import QRect, QSize

from gui.window import fitting
from gui.window.fitting import fit, placed_inside
from gui.window.header import TABS


def framed(inner):
    """The frame drawn by openbox: 1 pixel at the sides, 20 above, 6 below."""
    return inner.adjusted(-1, -20, 1, 6)


@pytest.mark.parametrize("free", [QRect(0, 0, 1440, 900), QRect(0, 0, 1280, 800), QRect(0, 28, 1280, 740)])
@pytest.mark.parametrize(
    "inner",
    [QRect(1, 20, 1440, 900), QRect(2400, 1300, 1200, 700), QRect(-300, -50, 1100, 650), QRect(0, 0, 3840, 2160)],
)
def test_a_window_with_its_frame_lies_inside_the_free_area(inner, free):
    placed = placed_inside(inner, framed(inner), free)
    assert free.contains(framed(placed))
    assert placed.size() == inner.size().boundedTo(free.size() - QSize(2, 26))


def test_a_window_that_fits_is_not_moved():
    inner = QRect(100, 100, 1100, 600)
    assert placed_inside(inner, framed(inner), QRect(0, 0, 1280, 800)) == inner


class Screen:
    """A screen with a panel at the top."""

    def availableGeometry(self):
        return QRect(0, 28, 1280, 772)


def test_new_windows_and_those_from_a_larger_screen_open_inside(qtbot, another_window, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "fit", fit)
    for remembered in (None, QRect(900, 500, 2400, 1300)):
        window = another_window(tmp_path / "runs")
        monkeypatch.setattr(window, "screen", Screen)
        if remembered is None:
            fitting.usual_size(window)
        else:
            window.setGeometry(remembered)
        window.show()
        free = Screen().availableGeometry()
        qtbot.waitUntil(lambda w=window, f=free: f.contains(w.frameGeometry()))
        window.close()


def test_a_maximised_window_is_left_alone(window):
    window.showMaximized()
    before = window.geometry()
    fit(window)
    assert window.geometry() == before


def test_every_page_fits_a_screen_of_1280_by_800_with_a_panel(window):
    for page in range(len(TABS)):
        window._show_page(page)
        needed = window.minimumSizeHint().expandedTo(window.minimumSize())
        assert needed.width() <= 1280 - 2
        assert needed.height() <= 800 - 26 - 40  # a frame and a panel
