"""Light and dark: chosen by the user, or following the system."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QCompleter

from gui.widgets import theme
from gui.widgets.heat_map import ink_on


def luminance(colour: str) -> float:
    """Relative luminance of a colour (WCAG 2.1)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("tokens", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_text_is_readable_in_both_schemes(tokens):
    # WCAG 2.1, level AA: 4.5 for text, 3 for graphics.
    for colour in (tokens.text, tokens.muted, tokens.warning, tokens.error, tokens.accent):
        assert contrast(colour, tokens.card) >= 4.5, colour
    assert contrast(tokens.on_accent, tokens.accent) >= 4.5
    # Combinations in the style sheet: beside cards, in fields, on selections, and on a disabled button.
    for colour in (tokens.text, tokens.muted, tokens.error):
        for back in (tokens.window, tokens.field):
            assert contrast(colour, back) >= 4.5, (colour, back)
    for colour in (tokens.text, tokens.muted, tokens.accent, tokens.warning, tokens.error):
        assert contrast(colour, tokens.accent_soft) >= 4.5, colour
    assert contrast(tokens.muted, tokens.faint) >= 4.5
    # Focus rings and the borders of check boxes are graphics: 3.
    for back in (tokens.window, tokens.card, tokens.field, tokens.accent_soft):
        assert contrast(tokens.accent, back) >= 3, back
    for colour in tokens.runs:
        assert contrast(colour, tokens.card) >= 2.3, colour


@pytest.mark.parametrize("tokens", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_numbers_are_readable_on_every_cell_of_a_heat_map(tokens):
    low, high = QColor(tokens.field), QColor(tokens.runs[0])
    for share in range(101):
        mixed = [a + (b - a) * share / 100 for a, b in zip(low.getRgb(), high.getRgb(), strict=True)]
        fill = QColor(*map(round, mixed))
        assert contrast(ink_on(fill).name(), fill.name()) >= 4.5, fill.name()


def test_a_chosen_scheme_overrides_the_system(qapp):
    for name, dark in (("dark", True), ("light", False)):
        theme.choose_scheme(qapp, name)
        assert theme.is_dark() is dark
        assert qapp.palette().window().color().lightness() < 128 if dark else True
    assert theme.tokens() is theme.LIGHT


@pytest.mark.parametrize("name", ["light", "dark"])
def test_a_list_in_a_popup_is_readable(qtbot, qapp, name):
    # Like the completions of a file dialog.
    theme.choose_scheme(qapp, name)
    completer = QCompleter(["tmp"])
    view = completer.popup()
    qtbot.addWidget(view)
    view.resize(200, 100)
    pixels = view.grab().toImage()
    assert pixels.pixelColor(100, 90).name() == theme.tokens().card
    assert pixels.pixelColor(100, 90).alpha() == 255
    theme.choose_scheme(qapp, "light")


@pytest.mark.parametrize("chosen", ["light", "dark", "system"])
def test_each_click_on_the_theme_button_switches_the_look(qtbot, qapp, window, settings, chosen):
    theme.choose_scheme(qapp, chosen)
    for _ in range(4):
        before = theme.tokens()
        qtbot.mouseClick(window.header._theme, Qt.MouseButton.LeftButton)
        assert theme.tokens() is not before
        assert window.header._theme.text() == f"Theme: {settings.value('theme')}"
    theme.choose_scheme(qapp, "light")
