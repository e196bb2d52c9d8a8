"""Pages are built when they are first needed, or ahead while nothing else happens."""

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication

from gui.widgets import ahead
from gui.window.header import TABS


class Shown(QObject):
    """The windows shown while it watches."""

    def __init__(self):
        super().__init__()
        self.windows = []

    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Show and watched.isWidgetType() and watched.isWindow():
            self.windows.append(type(watched).__name__)
        return False


def test_a_page_is_built_when_it_is_shown_in_its_window_alone(qtbot, qapp, window):
    qtbot.waitExposed(window)
    assert [window.pages.has(number) for number in range(len(TABS))] == [True, False, False, False]
    shown = Shown()
    qapp.installEventFilter(shown)
    for number, title in enumerate(TABS):
        window.header.tabs.button(number).click()
        QApplication.processEvents()
        page = window.pages.currentWidget()
        assert (page.isVisible(), page.accessibleName()) == (True, title)
        assert window.pages.page(number) is page
    qapp.removeEventFilter(shown)
    assert shown.windows == []


def test_what_is_not_needed_yet_is_built_ahead(qtbot, monkeypatch, another_window, tmp_path):
    monkeypatch.setattr(ahead, "AHEAD_MS", 1)
    window = another_window(tmp_path)
    assert not window.pages.has(1)
    window.show()
    qtbot.waitUntil(lambda: all(map(window.pages.has, range(len(TABS)))))
    assert window.training_page._curves is not None
    assert window.pages.currentWidget() is window.training_page


def test_what_concerns_all_pages_builds_none(window, tmp_path):
    window.apply_theme()
    window._take_plugins()
    window._settings_changed()
    window._data_placed()
    assert not window._uses("some plug-in")
    assert not any(map(window.pages.has, range(1, len(TABS))))
