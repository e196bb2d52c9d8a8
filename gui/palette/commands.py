"""All commands of the window, read from its menus, buttons and shortcuts: the one list of what it can do.

The command palette and the help's list of keys are made from it.
"""

import re
from collections.abc import Callable

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QMainWindow,
    QMenu,
    QPushButton,
    QRadioButton,
    QStackedWidget,
    QToolButton,
    QWidget,
)

from gui.palette.entries import Entry
from gui.widgets.layouts import Card

KINDS = (QPushButton, QToolButton, QCheckBox, QRadioButton)
"""Buttons that are commands; entries of legends are not."""

MOVING = {"Tab, Shift+Tab": "Next field, previous field"}
"""Keys that are no commands."""

WEIGHT = 0.6


def commands_of(window: QMainWindow, pages: QStackedWidget, show_page: Callable[[int], object]) -> list[Entry]:
    """Return everything that menus, buttons and shortcuts of a window can do now.

    A button of a page that is not shown first shows its page.
    """
    found: dict[str, Entry] = {}
    for menu in window.findChildren(QMenu):
        menu.aboutToShow.emit()  # menus bring themselves up to date when they open
    buttons = [b for b in window.findChildren(QAbstractButton) if isinstance(b, KINDS) and b.window() is window]
    owners = {id(own): _words(button) for button in buttons if (own := _menu(button)) is not None}
    for action in window.findChildren(QAction):
        entry = _of_action(action, owners, pages, show_page)
        if entry is not None:
            found.setdefault(entry.key, entry)
    for button in buttons:
        entry = _of_button(button, pages, show_page)
        if entry is not None:
            found.setdefault(entry.key, entry)
    return list(found.values())


def keys_of(window: QWidget) -> dict[str, str]:
    """Return all shortcuts and their actions, read from the window's actions and buttons."""
    found: dict[str, str] = {}
    things: list[QAction | QAbstractButton] = [*window.findChildren(QAction), *window.findChildren(QAbstractButton)]
    for thing in things:
        keys, words = _keys(thing), _words(thing)
        if keys and words:
            found[keys] = f"{found[keys]}; {words}" if words not in found.get(keys, words) else words
    return found | MOVING


def _of_action(
    action: QAction, owners: dict[int, str], pages: QStackedWidget, show_page: Callable[[int], object]
) -> Entry | None:
    title, objects = _words(action), action.associatedObjects()
    if not title or not objects or action.isSeparator() or action.menu() is not None or not action.isVisible():
        return None
    menus = [each for each in objects if isinstance(each, QMenu)]
    if any(_hidden(menu, pages) for menu in menus):
        return None
    widgets = [each for each in objects if isinstance(each, QWidget) and not isinstance(each, QMenu)]
    place = next((words for menu in menus if (words := owners.get(id(menu)) or _title(menu))), "")
    page = next((number for each in (*widgets, *menus) if (number := _page(each, pages)) is not None), None)
    run = _shown_first(page, action.trigger, show_page)
    return Entry(f"action/{place}/{title}", title, place, run, _keys(action), action.isEnabled(), WEIGHT)


def _of_button(button: QAbstractButton, pages: QStackedWidget, show_page: Callable[[int], object]) -> Entry | None:
    page = _page(button, pages)
    inside = pages.widget(page) if page is not None else button.window()
    title = _words(button)
    if not title or _menu(button) is not None or inside is None or not button.isVisibleTo(inside):
        return None
    name = inside.accessibleName() if page is not None else ""
    place = " · ".join(dict.fromkeys(filter(None, (name, _card(button)))))
    run = _shown_first(page, button.click, show_page)
    enabled = button.isEnabledTo(inside)
    return Entry(f"button/{place}/{title}", title, place, run, _keys(button), enabled, WEIGHT)


def _shown_first(page: int | None, run: Callable[[], object], show_page: Callable[[int], object]) -> Callable[[], None]:
    def shown() -> None:
        if page is not None:
            show_page(page)
        run()

    return shown


def _page(widget: QWidget, pages: QStackedWidget) -> int | None:
    """Return the number of the page that contains a widget; None if none does."""
    each: QWidget | None = widget
    while each is not None:
        number = pages.indexOf(each)
        if number >= 0:
            return number
        each = each.parentWidget()
    return None


def _hidden(menu: QMenu, pages: QStackedWidget) -> bool:
    """Return whether the widget that a menu belongs to is not shown on its page."""
    holder, page = menu.parentWidget(), _page(menu, pages)
    inside = pages.widget(page) if page is not None else None
    return holder is not None and inside is not None and not holder.isVisibleTo(inside)


def _card(widget: QWidget) -> str:
    """Return the title of the card that contains a widget."""
    each: QWidget | None = widget
    while each is not None and not isinstance(each, Card):
        each = each.parentWidget()
    return each.title.text() if each is not None else ""


def _menu(button: QAbstractButton) -> QMenu | None:
    return button.menu() if isinstance(button, QPushButton | QToolButton) else None


def _title(menu: QMenu) -> str:
    return _plain(menu.title())


def _keys(thing: QAction | QAbstractButton) -> str:
    return thing.shortcut().toString(QKeySequence.SequenceFormat.NativeText)


def _words(thing: QAction | QAbstractButton) -> str:
    """Return what an action or button does: its accessible name, or its text."""
    named = thing.accessibleName() if isinstance(thing, QAbstractButton) else ""
    return named or _plain(thing.text())


def _plain(text: str) -> str:
    """Return a text without the marks of mnemonics and without dots at its end."""
    return re.sub("&(.)", r"\1", text).rstrip("…").strip()
