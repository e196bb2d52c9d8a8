"""What a teacher needs in front of a class: everything larger, one picture or plot over the whole window."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QFontInfo, QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget

from gui.widgets import theme
from gui.widgets.image_grid import ImageGrid, Row
from gui.widgets.large import Large, enlarge
from gui.widgets.layouts import Card
from gui.window.zooming import FACTORS, kept_zoom

CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture(autouse=True)
def no_zoom(qapp):
    yield
    theme.remember_zoom(qapp, 1.0)


def text_size(widget):
    return QFontInfo(widget.font()).pixelSize()


def large(window):
    found = window.findChild(Large)
    return found if found is not None and found.isVisible() else None


def test_text_fields_and_pictures_grow_together_and_return(qtbot, window, settings):
    qtbot.waitActive(window)
    card, grid = window.training_page.settings, ImageGrid(side=40, largest=50)
    # Qt sizes the holders of its scroll bars itself, whenever they are shown.
    parts = [w for w in window.findChildren(QWidget) if not w.objectName().startswith("qt_scrollarea")]
    sizes = {w: (w.minimumSize(), w.maximumSize()) for w in parts}
    text, width = text_size(card.start_button), card.width()
    for _ in range(3):
        qtbot.keyClick(window, Qt.Key.Key_Plus, CTRL)
    assert theme.zoom() == 1.5
    assert text_size(card.start_button) == round(1.5 * text)
    assert card.width() == round(1.5 * width)
    assert (grid._side, grid._largest) == (60, 75)
    assert kept_zoom(settings) == 1.5
    qtbot.keyClick(window, Qt.Key.Key_Minus, CTRL)
    assert theme.zoom() == 1.25
    qtbot.keyClick(window, Qt.Key.Key_0, CTRL)
    changed = [w for w, size in sizes.items() if (w.minimumSize(), w.maximumSize()) != size]
    assert changed == []


def test_the_window_stays_on_its_screen_at_any_zoom(qtbot, window):
    window.resize(1280, 800)
    for _ in FACTORS:
        window.zoom.larger()
        for number in range(4):
            window._show_page(number)
            assert window.minimumSizeHint().width() <= 1280
    assert theme.zoom() == FACTORS[-1]


def test_an_invalid_zoom_in_the_settings_is_ignored(settings):
    settings.setValue("zoom", "a lot")
    assert kept_zoom(settings) == 1.0


def test_f11_fills_the_screen_and_returns(qtbot, window):
    qtbot.waitActive(window)
    qtbot.keyClick(window, Qt.Key.Key_F11)
    assert window.isFullScreen()
    qtbot.keyClick(window, Qt.Key.Key_F11)
    assert not window.isFullScreen()


def test_a_click_on_a_picture_opens_it_and_the_arrow_keys_go_on(qtbot, window):
    qtbot.waitActive(window)
    images = np.arange(6 * 4, dtype=np.uint8).reshape(2, 3, 2, 2, 1)
    pictures = window.training_page.pictures
    grid = pictures.traversal
    pictures._stack.setCurrentIndex(1)
    grid.show_rows([Row(images[0], "z0", "size", ["a", "b", "c"]), Row(images[1], "z1")])
    qtbot.waitUntil(lambda: grid.cell() > 8)
    qtbot.mouseClick(grid, Qt.MouseButton.LeftButton, pos=grid._rect(0, 1).center())
    shown = large(window)
    assert shown.geometry() == window.rect()
    assert shown.words.text() == "z0 size · b"
    for key, place in ((Qt.Key.Key_Right, (0, 2)), (Qt.Key.Key_Right, (0, 0)), (Qt.Key.Key_Down, (1, 0))):
        qtbot.keyClick(shown, key)
        assert shown.picture.place == place
    seen = shown.picture.grab().toImage().pixelColor(shown.picture.rect().center() - QPoint(5, 5)).red()
    assert seen == images[1, 0, 0, 0, 0]
    grid.show_rows([Row(images[1]), Row(images[0])])
    seen = shown.picture.grab().toImage().pixelColor(shown.picture.rect().center() - QPoint(5, 5)).red()
    assert seen == images[0, 0, 0, 0, 0]
    qtbot.keyClick(shown, Qt.Key.Key_Escape)
    assert large(window) is None
    assert QApplication.focusWidget() is grid


def test_a_plot_opens_goes_on_to_the_next_and_returns_to_its_place(qtbot, window):
    qtbot.waitActive(window)
    page = window.training_page
    curves = page.curves
    page._stack.setCurrentWidget(curves)

    def place(plot):
        return next((n, row.indexOf(plot)) for n, row in enumerate(curves._rows) if row.indexOf(plot) >= 0)

    order = [place(plot) for plot in curves.plots[:3]]
    canvas = curves.kl.canvas
    qtbot.mouseClick(curves.kl.large, Qt.MouseButton.LeftButton)
    shown = large(window)
    assert shown.isAncestorOf(curves.kl)
    canvas.setFocus()
    qtbot.keyClick(canvas, Qt.Key.Key_Right)
    assert shown.isAncestorOf(curves.latents)
    assert curves.isAncestorOf(curves.kl)
    assert curves.latents.readout.parentWidget() is curves.latents
    qtbot.keyClick(shown, Qt.Key.Key_Escape)
    assert [place(plot) for plot in curves.plots[:3]] == order
    assert all(plot.isVisible() for plot in curves.plots[:3])
    assert curves.latents.readout.parentWidget() is curves


def test_leaving_the_page_closes_it(qtbot, window):
    window.metrics_page.show()
    window._show_page(2)
    charts = window.metrics_page.charts
    enlarge(charts, charts.group)
    assert large(window).isAncestorOf(charts)
    window._show_page(0)
    assert large(window) is None
    assert window.metrics_page.isAncestorOf(charts)


def test_every_plot_has_the_same_menu(qtbot, window):
    curves, metrics = window.training_page.curves, window.metrics_page
    plots = [*(plot.canvas for plot in curves.plots), metrics.charts.scatter, metrics.charts.bar_chart]
    for plot in (*plots, metrics.subject.map):
        plot.menu.aboutToShow.emit()
        texts = [action.text() for action in plot.menu.actions() if action.text() and action.isVisible()]
        fit, log = plot in plots, plot in plots[:-2]
        assert texts == [
            "Enlarge",
            "Copy as picture",
            "Save…",
            *["Logarithmic"] * log,
            *["Show all"] * fit,
            "Hide",
        ]


def test_a_plot_is_hidden_shown_again_and_never_the_last_one(qtbot, window):
    page = window.training_page
    page._stack.setCurrentWidget(page.curves)
    first, second, third = page.curves.plots[:3]
    second.canvas.menu.hide_plot.trigger()
    assert second.isHidden()
    page.curves.show_runs([])
    page.curves._draw()
    assert second.isHidden()  # though it has something to show
    first.canvas.menu.hide_plot.trigger()
    third.canvas.menu.aboutToShow.emit()
    assert not third.canvas.menu.hide_plot.isEnabled()
    third.canvas.menu.show_hidden.trigger()
    assert not first.isHidden()
    assert not second.isHidden()


def test_the_menu_makes_plots_logarithmic_copies_and_shows_all(qtbot, window):
    page = window.training_page
    page._stack.setCurrentWidget(page.curves)
    menu = page.curves.kl.canvas.menu
    menu.logarithmic.trigger()
    assert page.options.logarithmic.isChecked()
    menu.copy.trigger()
    copied = QGuiApplication.clipboard().pixmap()
    assert copied.size() == page.curves.kl.canvas.size() * copied.devicePixelRatio()
    with qtbot.waitSignal(page.curves.kl.canvas.all_asked):
        menu.fit.trigger()
    saved = []
    page.export.connect(saved.append)
    menu.save.trigger()
    assert saved == [page.options.options]


def test_a_card_in_no_group_offers_no_hiding(qtbot):
    card = Card("Alone")
    qtbot.addWidget(card)
    grid = ImageGrid()
    card.body.addWidget(grid)
    grid.menu.aboutToShow.emit()
    assert not grid.menu.hide_plot.isVisible()
