"""Accessibility by keyboard, screen reader and large text, on every page and in the dialogs."""

import contextlib
import itertools
import operator
import shutil

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDialog,
    QLabel,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QToolButton,
    QWidget,
)

from gui.help.about import AboutDialog
from gui.help.posteriors import FigureOneDialog
from gui.runs.run_list import RunList
from gui.settings.dialog import SettingsDialog
from gui.widgets import theme
from gui.widgets.combo import Combo
from gui.widgets.layouts import Card
from gui.window.errors import ErrorDialog, Problem
from gui.window.header import TABS, Header

LARGER = 1.3
"""Larger text that must still fit."""


def shown(window: QWidget, *kinds: type[QWidget]) -> list[QWidget]:
    return [w for w in window.findChildren(QWidget) if w.isVisible() and isinstance(w, kinds)]


def reachable(window: QWidget) -> list[QWidget]:
    """Return the widgets reached by Tab, in order."""
    found, widget = [], window.nextInFocusChain()
    while widget is not window:
        if widget.isVisible() and widget.isEnabled() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            inner = widget.focusProxy() is None and type(widget) is not QWidget
            if inner and widget.window() is window and not _inside_field(widget):
                found.append(widget)
        widget = widget.nextInFocusChain()
    return found


def _inside_field(widget: QWidget) -> bool:
    """Return the line edit of a spin box, or the viewport of a list."""
    parent = widget.parentWidget()
    return isinstance(parent, (QAbstractSpinBox, QComboBox, QAbstractScrollArea)) and widget.objectName().startswith(
        "qt_"
    )


def nameless(window: QWidget) -> list[str]:
    """Return widgets for which a screen reader has no text."""
    labelled = {label.buddy() for label in window.findChildren(QLabel) if label.buddy() is not None}
    lines = []
    for widget in reachable(window):
        said = widget.accessibleName() or (widget.text() if isinstance(widget, QAbstractButton) else "")
        if not said and widget not in labelled:
            lines.append(f"{type(widget).__name__} {widget.objectName()} {widget.toolTip()[:40]} in {_place(widget)}")
    return lines


def cut(window: QWidget) -> list[str]:
    """Return labels, buttons and boxes that are smaller than their text, except those that elide it."""
    lines = []
    for widget in shown(window, QLabel, QPushButton, QCheckBox, QRadioButton, QToolButton, QComboBox):
        if isinstance(widget, QLabel) and (widget.wordWrap() or not widget.text()):
            continue
        if isinstance(widget, Combo):
            continue
        if _overhangs(widget):
            lines.append(f"{_say(widget)} reaches beyond {_place(widget)}")
        wanted = widget.sizeHint()
        if widget.width() < wanted.width() or widget.height() < min(wanted.height(), widget.fontMetrics().height()):
            words = widget.currentText() if isinstance(widget, QComboBox) else widget.text()
            sizes = f"{widget.width()} x {widget.height()} of {wanted.width()} x {wanted.height()}"
            lines.append(f"{type(widget).__name__} “{words}”: {sizes} in {_place(widget)}")
    return lines


def _overhangs(widget: QWidget) -> bool:
    """Return whether a parent cuts a widget off and does not scroll horizontally."""
    holder = widget.parentWidget()
    while holder is not None:
        left = widget.mapTo(holder, QPoint(0, 0)).x()
        if left < 0 or left + widget.width() > holder.width():
            return True
        holder = None if holder.isWindow() else holder.parentWidget()
    return False


def backwards(window: QWidget) -> list[str]:
    """Return Tab steps that move up, or left within a line, except to a column further right; for each card."""
    lines = []
    order = [(widget, _card(widget)) for widget in reachable(window)]
    for (one, card), (two, other) in itertools.pairwise(order):
        if card is not other:
            continue
        before, after = _places(one, two, window)
        up = after.bottom() <= before.top() and after.left() < before.right()
        left = after.right() <= before.left() and after.top() < before.bottom()
        if up or left:
            lines.append(f"{_say(one)} -> {_say(two)} in {_place(one)}")
    return lines


def _places(one: QWidget, two: QWidget, window: QWidget) -> tuple[QRect, QRect]:
    """The places of two widgets; if one is in an area that scrolls and the other is not, that of the area."""
    areas = [_area(widget) for widget in (one, two)]
    shown = [one, two] if areas[0] is areas[1] else [area or w for area, w in zip(areas, (one, two), strict=True)]
    first, second = (QRect(w.mapTo(window, QPoint(0, 0)), w.size()) for w in shown)
    return first, second


def _area(widget: QWidget) -> QScrollArea | None:
    while widget is not None and not isinstance(widget, QScrollArea):
        widget = widget.parentWidget()
    return widget


