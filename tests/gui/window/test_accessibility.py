"""For those who use no mouse, little sight or no motion: names, the order of Tab, contrast, stillness."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QApplication, QWidget

from gui.settings.preferences import Preferences, write_preferences
from gui.traversal.player import STILL_TICKS, Moving, Player
from gui.widgets import theme
from gui.widgets.theme import CONTRAST
from gui.window.header import TABS

PAGES = range(len(TABS))


def reached_by_tab(widget, inside):
    policy = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    return bool(policy) and widget.focusProxy() is None and widget.isVisibleTo(inside) and widget.isEnabledTo(inside)


def name_of(widget):
    """What a screen reader says, as AT-SPI gets it."""
    found = QAccessible.queryAccessibleInterface(widget)
    return found.text(QAccessible.Text.Name) if found is not None else ""


def where(widget):
    return f"{type(widget).__name__} {name_of(widget)!r} in {type(widget.parentWidget()).__name__}"


def test_every_control_of_every_page_has_a_name(window):
    """Also those that are hidden until there is something to show."""
    window.training_page.curves  # noqa: B018  (made when first shown)
    window.metrics_page.charts.scatter.show()
    window.metrics_page.charts.bar_chart.show()
    window.banner.offer("Resume?", "Resume", lambda: None, lambda: None)
    widgets = [w for w in window.findChildren(QWidget) if w.window() is window and w.focusProxy() is None]
    controls = [w for w in widgets if w.focusPolicy() & Qt.FocusPolicy.TabFocus]
    assert len(controls) > 200
    assert [where(w) for w in controls if not name_of(w)] == []


def test_the_list_of_a_box_has_the_name_of_the_box(qtbot, window):
    box = window.training_page.settings.presets
    box.showPopup()
    assert name_of(box.view()) == "Preset"
    box.hidePopup()


@pytest.mark.parametrize("number", PAGES)
def test_tab_reaches_everything_on_a_page_and_comes_back(qtbot, window, number):
    qtbot.waitActive(window)
    window._show_page(number)
    window.training_page.curves  # noqa: B018  (made when first shown)
    QApplication.processEvents()
    wanted = {w for w in window.findChildren(QWidget) if reached_by_tab(w, window)}
    first = window.header.tabs.button(number)
    first.setFocus()
    order = []
    for _ in range(len(wanted) + 5):
        order.append(QApplication.focusWidget())
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        if QApplication.focusWidget() is first:
            break
    missed = [where(w) for w in wanted - set(order) if not _in_group(w)]
    assert missed == []
    page = window.pages.widget(number)
    inside = [place for place, widget in enumerate(order) if page.isAncestorOf(widget)]
    assert inside == list(range(inside[0], inside[-1] + 1))  # a page is left once, not in between


def _in_group(widget):
    """Of the buttons of a group only one takes Tab; arrow keys reach the others."""
    group = getattr(widget, "group", None)
    return callable(group) and group() is not None and group().exclusive()


def luminance(colour):
    """Relative luminance as WCAG 2.1 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_high_contrast_has_seven_to_one_for_text_and_three_to_one_for_lines():
    for ground in (CONTRAST.window, CONTRAST.card, CONTRAST.field):
        for text in ("text", "muted", "accent", "warning", "error"):
            assert contrast(getattr(CONTRAST, text), ground) >= 7
        for line in (CONTRAST.border, *CONTRAST.runs):
            assert contrast(line, ground) >= 3
    assert contrast(CONTRAST.text, CONTRAST.accent_soft) >= 7
    assert contrast(CONTRAST.on_accent, CONTRAST.accent) >= 7


def test_high_contrast_is_chosen_in_the_settings_and_remembered(qtbot, qapp, window, settings):
    dialog = window._open_settings()
    dialog.theme.setCurrentIndex(dialog.theme.findData("contrast"))
    dialog.ok.click()
    try:
        assert theme.tokens() is CONTRAST
        assert settings.value("theme") == "contrast"
        assert window.header._theme.text() == "Theme: contrast"
    finally:
        theme.choose_scheme(qapp, "light")


def test_reduced_motion_stops_what_need_not_move(qtbot, qapp, window, settings):
    before = {effect: QApplication.isEffectEnabled(effect) for effect in theme.EFFECTS}
    write_preferences(settings, Preferences(theme="light", reduced_motion=True))
    window._settings_changed()
    try:
        assert theme.reduced_motion()
        assert not any(QApplication.isEffectEnabled(effect) for effect in theme.EFFECTS)
        assert "widget-animation-duration: 0" in qapp.styleSheet()
        player, steps = Player(window), []
        player.step.connect(lambda latent, value: steps.append(value))
        player.start([Moving(0, 0.0, -3.0, 3.0)])
        assert player._timer.interval() == 1000
        for _ in range(STILL_TICKS):
            player.waiting = False
            player._next()
        player.stop()
        assert max(steps) == 3.0
        assert min(steps) == -3.0
    finally:
        theme.reduce_motion(qapp, False)
        for effect, enabled in before.items():
            QApplication.setEffectEnabled(effect, enabled)