def leaps(window: QWidget) -> list[str]:
    """Return cards that Tab visits twice, or after one further right or lower."""
    lines, seen = [], []
    for widget in reachable(window):
        card = _card(widget)
        if card is None or (seen and seen[-1] is card):
            continue
        if card in seen:
            lines.append(f"back to {_title(card)}, to {_say(widget)}")
        elif seen:
            before, after = (QRect(c.mapTo(window, QPoint(0, 0)), c.size()) for c in (seen[-1], card))
            if after.bottom() <= before.top() or (after.right() <= before.left() and after.top() < before.bottom()):
                lines.append(f"{_title(seen[-1])} -> {_title(card)}")
        seen.append(card)
    return lines


def _title(card: QWidget) -> str:
    return f"{type(card).__name__} {card.title.text() if isinstance(card, Card) else ''}".strip()


def _card(widget: QWidget) -> QWidget | None:
    while widget is not None and not isinstance(widget, (Card, Header)):
        widget = widget.parentWidget()
    return widget


def _say(widget: QWidget) -> str:
    return widget.accessibleName() or getattr(widget, "text", str)() or type(widget).__name__


def _place(widget: QWidget) -> str:
    parent = widget.parentWidget()
    names = []
    while parent is not None:
        if type(parent).__module__.startswith("gui."):
            names.append(type(parent).__name__)
        parent = parent.parentWidget()
    return " < ".join(names)


def dialogs(window: QWidget, settings: object) -> list[QDialog]:
    error = ErrorDialog(window, "Problem")
    error.add(Problem("The file cannot be read.", "Nothing was lost.", "Choose another file.", "details"))
    error.show_details.click()
    return [SettingsDialog(window, settings, window.plugins), FigureOneDialog(window), AboutDialog(window), error]


@pytest.fixture
def larger(qapp):
    """A desktop with text 30 % larger."""
    before = qapp.font()
    font = qapp.font()
    font.setPixelSize(round(LARGER * theme.TEXT))
    qapp.setFont(font)
    theme.choose_scheme(qapp, "light")
    yield
    qapp.setFont(before)
    theme.choose_scheme(qapp, "light")


def settle(qtbot, window):
    """Wait until no widget has moved for a while, even on a busy machine."""
    before = None
    for _ in range(100):
        qtbot.wait(20)
        now = [(id(w), w.geometry()) for w in window.findChildren(QWidget) if w.isVisible()]
        if now == before:
            return
        before = now


@pytest.fixture
def tour(qtbot, tmp_path, another_window, tiny_run):
    """Open the window with a run at 1280 x 800, and yield as each page and each part of a page is shown."""

    def go():
        runs = tmp_path / "a run"
        shutil.copytree(tiny_run.path, runs / "tiny")
        window = another_window(runs)
        window.resize(1280, 800)
        window.show()
        qtbot.waitExposed(window)
        for number, title in enumerate(TABS):
            window.header.tabs.button(number).click()
            if title == "Traversal":
                qtbot.waitUntil(lambda: window.traversal_page.answer is not None, timeout=60_000)
            page = window.pages.currentWidget()
            parts = {"Traversal": ("source.segments", "card.views"), "Metrics": ("options.segments",)}.get(title, ())
            buttons = [b for part in parts for b in operator.attrgetter(part)(page).buttons() if b.isVisible()]
            for button in buttons or [window.header.tabs.button(number)]:
                button.click()
                settle(qtbot, window)
                assert window.pages.currentIndex() == number
                yield f"{title}, {button.text()}", window

    return go


def test_everything_tab_reaches_has_a_name_and_follows_reading_order(tour):
    for title, window in tour():
        assert len(reachable(window)) > 8, title
        assert "\n".join(nameless(window)) == "", title
        assert "\n".join(backwards(window)) == "", title
        assert "\n".join(leaps(window)) == "", title
        assert [type(c) for c in dict.fromkeys(map(_card, reachable(window))) if c is not None][:2] == [Header, RunList]


def test_larger_text_is_not_cut_on_any_page(larger, qtbot, tour):
    for title, window in tour():
        assert window.fontMetrics().height() > 17
        assert window.size().width() == 1280, title
        with contextlib.suppress(qtbot.TimeoutError):  # what is cut off is reported below
            qtbot.waitUntil(lambda window=window: not cut(window), timeout=3000)
        assert "\n".join(cut(window)) == "", title


def test_dialogs_have_names_and_room_for_larger_text(larger, qtbot, window, settings):
    for dialog in dialogs(window, settings):
        qtbot.addWidget(dialog)
        dialog.show()
        qtbot.waitExposed(dialog)
        qtbot.wait(1)
        assert "\n".join(nameless(dialog)) == ""
        assert "\n".join(backwards(dialog)) == ""
        assert "\n".join(cut(dialog)) == ""
